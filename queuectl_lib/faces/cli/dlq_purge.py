"""Remove dead jobs and their output for good.

Without ids all of them are removed. On a terminal it asks first. The ids are
printed, one a line.

Examples:
  queuectl dlq purge nightly
  queuectl dlq list --jsonl > dead.jsonl && queuectl dlq purge --all --yes
"""

import sys

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import options, reading
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import BadInput, NotDone


def arguments(parser):
    options.ids(parser, "*", states=("dead",))
    parser.add_argument("--all", action="store_true", help="all of them (also without it, when no id is given)")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")


def run(args, out):
    if args.ids and args.all:
        raise BadInput("either ids or --all, not both")
    store = stores.open_store(args.store, write=True)
    ids = args.ids or reading.dead_ids(store)
    if not ids:
        terminal.note("nothing to purge: the dead letter queue is empty")
        return
    jobs = "1 dead job" if len(ids) == 1 else "%d dead jobs" % len(ids)
    if not args.yes and sys.stdin.isatty() and not terminal.confirmed("Remove %s for good?" % jobs):
        raise NotDone("nothing was removed")
    for job in store.remove(ids, reading.dead_only).jobs:
        out.line(job.id)
