"""Rows: draining no-op jobs against a bare Popen loop; what many workers cost each other."""

import os
import shutil
import statistics
import subprocess

import ground

BARE_LOOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bare_loop.py")


def rows(here):
    yield drained(here, 2, 0.95)
    yield drained(here, 8, 1.0)
    if shutil.which("xargs"):
        yield against_xargs(here)
    yield crowded(here)


def drained(here, workers, target):
    jobs, rounds = (8000, 5) if here.full else (3000, 3)
    bare, ours = ground.interleaved(rounds, lambda: bare_rate(here, workers, jobs), lambda: our_rate(here, workers, jobs))
    share = ground.ratio(ours, bare)
    return ground.Row("drain %d no-op jobs, %d workers, against the bare Popen loop" % (jobs, workers),
                      per_second(bare), per_second(ours), share, ">= %.2f x" % target, share >= target)


def bare_rate(here, workers, jobs):
    output = os.path.join(here.top, "bare.out")
    words = ground.PYTHON + [BARE_LOOP, str(workers), str(jobs), output]
    return jobs / ground.seconds(subprocess.run, words, check=True, env=here.environment)


def our_rate(here, workers, jobs):
    store = here.fresh_store()
    here.fill(store, jobs)
    with open(os.path.join(here.top, "workers.log"), "ab") as log:
        taken = ground.seconds(here.call, "worker", "start", "--count", workers, "--drain", store=store, output=log)
    check_all_done(here, store, jobs)
    here.forget(store)
    return jobs / taken


def check_all_done(here, store, jobs):
    """A drain that did not run everything is no figure."""
    done = here.states(store)["completed"]
    if done != jobs:
        raise SystemExit("bench: %d of %d jobs completed" % (done, jobs))


def against_xargs(here):
    jobs, rounds = 1000, 3
    words = ["sh", "-c", "seq %d | xargs -P 2 -I{} sh -c true" % jobs]
    xargs, ours = ground.interleaved(
        rounds, lambda: jobs / ground.seconds(subprocess.run, words, check=True), lambda: our_rate(here, 2, jobs))
    return ground.Row("drain %d no-op jobs, 2 workers, beside xargs -P 2" % jobs, per_second(xargs), per_second(ours),
                      ground.ratio(ours, xargs), "", None)


def crowded(here):
    jobs, rounds = (8000, 3) if here.full else (1500, 2)
    few, many = ground.interleaved(rounds, lambda: cpu_per_job(here, 2, jobs), lambda: cpu_per_job(here, 32, jobs))
    times = ground.ratio(many, few)
    return ground.Row("CPU per job, 32 workers against 2", "%.2f ms" % (1e3 * statistics.median(few)),
                      "%.2f ms" % (1e3 * statistics.median(many)), times, "<= 1.30 x", times <= 1.3)


def cpu_per_job(here, workers, jobs):
    """Workers and the commands they run, their start left out."""
    store = here.fresh_store()
    running = here.start("worker", "start", "--count", workers, store=store)
    ground.wait_for_workers(store, workers)
    pids = ground.pids_in(store)["worker"]
    before = sum(map(ground.cpu_with_children, pids))
    here.fill(store, jobs)
    here.wait_until_done(store)
    spent = sum(map(ground.cpu_with_children, pids)) - before
    here.stop(running, store)
    check_all_done(here, store, jobs)
    here.forget(store)
    return spent / jobs


def per_second(rates):
    return "%d/s" % statistics.median(rates)
