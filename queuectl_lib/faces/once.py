"""Enqueueing what may be there already: the same id (--if-absent), the same command in the same queue (--unique)."""

from itertools import chain, islice

from queuectl_lib.faces import terminal
from queuectl_lib.job import identifiers
from queuectl_lib.store import store as stores
from queuectl_lib.store import unique
from queuectl_lib.words.errors import DuplicateJob


def add_unique(store, job, if_absent):
    """The id that is there now: the job's, or that of the one that is there; if_absent: another job of its id is fine."""
    try:
        found, added = unique.add(store, job)
    except DuplicateJob:
        if not if_absent:
            raise
        return job.id
    if not added:
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
            store.add_many(_absent(store, chain(first, jobs), ids))
            return ids
        except DuplicateJob:
            # One of them came between the look and the write. What a long file held is read by now.
            if len(first) == stores.LARGEST_BATCH:
                raise


def _absent(store, jobs, ids):
    """Yields those that are not there; ids takes in the id of each."""
    made_up = identifiers.new_ids()
    look = store.look()
    for job in jobs:
        if job.id is None:
            job = job._replace(id=next(made_up))
        if job.id not in ids:
            ids[job.id] = True
            if look.find(job.id) is None:
                yield job
    look.close()
