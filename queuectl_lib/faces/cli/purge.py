"""Remove jobs that have ended, and their output, for good.

Completed and cancelled ones, unless --state says otherwise: dead jobs go only
when they are named. --all empties the store of everything but what runs. On a
terminal it asks first. `config set retention 30d` has it done by itself. Jobs
named by id go at once, dead ones too; their ids are printed, one a line.

Examples:
  queuectl purge nightly weekly
  queuectl purge --older-than 7d
  queuectl purge --state dead --queue mail --dry-run
  queuectl purge --all --yes
"""

import sys

from queuectl_lib.faces import terminal, verbs, wanted
from queuectl_lib.faces.cli import options, selecting
from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import purge
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput, NotDone


def arguments(parser):
    options.ids(parser, "*", lifecycle.ENDED)
    add = parser.add_argument
    add("--state", metavar="S", nargs="+", action="append", help="only these: " + ", ".join(lifecycle.ENDED))
    add("--older-than", metavar="DUR", type=options.checked("--older-than", clock.parse_duration),
        help="only what ended (or last changed) longer ago: 12h, 7d")
    add("--queue", metavar="Q", nargs="+", action="append", help="only of these queues")
    add("--all", action="store_true", help="jobs in every state, those that wait too; not those that run")
    add("--dry-run", "-n", action="store_true", help="only say how many would go")
    add("--yes", "-y", action="store_true", help="do not ask")
    options.json(parser)


def run(args, out):
    if args.ids:
        return _purge_named(args, out)
    _purge_selected(args, out)
    return None


def _purge_named(args, out):
    if args.state or args.older_than is not None or args.queue or args.all:
        raise BadInput("either ids or a selection (--state, --older-than, --queue, --all), not both")
    if args.dry_run or args.json:
        raise BadInput("--dry-run and --json count what a selection takes, and here are ids")
    store = stores.open_store(args.store, write=True)
    return selecting.run_named(args.ids, out, store, verbs.purge_ended(store, clock.now()))


def _purge_selected(args, out):
    states = _states(args)
    queues = wanted.queues(args.queue)
    if args.all and not (args.yes or args.dry_run or sys.stdin.isatty()):
        raise BadInput("--all empties the store: where nobody can be asked it needs --yes")
    store = stores.open_store(args.store, write=not args.dry_run)
    store.check_there()
    chosen = purge.selection(states, queues, args.older_than, clock.now())
    if args.dry_run:
        _tell(purge.count(store, chosen), args, out)
        return
    if not args.yes and sys.stdin.isatty():
        _ask(purge.count(store, chosen))
    _tell(purge.purge(store, chosen), args, out)
    if args.all:
        _note_running(store, queues)


def _states(args):
    if args.all:
        if args.state:
            raise BadInput("either --state or --all, not both")
        return [state for state in record.STATES if state != "processing"]
    states = wanted.states(args.state) or lifecycle.FINISHED
    for state in states:
        if state not in lifecycle.ENDED:
            raise BadInput("--state: %s jobs have not ended: cancel them first, or --all" % state)
    return states


def _ask(taken):
    if taken and not terminal.confirmed("Remove %s for good?" % _counted(_by_state(taken))):
        raise NotDone("nothing was removed")


def _tell(taken, args, out):
    states = _by_state(taken)
    if args.json:
        out.document({"dry_run": args.dry_run, "removed": sum(states.values()), "states": states})
    else:
        out.line("%s %s" % ("would remove" if args.dry_run else "removed", _counted(states)))


def _by_state(taken):
    states = {}
    for (_, state), number in taken.items():
        states[state] = states.get(state, 0) + number
    return {state: states[state] for state in record.STATES if states.get(state)}


def _counted(states):
    """'1 job: 1 dead', '12 jobs: 10 completed, 2 dead', or 'no jobs'."""
    total = sum(states.values())
    if not total:
        return "no jobs"
    each = ", ".join("%d %s" % (number, state) for state, number in states.items())
    return "%d job%s: %s" % (total, "" if total == 1 else "s", each)


def _note_running(store, queues):
    running = sum(states.get("processing", 0) for queue, states in store.counts().items()
                  if not queues or queue in queues)
    if running:
        jobs = "1 running job was left: it" if running == 1 else "%d running jobs were left: each" % running
        terminal.note("%s goes when it has ended, by another purge" % jobs)
