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

from queuectl_lib.faces import report, standing, terminal, wanted
from queuectl_lib.faces.cli import options
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import did_you_mean


def arguments(parser):
    parser.add_argument("--queue", metavar="Q", nargs="+", action="append", help="only these queues")
    options.json(parser)
    parser.add_argument("--watch", metavar="SECONDS", nargs="?", const=2, type=options.checked("--watch", clock.parse_duration),
                        help="keep it up to date on the terminal; at least so often")


def run(args, out):
    only = wanted.queues(args.queue)
    store = stores.open_store(args.store)
    if args.watch is not None:
        _watch(store, args, only, out)
        return
    now = clock.now()
    found = standing.of_store(store, now, only=only)
    if args.json:
        out.document(report.status_document(found, now))
        return
    for line in report.status(found, now, out):
        out.line(line)
    out.flush()
    if not store.exists:
        terminal.note_no_store(store.root)
        return
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
    return list(report.status(standing.of_store(store, now, only=only), now, out))


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
