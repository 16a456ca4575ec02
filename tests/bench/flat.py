"""Rows of the full run: what everything costs in a large store, against one of the same kind with 20 jobs."""

import itertools
import os
import re

import drain
import ground
import idle
import processes
import rolling
import rows
import stores
import timing

STATES = ("pending", "processing", "completed", "failed", "dead", "cancelled")
COMMANDS = ([["enqueue", "true"], ["enqueue", "--id", "FRESH", "true"], ["status"], ["list", "--limit", 10]]
            + [["list", "--state", state, "--limit", 10] for state in STATES]
            + [["show", "KNOWN"], ["logs", "ENDED"], ["dlq", "list", "--limit", 10]])

_fresh = itertools.count()


def measurements(here):
    if not here.full:
        return []
    shelf = stores.Shelf(here)
    found = [rows.Measurement("rolling and merging at a million", lambda: rolled(here, shelf))]
    for kind in stores.LARGE:
        found += of_kind(here, shelf, kind)
    return found


def of_kind(here, shelf, kind):
    """The commands first: what claims leaves a journal behind."""
    def add(what, sides, shown=rows.milliseconds):
        title = "%d %s: %s" % (stores.LARGE[kind], kind, what)
        found.append(rows.Measurement(title, lambda: compared(title, shelf, kind, sides, shown)))

    found = []
    for words in COMMANDS:
        add(" ".join(map(str, words)), lambda store, words=words: command(here, words, store))
    add("worker's start to its first job", lambda store: first_job(here, store))
    add("worker start --max-jobs 1", lambda store: one_job(here, store))
    add("a claim", lambda store: claim(here, store), rows.microseconds)
    if processes.SUPPORTED:
        title = "%d %s: memory of a worker (peak), after 150 jobs" % (stores.LARGE[kind], kind)
        found.append(rows.Measurement(title, lambda: memory(here, title, shelf.large(kind))))
    return found


def compared(title, shelf, kind, sides, shown):
    """sides: store -> a function that measures there once."""
    few, many = sides(shelf.small(kind)), sides(shelf.large(kind))
    # The first of each warms the caches of the disk for both.
    few(), many()
    yield rows.compared(title, shown, *timing.interleaved(11, few, many), at_most=1.5)


def command(here, words, store):
    named = {"KNOWN": known_id, "ENDED": ended_id}
    given = {word: named[word](here, store) for word in words if word in named}

    def once():
        given["FRESH"] = "fresh-%d" % next(_fresh)
        return here.call(*[given.get(word, word) for word in words], store=store).seconds
    return once


def known_id(here, store):
    """An id from the middle of the largest segment, where it is hardest to find; of a store without any, the first."""
    segments = [os.path.join(folder, name) for part in ("base", "archive")
                for folder, _, names in os.walk(os.path.join(store["QUEUECTL_STORE"], part))
                for name in names if name.endswith(".jsonl")]
    if not segments:
        return re.search('"id": ?"([^"]+)"', here.call("list", "--limit", 1, "--jsonl", store=store).printed).group(1)
    with open(max(segments, key=os.path.getsize)) as file:
        file.seek(os.path.getsize(file.name) // 2)
        file.readline()
        return re.match('{"id":"([^"]+)"', file.readline()).group(1)


def ended_id(here, store):
    """The same of a job that has ended; where all wait, one is run."""
    if not here.states(store)["pending"]:
        return known_id(here, store)
    job = here.call("enqueue", "--priority", -1, "echo", "hello", store=store).printed.strip()
    here.call("worker", "start", "--max-jobs", 1, store=store)
    return job


def first_job(here, store):
    """From before the start of `worker start` to the first word of a job's command."""
    def once():
        with idle.Ear(here) as ear:
            here.call("enqueue", "--priority", -1, ear.command, store=store)
            begin = timing.now()
            worker = here.start("--max-jobs", 1, store=store)
            taken = ear.heard()[ear.fd] - begin
            here.ended(worker)
        return taken
    return once


def one_job(here, store):
    def once():
        here.call("enqueue", "true", store=store)
        return here.call("worker", "start", "--max-jobs", 1, store=store).seconds
    return once


def claim(here, store):
    words = ground.PYTHON + [ground.script("claims.py"), here.path("tree"), store["QUEUECTL_STORE"], 150]
    return lambda: float(here.run(words, store).printed)


def memory(here, title, store):
    yield rows.alone(title, "%.1f MB", idle.most_of_worker(here, store), at_most=20)


def rolled(here, shelf):
    """Of finishing a million jobs without their commands; the rest of a drain is measured on 4,000 with them."""
    shelf.large("finished")
    noted, jobs, claiming, longest = shelf.finishing
    all_of_it, own = drain.cpu_per_job(here, 2, 4000)
    yield from rolling.report("finishing %d jobs" % jobs, noted, jobs, all_of_it, own)
    yield rows.alone("finishing %d jobs: finish and claim, CPU" % jobs, "%.0f us", 1e6 * claiming / jobs,
                     note=" (longest, wall clock: %.0f ms)" % (1e3 * longest))
