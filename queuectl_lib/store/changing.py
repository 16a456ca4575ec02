"""Changing jobs that are there: retry, cancel, edit, remove … in groups, each all or none."""

from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, line, paths, pauses
from queuectl_lib.words.errors import UnknownJob

# So many at a time are changed: more would keep others waiting for the lock.
GROUP = 1000

# jobs: those a change was asked for, as they are now; followers: those that come after them and followed.
Changed = namedtuple("Changed", ("jobs", "followers"))


def change(store, ids, function):
    """As Store.change."""
    return _rewrite(store, ids, function, lambda old, new, over, more:
                    line.encode(new, (old.state, old.queue), over, more))


def remove(store, ids, check):
    """As Store.remove."""
    removed = _rewrite(store, ids, check, lambda old, new, over, more: line.encode_removed(old, over, more))
    for job in removed.jobs:
        for name in paths.outputs_of(job):
            disk.remove(store.paths.inside(name))
    return removed


def retry(store, ids, now, check):
    """As Store.retry."""
    return change(store, ids, lambda job: lifecycle.retry(check(job), now))


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


def _rewrite(store, ids, function, encode):
    ids = list(dict.fromkeys(ids))
    changed = []
    for start in range(0, len(ids), GROUP):
        group = ids[start:start + GROUP]
        lock, live = store.opened()
        with lock:
            live.refresh()
            live.check_end()
            changed += _rewrite_group(store.snapshot(live), live, group, function, encode)
        store.settle(live)
    return Changed(changed, [])


def _rewrite_group(snapshot, live, group, function, encode):
    if len(group) > 20:
        snapshot.know_all()
    changed = []
    lines = []
    for number, job_id in enumerate(group, 1):
        pair = snapshot.find_locked(job_id)
        if pair is None:
            raise UnknownJob("no job has the id %s: see 'queuectl list'" % job_id)
        changed.append(function(pair[0]))
        lines.append(encode(pair[0], changed[-1], pair[1], number < len(group)))
    live.append(b"".join(lines))
    snapshot.close()
    return changed
