"""Why waiting may be in vain: what keeps jobs from ever being run unless somebody does something."""

import time

from queuectl_lib.faces import reading, reasons
from queuectl_lib.job.lifecycle import ENDED
from queuectl_lib.store import ballast
from queuectl_lib.words import clock
from queuectl_lib.words.errors import UnknownJob

OPEN = ("processing", "pending", "failed")

_FIRST_AFTER = 1.0
_EVERY = 3.0
# So far a chain of jobs that wait for each other is looked along.
_LONGEST_CHAIN = 20


class Complaints:
    """Says each hindrance once; look() is called while nothing happens."""

    def __init__(self, hindrances, note, clock=time.monotonic):
        """hindrances: a function that tells them all; note: function(text)."""
        self._hindrances = hindrances
        self._note = note
        self._clock = clock
        # A worker may be about to start.
        self._next = clock() + _FIRST_AFTER
        self._said = set()

    def look(self):
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY
        for text in self._hindrances():
            if text not in self._said:
                self._said.add(text)
                self._note(text)


def of_store(store):
    """What hinders the next job of each queue in which there are any."""
    queues = [queue for queue, states in store.counts().items() if any(states.get(state) for state in OPEN)]
    # The first in the order of a list is the one to run next: behind it all others wait.
    firsts = [next(store.jobs(OPEN, {queue}), None) for queue in sorted(queues)]
    return _told(store, [job for job in firsts if job is not None])


def of_jobs(store, ids):
    """What hinders these jobs."""
    jobs = []
    for id in ids:
        try:
            jobs.append(store.find(id))
        except UnknownJob:
            # Removed meanwhile: that is news.
            pass
    return _told(store, [job for job in jobs if job.state not in ENDED])


def _told(store, jobs):
    paused = store.pauses()
    found = [_of_job(store, job, paused, clock.now(), _LONGEST_CHAIN) for job in jobs]
    return [text for text in dict.fromkeys(found) if text]


def _of_job(store, job, paused, now, depth):
    if job.held and job.state != "processing":
        return str(reasons.held("job " + job.id, job))
    if job.state == "pending" and job.waits_for:
        return _of_others(store, job, paused, now, depth)
    pause = job.state != "processing" and reasons.pause_of(paused, job.queue, now)
    # One that is over by itself some day only takes time.
    if pause and pause[1].until is None:
        return str(reasons.paused(*pause, now))
    servants = reading.servants(store, job.queue)
    # Who leaves finishes what it runs.
    if not (servants.staying or job.state == "processing" and servants.leaving):
        return reasons.unserved(job.queue, servants.leaving)
    return None if job.state == "processing" else ballast.no_room(store.paths)


def _of_others(store, job, paused, now, depth):
    """What hinders the first of those that a job comes after."""
    id = job.waits_for[0]
    try:
        other = store.find(id)
    except UnknownJob:
        return "job %s comes after %s, which is not there" % (job.id, id)
    if other.state in ("dead", "cancelled"):
        return "job %s comes after %s, which is %s" % (job.id, id, other.state)
    hindrance = _of_job(store, other, paused, now, depth - 1) if depth else None
    return hindrance and "job %s comes after %s, and %s" % (job.id, id, hindrance)
