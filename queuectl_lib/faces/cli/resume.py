"""Let paused queues go on.

Without a queue what `queuectl pause` without one has stopped goes on. A queue
armed by --on-failure stays armed when it is resumed; one that is armed and not
paused is disarmed.

Examples:
  queuectl resume
  queuectl resume mail
"""

from queuectl_lib.faces import pausing, terminal, wanted
from queuectl_lib.store import pauses
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def arguments(parser):
    parser.add_argument("queues", metavar="QUEUE", nargs="*")


def run(args, out):
    names = list(dict.fromkeys(wanted.queues(args.queues) or [pauses.ALL]))
    left = pausing.resume(stores.open_store(args.store, write=True), names, clock.now())
    if left:
        terminal.note("not paused: %s" % ", ".join(left))
    return 1 if left else 0
