"""New jobs, by a request that may come twice.

A client that hears nothing does not know whether its jobs were stored, and asks again. With
an Idempotency-Key that is harmless: the ids are made of the key and of the job's
place, so the store, which takes each id once, is all that has to remember. Who comes second,
be it a year later or in the same moment, finds the ids there, and is
told of the same jobs, if they are what was asked for. A job that names its own id
is of nobody's making: where no other job proves that the key was used before, its id is taken.

Whether they are is seen by what cannot change by itself; somebody may have edited, released or retried
them meanwhile.
"""

import hashlib
import re

from queuectl_lib.faces import once
from queuectl_lib.faces.web import jobs
from queuectl_lib.faces.web.message import Refused, document, given
from queuectl_lib.job import history, record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, DuplicateJob
from queuectl_lib.work import wake

_HEADER = "Idempotency-Key"
_KEY = r"[!-~]{1,255}\Z"
_DIGITS = 20
# So many of the jobs are told whole.
_TOLD = 100
# What is never changed of a job that is there, and what an edit or a retry may change.
_LASTING = ("after", "slots", "nice", "cwd", "env")
_CHANGEABLE = ("command", "queue", "priority", "max_retries", "timeout", "run_at", "expires_at")
# What may be another one by now where it was not given: a matter of settings, and of where the server runs.
_VARYING = ("cwd", "max_retries", "timeout")
_CHANGES = ("edited", "retried", "what it comes after")


def enqueue(request, site):
    """Store a job, or an array of jobs, all or none."""
    fields = given(request)
    many = fields if isinstance(fields, list) else [fields]
    base = _base(request)
    store = stores.open_store(site.store, create=True, write=True)
    maker = _maker(store, site)
    try:
        # Made as they are taken: many small ones fit into a body.
        _, ids = store.add_many(job for job, _ in _made(maker, many, base))
    except DuplicateJob as error:
        if base is None:
            raise
        ids = _there(store, _made(maker, many, base), base, len(many), error)
        # Who stored them may not have synced them yet, or was killed before.
        once.settle(store)
        return _told(ids, _found(store, ids), 200)
    ids = list(ids)
    found = _found(store, ids)
    wake.wake(store.paths, {job.queue for job in found} if len(ids) <= _TOLD else None)
    return _told(ids, found, 201)


def _base(request):
    """What the ids begin with that are made of the client's name for this request; None where it has none."""
    key = request.headers.get(_HEADER)
    if key is None:
        return None
    if not re.match(_KEY, key):
        raise BadInput("%s: want 1 to 255 characters of ASCII without blanks" % _HEADER)
    return hashlib.sha256(key.encode("ascii")).hexdigest()[:_DIGITS]


def _id(base, place):
    """Of the job at a place, from 1 on; None: the store makes one up."""
    return None if base is None else "%s-%d" % (base, place)


def _maker(store, site):
    settings = store.config
    return record.Maker(clock.now(), record.Defaults(
        max_retries=settings.max_retries, timeout=settings.timeout, cwd=site.cwd))


def _made(maker, many, base):
    """Yields (Job, what was given of it); BadInput that names the place of the one that is none."""
    for place, fields in enumerate(many, 1):
        try:
            yield maker.create(fields, _id(base, place)), fields
        except BadInput as error:
            raise BadInput("job %d: %s; nothing was enqueued" % (place, error) if len(many) > 1 else str(error))


def _there(store, wanted, base, number, error):
    """The ids of so many jobs, all of which are there and some by this key; Refused where that was another request's, else the error."""
    ids = []
    is_known = False
    look = store.look()
    look.expect(number)
    try:
        is_longer = look.find(_id(base, number + 1)) is not None
        for place, (job, fields) in enumerate(wanted, 1):
            found = look.find(job.id)
            is_ours = found is not None and job.id == _id(base, place)
            is_known = is_known or is_ours
            if is_longer or found is None or not _is_same(found[0], job, fields):
                raise _used() if is_known else error
            ids.append(job.id)
    finally:
        look.close()
    if not is_known:
        raise error
    return ids


def _used():
    return Refused(422, "this %s was used for another request before: nothing was enqueued" % _HEADER)


def _is_same(job, wanted, fields):
    """Whether a job that is there may be the one that was asked for with these fields."""
    changed = len(job.history) >= history.LONGEST or any(
        entry.get("note", "").startswith(_CHANGES) for entry in job.history)
    names = _LASTING if changed else _LASTING + _CHANGEABLE
    return all(getattr(job, name) == getattr(wanted, name) for name in names
               if name not in _VARYING or record.gives(fields, name))


def _found(store, ids):
    """As many of these jobs as are told."""
    look = store.look()
    try:
        found = [look.find(id) for id in ids[:_TOLD]]
    finally:
        look.close()
    # One may have been removed already.
    return [each[0] for each in found if each is not None]


def _told(ids, found, status):
    headers = {"Location": "/api/jobs/%s" % ids[0]} if len(ids) == 1 else {}
    return document({"ids": ids, "jobs": list(map(jobs.public, found))}, status, **headers)
