"""Rows: jobs that come after others, against as many that do not: a chain, and many that wait for one."""

import os

import rows
import timing


def measurements(here):
    return [rows.Measurement("drain of " + name, lambda name=name: drained(here, name)) for name in SHAPES]


def _chain(number):
    return [number - 1] if number else []


def _fan(number):
    return [0] if number else []


SHAPES = {"a chain": (_chain, 1), "a fan-out": (_fan, 2)}


def drained(here, name):
    shape, workers = SHAPES[name]
    jobs = 10000 if here.full else 2000
    plain, bound = timing.interleaved(
        3, lambda: _drain(here, jobs, workers, lambda number: []), lambda: _drain(here, jobs, workers, shape))
    what = "%s of %d no-op jobs, against as many that wait for none" % (name, jobs)
    yield rows.compared("drain " + what, rows.per_second, [jobs / one.seconds for one in plain],
                        [jobs / one.seconds for one in bound], at_least=0.8)


def _drain(here, jobs, workers, after):
    store = here.fresh_store()
    path = here.path("shape.jsonl")
    with open(path, "w") as file:
        for number in range(jobs):
            waits = "".join(',"after":["j%d"]' % other for other in after(number))
            file.write('{"id":"j%d","command":"true"%s}\n' % (number, waits))
    with open(os.devnull, "wb") as nowhere:
        here.call("enqueue", "--file", path, store=store, output=nowhere)
    with open(here.log, "ab") as log:
        ended = here.call("worker", "start", "--count", workers, "--drain-all", store=store, output=log)
    here.check_all_done(store, jobs)
    here.forget(store)
    return ended
