"""What can be done to many jobs at once (selection.Verb), the same for every face."""

from queuectl_lib.faces import reading
from queuectl_lib.faces.selection import HasFollowed, Verb
from queuectl_lib.job import lifecycle

# In which states a job can be cancelled, retried, edited.
CANCELLED = lifecycle.WAITING + ("processing",)
RETRIED = ("failed",) + lifecycle.ENDED
EDITED = lifecycle.WAITING + lifecycle.ENDED


def hold(store, now):
    return _each(store, "hold", lambda job: lifecycle.hold(job, now), lifecycle.WAITING)


def release(store, now):
    return _each(store, "release", lambda job: lifecycle.release(job, now), lifecycle.WAITING)._replace(wakes=True)


def edit(store, now, changes):
    """changes: as of lifecycle.edit."""
    verb = _each(store, "edit", lambda job: lifecycle.edit(job, changes, now), EDITED)
    return verb._replace(usual=lifecycle.WAITING, wakes=True)


def purge(store, now):
    return _remove(store, reading.dead_only, ("dead",))


def purge_ended(store, now):
    return _remove(store, reading.ended_only, lifecycle.ENDED)


def cancel(store, now):
    """Its `do` returns work/cancel.Cancelled."""
    # Imported here, as below: completing ids needs nothing that ends processes.
    from queuectl_lib.work import cancel as calling_off
    # The last ones first: one that comes after another is to be cancelled, not to die because of it.
    return Verb("cancel", lambda job: lifecycle.cancel(job, now),
                lambda ids, refused: calling_off.cancel(store, ids, now, refused), CANCELLED, CANCELLED, last_first=True)


def retry(store, now, is_named, check=lambda job: job, states=RETRIED, usual=("failed", "dead")):
    """For jobs of these states that pass the check; is_named: whether each was asked for by its id."""
    from queuectl_lib.work import cancel as calling_off

    def still(job):
        if not is_named and job.state == "pending":
            raise HasFollowed("job %s came back with another one" % job.id)
        return check(calling_off.check_ended(store, job))

    # The first ones first: those that come after them come back with them.
    return Verb("retry", lambda job: lifecycle.retry(check(job), now),
                lambda ids, refused: store.retry(ids, now, still, refused), states, usual,
                "came back as well", last_first=True, is_shared=True, wakes=True)


def _remove(store, check, states):
    return Verb("purge", check, lambda ids, refused: store.remove(ids, check, refused), states, states)


def _each(store, name, change, states):
    return Verb(name, change, lambda ids, refused: store.change(ids, change, refused), states, states)
