"""Jobs, for a request: a page of them, one of them, and what it wrote."""

from itertools import islice

from queuectl_lib.faces import listing, outputs, reasons
from queuectl_lib.faces.cli import reading
from queuectl_lib.faces.web.message import TEXT, Answer, Refused, document
from queuectl_lib.job import record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.text import clip

_ROW = (
    "id", "state", "queue", "priority", "attempts", "max_retries", "created_at", "updated_at", "started_at", "finished_at",
    "duration", "exit_code", "signal", "error", "next_run_at", "run_at", "held", "waits_for", "worker", "progress")
_COMMAND_LENGTH = 500
_USUAL = 50


def listed(request, site):
    now = clock.now()
    store = stores.open_store(site.store)
    look = store.look()
    found = store.jobs(_several(request, "state"), _several(request, "queue"), _one(request, "search"), look)
    paused = look.pauses() if look else {}
    rows = [row(store, job, now, paused) for job in islice(found, _USUAL)]
    total = sum(number for states in (look.counts() if look else {}).values() for number in states.values())
    return document({"jobs": rows, "next": None, "total": total, "complete": True, "sorted_of": None, "now": clock.moment(now)})


def row(store, job, now, paused):
    """What a table shows of a job."""
    job = reading.with_progress(store, job)
    lost = reading.is_lost(store, job)
    shown = {name: getattr(job, name) for name in _ROW}
    shown.update(command=clip(job.command, _COMMAND_LENGTH), lost=lost, note=listing.note(job, now, lost, paused))
    return shown


def one(request, site, id):
    return document(job_document(stores.open_store(site.store), id))


def job_document(store, id):
    """What GET /api/jobs/ID tells."""
    now = clock.now()
    job = reading.with_progress(store, store.find(id))
    lost = reading.is_lost(store, job)
    workers = reading.servants(store, None if job.state == "processing" else job.queue)
    shown = record.public(job)
    if shown["env"]:
        shown["env"] = dict.fromkeys(shown["env"], listing.HIDDEN)
    shown.update(why=reasons.why(job, now, lost, reasons.around(store, job, workers, now)), lost=lost, now=clock.moment(now))
    return shown


def stdout(request, site, id):
    return _output(site, id, "stdout")


def stderr(request, site, id):
    return _output(site, id, "stderr")


def _output(site, id, stream):
    store = stores.open_store(site.store)
    job = store.find(id)
    if job.state == "processing":
        raise Refused(409, "it still runs")
    return Answer(200, TEXT, outputs.kept(job, stream, store.paths))


def _several(request, name):
    return [part for text in request.query.get(name, ()) for part in text.split(",") if part] or None


def _one(request, name):
    return request.query.get(name, [None])[-1] or None
