"""Start no jobs of some queues, or of any, until resumed.

Running jobs go on; jobs can be enqueued all the same. Without a queue all are
paused. --on-failure pauses nothing now: it arms the queues, and each is paused
as soon as a job of it dies.

Examples:
  queuectl pause
  queuectl pause mail --reason 'new mail server' --for 2h
  queuectl pause import --on-failure
"""

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.job import identifiers
from queuectl_lib.store import pauses
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, NotDone


def arguments(parser):
    add = parser.add_argument
    add("queues", metavar="QUEUE", nargs="*")
    add("--reason", metavar="TEXT", help="shown wherever somebody wonders why nothing runs")
    add("--for", metavar="DUR", dest="duration", type=options.checked("--for", clock.parse_duration),
        help="resume by itself when this much time has passed")
    add("--on-failure", action="store_true", help="pause them when a job of theirs dies")


def run(args, out):
    names = list(dict.fromkeys(map(identifiers.check_queue, options.words(args.queues)))) or [pauses.ALL]
    if args.on_failure and (args.reason is not None or args.duration is not None or not args.queues):
        raise BadInput("--on-failure wants the names of queues, and no --reason and no --for: that comes with the failure")
    now = clock.now()
    store = stores.open_store(args.store, create=True, write=True)
    wanted = pauses.Pause(
        since=clock.moment(now), reason=args.reason,
        until=None if args.duration is None else clock.moment(min(now + int(args.duration * 1000), clock.LATEST)))

    same = []

    def paused(before):
        after = dict(before)
        for name in names:
            after[name] = _armed(before.get(name)) if args.on_failure else _paused(before.get(name), wanted, now)
        same[:] = [name for name in names if after[name] == before.get(name)]
        if len(same) == len(names):
            raise NotDone(_nothing_new(same, args.on_failure))
        return after

    store.change_pauses(paused)
    if same:
        terminal.note(_nothing_new(same, args.on_failure))
    return 1 if same else 0


def _armed(before):
    return (before or pauses.Pause())._replace(on_failure=True)


def _paused(before, wanted, now):
    """The pause of a queue from now on; the same one as before where nothing is new."""
    if before is None:
        return wanted
    wanted = wanted._replace(on_failure=before.on_failure)
    if pauses.in_force({pauses.ALL: before}, pauses.ALL, now) is None:
        return wanted
    if wanted.reason is None and wanted.until is None and before.until is None:
        return before
    # The old reason would be taken for that of the new time.
    return wanted._replace(since=before.since)


def _nothing_new(names, on_failure):
    if names == [pauses.ALL]:
        return "all queues are paused already; to let them go on: queuectl resume"
    return "%s already: %s" % ("armed" if on_failure else "paused", ", ".join(names))
