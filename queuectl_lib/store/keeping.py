"""Keeping house by itself: whoever rolls in the background has jobs go that `retention` no longer keeps."""

import time

from queuectl_lib.job import lifecycle
from queuectl_lib.store import ballast, line, purge, roll
from queuectl_lib.store.slices import updated_at
from queuectl_lib.words import clock

_LONGEST_SLACK = 3600
# Seconds within which who reads the journal along (news.py) sees that it was rolled: of two at once one would be missed.
_FOLLOWERS = 0.5


def roll_and_keep_house(store, locked=False):
    """What who rolls in the background does: roll, if there is enough news, and purge what `retention` no longer keeps."""
    rolled = roll.roll(store, locked=locked)
    with store.lock():
        ballast.make(store.paths)
    retention = store.config.retention
    now = clock.now()
    if retention is not None and _is_worth_it(store, retention, now):
        if rolled:
            time.sleep(_FOLLOWERS)
        wanted = purge.selection(lifecycle.FINISHED, older_than=retention, now=now)
        roll.alone(store, lambda: purge.in_passes(store, wanted), locked=locked)


def slack(retention):
    """So many seconds longer than retention a job may be kept, so that not each roll has to purge a few."""
    return min(_LONGEST_SLACK, retention / 10)


def _is_worth_it(store, retention, now):
    """Has a finished job been kept longer than retention and slack? Looks at the oldest ones alone."""
    look = store.look()
    wanted = purge.selection(lifecycle.FINISHED, older_than=retention + slack(retention), now=now)
    try:
        return any(wanted.takes(head, data) for head, data in look.heads()) or any(
            updated_at(data) < wanted.before for data in _oldest_finished(look))
    finally:
        look.close()


def _oldest_finished(look):
    """The first line of each state in the archives."""
    for state in lifecycle.FINISHED:
        places = ((entry, section) for entry in look.segments() for section in entry.sections if section.kind == state)
        for entry, section in places:
            lines = look.reader(entry).forward(section.start, section.end)
            living = [data for head, _, data in lines if head[line.ID] not in look.newest]
            yield from living[:1]
            break
