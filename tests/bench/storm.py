"""Rows: a storm: 50 processes enqueue at once, one job after another, while 8 workers drain.

Each job leaves its id in a file; the ids that enqueue printed must be there,
each once. The waits for the lock are those of the enqueuers and the workers
themselves, timed at the system call (scripts/watched.py).
"""

import ground
import notes
import processes
import rows

WRITERS = 50


def measurements(here):
    return [rows.Measurement("storm", lambda: storm(here))] if processes.SUPPORTED else []


def storm(here):
    each = 20 if here.full else 4
    store = notes.asked(here, here.fresh_store())
    acknowledged, effects = here.path("acknowledged"), here.path("effects")
    running = here.start("--count", 8, store=store, program=here.watched)
    here.wait_for_workers(store, 8)
    words = ground.PYTHON + [here.watched, "enqueue", 'echo "$QUEUECTL_JOB_ID" >> %s' % effects]
    loop = "i=0; while [ $i -lt %d ]; do \"$@\" || exit 1; i=$((i+1)); done" % each
    with open(acknowledged, "ab") as ids, open(here.log, "ab") as log:
        several = [here.begin(["sh", "-c", loop, "sh"] + words, store, stdout=ids, stderr=log) for _ in range(WRITERS)]
    failures = sum(process.wait() != 0 for process in several)
    here.wait_until_done(store)
    here.stop(running, store)
    yield from report(WRITERS * each, lines(acknowledged), lines(effects), failures, notes.taken(here)["waited"])


def report(jobs, ids, effects, failures, waits):
    right = failures == 0 and len(ids) == jobs and sorted(ids) == sorted(effects)
    wrong = "every job once" if right else "%d acknowledged, %d ran, %d different" % (
        len(ids), len(effects), len(set(effects)))
    what = "storm: %d processes enqueue %d jobs each, 8 workers drain" % (WRITERS, jobs // WRITERS)
    yield rows.alone(what + ": errors", "%d", failures, at_most=0, note=", " + wrong, met=right)
    waited, starved = max(waits)
    yield rows.alone(what + ": worst wait for the lock", "%.0f ms", 1e3 * waited, at_most=1000,
                     note=" (%.0f of them waiting for a CPU)" % (1e3 * starved))


def lines(path):
    with open(path) as file:
        return file.read().split()
