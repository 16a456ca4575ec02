"""Running one command to its end: from a job's fields to an Outcome. Knows no queue.

    Runner(waiter, spools, store_root, worker, orphans)
      .run(job, grace, limit, duties) -> Ended(outcome, order)
      .is_ready, .get_ready()     whether it can run one; after a full disk it may have to be made ready

job: anything with id, attempts, command, cwd, env, timeout, nice (a job.record.Job).
grace: seconds from TERM to KILL; limit: bytes of output kept a stream.
duties: what the worker has to do while it waits here:
    due()          seconds until attend() must be called though nothing woke, or None;
                   0 or less: now (so results are synced while the next command runs)
    attend(woken)  called with a waiting.Woken; returns None, or the order to end the
                   command, one word or sentence ('cancelled', 'stopped'). It must read
                   what woke it and remember orders: it is also called while a command is
                   being ended, and after its end with a signal that came along, when its
                   answer is not used.

Ended.order is that order, with outcome.error the same text; None when the
command ended by itself, ran out of time, or could not be started. An Outcome
always comes back: nothing that a command can do is an exception here.
"""

import errno
import time
from collections import namedtuple

from queuectl_lib.job.lifecycle import Outcome
from queuectl_lib.store import usage
from queuectl_lib.work import children, tree
from queuectl_lib.work.children import reaped
from queuectl_lib.work.orphans import NoOrphans
from queuectl_lib.work.spawn import NICE, SHELL, Spawner
from queuectl_lib.work.waiting import NOTHING
from queuectl_lib.words import clock

Ended = namedtuple("Ended", ("outcome", "order"))

# The first look at a running command: its leader is noted, its output measured.
_FIRST_LOOK = 0.05
_LONGEST_LOOK = 1.0
_SHORTEST_PAUSE = 0.02
_FOREVER = float("inf")
# Of processes, of memory, of open files; and how long and how often to try again then.
_NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.ENFILE, errno.EMFILE)
_ROOM_SECONDS = 60.0
_AGAIN = 0.5
# Fewer free bytes are none. Who could not write its output failed, mostly, and could not say why.
_FULL = 16 * 1024
_NOTE = "[queuectl: the disk was full when this ended: of its output something may be missing]\n"


class NoDuties:
    """Nothing to do while waiting."""

    def due(self):
        return None

    def attend(self, woken):
        return None


class Runner:
    """Runs commands, one after the other, for one worker."""

    def __init__(self, waiter, spools, store_root, worker, orphans=NoOrphans()):
        self._waiter = waiter
        self._orphans = orphans
        self._spools = spools
        self._worker = worker
        self._root = store_root
        self._place = tree.place_of(store_root)
        self._spawner = Spawner({"QUEUECTL_STORE": store_root, "QUEUECTL_PROGRESS": spools.progress.path})
        self._unreaped = []

    @property
    def is_ready(self):
        return self._spools.is_open

    def get_ready(self):
        """Open the files again that could not be opened after the last job. Raises StoreError."""
        if not self._spools.is_open:
            self._spools.close()
            self._spools.open()

    def run(self, job, grace, limit, duties):
        """Start the job's command, wait for its end, collect what it wrote."""
        claim = tree.claim_marker(self._worker, job.id, job.attempts, self._place)
        if self._unreaped:
            self._unreaped = [pid for pid in self._unreaped if reaped(pid) is None]
        if self._spawner.unblocks:
            self._waiter.hold()
        try:
            pid, begin, order = self._started(job, claim, duties)
        except (OSError, ValueError) as error:
            return Ended(Outcome(None, None, _not_started(job, error), 0.0, None, None), None)
        if order is not None:
            return Ended(Outcome(None, None, order, 0.0, None, None), order)
        attempt = _Attempt(pid, claim, begin, job.timeout, grace, limit)
        status, order, error = self._wait(attempt, duties)
        duration = round(time.monotonic() - begin, 3)
        progress = self._spools.progress.collect()
        stdout, stderr = self._spools.collect(job.id, job.attempts, limit, self._orphans.none())
        if status and usage.free(self._root) < _FULL:
            stderr = stderr._replace(text=_NOTE + stderr.text)
        if error is not None:
            return Ended(Outcome(None, None, error, duration, stdout, stderr, progress), order)
        code, signum = children.told(status)
        return Ended(Outcome(code, signum, None, duration, stdout, stderr, progress), None)

    def _started(self, job, claim, duties):
        """(pid of the command, when it began, None); (None, None, an order) that came before it could be started. Raises as _start.

        A machine that has no room for another process is waited for: else it would
        take the whole queue to the DLQ within seconds.
        """
        give_up = time.monotonic() + _ROOM_SECONDS
        while True:
            begin = time.monotonic()
            try:
                return self._start(job, claim), begin, None
            except OSError as error:
                if error.errno not in _NO_ROOM or begin >= give_up:
                    raise
            order, _ = _attended(duties, self._waiter.wait(_AGAIN))
            if order is not None:
                return None, None, order

    def _start(self, job, claim):
        environment = dict(job.env) if job.env else {}
        environment["QUEUECTL_JOB_ID"] = job.id
        environment["QUEUECTL_ATTEMPT"] = str(job.attempts)
        environment[tree.VARIABLE] = claim
        fds = (self._spawner.null,) + self._spools.fds
        return self._spawner.start(job.command, job.cwd, environment, fds, job.nice)

    def _wait(self, attempt, duties):
        """(wait status, order, error) once the command has ended or was ended."""
        pause = duties.due()
        woken = NOTHING
        while True:
            if woken is not NOTHING or (pause is not None and pause <= 0):
                order, pause = _attended(duties, woken)
                if order is not None:
                    return self._end(attempt, duties, order, order)
            now = time.monotonic()
            if now >= attempt.deadline:
                late = "timed out after " + clock.show_duration(attempt.timeout)
                return self._end(attempt, duties, None, late)
            rest = attempt.look(self._spools, now)
            woken = self._waiter.wait_for_child(rest if pause is None or rest < pause else pause)
            status = reaped(attempt.pid)
            if status is not None:
                # A signal is handed over once; the duties must not miss it.
                if woken.signals or woken.fds:
                    duties.attend(woken)
                return status, None, None
            pause = duties.due()

    def _end(self, attempt, duties, order, error):
        """The same for a command that has to be ended, with all it started."""
        status = reaped(attempt.pid)
        if status is not None:
            return status, None, None

        def pause(seconds):
            wanted = duties.due()
            attempt.look(self._spools, time.monotonic())
            _attended(duties, self._waiter.wait(seconds if wanted is None else min(seconds, wanted)))

        # Its leader stays a zombie until all is over: its number is the group's.
        left = tree.end(attempt.pid, attempt.claim, attempt.grace, pause, self._spools.holders)
        if reaped(attempt.pid) is None:
            self._unreaped.append(attempt.pid)
        if left:
            error += " (could not be ended: process %s)" % ", ".join(map(str, left))
        return None, order, error


class _Attempt:
    """A running command, and when to look at it next."""

    def __init__(self, pid, claim, begin, timeout, grace, limit):
        self.pid = pid
        self.claim = claim
        self.timeout = timeout
        self.grace = grace
        self.deadline = _FOREVER if timeout is None else begin + timeout
        self._limit = limit
        self._noted = False
        self._between = _FIRST_LOOK
        self._next = begin + _FIRST_LOOK

    def look(self, spools, now):
        """Note the leader and bound the output, when it is time; the seconds until the next look."""
        if now >= self._next:
            if not self._noted:
                spools.note_leader(self.pid, self.claim)
                self._noted = True
            if spools.trim(self._limit):
                self._between = max(_FIRST_LOOK, self._between / 2)
            else:
                self._between = min(_LONGEST_LOOK, self._between * 2)
            self._next = now + self._between
        return min(self._next, self.deadline) - now


def _attended(duties, woken):
    """(order or None, seconds until the next duty or None) after what woke the worker was attended to."""
    order = duties.attend(woken)
    pause = duties.due()
    # A duty that cannot be done now must not make the worker spin.
    return order, None if pause is None else max(pause, _SHORTEST_PAUSE)


def _not_started(job, error):
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        if error.filename == NICE:
            reason = "nice: " + reason
        elif error.filename is not None and error.filename != SHELL:
            reason = "directory %s: %s" % (job.cwd, reason)
            if isinstance(error, FileNotFoundError):
                reason = "directory %s does not exist" % job.cwd
    else:
        reason = str(error)
    return "cannot be started: " + reason
