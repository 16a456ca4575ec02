"""Roll the journal into segments (started by whoever sees it long; nobody waits for it)."""

from queuectl_lib.store import roll
from queuectl_lib.store import store as stores


def arguments(parser):
    pass


def run(args, out):
    roll.roll(stores.open_store(args.store, write=True))
