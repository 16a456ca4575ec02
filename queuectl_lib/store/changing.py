"""Changing jobs that are there: retry, cancel, edit, remove … in groups, each all or none."""

from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, line, paths, pauses
from queuectl_lib.words.errors import NotDone, UnknownJob

# So many at a time are changed: more would keep others waiting for the lock.
GROUP = 1000

# jobs: those a change was asked for, as they are now; followers: those that come after them and followed.
Changed = namedtuple("Changed", ("jobs", "followers"))


def change(store, ids, function, refused):
    """As Store.change."""
    return _rewrite(store, ids, function, refused, lambda old, new, over, more:
                    line.encode(new, (old.state, old.queue), over, more))


def remove(store, ids, check, refused):
    """As Store.remove."""
    removed = _rewrite(store, ids, check, refused, lambda old, new, over, more: line.encode_removed(old, over, more))
    for job in removed.jobs:
        for name in paths.outputs_of(job):
            disk.remove(store.paths.inside(name))
    return removed


def retry(store, ids, now, check, refused):
    """As Store.retry."""
    return change(store, ids, lambda job: lifecycle.retry(check(job), now), refused)


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


def _rewrite(store, ids, function, refused, encode):
    ids = list(dict.fromkeys(ids))
    changed = []
    for start in range(0, len(ids), GROUP):
        group = ids[start:start + GROUP]
        lock, live = store.opened()
        with lock:
            live.refresh()
            live.check_end()
            changed += _rewrite_group(store.snapshot(live), live, group, function, refused, encode)
        store.settle(live)
    return Changed(changed, [])


def _rewrite_group(snapshot, live, group, function, refused, encode):
    if len(group) > 20:
        snapshot.know_all()
    found = [_changed(snapshot, job_id, function, refused) for job_id in group]
    found = [each for each in found if each is not None]
    lines = [encode(before, after, over, number < len(found)) for number, (before, after, over) in enumerate(found, 1)]
    if lines:
        live.append(b"".join(lines))
    snapshot.close()
    return [after for _, after, _ in found]


def _changed(snapshot, job_id, function, refused):
    """(job, what it becomes, what that overrides); None where that was refused and somebody was told."""
    try:
        pair = snapshot.find_locked(job_id)
        if pair is None:
            raise UnknownJob("no job has the id %s: see 'queuectl list'" % job_id)
        return pair[0], function(pair[0]), pair[1]
    except NotDone as error:
        if refused is None:
            raise
        refused(job_id, error)
        return None
