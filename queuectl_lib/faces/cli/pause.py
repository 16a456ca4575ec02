"""Start no jobs of some queues, or of any, until resumed.

Running jobs go on; jobs can be enqueued all the same. Without a queue all are
paused. --on-failure pauses nothing now: it arms the queues, and each is paused
as soon as a job of it dies.

Examples:
  queuectl pause
  queuectl pause mail --reason 'new mail server' --for 2h
  queuectl pause import --on-failure
"""

from queuectl_lib.faces import pausing, terminal, wanted
from queuectl_lib.faces.cli import options
from queuectl_lib.store import pauses
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput


def arguments(parser):
    add = parser.add_argument
    add("queues", metavar="QUEUE", nargs="*")
    add("--reason", metavar="TEXT", help="shown wherever somebody wonders why nothing runs")
    add("--for", metavar="DUR", dest="duration", type=options.checked("--for", clock.parse_duration),
        help="resume by itself when this much time has passed")
    add("--on-failure", action="store_true", help="pause them when a job of theirs dies")


def run(args, out):
    names = list(dict.fromkeys(wanted.queues(args.queues) or [pauses.ALL]))
    if args.on_failure and (args.reason is not None or args.duration is not None or not args.queues):
        raise BadInput("--on-failure wants the names of queues, and no --reason and no --for: that comes with the failure")
    store = stores.open_store(args.store, create=True, write=True)
    same = pausing.pause(store, names, clock.now(), args.reason, args.duration, args.on_failure)
    if same:
        terminal.note(pausing.nothing_new(same, args.on_failure))
    return 1 if same else 0
