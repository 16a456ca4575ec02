"""Which jobs a command changes: named by id, or selected by state, queue and text; and changing them.

Named ones are changed at once; each that cannot be is named, and the exit code is 1.
A selection takes only jobs to which the change can happen; they are counted, and
somebody has to say yes. Those that change by themselves meanwhile are passed over. Only ids
are kept, and the jobs are changed a group at a time, so that a hundred thousand
neither fill the memory nor keep others waiting for the store.
"""

import sys
from collections import namedtuple

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import list as lists
from queuectl_lib.faces.cli import options
from queuectl_lib.job import identifiers, record
from queuectl_lib.words.errors import BadInput, NotDone

_GROUP = 1000

# name: as in "cancel 3 jobs?"; change: function(job) -> job, NotDone where it cannot happen;
# states: those in which it can; usual: those that are meant where none is named;
# followed: what became of jobs that come after them, in the past tense;
# last_first: whether those that come after others are to be changed before them.
Verb = namedtuple("Verb", ("name", "change", "states", "usual", "followed", "last_first"))
Verb.__new__.__defaults__ = ("went to the dead letter queue", False)


def arguments(parser, queue="--queue", every="all of them to which it can happen"):
    """The arguments of a command that changes jobs; queue: what the option for that is called."""
    options.ids(parser, "*")
    add = parser.add_argument
    add("--state", metavar="S", nargs="+", action="append", help="those in these states: " + ", ".join(record.STATES))
    add(queue, metavar="Q", nargs="+", action="append", dest="of_queues", help="those of these queues")
    add("--search", metavar="TEXT", help="those with this text in id, command, queue or error")
    add("--all", action="store_true", help=every)
    add("--yes", "-y", action="store_true", help="do not ask before a selection is changed")


class Selection:
    """The jobs that the arguments mean; raises BadInput where they mean nothing, NotDone where there is none."""

    def __init__(self, args, store, verb):
        selects = bool(args.all or args.state or args.of_queues or args.search)
        if args.ids and selects:
            raise BadInput("either ids or a selection (--state, --queue, --search, --all), not both")
        if not args.ids and not selects:
            raise BadInput("which jobs? name them by id, or select them by --state, --queue, --search or --all")
        self.is_named = bool(args.ids)
        self._verb = verb
        self._refused = {}
        self._count = 0
        self._followers = 0
        self.ids = list(dict.fromkeys(args.ids)) or self._selected(args, store)

    def _selected(self, args, store):
        asked = lists.states(args.state)
        states = [state for state in asked or self._verb.usual if state in self._verb.states]
        queues = [identifiers.check_queue(name) for name in options.words(args.of_queues)] or None
        jobs = store.jobs(states, queues, args.search) if states else ()
        ids = [job.id for job in jobs if self._can(job)]
        if not ids:
            raise NotDone("nothing to %s: no such job is there" % self._verb.name)
        if self._verb.last_first:
            ids.reverse()
        return ids

    def _can(self, job):
        try:
            self._verb.change(job)
        except NotDone:
            return False
        return True

    def confirm(self, is_sure):
        """Have a selection approved; NotDone when somebody says no, BadInput when nobody can be asked."""
        if self.is_named or is_sure:
            return
        question = "%s %s?" % (self._verb.name, counted(len(self.ids), "job"))
        if not sys.stdin.isatty():
            raise BadInput("%s there is no terminal to ask at: say --yes" % question)
        if not terminal.confirmed(question):
            raise NotDone("nothing was changed")

    def changed(self, change):
        """Change them, a group at a time; yields what change(ids, refused) returns (changing.Changed or its like)."""
        for start in range(0, len(self.ids), _GROUP):
            done = change(self.ids[start:start + _GROUP], self._refuse)
            self._count += len(done.jobs)
            self._followers += len(done.followers)
            yield done

    def _refuse(self, job_id, error):
        self._refused[job_id] = str(error)

    def ended(self, back=()):
        """Say what else there is to say; the command's exit code. back: ids of those that followed others of them."""
        followers = self._followers - len(back)
        if followers:
            come = "comes" if followers == 1 else "come"
            terminal.note("%s that %s after them %s" % (counted(followers, "job"), come, self._verb.followed))
        refused = [text for job_id, text in self._refused.items() if job_id not in back]
        if self.is_named:
            for text in refused:
                terminal.note(text)
            return 1 if refused else 0
        if self._count + len(back) == 0:
            terminal.note("nothing was changed: these jobs have changed by themselves meanwhile")
            return 1
        return 0


def run(args, out, store, verb, change=None):
    """The whole of a command that changes jobs and prints their ids: its exit code, and the queues of the jobs.

    change(ids, refused): how it is done, where that is more than the verb's change of each.
    """
    chosen = Selection(args, store, verb)
    chosen.confirm(args.yes)
    queues = set()
    for done in chosen.changed(change or (lambda ids, refused: store.change(ids, verb.change, refused))):
        for job in done.jobs:
            out.line(job.id)
        queues.update(job.queue for job in done.jobs)
        queues.update(job.queue for job in done.followers)
    return chosen.ended(), queues


def counted(number, what):
    """'1 job', '1,234 jobs'."""
    return "1 %s" % what if number == 1 else "{:,} {}s".format(number, what)
