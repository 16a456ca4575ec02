"""Roll the journal into segments (started by whoever sees it long; nobody waits for it)."""

from queuectl_lib.store import roll
from queuectl_lib.store import store as stores


def arguments(parser):
    parser.add_argument("--locked", action="store_true", help="the starter's lock is inherited")


def run(args, out):
    roll.roll(stores.open_store(args.store, write=True), locked=args.locked)
