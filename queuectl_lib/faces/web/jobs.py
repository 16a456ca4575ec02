"""Jobs, for a request: a page of them, and one of them."""

from heapq import nsmallest
from time import monotonic

from queuectl_lib.faces import listing, reading, reasons
from queuectl_lib.faces.web import asked
from queuectl_lib.faces.web.message import Refused, document
from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import paging
from queuectl_lib.store import store as stores
from queuectl_lib.store.listing import Listing
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, NotDone
from queuectl_lib.words.text import clip

_ROW = (
    "id", "state", "queue", "priority", "attempts", "max_retries", "created_at", "updated_at", "started_at", "finished_at",
    "duration", "exit_code", "signal", "error", "next_run_at", "run_at", "held", "waits_for", "worker", "progress")
_COMMAND_LENGTH = 500
# How many a page holds.
USUAL = 50
MOST = 500

# Of so many jobs, the first in the usual order, a sorted list is made.
SORTED = 10000
# For so many seconds they are looked for.
_PATIENCE = 1.0

# What can be done to a job, and how it is seen whether it can: (job, now), NotDone where not.
_CAN = (
    ("retry", lifecycle.retry), ("cancel", lifecycle.cancel), ("hold", lifecycle.hold), ("release", lifecycle.release),
    ("edit", lambda job, now: lifecycle.edit(job, {"priority": job.priority + 1}, now)),
    ("remove", lambda job, now: reading.dead_only(job)))


def listed(request, site):
    """A page of the list; with `sort` of the first SORTED jobs of it."""
    states, queues, search = asked.states(request), asked.queues(request), asked.one(request, "search")
    limit = asked.whole(request, "limit", 1, MOST, USUAL)
    cursor = asked.one(request, "cursor")
    sorting = asked.sorting(request)
    store = stores.open_store(site.store)
    look = store.look()
    try:
        if sorting is None:
            page = paging.page(store, states, queues, search, cursor, limit, look)
            found = {"next": page.next, "total": page.total, "complete": page.complete, "sorted_of": None}
            found["jobs"] = _rows(store, look, page.jobs)
        else:
            found = _sorted_page(store, look, (states, queues, search), sorting, _place(cursor), limit)
    finally:
        if look is not None:
            look.close()
    return document(dict(found, now=clock.moment(clock.now())))


def _place(cursor):
    """How many jobs of a sorted list were shown already."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= len(str(SORTED))):
        raise BadInput("the cursor is none that was given out for a sorted list: begin again without one")
    return int(cursor)


def _sorted_page(store, look, wanted, sorting, place, limit):
    counted = _Counted(look, wanted)
    # Of ten thousand jobs only those up to the page's end are kept.
    jobs = nsmallest(place + limit, counted, key=listing.sort_key(*sorting))[place:]
    end = place + limit
    total = reading.number_of(look.counts() if look else {}, *wanted[:2]) if wanted[2] is None else None
    return {"jobs": _rows(store, look, jobs), "next": str(end) if end < counted.number else None, "total": total,
            "complete": counted.is_complete, "sorted_of": counted.number}


class _Counted:
    """The first SORTED of the jobs that are wanted, counted as they pass; is_complete: whether time was enough for them."""

    def __init__(self, look, wanted):
        self._entries = Listing(look, clock.now(), *wanted).entries() if look is not None else ()
        self.number = 0
        self.is_complete = True

    def __iter__(self):
        until = monotonic() + _PATIENCE
        for _, job in self._entries:
            if job is not None:
                self.number += 1
                yield job
                if self.number == SORTED:
                    return
            elif monotonic() > until:
                self.is_complete = False
                return


def _rows(store, look, jobs):
    if look is None:
        return []
    now = clock.now()
    paused, full = look.pauses(), reading.full_queues(store, look)
    return [row(store, job, now, paused, full) for job in jobs]


def row(store, job, now, paused, full=()):
    """What a table shows of a job; paused: {queue: pauses.Pause}, full: queues whose limit is reached."""
    job = reading.with_progress(store, job)
    lost = reading.is_lost(store, job)
    shown = {name: getattr(job, name) for name in _ROW}
    shown.update(command=clip(job.command, _COMMAND_LENGTH), lost=lost, note=listing.note(job, now, lost, paused, full))
    return shown


def one(request, site, id):
    reveal = asked.truth(request, "reveal")
    if reveal and site.read_only:
        raise Refused(403, "a read-only dashboard does not tell the values of variables")
    return one_of(site, id, reveal)


def one_of(site, id, reveal=False):
    """The answer that tells a job as it is now."""
    return document(job_document(stores.open_store(site.store), id, reveal))


def job_document(store, id, reveal=False):
    """What GET /api/jobs/ID tells; reveal: the values of variables, too."""
    now = clock.now()
    job = reading.with_progress(store, store.find(id))
    lost = reading.is_lost(store, job)
    # A lost job is taken up by any worker, whichever queues that one serves.
    servants = reading.servants(store, None if job.state == "processing" else job.queue)
    around = reasons.around(store, job, servants, now)
    shown = public(job, reveal)
    shown.update(why=reasons.why(job, now, lost, around, advises=False), lost=lost, now=clock.moment(now), can=can(job, now, around.ending))
    return shown


def public(job, reveal=False):
    """record.public, with the values of variables hidden unless they are to be revealed."""
    shown = record.public(job)
    if shown["env"] and not reveal:
        shown["env"] = dict.fromkeys(shown["env"], listing.HIDDEN)
    return shown


def can(job, now, ending=False):
    """What can be done to a job as it is; ending: whether processes of one that was cancelled are still being ended."""
    return [name for name, change in _CAN if _happens(change, job, now) and not (ending and name == "retry")]


def _happens(change, job, now):
    try:
        change(job, now)
    except NotDone:
        return False
    return True
