"""Let held jobs run.

The ids are printed, one a line.

Examples:
  queuectl release nightly
  queuectl release --all --yes
"""

from queuectl_lib.faces import verbs
from queuectl_lib.faces.cli import selecting
from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def arguments(parser):
    selecting.arguments(parser, lifecycle.WAITING, every="all that are held")


def run(args, out):
    store = stores.open_store(args.store, write=True)
    return selecting.run(args, out, store, verbs.release(store, clock.now()))
