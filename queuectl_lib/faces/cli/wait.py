"""Wait until jobs have ended; exit as a single one did.

Without ids all jobs of the store are waited for, retries and delayed ones too.

Exit code: of one job its own, 128 + N if signal N ended it, 1 if it was
cancelled, timed out or never ran; of several, or of all that are in the store,
0 if every one has completed and 1 if not. An unknown id is 1, and so is a
--timeout that is reached: a line on standard error says how many are left.

Examples:
  queuectl wait nightly && echo done
  queuectl wait build-1 build-2 --timeout 10m
  queuectl wait
"""

import os
import sys
import time

from queuectl_lib.faces import following, hindrance, progress, terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.faces.patience import Patience
from queuectl_lib.job.lifecycle import ENDED, WAITING
from queuectl_lib.store import news
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone

_ALL_ENDED = ENDED + ("removed",)
# Of those that did not complete, so many are named; of those left, so many are asked what hinders them.
_NAMED = 3


def arguments(parser):
    options.ids(parser, "*", WAITING + ("processing",))
    parser.add_argument("--timeout", metavar="DUR", type=options.checked("--timeout", clock.parse_duration),
                        help="give up after so long: 30s, 5m, 1h30m")


def run(args, out):
    store = stores.open_store(args.store)
    if not store.exists and not args.ids:
        # Perhaps it is another one that was meant: what comes next would begin too early.
        terminal.note_no_store(store.root)
    waited = _Some(store, args.ids) if args.ids else _All(store)
    errors = terminal.Output(sys.stderr, os.environ)
    with progress.Bar(errors if errors.tty else None, "jobs", waited.share) as bar:
        in_time = _await(waited, bar, args.timeout)
    news.sync(store)
    if not in_time:
        raise NotDone("waited %s, and %s" % (clock.show_duration(args.timeout), waited.left_over()))
    complaint = waited.complaint()
    if complaint:
        terminal.note(complaint)
    return waited.exit_code()


def _await(waited, bar, timeout):
    """Until none is left; False when the time (seconds, or None) is over before that."""
    deadline = None if timeout is None else time.monotonic() + timeout
    patience = Patience()
    complaints = hindrance.Complaints(waited.hindrances, bar.note)
    while waited.left():
        rest = None if deadline is None else deadline - time.monotonic()
        if rest is not None and rest <= 0:
            return False
        waited.draw(bar)
        happened = waited.look()
        if not happened:
            complaints.look()
        patience.rest(happened, rest)
    return True


class _Some:
    """Jobs that were named."""

    def __init__(self, store, ids):
        self._store = store
        self._news = news.News(store)
        # {id: Job} of those left, as they were last seen, and of those that have ended.
        self._open = {}
        self._ended = {}
        ids = dict.fromkeys(ids)
        missing = self._see(self._news.start(), ids)
        if missing:
            raise store.unknown(missing[0])

    def _see(self, look, ids):
        """Take in how these jobs stand at this moment; the ids that are not there."""
        if look is not None:
            look.expect(len(ids))
        missing = []
        for id in ids:
            found = look and look.find(id)
            if found:
                self._take(found[0])
            else:
                missing.append(id)
        if look is not None:
            look.close()
        return missing

    def _take(self, job):
        if job.state in _ALL_ENDED:
            self._open.pop(job.id, None)
            self._ended[job.id] = job
        else:
            self._open[job.id] = job

    def look(self):
        entries = self._news.look()
        for entry in entries:
            if type(entry.head) is not dict and entry.head[0].decode() in self._open:
                self._take(news.job_of(entry))
        if self._news.missed:
            for id in self._see(self._store.look(), list(self._open)):
                self._take(self._open[id]._replace(state="removed"))
        return bool(entries)

    def left(self):
        return len(self._open)

    def share(self):
        return len(self._ended) / (len(self._open) + len(self._ended))

    def draw(self, bar):
        if len(self._open) + len(self._ended) > 1:
            bar.tick(len(self._ended))
        else:
            (job,) = self._open.values()
            bar.tell("job %s: %s, attempt %d of at most %d" % (job.id, job.state, job.attempts, job.max_retries + 1)
                     if job.attempts else "job %s: %s" % (job.id, job.state))

    def hindrances(self):
        return hindrance.of_jobs(self._store, list(self._open)[:_NAMED])

    def left_over(self):
        states = [job.state for job in self._open.values()]
        return _left_over({state: states.count(state) for state in hindrance.OPEN})

    def complaint(self):
        failed = [job for job in self._ended.values() if job.state != "completed"]
        if not failed:
            return None
        named = "; ".join(following.fate(job) for job in failed[:_NAMED])
        if len(self._ended) == 1:
            return named
        more = " ..." if len(failed) > _NAMED else ""
        return "%d of %d jobs did not complete: %s%s" % (len(failed), len(self._ended), named, more)

    def exit_code(self):
        codes = [following.exit_code(job) for job in self._ended.values()]
        return codes[0] if len(codes) == 1 else int(any(codes))


class _All:
    """Every job of a store: counted, at a cost that does not depend on how many there are."""

    def __init__(self, store):
        self._store = store
        self._seen = None
        self._states = {}
        self._before = 0
        self._done = 0
        self.look()
        self._before, self._done = self._done, 0

    def look(self):
        seen = self._glance()
        if seen == self._seen:
            return False
        self._seen = seen
        self._states = {}
        for states in self._store.counts().values():
            for state, number in states.items():
                self._states[state] = self._states.get(state, 0) + number
        # Those that are removed meanwhile have ended as well.
        self._done = max(self._done, sum(self._states.get(state, 0) for state in ENDED) - self._before)
        return True

    def _glance(self):
        """What changes with every line that anybody writes."""
        try:
            status = os.stat(self._store.paths.jobs)
        except FileNotFoundError:
            if self._store.exists:
                self._store.check_there()
            return None
        return status.st_ino, status.st_size

    def left(self):
        return sum(self._states.get(state, 0) for state in hindrance.OPEN)

    def share(self):
        return self._done / (self._done + self.left() or 1)

    def draw(self, bar):
        bar.tick(self._done)

    def hindrances(self):
        return hindrance.of_store(self._store)

    def left_over(self):
        return _left_over(self._states)

    def complaint(self):
        parts = ["%d %s" % (self._states[state], state) for state in ("dead", "cancelled") if self._states.get(state)]
        return parts and "not all jobs of this store have completed: %s" % ", ".join(parts)

    def exit_code(self):
        return 1 if self.complaint() else 0


def _left_over(states):
    """'3 jobs are left (2 pending, 1 processing)'."""
    parts = ["%d %s" % (states[state], state) for state in hindrance.OPEN if states.get(state)]
    number = sum(states.get(state, 0) for state in hindrance.OPEN)
    return "%s left (%s)" % ("1 job is" if number == 1 else "%d jobs are" % number, ", ".join(parts))
