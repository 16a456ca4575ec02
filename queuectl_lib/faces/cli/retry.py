"""Run jobs that failed or ended again, from attempt 1.

Attempts start at 0 again. A job that runs, or waits to run already, is left
as it is (exit 1). Jobs that died because of one of these come back with it. A
selection takes those that failed or are dead, unless --state says otherwise.
The ids are printed, one a line.

Examples:
  queuectl retry nightly
  queuectl retry --queue mail --search 'connection refused'
  queuectl retry --state cancelled --yes
"""

from queuectl_lib.faces import verbs
from queuectl_lib.faces.cli import selecting
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def arguments(parser):
    selecting.arguments(parser, verbs.RETRIED, every="all that failed or are dead")


def run(args, out):
    return retry(args, out)


def retry(args, out, *those):
    """Gives jobs a full budget again and prints their ids; those: which ones, as of verbs.retry; the exit code."""
    store = stores.open_store(args.store, write=True)
    return selecting.run(args, out, store, verbs.retry(store, clock.now(), bool(args.ids), *those))
