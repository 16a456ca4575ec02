"""Give dead jobs a full budget of attempts again.

Their attempts start at 0 again: whoever retries has mended the cause.

Examples:
  queuectl dlq retry nightly
  queuectl dlq retry --all
"""

from queuectl_lib.faces.cli import options, reading, retry
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import BadInput, NotDone


def arguments(parser):
    options.ids(parser, "*", states=("dead",))
    parser.add_argument("--all", action="store_true", help="all of them")


def run(args, out):
    if bool(args.ids) == args.all:
        raise BadInput("name the jobs to retry, or --all of them (and not both)")
    store = stores.open_store(args.store, write=True)
    ids = reading.dead_ids(store) if args.all else args.ids
    if not ids:
        raise NotDone("nothing to retry: the dead letter queue is empty")
    retry.retry(store, ids, reading.dead_only, out)
