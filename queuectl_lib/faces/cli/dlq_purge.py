"""Remove dead jobs and their output for good.

Without ids or a selection all of them are removed. The ids are printed, one a
line.

Examples:
  queuectl dlq purge nightly
  queuectl dlq list --jsonl > dead.jsonl && queuectl dlq purge --all --yes
"""

from queuectl_lib.faces import verbs
from queuectl_lib.faces.cli import selecting
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def arguments(parser):
    selecting.arguments(parser, ("dead",), every="all of them (also without it, when no other is selected)")


def run(args, out):
    store = stores.open_store(args.store, write=True)
    args.all = args.all or not (args.ids or args.state or args.of_queues or args.search)
    return selecting.run(args, out, store, verbs.purge(store, clock.now()))
