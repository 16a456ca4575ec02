"""How the queue stands, for a request: status, workers, figures, health."""

from queuectl_lib import __version__
from queuectl_lib.faces import metrics as figures
from queuectl_lib.faces import reading, report
from queuectl_lib.faces import standing as standings
from queuectl_lib.faces.web.message import Answer, document
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import QueuectlError
from queuectl_lib.work import pidfile, slots

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def status(request, site):
    return document(status_document(site, clock.now()))


def status_document(site, now):
    """What GET /api/status tells, and each `status` message."""
    standing = standings.of_store(stores.open_store(site.store), now)
    found = report.status_document(standing, now)
    found.update(version=__version__, read_only=site.read_only, now=clock.moment(now))
    return found


def workers(request, site):
    store = stores.open_store(site.store)
    running = {job.worker: reading.with_progress(store, job) for job in store.jobs(["processing"])}
    leaving = pidfile.leaving(pidfile.read(store.paths))
    return document(report.workers_document(slots.living(store.paths), running, pidfile.serving(store.paths), clock.now(), leaving))


def metrics(request, site):
    text = figures.of_store(stores.open_store(site.store), clock.now())
    return Answer(200, PROMETHEUS, text.encode("utf-8"))


def health(request, site):
    """Nothing of the store is in it: it is answered to anybody."""
    try:
        store = stores.open_store(site.store)
        store.counts()
    except (QueuectlError, OSError):
        return document({"ok": False, "error": "the store cannot be read"}, 503)
    # One that may change the store has made it, if need be, before it served: its disk is gone, perhaps.
    if not (store.exists or site.read_only):
        return document({"ok": False, "error": "the store is not there any more"}, 503)
    return document({"ok": True})
