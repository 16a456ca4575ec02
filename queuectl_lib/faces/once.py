"""Enqueueing what may be there already: the same id (--if-absent), the same command in the same queue (--unique)."""

from itertools import chain, islice

from queuectl_lib.faces import terminal
from queuectl_lib.job import identifiers, lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.store import unique
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DuplicateJob, UnknownJob


def add_unique(store, job, if_absent):
    """The id that is there now: the job's, or that of the one that is there; if_absent: another job of its id is fine."""
    try:
        found, added = unique.add(store, job)
    except DuplicateJob:
        if not if_absent:
            raise
        settle(store)
        _tell(store, job.id)
        return job.id
    if not added:
        settle(store)
        doing = "running" if found.state == "processing" else "waiting"
        terminal.note("nothing was enqueued: job %s with this command is %s already" % (found.id, doing))
    return found.id


def add_absent(store, jobs):
    """Add those of an iterable of jobs whose id is not there, all or none; the ids of all, since all are there now."""
    jobs = iter(jobs)
    first = list(islice(jobs, stores.LARGEST_BATCH))
    while True:
        ids = {}
        try:
            store.add_many(_absent(store, first, jobs, ids))
            break
        except DuplicateJob:
            # One of them came between the look and the write. What a long file held is read by now.
            if len(first) == stores.LARGEST_BATCH:
                raise
    there = sum(1 for is_new in ids.values() if not is_new)
    if there == len(ids):
        settle(store)
    if there and len(ids) == 1:
        _tell(store, next(iter(ids)))
    elif there:
        terminal.note("%d of %d jobs were there already" % (there, len(ids)))
    return ids


def settle(store):
    """Have what is there outlast a power cut: who wrote it may not have synced it yet, or was killed before."""
    _, live = store.opened()
    store.settle(live)


def _tell(store, job_id):
    try:
        job = store.find(job_id)
    except UnknownJob:
        # Removed since it was found there.
        return
    terminal.note("nothing was enqueued: job %s is there already (%s)" % (job_id, _standing(job)))


def _standing(job):
    """'running', 'waiting', 'completed 3 h ago'."""
    if job.state in lifecycle.ENDED:
        passed = max(0, clock.now() - clock.parse_moment(job.finished_at or job.updated_at)) / 1000
        return "%s %s ago" % ("died" if job.state == "dead" else job.state, clock.show_duration(passed))
    return "running" if job.state == "processing" else "waiting"


def _absent(store, first, rest, ids):
    """Yields those of both that are not there; ids takes in the id of each, and whether it is one of them."""
    made_up = identifiers.new_ids()
    look = store.look()
    look.expect(len(first))
    for job in chain(first, rest):
        if job.id is None:
            job = job._replace(id=next(made_up))
        if job.id not in ids:
            ids[job.id] = look.find(job.id) is None
            if ids[job.id]:
                yield job
    look.close()
