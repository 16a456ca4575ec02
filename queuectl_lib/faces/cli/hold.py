"""Keep waiting jobs from running until they are released.

Only jobs that wait (pending, or failed and to be tried again) can be held.
The ids are printed, one a line.

Examples:
  queuectl hold nightly
  queuectl hold --queue mail --search newsletter
"""

from queuectl_lib.faces import selection
from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def arguments(parser):
    selection.arguments(parser, lifecycle.WAITING)


def run(args, out):
    now = clock.now()
    verb = selection.Verb("hold", lambda job: lifecycle.hold(job, now), lifecycle.WAITING, lifecycle.WAITING)
    code, _ = selection.run(args, out, stores.open_store(args.store, write=True), verb)
    return code
