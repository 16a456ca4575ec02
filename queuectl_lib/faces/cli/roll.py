"""Roll the journal into segments, and purge by retention (started by whoever sees it long; nobody waits for it)."""

from queuectl_lib.store import keeping
from queuectl_lib.store import store as stores


def arguments(parser):
    parser.add_argument("--locked", action="store_true", help="the starter's lock is inherited")


def run(args, out):
    keeping.roll_and_keep_house(stores.open_store(args.store, write=True, locked=args.locked), locked=args.locked)
