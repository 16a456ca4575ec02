"""Pausing and resuming queues: what the pauses of a store become, and what is said where nothing is new."""

from queuectl_lib.store import pauses
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone
from queuectl_lib.work import wake


def pause(store, names, now, reason=None, duration=None, on_failure=False):
    """Pause queues ("*": all) for so many seconds (None: until resumed), or arm them: on_failure.

    The names of those for which that is nothing new; NotDone when that is all of them.
    """
    wanted = pauses.Pause(
        since=clock.moment(now), reason=reason,
        until=None if duration is None else clock.moment(min(now + int(duration * 1000), clock.LATEST)))
    same = []

    def paused(before):
        after = dict(before)
        for name in names:
            after[name] = _armed(before.get(name)) if on_failure else _paused(before.get(name), wanted, now)
        same[:] = [name for name in names if after[name] == before.get(name)]
        if len(same) == len(names):
            raise NotDone(nothing_new(same, on_failure))
        return after

    store.change_pauses(paused)
    return same


def _armed(before):
    return (before or pauses.Pause())._replace(on_failure=True)


def _paused(before, wanted, now):
    """The pause of a queue from now on; the same one as before where nothing is new."""
    if before is None:
        return wanted
    wanted = wanted._replace(on_failure=before.on_failure)
    if not _is_paused(before, now):
        return wanted
    if wanted.reason is None and wanted.until is None and before.until is None:
        return before
    # The old reason would be taken for that of the new time.
    return wanted._replace(since=before.since)


def nothing_new(names, on_failure=False):
    """The sentence for those that are as they were to become."""
    if names == [pauses.ALL]:
        return "all queues are paused already; to let them go on: queuectl resume"
    return "%s already: %s" % ("armed" if on_failure else "paused", ", ".join(names))


def resume(store, names, now):
    """Let queues go on ("*": what was paused without a name); the names of those that were not paused, NotDone when that is all."""
    left = []

    def resumed(before):
        after = dict(before)
        left[:] = [name for name in names if not _resume(after, name, now)]
        if len(left) == len(names):
            raise NotDone(_nothing_to_resume(left, before, now))
        return after

    store.change_pauses(resumed)
    wake.wake(store.paths, None if pauses.ALL in names else names)
    return left


def _resume(after, name, now):
    """Whether that changes anything."""
    before = after.get(name)
    if before is None:
        return False
    is_paused = _is_paused(before, now)
    if is_paused and before.on_failure:
        after[name] = pauses.Pause(on_failure=True)
    elif is_paused or before.on_failure:
        del after[name]
    return is_paused or bool(before.on_failure)


def _is_paused(pause, now):
    return pauses.in_force({pauses.ALL: pause}, pauses.ALL, now) is not None


def _nothing_to_resume(names, before, now):
    paused = sorted(name for name in before if _is_paused(before[name], now))
    if pauses.ALL in paused:
        return "not paused by name: %s; all queues are: queuectl resume" % ", ".join(names)
    if names != [pauses.ALL]:
        return "not paused: %s" % ", ".join(names)
    if paused:
        return "only these are paused: %s; name them to let them go on" % ", ".join(paused)
    return "nothing is paused"
