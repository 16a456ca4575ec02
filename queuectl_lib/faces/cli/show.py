"""Show everything about one job, and why it is not running.

Examples:
  queuectl show nightly
  queuectl show nightly --json | jq .history
"""

from queuectl_lib.faces import story
from queuectl_lib.faces.cli import options, reading
from queuectl_lib.job import record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def arguments(parser):
    parser.add_argument("id", metavar="ID")
    options.json(parser)


def run(args, out):
    show(args, out, lambda job: job)


def show(args, out, check):
    """Prints a job that passes the check."""
    store = stores.open_store(args.store)
    job = check(store.find(args.id))
    if args.json:
        out.document(record.public(job))
        return
    for line in story.tell(job, clock.now(), reading.is_lost(store, job), reading.servants(store, job.queue),
                           store.root, out.paint):
        out.line(line)
