"""Rows: what rolling and merging take of a drain's CPU, and how long they hold the store lock.

Seen from inside (scripts/watched.py): each roller notes its CPU, start-up
included, and each time it held the lock.
"""

import statistics

import drain
import notes
import processes
import rows


def measurements(here):
    return [rows.Measurement("rolling and merging", lambda: drained(here))] if processes.SUPPORTED else []


def drained(here):
    jobs = 8000
    each, own = drain.cpu_per_job(here, 2, jobs, watched=True)
    noted = notes.taken(here)
    rolling = sum(noted["cpu"]) / jobs
    yield from report("draining %d jobs" % jobs, noted, jobs, each - rolling, own)


def report(what, noted, jobs, drain_cpu, own_cpu):
    """The two rows.

    noted: of jobs so many; drain_cpu: CPU seconds that draining one job takes
    besides, command included; own_cpu: that of the worker alone.
    """
    rolling = sum(noted["cpu"]) / jobs
    note = " (%s a job, %d rolls; %.0f %% without the commands)" % (
        rows.microseconds(rolling), len(noted["cpu"]), 100 * rolling / (rolling + own_cpu))
    yield rows.alone("CPU of rolling and merging, of the drain's: " + what, "%.1f %%",
                     100 * rolling / (rolling + drain_cpu), at_most=15, note=note)
    held = noted["held"]
    note = " (median %.1f of %d)" % (1e3 * statistics.median(held), len(held))
    yield rows.alone("longest hold of the store lock by a roll or merge: " + what, "%.1f ms", 1e3 * max(held),
                     at_most=100, note=note)
