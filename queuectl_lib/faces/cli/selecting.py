"""What the commands that change many jobs share: their options, the question whether somebody is sure, and what is said then."""

import sys

from queuectl_lib.faces import terminal, wanted
from queuectl_lib.faces.cli import options
from queuectl_lib.faces.selection import Selection, Wanted
from queuectl_lib.job import record
from queuectl_lib.words.errors import BadInput, NotDone


def arguments(parser, states, queue="--queue", every="all of them to which it can happen"):
    """The arguments of a command that changes jobs in these states; queue: what the option for that is called."""
    options.ids(parser, "*", states)
    add = parser.add_argument
    add("--state", metavar="S", nargs="+", action="append", help="those in these states: " + ", ".join(record.STATES))
    add(queue, metavar="Q", nargs="+", action="append", dest="of_queues", help="those of these queues")
    add("--search", metavar="TEXT", help="those with this text in id, command, queue or error")
    add("--all", action="store_true", help=every)
    add("--yes", "-y", action="store_true", help="do not ask before a selection is changed")


def run(args, out, store, verb, queue="--queue"):
    """The whole of a command that changes jobs and prints their ids: its exit code; queue: as for arguments()."""
    chosen = Selection(_wanted(args, queue), store, verb)
    if not chosen.ids:
        raise NotDone("nothing to %s: no such job is there" % verb.name)
    if not chosen.is_named and not args.yes:
        _confirm("%s %s?" % (verb.name, counted(len(chosen.ids), "job")))
    return _change(chosen, out, verb)


def run_named(ids, out, store, verb):
    """The same for jobs that are named, where a selection is made in another way."""
    return _change(Selection(Wanted(ids), store, verb), out, verb)


def _change(chosen, out, verb):
    for ids in chosen.changed():
        for job_id in ids:
            out.line(job_id)
    out.flush()
    return _ended(chosen, verb)


def _wanted(args, queue):
    selects = bool(args.all or args.state or args.of_queues or args.search)
    if args.ids and selects:
        raise BadInput("either ids or a selection (--state, %s, --search, --all), not both" % queue)
    if not args.ids and not selects:
        raise BadInput("which jobs? name them by id, or select them by --state, %s, --search or --all" % queue)
    return Wanted(args.ids, wanted.states(args.state), wanted.queues(args.of_queues), args.search)


def _confirm(question):
    """NotDone when somebody says no, BadInput when nobody can be asked."""
    if not sys.stdin.isatty():
        raise BadInput("%s there is no terminal to ask at: say --yes" % question)
    if not terminal.confirmed(question):
        raise NotDone("nothing was changed")


def _ended(chosen, verb):
    """Say what else there is to say; the command's exit code."""
    if chosen.followers:
        terminal.note("%s%s that come%s after them %s" % (
            counted(chosen.followers, "job"), " or more" if chosen.or_more else "",
            "s" if chosen.followers == 1 else "", verb.followed))
    if chosen.is_named:
        refused = chosen.refused()
        for _, text in refused:
            terminal.note(text)
        return 1 if refused else 0
    if not chosen.told:
        terminal.note("nothing was changed: these jobs have changed by themselves meanwhile")
        return 1
    return 0


def counted(number, what):
    """'1 job', '1,234 jobs'."""
    return "1 %s" % what if number == 1 else "{:,} {}s".format(number, what)
