"""What a request does to jobs that are there, and to queues."""

from queuectl_lib.faces import pausing, reading, verbs, wanted
from queuectl_lib.faces.api import Queue
from queuectl_lib.faces.queues import pause_document
from queuectl_lib.faces.selection import Selection, Wanted
from queuectl_lib.faces.web import asked, jobs
from queuectl_lib.faces.web.message import document
from queuectl_lib.job import checks, lifecycle
from queuectl_lib.store import pauses
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, NotDone
from queuectl_lib.work import wake

_SELECTED = ("ids", "state", "queue", "search", "all")
# So many of those changed, and of those refused, are told.
_MOST_IDS = 1000
_MOST_REFUSED = 100


# --- one job

def retry(request, site, id):
    return _changed(request, site, id, Queue.retry)


def cancel(request, site, id):
    return _changed(request, site, id, Queue.cancel)


def hold(request, site, id):
    return _changed(request, site, id, Queue.hold)


def release(request, site, id):
    return _changed(request, site, id, Queue.release)


def _changed(request, site, id, change):
    asked.members(request, ())
    _to_write(site, id)
    change(Queue(site.store), id)
    return jobs.one_of(site, id)


def edit(request, site, id):
    changes = _changes(asked.members(request, tuple(checks.EDITABLE)))
    now = clock.now()
    store = _to_write(site, id)
    [job] = store.change([id], lambda job: lifecycle.edit(job, changes, now)).jobs
    wake.wake(store.paths, {job.queue})
    return jobs.one_of(site, id)


def _changes(fields):
    if not fields:
        raise BadInput("what is to be changed? give one of: %s" % ", ".join(checks.EDITABLE))
    return {name: checks.EDITABLE[name](value) for name, value in fields.items()}


def remove(request, site, id):
    asked.members(request, ())
    _to_write(site, id).remove([id], reading.dead_only)
    return document({"removed": [id]})


def _to_write(site, id=None):
    """The store, to be changed; UnknownJob for an id, NotDone without one, where no store has been made yet."""
    store = stores.open_store(site.store, write=True)
    if not store.exists:
        raise store.unknown(id) if id is not None else NotDone("nothing was enqueued yet: there is nothing to change")
    return store


# --- many jobs

def retry_many(request, site):
    # Of those that failed, the others are tried again by themselves.
    return _changed_many(request, site, lambda store, now, is_named: verbs.retry(store, now, is_named, usual=("dead",)))


def cancel_many(request, site):
    return _changed_many(request, site, lambda store, now, is_named: verbs.cancel(store, now))


def hold_many(request, site):
    return _changed_many(request, site, lambda store, now, is_named: verbs.hold(store, now))


def release_many(request, site):
    return _changed_many(request, site, lambda store, now, is_named: verbs.release(store, now))


def _changed_many(request, site, verb):
    wanted = _wanted(asked.members(request, _SELECTED))
    store = _to_write(site)
    chosen = Selection(wanted, store, verb(store, clock.now(), bool(wanted.ids)))
    number, ids = 0, []
    for some in chosen.changed():
        number += len(some)
        ids += some[:_MOST_IDS - len(ids)]
    refused = [{"id": id, "error": error} for id, error in chosen.refused()[:_MOST_REFUSED]] if wanted.ids else []
    return document({"changed": number, "ids": ids, "refused": refused, "followers": chosen.followers})


def _wanted(fields):
    """The selection.Wanted that a body means."""
    ids = asked.texts(fields, "ids")
    states = wanted.states([asked.texts(fields, "state")], "state")
    queues = wanted.queues([asked.texts(fields, "queue")])
    search = asked.text(fields, "search") or None
    every = fields.get("all", False)
    if not isinstance(every, bool):
        raise BadInput("all: want true or false, not %s" % checks.kind(every))
    selects = bool(every or states or queues or search)
    if "ids" in fields and selects:
        raise BadInput("either ids or a selection (state, queue, search, all), not both")
    # An empty list of them is not to mean all.
    if not ids and not selects:
        raise BadInput("which jobs? give ids, or select them by state, queue, search or all")
    return Wanted(ids, states, queues, search)


# --- queues

def pause(request, site, name=pauses.ALL):
    fields = asked.members(request, ("reason", "for"))
    duration = fields.get("for")
    if duration is not None:
        duration = _duration(duration)
    store = stores.open_store(site.store, create=True, write=True)
    pausing.pause(store, [name], clock.now(), asked.text(fields, "reason"), duration)
    return _paused(store)


def _duration(value):
    try:
        return clock.parse_duration(value)
    except BadInput as error:
        raise BadInput("for: %s" % error)


def resume(request, site, name=pauses.ALL):
    asked.members(request, ())
    store = _to_write(site)
    pausing.resume(store, [name], clock.now())
    return _paused(store)


def _paused(store):
    """What is paused now."""
    now = clock.now()
    found = {name: pause_document(pause) for name, pause in store.pauses().items() if pauses.in_force({name: pause}, name, now)}
    every = found.pop(pauses.ALL, None)
    return document({"queues": found, "all": every})
