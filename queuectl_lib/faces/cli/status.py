"""Show how the queue stands, and what needs a look.

Jobs by state and queue, workers with their pids and what they run, throughput
and success rate of the newest finished jobs, disk use. OLDEST is how long the
first in line has waited, those of low priority included. DELAYED jobs wait for
their moment, those in RETRY for their next attempt, BLOCKED ones are held or
come after others. --watch draws it all again when something changes,
and every 2 seconds, until Ctrl+C. --queue leaves out what is about other
queues; workers and disk use are the store's.

Examples:
  queuectl status
  queuectl status --queue mail --watch
  queuectl status --json | jq .states.dead
"""

import os
from heapq import merge
from itertools import islice

from queuectl_lib.faces import queues, reading, report, terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.job import identifiers
from queuectl_lib.store import queues as backlog
from queuectl_lib.store import store as stores
from queuectl_lib.store import ballast, usage
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import did_you_mean
from queuectl_lib.work import pidfile, slots


def arguments(parser):
    parser.add_argument("--queue", metavar="Q", nargs="+", action="append", help="only these queues")
    options.json(parser)
    parser.add_argument("--watch", metavar="SECONDS", nargs="?", const=2, type=options.checked("--watch", clock.parse_duration),
                        help="keep it up to date on the terminal; at least so often")


def run(args, out):
    only = [identifiers.check_queue(name) for name in options.words(args.queue)] or None
    store = stores.open_store(args.store)
    if args.watch is not None:
        _watch(store, args, only, out)
        return
    now = clock.now()
    found = standing(store, now, only=only)
    if args.json:
        out.document(report.status_document(found, now))
        return
    for line in report.status(found, now, out):
        out.line(line)
    out.flush()
    there = {queue.name for queue in found.queues}
    for name in sorted(set(only or ()) - there):
        terminal.note("there is no queue %s%s" % (name, did_you_mean(name, store.counts())))


def _watch(store, args, only, out):
    if args.json:
        raise BadInput("either --watch or --json")
    from queuectl_lib.faces import screen
    screen.keep(out, lambda fresh: _lines(store, only, fresh), lambda: _changed(store.paths), args.watch)


def _lines(store, only, out):
    now = clock.now()
    return list(report.status(standing(store, now, only=only), now, out))


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


def standing(store, now, look=None, most_files=usage.MOST, only=None):
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
