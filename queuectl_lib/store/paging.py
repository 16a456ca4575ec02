"""Long lists a page at a time: each page begins where the last one ended, and costs what it shows.

Between two pages anything may happen: jobs come, run and end, journals are
rolled, segments merged. So where a page ended is told by value (listing.py): the group, and
the key of the last job, whether that is still there or not. A job that
stays what it is stands on one page, once; one that changes meanwhile may be on two, or none.

A search in a million jobs takes longer than anybody waits for a page. So it ends when
time is up, with what it found, and the next page goes on behind the last line that was looked at.
"""

import re
import time
from collections import namedtuple

from queuectl_lib.store import listing
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput

# Seconds: so long a page may be looked for; and so long, when it is full, whether there is another one.
_PATIENCE = 1
_CURIOSITY = 0.05

# jobs: a tuple; next: the text of the place behind which the next page begins, None where there is nothing more;
# complete: False when time was up before the page was full; total: how many jobs of these states and queues there
# are, None where not all of them are meant.
Page = namedtuple("Page", ("jobs", "next", "complete", "total"))
_EMPTY = Page((), None, True, 0)

# The horizon and the group, then the key.
_PLACE = r"(?a)(\d{1,15})~(\d{1,20})~([0-5])~([0-9A-Z:.~-]{1,60})\Z"
_CHANGED = (str.encode, int)
# What the keys of the groups are made of.
_KEYS = {listing.RUNNING: _CHANGED, listing.READY: (int, int), listing.WAITING: (int, int), listing.BLOCKED: (int,),
         listing.DEAD: _CHANGED, listing.FINISHED: _CHANGED}


def page(store, states=None, queues=None, search=None, after=None, limit=50, look=None, timer=time.monotonic):
    """So many of the jobs that Store.jobs() yields, behind a place in that list: a Page. Raises BadInput for what is no place.

    after: the `next` of the page before, None for the first one; limit: at least 1; look: of what moment
    (Store.look()), not now; timer(): seconds, of which a search may take one.
    """
    place, horizon = _decoded(after) if after is not None else (None, None)
    look = look or store.look()
    if look is None:
        return _EMPTY
    found = listing.Listing(look, clock.now(), states, queues, search, after=place, horizon=horizon)
    jobs, place, is_full = _looked_for(found, limit, timer)
    return Page(tuple(jobs), place and _encoded(place, found.horizon), is_full or place is None,
                found.total if search is None else None)


def _looked_for(found, limit, timer):
    """(jobs, the place behind which the next page begins or None, whether these are as many as were asked for)."""
    jobs = []
    last = None
    until = timer() + _PATIENCE
    for place, job in found.entries():
        if job is None:
            if timer() >= until:
                return jobs, place, len(jobs) == limit
            continue
        if len(jobs) == limit:
            return jobs, last, True
        jobs.append(job)
        last = place
        if len(jobs) == limit:
            until = min(until, timer() + _CURIOSITY)
    return jobs, None, len(jobs) == limit


def _encoded(place, horizon):
    group, key = place
    parts = [part.decode() if type(part) is bytes else str(part) for part in key]
    return "~".join([str(number) for number in horizon] + [str(group)] + parts)


def _decoded(text):
    """((group, key), horizon) of such a text; BadInput."""
    match = re.match(_PLACE, text)
    if match is not None:
        due, order, group = map(int, match.groups()[:3])
        kinds, parts = _KEYS[group], match.group(4).split("~")
        try:
            if len(parts) == len(kinds):
                return (group, tuple(kind(part) for kind, part in zip(kinds, parts))), (due, order)
        except ValueError:
            pass
    raise BadInput("the cursor is none that was given out here: begin again without one")
