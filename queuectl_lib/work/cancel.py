"""Cancelling jobs, running ones as well: the store says so first, then their workers end the processes.

A worker whose job is not `processing` any more ends the whole process tree (duties.py): TERM,
kill_grace, KILL. It looks once a second, and at once when it is nudged.

Of a job whose worker is dead nobody would do that: recovery.py looks after jobs that are
`processing`. So its processes are ended here, and that before the store is
written: whoever is killed in between leaves a job that will be recovered.
"""

import os
import time
from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone, UnknownJob
from queuectl_lib.work import identity, output, recovery, signals, slots, tree

# running: those of the jobs, as they were, whose workers are ending them now.
Cancelled = namedtuple("Cancelled", ("jobs", "followers", "running"))

_LOOK_SECONDS = 0.1
# Of a job that has just been claimed no process may be there yet.
_CALM_LOOKS = 2
# What a worker takes to notice, and its patience after KILL.
_PATIENCE = 8.0
_ELSEWHERE = "they run in another container"


class StillEnding(NotDone):
    """The job (`job`) was cancelled before, while it ran, and its processes are still being ended."""

    def __init__(self, job):
        super().__init__("job %s is cancelled: its processes are still being ended" % job.id)
        self.job = job


def cancel(store, ids, now, refused=None):
    """Call off jobs; refused(id, error), and what is raised without it, as in Store.change."""
    kept = _end_lost(store, set(ids), refused)
    ran = {}

    def called_off(job):
        if job.state == "processing":
            ran[job.id] = job
        if being_ended(store, job):
            raise StillEnding(job)
        return lifecycle.cancel(job, now)

    changed = store.change([job_id for job_id in ids if job_id not in kept], called_off, refused)
    running = []
    for job in changed.jobs:
        if job.id in ran:
            # A worker that died since the look above has left its job to us.
            if _nudged(store, ran[job.id]):
                running.append(ran[job.id])
            else:
                _end(store, ran[job.id])
    return Cancelled(changed.jobs, changed.followers, running)


def await_end(store, jobs):
    """Wait until nothing of these cancelled jobs (Cancelled.running, StillEnding.job) lives; those of which something stays."""
    deadline = time.monotonic() + store.config.kill_grace + _PATIENCE
    calm = 0
    while True:
        left = [job for job in jobs if _lives(store, job)]
        calm = 0 if left else calm + 1
        if calm >= _CALM_LOOKS or time.monotonic() > deadline:
            return left
        for job in left:
            number, incarnation = slots.parts(job.worker)
            if not slots.lives(store.paths, number, incarnation):
                _end(store, job)
        time.sleep(_LOOK_SECONDS)


def check_ended(store, job):
    """The job, to be retried; NotDone while processes are still being ended of one that was cancelled as it ran."""
    if being_ended(store, job):
        raise NotDone("job %s: its processes are still being ended; retry it when they are gone" % job.id)
    return job


def being_ended(store, job):
    """Whether the job was cancelled while it ran, and its processes are still being ended."""
    if not lifecycle.was_stopped(job):
        return False
    age = (clock.now() - clock.parse_moment(job.finished_at)) / 1000
    # Who looks at a thousand jobs under the store lock cannot look for the processes of each.
    return age < store.config.kill_grace + _PATIENCE and _lives(store, job)


def _end_lost(store, ids, refused):
    """End what is left of those of the jobs whose workers are dead; the ids of those that would not end."""
    kept = set()
    for job in list(store.jobs(["processing"])):
        if job.id in ids and recovery.is_lost(store, job):
            left = _end(store, job)
            if not left:
                continue
            error = NotDone("job %s stays processing: its worker died, and its processes cannot be ended (%s)" % (job.id, left))
            if refused is None:
                raise error
            kept.add(job.id)
            refused(job.id, error)
    return kept


def _end(store, job):
    """End the processes of a job whose worker is dead; '', or who stays."""
    paths = store.paths
    number, _ = slots.parts(job.worker)
    with store.lock():
        fd = slots.seize(paths, number) if number else None
        # Under the lock, or a worker that comes in its place would find it alive, and leave.
        owner = slots.forget(fd) if fd is not None else None
    try:
        if fd is None:
            # Somebody is recovering it: who holds the slot's files may be a new job by now.
            return _named(tree.end(_leader(paths, job), _claim(paths, job), store.config.kill_grace))
        left = tree.end(_leader(paths, job), _claim(paths, job), store.config.kill_grace,
                        holders=lambda: output.holders(paths, number))
        is_elsewhere = not left and slots.was_elsewhere(owner) and output.held(paths, number)
        if not left and not is_elsewhere:
            output.forget_lost(paths, job)
        # Its hooks, and what it was ending, are left to who takes the slot.
        slots.remember(fd, owner)
        return _ELSEWHERE if is_elsewhere else _named(left)
    finally:
        if fd is not None:
            os.close(fd)


def _named(pids):
    return "pid " + ", ".join(map(str, pids)) if pids else ""


def _nudged(store, job):
    """Tell the job's worker to look at once; False where it is dead."""
    number, incarnation = slots.parts(job.worker)
    try:
        worker = slots.holder(store.paths, number or 0)
    except OSError:
        return True
    if worker is None or worker.incarnation != incarnation:
        return False
    if identity.alive(identity.Identity(worker.boot, worker.pid, worker.start)):
        signals.nudge(worker.pid)
    return True


def _lives(store, job):
    paths = store.paths
    return (_leader(paths, job) is not None or bool(tree.marked(_claim(paths, job)))
            or _is_elsewhere(store, job) and not _was_left(store, job))


def _is_elsewhere(store, job):
    """Whether the job's worker lives in another container, where its processes cannot be seen from here."""
    number, incarnation = slots.parts(job.worker)
    try:
        worker = slots.holder(store.paths, number or 0)
    except OSError:
        return False
    return worker is not None and worker.incarnation == incarnation and identity.is_elsewhere(worker.boot)


def _was_left(store, job):
    """Whether the worker of a cancelled job has written that nothing of it runs any more (lifecycle.leave)."""
    try:
        newest = store.find(job.id)
    except UnknownJob:
        return True
    return (newest.worker, newest.attempts) != (job.worker, job.attempts) or newest.duration is not None


def _leader(paths, job):
    number, _ = slots.parts(job.worker)
    return output.leader_of(paths, number, _claim(paths, job)) if number else None


def _claim(paths, job):
    return tree.claim_marker(job.worker, job.id, job.attempts, tree.place_of(paths.root))
