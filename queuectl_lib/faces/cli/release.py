"""Let held jobs run.

The ids are printed, one a line.

Examples:
  queuectl release nightly
  queuectl release --all --yes
"""

from queuectl_lib.faces import selection
from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import wake


def arguments(parser):
    selection.arguments(parser, lifecycle.WAITING, every="all that are held")


def run(args, out):
    now = clock.now()
    store = stores.open_store(args.store, write=True)
    verb = selection.Verb("release", lambda job: lifecycle.release(job, now), lifecycle.WAITING, lifecycle.WAITING)
    code, queues = selection.run(args, out, store, verb)
    wake.wake(store.paths, queues)
    return code
