"""Changing jobs that are there: retry, cancel, edit, remove … in groups, each all or none, with what follows from it."""

from collections import namedtuple
from functools import lru_cache
from itertools import islice

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, line, paths, pauses
from queuectl_lib.store.spread import Change, Spread, encoded, go_on, state_of
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone

# So many at a time are changed: more would keep others waiting for the lock.
GROUP = 1000

# jobs: those a change was asked for, as they are now; followers: those that come after them and followed.
Changed = namedtuple("Changed", ("jobs", "followers"))


def change(store, ids, function, refused):
    """As Store.change."""
    return _in_groups(store, ids, lambda job, look: function(job), refused)


def remove(store, ids, check, refused):
    """As Store.remove."""
    removed = _in_groups(store, ids, lambda job, look: check(job)._replace(state="removed"), refused)
    for job in removed.jobs:
        for name in paths.outputs_of(job):
            disk.remove(store.paths.inside(name))
    return removed


def give_up_forsaken(store):
    """Have jobs die that wait for one which is not there any more; the ids of all that died."""
    look = store.look()
    is_there = lru_cache(maxsize=GROUP)(lambda job_id: look.find(job_id) is not None)
    forsaken = (job_id for job_id, others in look.waiting_for_others() if not all(map(is_there, others)))
    died = []
    for group in iter(lambda: list(islice(forsaken, GROUP)), []):
        changed = _in_groups(store, group, _forsaken, lambda job_id, error: None)
        died += [job.id for job in changed.jobs + changed.followers]
    look.close()
    return died


def _forsaken(job, look):
    lost = next((other for other in job.waits_for or () if look.find_locked(other) is None), None)
    return None if lost is None else lifecycle.follow(job, lost, "removed", clock.now())


def retry(store, ids, now, check, refused):
    """As Store.retry."""
    ids = list(dict.fromkeys(ids))
    behind = []

    def again(job, look):
        job = check(job)
        if job.after and (job.waits_for or job.state == "cancelled"):
            # Perhaps it comes back by itself, with the one because of which it died.
            behind.append(job.id)
            return None
        return lifecycle.retry(job, now)

    changed = _in_groups(store, ids, again, refused)
    back = {job.id for job in changed.jobs + changed.followers}
    left = [job_id for job_id in behind if job_id not in back]
    while left:
        more, left = _retry_behind(store, left, now, check, back, refused)
        changed.jobs.extend(more.jobs)
        changed.followers.extend(more.followers)
    return changed


def _retry_behind(store, ids, now, check, back, refused):
    """(Changed, ids to try once more): those that come after others, as far as these are back.

    back: ids that are retried already. Where none of them can be, refused is told, or NotDone raised.
    """
    errors = {}

    def again(job, look):
        try:
            job = lifecycle.retry(check(job), now, _unfinished(job, look, back))
        except NotDone as error:
            errors[job.id] = error
            return None
        back.add(job.id)
        return job

    changed = _in_groups(store, ids, again, refused)
    left = [job_id for job_id in ids if job_id in errors]
    if len(left) < len(ids):
        # The other way round: of a chain all but one would be too early again.
        return changed, left[::-1]
    if refused is None:
        raise errors[left[0]]
    for job_id in left:
        refused(job_id, errors[job_id])
    return changed, []


def _unfinished(job, look, back):
    """Those of its `after` that a job has still to wait for, None for none; NotDone where that would be in vain."""
    states = {other: "pending" if other in back else state_of(look, other) for other in job.after}
    for other, state in states.items():
        if state in lifecycle.LOST:
            raise NotDone("job %s comes after %s, which is %s: retry that one, and this one comes back"
                          % (job.id, other, state))
    return [other for other, state in states.items() if state not in ("completed", None)] or None


def change_pauses(store, function):
    """As Store.change_pauses."""
    lock, live = store.opened()
    with lock:
        live.refresh()
        live.check_end()
        wanted = function(store.snapshot(live).pauses())
        live.append(line.encode_pauses(pauses.encoded(wanted)))
    store.settle(live)
    return wanted


def finish_telling(store):
    """Let everybody who comes after a job learn of its state, as far as they have not; the queues of those that became ready."""
    queues = set()
    while _in_one_step(store, lambda look, live: not _went_on(look, live, queues)):
        pass
    return queues


def _in_one_step(store, function):
    """Whether a function of (snapshot, journal), called under the lock, wants to be called again."""
    lock, live = store.opened()
    with lock:
        live.refresh()
        live.check_end()
        look = store.snapshot(live)
        done = function(look, live)
        look.close()
    store.settle(live)
    return not done


def _went_on(look, live, queues):
    """Does one step of what is still to be told; False when there was nothing."""
    lines, _ = go_on(look, look.untold(), clock.now())
    if not lines:
        return False
    queues.update(job.queue for job, _ in lines)
    live.append(b"".join([data for _, data in lines]))
    return True


def _in_groups(store, ids, function, refused):
    """Gives jobs new values: function(job, look) -> job, None to leave it as it is; it may raise NotDone.

    refused(id, error) or None: as in Store.change.
    """
    ids = list(dict.fromkeys(ids))
    changed = Changed([], [])

    def changed_one(look, job_id):
        return _changed(store, look, job_id, function, refused)

    for start in range(0, len(ids), GROUP):
        group = ids[start:start + GROUP]
        while _in_one_step(store, lambda look, live: _change_group(look, live, group, changed_one, changed)):
            pass
    if changed.followers:
        finish_telling(store)
    return changed


def _change_group(look, live, group, changed_one, changed):
    """Whether the group's lines are written now; else it has to be called again."""
    if _went_on(look, live, set()):
        return False
    look.expect(len(group))
    changes = [found for found in (changed_one(look, job_id) for job_id in group) if found is not None]
    spread = Spread(look, clock.now())
    spread.tell([after for before, after, _ in changes if after.state != before.state])
    followers = list(spread.changes.values())
    if any(job.after.state == "removed" and job.after.id in spread.untold for job in changes):
        # A line that says removed has no room for a mark: those who wait for it learn of it first.
        live.append(b"".join([data for _, data in encoded(followers, spread.untold)]))
        changed.followers.extend(each.after for each in followers)
        return False
    lines = encoded(changes + followers, spread.untold)
    live.append(b"".join([data for _, data in lines]))
    changed.jobs.extend(each.after for each in changes)
    changed.followers.extend(each.after for each in followers)
    return True


def _changed(store, look, job_id, function, refused):
    """The Change of a job; None where nothing is to be changed, or where that was refused and somebody was told."""
    try:
        found = look.find_locked(job_id)
        if found is None:
            raise store.unknown(job_id)
        job, over = found
        after = function(job, look)
    except NotDone as error:
        if refused is None:
            raise
        refused(job_id, error)
        return None
    return None if after is None else Change(job, after, over)
