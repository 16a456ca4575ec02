"""How a store stands now, read for whoever shows it."""

from heapq import merge
from itertools import islice

from queuectl_lib.faces import queues, reading, report
from queuectl_lib.store import ballast, usage
from queuectl_lib.store import queues as backlog
from queuectl_lib.work import pidfile, slots


def of_store(store, now, look=None, most_files=usage.MOST, only=None):
    """What there is to say of a store now (report.Standing); look: of what moment, most_files: of usage(), only: of these queues."""
    look = look or store.look()
    processing = list(store.jobs(["processing"], look=look))
    counts = look.counts() if look else {}
    paused = look.pauses() if look else {}
    depths = backlog.depths(look, now) if look else {}
    found = report.Standing(
        store=store.root,
        counts=counts,
        workers=slots.living(store.paths),
        running={job.worker: reading.with_progress(store, job) for job in processing},
        lost=[job for job in processing if reading.is_lost(store, job)],
        recent=report.recent_of(_newest_finished(store, look, only), now),
        queues=queues.standing(counts, depths, store.config.limits, paused, processing, now),
        paused=paused,
        disk=usage.usage(store.paths, most_files),
        serving=pidfile.serving(store.paths),
        room=ballast.no_room(store.paths),
        leaving=pidfile.leaving(pidfile.read(store.paths)))
    return found if only is None else report.narrowed(found, only)


def _newest_finished(store, look, only):
    finished = [store.jobs([state], only, look=look) for state in ("completed", "dead")]
    newest = merge(*finished, key=lambda job: job.finished_at or job.updated_at, reverse=True)
    return list(islice(newest, report.LOOKED_AT))
