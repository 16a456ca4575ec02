"""Show how the queue stands, and what needs a look.

Jobs by state and queue, workers with their pids and what they run, the oldest
waiting job, throughput and success rate of the newest finished ones. --watch
draws it again when something changes, and every 2 seconds, until Ctrl+C.

Examples:
  queuectl status
  queuectl status --watch
  queuectl status --json | jq .states.dead
"""

import os
from heapq import merge
from itertools import islice, takewhile

from queuectl_lib.faces import report
from queuectl_lib.faces.cli import options, reading
from queuectl_lib.job import record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput
from queuectl_lib.work import slots


def arguments(parser):
    options.json(parser)
    parser.add_argument("--watch", metavar="SECONDS", nargs="?", const=2, type=options.checked("--watch", clock.parse_duration),
                        help="keep it up to date on the terminal; at least so often")


def run(args, out):
    store = stores.open_store(args.store)
    if args.watch is not None:
        _watch(store, args, out)
        return
    now = clock.now()
    found = standing(store, now)
    if args.json:
        out.document(report.status_document(found, now))
        return
    for line in report.status(found, now, out):
        out.line(line)


def _watch(store, args, out):
    if args.json:
        raise BadInput("either --watch or --json")
    from queuectl_lib.faces import screen
    screen.keep(out, lambda fresh: _lines(store, fresh), lambda: _changed(store.paths), args.watch)


def _lines(store, out):
    now = clock.now()
    return list(report.status(standing(store, now), now, out))


def _changed(paths):
    """What is another value when a job or a worker has come, changed or gone."""
    seen = []
    for path in (paths.jobs, paths.pidfile):
        try:
            status = os.stat(path)
        except OSError:
            continue
        seen.append((status.st_ino, status.st_size))
    return seen


def standing(store, now):
    """What there is to say of a store now (report.Standing)."""
    look = store.look()
    processing = list(store.jobs(["processing"], look=look))
    return report.Standing(
        store=store.root,
        counts=look.counts() if look else {},
        workers=slots.living(store.paths),
        running={job.worker: job for job in processing},
        lost=[job for job in processing if reading.is_lost(store, job)],
        oldest=_oldest(store.jobs(["pending", "failed"], look=look), now),
        recent=report.recent_of(_newest_finished(store, look), now))


def _oldest(jobs, now):
    """The longest waiting of those next to run."""
    # Ready ones come first.
    ready = takewhile(lambda job: _is_due(job, now), islice(jobs, report.LOOKED_AT))
    return min(ready, key=lambda job: job.created_at, default=None)


def _is_due(job, now):
    due = record.due(job)
    return due is not None and due <= now


def _newest_finished(store, look):
    finished = [store.jobs([state], look=look) for state in ("completed", "dead")]
    newest = merge(*finished, key=lambda job: job.finished_at or job.updated_at, reverse=True)
    return list(islice(newest, report.LOOKED_AT))
