"""Rows: draining no-op jobs against a bare Popen loop, and what the CPU of it goes to.

Both sides are timed as whole commands, from before their start until they have
ended: the start of Python and of the processes, and here the last sync, the
results' places in the store and the leave-taking, all count. With 8,000 jobs
that is a hundredth or two; a row of its own says how much.
"""

import os

import ground
import notes
import processes
import rows
import timing

BOUNDS = {2: 0.95, 8: 1.0}


def measurements(here):
    found = [rows.Measurement("drain, %d workers" % workers, lambda workers=workers: drained(here, workers))
             for workers in BOUNDS]
    found.append(rows.Measurement("drain, nothing to run", lambda: nothing(here)))
    if processes.SUPPORTED:
        found.append(rows.Measurement("CPU of a worker's own a job", lambda: apart(here)))
        found.append(rows.Measurement("CPU per job, 32 workers against 2", lambda: crowded(here)))
    return found


def drained(here, workers):
    jobs, rounds = (8000, 5) if here.full else (4000, 3)
    bare, ours = timing.interleaved(
        rounds, lambda: bare_loop(here, workers, jobs), lambda: our_drain(here, workers, jobs))
    what = "%d no-op jobs, %d workers, against the bare Popen loop" % (jobs, workers)
    yield rows.compared("drain " + what, rows.per_second, [jobs / one.seconds for one in bare],
                        [jobs / one.seconds for one in ours], at_least=BOUNDS[workers])
    yield rows.compared("CPU per job, commands included: " + what, rows.microseconds,
                        [one.cpu / jobs for one in bare], [one.cpu / jobs for one in ours])


def nothing(here):
    bare, ours = timing.interleaved(5, lambda: bare_loop(here, 2, 0).seconds, lambda: our_drain(here, 2, 0).seconds)
    yield rows.compared("drain nothing, 2 workers: start and end alone", rows.milliseconds, bare, ours)


def bare_loop(here, workers, jobs):
    ended = here.run(ground.PYTHON + [ground.script("bare_loop.py"), workers, jobs, here.path("bare")])
    for number in range(workers):
        for suffix in ("out", "err"):
            os.unlink(here.path("bare.%d.%s" % (number, suffix)))
    return ended


def our_drain(here, workers, jobs):
    store = here.fresh_store()
    here.fill(store, max(jobs, 1))
    if not jobs:
        here.call("worker", "start", "--drain", store=store)
    with open(here.log, "ab") as log:
        ended = here.call("worker", "start", "--count", workers, "--drain", store=store, output=log)
    here.check_all_done(store, max(jobs, 1))
    here.forget(store)
    return ended


def apart(here):
    """Of the loops and of the workers themselves, without the commands they run and without rollers."""
    jobs, rounds = (4000, 3) if here.full else (2000, 3)
    bare, ours = timing.interleaved(
        rounds, lambda: float(bare_loop(here, 2, jobs).printed.split()[0]) / jobs,
        lambda: cpu_per_job(here, 2, jobs)[1])
    yield rows.compared("CPU per job without the command: bare loop, worker", rows.microseconds, bare, ours)


def crowded(here):
    """Workers, commands and rollers; the workers' start is left out, and the enqueueing."""
    jobs, rounds = (4000, 3) if here.full else (2000, 3)
    few, many = timing.interleaved(rounds, lambda: cpu_per_job(here, 2, jobs), lambda: cpu_per_job(here, 32, jobs))
    note = " (workers alone %s, of 2: %s)" % tuple(
        rows.microseconds(sorted(own for _, own in side)[rounds // 2]) for side in (many, few))
    yield rows.compared("CPU per job, 32 workers against 2", rows.microseconds, [all_of_it for all_of_it, _ in few],
                        [all_of_it for all_of_it, _ in many], at_most=1.3, note=note)


def cpu_per_job(here, workers, jobs, watched=False):
    """(all, the workers' own) CPU seconds a job, of workers that wait when the jobs come.

    All is theirs, that of the commands, and that of their supervisor and the rollers it forks.
    watched: with notes (notes.py).
    """
    store = here.fresh_store()
    if watched:
        store = notes.asked(here, store)
    running = here.start("--count", workers, store=store, program=here.watched if watched else here.tree)
    pids = here.wait_for_workers(store, workers)
    supervisor = processes.parent(pids[0])
    own, others = spent(pids, supervisor)
    here.fill(store, jobs)
    here.wait_until_done(store)
    # Else a roller that is still at it would not be counted.
    timing.wait_until(lambda: processes.children(supervisor) == sorted(pids))
    own, others = [after - before for after, before in zip(spent(pids, supervisor), (own, others))]
    here.stop(running, store)
    here.check_all_done(store, jobs)
    here.forget(store)
    return (own + others) / jobs, own / jobs


def spent(pids, supervisor):
    """(of the workers themselves, of all others) CPU seconds so far."""
    return sum(map(processes.own_cpu, pids)), (
        processes.own_cpu(supervisor) + sum(map(processes.childrens_cpu, [supervisor] + pids)))
