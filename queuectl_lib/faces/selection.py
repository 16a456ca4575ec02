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
# last_first: whether the last of them is to be changed first;
# is_shared: whether those that follow have become what these have.
Verb = namedtuple("Verb", ("name", "change", "states", "usual", "followed", "last_first", "is_shared"))
Verb.__new__.__defaults__ = ("went to the dead letter queue", False, False)

# In one transaction more do not follow; the rest do so by and by, uncounted.
_MOST_FOLLOWERS = 1000


def arguments(parser, states, queue="--queue", every="all of them to which it can happen"):
    """The arguments of a command that changes jobs in these states; queue: what the option for that is called."""
    options.ids(parser, "*", states)
    add = parser.add_argument
    add("--state", metavar="S", nargs="+", action="append", help="those in these states: " + ", ".join(record.STATES))
    add(queue, metavar="Q", nargs="+", action="append", dest="of_queues", help="those of these queues")
    add("--search", metavar="TEXT", help="those with this text in id, command, queue or error")
    add("--all", action="store_true", help=every)
    add("--yes", "-y", action="store_true", help="do not ask before a selection is changed")


class HasFollowed(NotDone):
    """A selected job has become what it was to become by following another one."""


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
        self._told = set()
        self._followers = 0
        self._most_followers = 0
        self.ids = list(dict.fromkeys(args.ids)) or self._selected(args, store)
        self._asked = set(self.ids)

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
        """Change them, a group at a time; yields (ids, jobs): the ids of those changed, and all jobs that changed with them.

        change(ids, refused) returns changing.Changed or its like.
        """
        ids = self.ids
        while ids:
            self._refused = {}
            for start in range(0, len(ids), _GROUP):
                yield self._changed(ids[start:start + _GROUP], change)
            left = [job_id for job_id in ids if job_id in self._refused]
            # One that comes after another of them may have been too early.
            ids = left[::-1] if self._verb.is_shared and len(left) < len(ids) else ()

    def _changed(self, group, change):
        have_followed = []
        done = change(group, lambda job_id, error: self._refuse(job_id, error, have_followed))
        followers = [job.id for job in done.followers]
        asked = self._asked if self._verb.is_shared else ()
        ids = [job.id for job in done.jobs] + [job_id for job_id in followers if job_id in asked] + have_followed
        ids = [job_id for job_id in dict.fromkeys(ids) if job_id not in self._told]
        self._told.update(ids)
        self._followers += sum(job_id not in self._told for job_id in followers)
        self._most_followers = max(self._most_followers, len(followers))
        return ids, done.jobs + done.followers

    def _refuse(self, job_id, error, have_followed):
        if isinstance(error, HasFollowed):
            have_followed.append(job_id)
        else:
            self._refused[job_id] = str(error)

    def ended(self):
        """Say what else there is to say; the command's exit code."""
        if self._followers:
            or_more = " or more" if self._most_followers >= _MOST_FOLLOWERS else ""
            terminal.note("%s%s that come%s after them %s" % (
                counted(self._followers, "job"), or_more, "s" if self._followers == 1 else "", self._verb.followed))
        refused = [text for job_id, text in self._refused.items() if job_id not in self._told]
        if self.is_named:
            for text in refused:
                terminal.note(text)
            return 1 if refused else 0
        if not self._told:
            terminal.note("nothing was changed: these jobs have changed by themselves meanwhile")
            return 1
        return 0


def run(args, out, store, verb, change=None):
    """The whole of a command that changes jobs and prints their ids: (its exit code, the queues of all that changed).

    change(ids, refused): how it is done, where that is more than the verb's change of each.
    """
    chosen = Selection(args, store, verb)
    chosen.confirm(args.yes)
    queues = set()
    for ids, jobs in chosen.changed(change or (lambda ids, refused: store.change(ids, verb.change, refused))):
        queues.update(job.queue for job in jobs)
        for job_id in ids:
            out.line(job_id)
    out.flush()
    return chosen.ended(), queues


def counted(number, what):
    """'1 job', '1,234 jobs'."""
    return "1 %s" % what if number == 1 else "{:,} {}s".format(number, what)
