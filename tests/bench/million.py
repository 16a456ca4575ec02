"""Rows of the full run: what a command costs beside a million jobs, against an empty store."""

import statistics
import subprocess

import ground

FINISH = """\
import sys
from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
desk = stores.open_store(sys.argv[1], write=True).claims("1.bench")
outcome = lifecycle.Outcome(0, None, None, 0.001, lifecycle.Output("", 0, None), lifecycle.Output("", 0, None))
policy = lifecycle.Policy(2, 3600, 0)
done = None
while True:
    now = clock.now()
    _, job = desk.exchange(done, True, now)
    if job is None:
        break
    done = (job, lifecycle.finish(job, outcome, now, policy))
    desk.maybe_roll()
desk.sync()
"""


def rows(here):
    if not here.full:
        return
    empty = here.fresh_store()
    here.fill(empty, 20)
    full = {"1,000,000 pending": pending(here), "1,000,000 finished": finished(here)}
    for kind, store in full.items():
        for words in commands(here, store):
            yield flat(here, kind, words, empty, store)
        yield grown_memory(here, kind, store)


def pending(here):
    store = here.fresh_store()
    here.fill(store, 1000000)
    return store


def finished(here):
    """Finished through the store itself, without running commands: that alone would take ten minutes."""
    store = pending(here)
    environment = dict(store, PYTHONPATH=here.tree[:-len("/queuectl.py")])
    subprocess.run(ground.PYTHON + ["-c", FINISH, store["QUEUECTL_STORE"]], check=True, env=environment)
    return store


def commands(here, store):
    known = here.call("list", "--limit", 1, "--jsonl", store=store)
    return [["enqueue", "true"], ["enqueue", "--id", "fresh-%d", "true"], ["status"], ["list", "--limit", 10],
            ["list", "--state", "dead", "--limit", 10], ["show", known.split('"')[3]],
            ["worker", "start", "--count", 1, "--max-jobs", 1]]


def flat(here, kind, words, empty, store):
    numbers = iter(range(10 ** 6))

    def run(where):
        if words[0] == "show" and where is empty:
            known = here.call("list", "--limit", 1, "--jsonl", store=empty).split('"')[3]
            return ground.seconds(here.call, "show", known, store=where)
        spelled = [str(word).replace("%d", str(next(numbers))) for word in words]
        if words[0] == "worker":
            here.call("enqueue", "true", store=where)
        return ground.seconds(here.call, *spelled, store=where)

    few, many = ground.interleaved(9, lambda: run(empty), lambda: run(store))
    times = ground.ratio(many, few)
    shown = " ".join(str(word) for word in words).replace("fresh-%d", "ID")
    return ground.Row("%s: %s" % (kind, shown), "%.1f ms" % (1e3 * statistics.median(few)),
                      "%.1f ms" % (1e3 * statistics.median(many)), times, "<= 1.50 x", times <= 1.5)


def grown_memory(here, kind, store):
    running = here.start("worker", "start", "--count", 1, "--queue", "nobody", store=store)
    ground.wait_for_workers(store, 1)
    most = max(map(ground.resident, ground.pids_in(store)["worker"])) / 1e6
    here.stop(running, store)
    return ground.Row("%s: memory of a worker" % kind, "", "%.1f MB" % most, None, "<= 20 MB", most <= 20)
