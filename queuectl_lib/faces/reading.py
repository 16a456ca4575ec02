"""What all who show and mend jobs have to know of one beside the job itself."""

from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.words.errors import NotDone, QueuectlError

# How many living workers serve a queue: those who stay, and those who were told to stop, who start nothing any more.
Servants = namedtuple("Servants", ("staying", "leaving"))


def is_lost(store, job):
    """Whether a job is `processing` though its worker is dead."""
    if job.state != "processing":
        return False
    # Imported here: it brings what ends process trees, a tenth of a `show` in which nothing runs.
    from queuectl_lib.work import recovery
    return recovery.is_lost(store, job)


def with_progress(store, job):
    """The job as it is shown: while it runs, with what it says of how far it is."""
    if job.state != "processing":
        return job
    from queuectl_lib.work import progress
    return job._replace(progress=progress.of(job, store.paths))


def full_queues(store, look):
    """The queues whose limit is reached; of jobs that take several slots each one alone is counted, which costs nothing."""
    try:
        limits = store.config.limits
    except QueuectlError:
        # Jobs are shown whatever is wrong with the settings.
        return ()
    counts = look.counts()
    return {queue for queue, limit in limits.items() if counts.get(queue, {}).get("processing", 0) >= limit}


def number_of(counts, states, queues):
    """How many jobs of these states and queues (None: all) there are; counts: {queue: {state: n}}."""
    return sum(number for queue, by_state in counts.items() if not queues or queue in queues
               for state, number in by_state.items() if not states or state in states)


def servants(store, queue=None):
    """The Servants of this queue (None: of any)."""
    from queuectl_lib.work import pidfile, slots
    entries = pidfile.read(store.paths)
    names = {slots.name_of(entry.slot, entry.incarnation) for entry in entries
             if entry.kind == pidfile.WORKER and (queue is None or entry.queues is None or queue in entry.queues)
             and pidfile.alive(store.paths, entry)}
    leaving = names & pidfile.leaving(entries)
    return Servants(len(names) - len(leaving), len(leaving))


def ended_only(job):
    """The job if it has ended; NotDone for any other."""
    if job.state not in lifecycle.ENDED:
        raise NotDone("job %s has not ended: it is %s; cancel it first" % (job.id, job.state))
    return job


def dead_only(job):
    """The job if it is in the DLQ; NotDone for any other."""
    if job.state != "dead":
        raise NotDone("job %s is not in the dead letter queue: it is %s" % (job.id, job.state))
    return job
