"""`worker start` and `worker stop`: running workers here, and telling all of a store to leave.

Stopping goes through workers.pid (pidfile.py): whoever lives there reads the
order within a second, at once when nudged. Workers whose supervisor is dead
are reached like the others.
"""

import os
import signal
import sys
import time

from queuectl_lib.words.errors import DiskFull
from queuectl_lib.work import log, pidfile, signals, slots, spawn, worker
from queuectl_lib.work.team import Team

START_METHOD_VARIABLE = "QUEUECTL_START_METHOD"

_STOP_LOOK_SECONDS = 0.05
_SILENT_SECONDS = 5.0
_NAMED = 3


def start(store, count=1, queues=None, drain=False, drain_all=False, max_jobs=None, max_idle=None, ensure=False,
          start_method=None, beside=()):
    """Run so many workers until they have left; the exit code.

    queues: names served, None for all; drain: leave when nothing is ready;
    drain_all: wait for retries and delayed jobs too; max_jobs: of each worker;
    max_idle: seconds after which a worker leaves that finds nothing to run;
    ensure: only as many as are missing from count; start_method: fork, spawn
    or forkserver; beside: Posts (post.py) of what is to run as long as any worker does.
    """
    spawn.check_files()
    options = worker.Options(tuple(queues) if queues else None, drain, drain_all, max_jobs, max_idle,
                             log.is_output(store.paths))
    return Team(store, count, options, _context(method_of(start_method)), ensure, beside).run()


def method_of(start_method=None):
    """How workers are started where nobody, or this one, asks for it."""
    # Never the version's default, which has changed three times. Fork where it is
    # safe: one thread here, no lock held, and a worker then costs 2 ms instead of 50.
    import multiprocessing
    there = multiprocessing.get_all_start_methods()
    method = start_method or os.environ.get(START_METHOD_VARIABLE)
    if method not in there:
        method = "fork" if sys.platform.startswith("linux") and "fork" in there else "spawn"
    return method


def _context(method):
    import multiprocessing
    if method != "fork" and "fork" in multiprocessing.get_all_start_methods():
        # Started by the first worker's start it would unblock Ctrl+C in the middle of that.
        from multiprocessing import resource_tracker
        resource_tracker.ensure_running()
    return multiprocessing.get_context(method)


def stop(store, now=False, timeout=None, tell=lambda text: None):
    """Tell every worker and supervisor of this store to stop, and wait until they are gone.

    now: stop the running jobs and hand them back; timeout: seconds, None waits
    as long as it takes; tell(text): called once when it takes long, with who is
    waited for. Returns the pidfile entries of those still alive.
    """
    if not store.exists:
        return []
    paths = store.paths
    try:
        with store.lock():
            told = pidfile.request_stop(paths, pidfile.NOW if now else pidfile.DRAIN)
    except DiskFull:
        if signals.NUDGE is None:
            raise
        told = _signalled(paths, now)
    for entry in told:
        pidfile.nudge(entry)
    begin = time.monotonic()
    deadline = None if timeout is None else begin + timeout
    silent = True
    while True:
        told = _still_there(paths, told)
        if not told or (deadline is not None and time.monotonic() >= deadline):
            return told
        if silent and time.monotonic() - begin > _SILENT_SECONDS:
            silent = False
            tell("waiting for " + _awaited(paths, told))
        time.sleep(_STOP_LOOK_SECONDS)


def _awaited(paths, told):
    """'worker 1, pid 4711, which runs job x, and …': who is still there, and why, where that is known."""
    # A supervisor waits for its workers, unless it is stopped.
    shown = [entry for entry in told if entry.kind == pidfile.WORKER or pidfile.is_stopped(entry)] or told
    texts = []
    for entry in shown[:_NAMED]:
        text = "%s, %s" % ("worker %d" % entry.slot if entry.kind == pidfile.WORKER else entry.kind, pidfile.pid_of(entry))
        worker = slots.holder(paths, entry.slot) if entry.kind == pidfile.WORKER else None
        if pidfile.is_stopped(entry):
            text += ", which is stopped (SIGSTOP): kill -CONT %d" % entry.pid
        elif worker is not None and worker.job:
            text += ", which runs job %s" % worker.job
        texts.append(text)
    more = " and %d more" % (len(shown) - _NAMED) if len(shown) > _NAMED else ""
    return "; ".join(texts) + more


def _still_there(paths, told):
    """Of those told to stop, who lives; and those who have come to be told since."""
    known = {pidfile.key(entry) for entry in told}
    late = [entry for entry in pidfile.read(paths)
            if entry.stop and pidfile.key(entry) not in known]
    return [entry for entry in told + late if pidfile.alive(paths, entry)]


def _signalled(paths, now):
    """The same without room to write the order: by signals alone. The entries of who lives."""
    living = pidfile.living(paths)
    for entry in living:
        # A supervisor would count: its workers draining is enough for it to leave.
        if now or entry.kind == pidfile.WORKER:
            pidfile.nudge(entry, signal.SIGTERM)
    if now:
        time.sleep(_STOP_LOOK_SECONDS)
        for entry in living:
            pidfile.nudge(entry, signal.SIGTERM)
    return living
