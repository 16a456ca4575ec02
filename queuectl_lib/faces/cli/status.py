"""Show how the queue stands, and what needs a look.

Jobs by state and queue, workers with their pids and what they run, the oldest
waiting job, throughput and success rate of the newest finished ones.

Examples:
  queuectl status
  queuectl status --json | jq .states.dead
"""

from itertools import islice

from queuectl_lib.faces import report
from queuectl_lib.faces.cli import options, reading
from queuectl_lib.job import record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import slots

# So many jobs are looked at for what is said of the newest finished and of the next to run:
# status costs the same in a store of a million.
_LOOKED_AT = 200


def arguments(parser):
    options.json(parser)


def run(args, out):
    store = stores.open_store(args.store)
    now = clock.now()
    found = standing(store, now)
    if args.json:
        out.document(report.status_document(found, now))
        return
    for line in report.status(found, now, out):
        out.line(line)


def standing(store, now):
    """What there is to say of a store now (report.Standing)."""
    processing = list(store.jobs(states=["processing"]))
    return report.Standing(
        store=store.root,
        counts=store.counts(),
        workers=slots.living(store.paths),
        running={job.worker: job for job in processing},
        lost=[job for job in processing if reading.is_lost(store, job)],
        oldest=_oldest(store, now),
        recent=report.recent_of(_newest_finished(store), now))


def _oldest(store, now):
    """The longest waiting of those next to run."""
    ready = []
    for job in islice(store.jobs(states=["pending", "failed"]), _LOOKED_AT):
        if record.due(job) > now:
            # Ready ones come first.
            break
        ready.append(job)
    return min(ready, key=lambda job: job.created_at, default=None)


def _newest_finished(store):
    finished = []
    for state in ("completed", "dead"):
        finished += islice(store.jobs(states=[state]), _LOOKED_AT)
    finished.sort(key=lambda job: job.finished_at or job.updated_at, reverse=True)
    return finished[:_LOOKED_AT]
