"""Keep waiting jobs from running until they are released.

Only jobs that wait (pending, or failed and to be tried again) can be held.
The ids are printed, one a line.

Examples:
  queuectl hold nightly
  queuectl hold --queue mail --search newsletter
"""

from queuectl_lib.faces import verbs
from queuectl_lib.faces.cli import selecting
from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def arguments(parser):
    selecting.arguments(parser, lifecycle.WAITING)


def run(args, out):
    store = stores.open_store(args.store, write=True)
    return selecting.run(args, out, store, verbs.hold(store, clock.now()))
