"""Remove dead jobs and their output for good.

Without ids or a selection all of them are removed. The ids are printed, one a
line.

Examples:
  queuectl dlq purge nightly
  queuectl dlq list --jsonl > dead.jsonl && queuectl dlq purge --all --yes
"""

from queuectl_lib.faces import selection
from queuectl_lib.faces.cli import reading
from queuectl_lib.store import store as stores


def arguments(parser):
    selection.arguments(parser, ("dead",), every="all of them (also without it, when no other is selected)")


def run(args, out):
    store = stores.open_store(args.store, write=True)
    args.all = args.all or not (args.ids or args.state or args.of_queues or args.search)
    verb = selection.Verb("purge", reading.dead_only, ("dead",), ("dead",))
    code, _ = selection.run(args, out, store, verb, lambda ids, refused: store.remove(ids, reading.dead_only, refused))
    return code
