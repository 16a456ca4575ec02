"""A worker: one process that claims jobs and runs their commands, one after the other.

One round: record the last result and claim the next job, in one transaction
-> start the command -> wait -> its outcome. Repeating, sleeping and leaving
are outside of it; what else wants attention meanwhile is in duties.py.

A worker needs nothing but the store (process.py makes one).

A result is kept here until the store has taken it: a full disk, or a lock held
too long, is waited out.
"""

import os
import random
import time
from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DiskFull, NewerFormat, QueuectlError, StoreError, told
from queuectl_lib.work import duties, events, output, pidfile, wake

# max_jobs: leave after so many; max_idle: leave after so many seconds with nothing to run. None: no such bound.
# log: whether standard output is the store's log.
Options = namedtuple("Options", ("queues", "drain", "drain_all", "max_jobs", "max_idle", "log"))
Options.__new__.__defaults__ = (None, False, False, None, None, False)

_RETRY_SECONDS = 1.0
_SHORTEST_SLEEP = 0.01
_PASS_ON_MS = 100
_LAST_TRIES = 3
_NO_ROOM = ("no room on the disk of %s: no job is started until there is some; free some, perhaps by: "
            "queuectl purge --older-than 7d")


class Worker:
    """One worker's life in its place."""

    def __init__(self, store, taken, options, control, settings, voice):
        self._store = store
        self._options = options
        self._place = taken
        self._claims = taken.claims
        self._control = control
        self._settings = settings
        self._voice = voice
        self._duties = duties.Duties(taken, control, settings, voice)
        self._done = None
        self._outcome = None
        self._passed_on = 0
        self._failures = 0
        self._lacked_room = False
        self._idle_since = None

    def live(self):
        """Work until told to leave, or until there is nothing to stay for."""
        # In the place of one that fails unforeseen, with no memory left say, somebody comes.
        for_good = False
        try:
            self._work()
            for_good = True
        except (StoreError, OSError) as error:
            # Nobody comes in the place of one that cannot use the store.
            for_good = isinstance(error, StoreError)
            if self._place.slot.stands():
                raise
            paths = self._store.paths
            gone = paths.slot_lock(self._place.slot.number) if os.path.exists(paths.jobs) else "the store " + paths.root
            raise StoreError(gone + " was removed") from error
        finally:
            self._duties.sync()
            if self._claims.sync_due() is not None:
                # It failed, and is not tried again: now new files are built.
                self._duties.sync()
            self._place.hooks.see_off(self._control, self._duties)
            self._place.leave(for_good)

    def _work(self):
        while True:
            try:
                job = self._exchange(clock.now())
                if job is None and not self._stay():
                    return
            except (StoreError, OSError) as error:
                if not self._wait_out(error):
                    return
                continue
            if job is not None:
                self._idle_since = None
                self._run(job)

    def _exchange(self, now):
        """Record the last result and claim the next job; None when there is none to run."""
        take = self._control.order is None and not self._used_up() and self._place.runner.is_ready
        self._claims.set_limits(self._settings.current.limits)
        kept, job = self._claims.exchange(self._done, take, now)
        # From here on nothing may raise: nobody else knows of the claim.
        if self._failures and self._place.runner.is_ready and self._claims.reserve.error is None:
            self._failures = 0
            self._voice.forget()
            if self._lacked_room:
                self._lacked_room = False
                self._voice.say("there is room on the disk again: going on")
        said = []
        if kept:
            said.append(events.ended(self._done[1]))
            self._place.hooks.ended(self._done[1])
        elif kept is False:
            said.append("dropped the result of %s: it was %s meanwhile" % (self._done[0].id, self._leave(self._done[0])))
        self._done = None
        if job is not None:
            said.append(events.started(job))
            self._pass_on(now)
        if said:
            self._voice.say(*said)
        if self._claims.ended or self._claims.readied:
            self._tell_of_others()
        return job

    def _tell_of_others(self):
        """What an exchange did to jobs beside its own: some ended, others are ready for whoever serves their queue."""
        for job in self._claims.ended:
            self._voice.say(events.ended(job))
            self._place.hooks.ended(job)
        wake.wake(self._store.paths, self._claims.readied)
        self._claims.ended.clear()
        self._claims.readied.clear()

    def _pass_on(self, now):
        """Wake one more worker when there is work for it; in a stream of short jobs not for each."""
        if 0 <= now - self._passed_on < _PASS_ON_MS:
            return
        try:
            more = self._claims.more_ready()
        except (StoreError, OSError):
            # A job has just been claimed, and is to be run; the next exchange meets the trouble.
            return
        if more:
            self._passed_on = now
            self._place.bell.pass_on()

    def _run(self, job):
        """Run a claimed job's command; leaves in _done what is to be recorded of it."""
        settings = self._settings.current
        output.forget_earlier(self._store.paths, job)
        self._duties.job = job
        ended = self._place.runner.run(job, settings.kill_grace, settings.output_limit, self._duties)
        self._duties.job = None
        self._outcome = ended.outcome
        if ended.order is None:
            self._done = job, self._finished(job, ended.outcome)
            return
        if ended.order == duties.STOPPED:
            output.discard(self._store.paths, ended.outcome)
            self._done = job, lifecycle.hand_back(job, clock.now())
        else:
            self._voice.say("ended %s: it was %s" % (job.id, self._leave(job)))

    def _leave(self, job):
        """Give a job that was cancelled while it ran what the attempt left, and drop that of another; which it was."""
        try:
            self._store.change([job.id], lambda found: lifecycle.leave(found, job, self._outcome, clock.now()))
            return "cancelled"
        except (QueuectlError, OSError):
            output.discard(self._store.paths, self._outcome)
            return "taken away"

    def _finished(self, job, outcome):
        self._place.slot.done += 1
        # The delay before a retry is that of the settings at this moment.
        settings = self._settings.current if outcome.exit_code == 0 else self._settings.now()
        return lifecycle.finish(job, outcome, clock.now(), settings.policy, random)

    def _used_up(self):
        return self._options.max_jobs is not None and self._place.slot.done >= self._options.max_jobs

    def _stay(self):
        """Nothing to run: sleep until there may be something; False when it is time to leave."""
        if self._control.order is not None or self._used_up():
            return False
        if self._claims.reserve.error is not None:
            raise self._claims.reserve.error
        if not self._place.runner.is_ready:
            self._place.runner.get_ready()
            return True
        # A hook may enqueue what is to be run, too.
        if self._options.drain and not self._place.hooks.busy:
            return False
        if self._options.drain_all and not self._place.hooks.busy and not self._claims.unfinished():
            # A sibling may be waiting for the job that was the last one.
            self._place.bell.pass_on()
            return False
        if self._idle_since is None:
            self._idle_since = time.monotonic()
        if self._idle_left() <= 0:
            return False
        self._duties.sync()
        self._sleep()
        if self._duties.gone:
            raise StoreError("the store is gone")
        return True

    def _sleep(self):
        """Until there may be something to run, or an order has come."""
        due = self._claims.next_due(clock.now())
        before = self._claims.seen(), self._settings.current
        bell = self._place.bell.fd
        if bell is not None:
            self._control.waiter.watch(bell)
        while not self._doze(self._until_look(due)):
            # The transaction of a real look costs an idle worker more than all the rest. In other settings a limit may be another.
            if (self._store_state(), self._settings.current) != before:
                break
            if (due is not None and clock.now() >= due) or self._idle_left() <= 0:
                break
        if bell is not None:
            self._control.waiter.forget(bell)

    def _until_look(self, due):
        """Seconds until a job falls due, at most the poll_interval and what is left of max_idle."""
        longest = max(0.0, min(self._settings.current.poll_interval, self._idle_left()))
        rest = longest if due is None else (due - clock.now()) / 1000
        # What is due by now was just looked for and could not be claimed: whatever the reason, no worker spins.
        return max(_SHORTEST_SLEEP, min(longest, rest))

    def _idle_left(self):
        """Seconds that may pass with nothing to run; while a hook runs, which may enqueue something, any number."""
        if self._options.max_idle is None or self._place.hooks.busy:
            return float("inf")
        return self._idle_since + self._options.max_idle - time.monotonic()

    def _doze(self, seconds):
        """Sleep so long; True as soon as a byte in the FIFO is ours, an order has come, or the last hook has ended."""
        deadline = time.monotonic() + seconds
        bell = self._place.bell
        hooks_ran = self._place.hooks.busy
        rest = seconds
        while rest > 0:
            woken = self._control.waiter.wait(min(rest, self._duties.due()))
            self._duties.attend(woken)
            if self._control.order is not None or self._duties.gone:
                return True
            if hooks_ran and not self._place.hooks.busy:
                return True
            # Emptied before the look: a byte that comes later is a reason for another one.
            if bell.fd in woken.fds and bell.emptied():
                return True
            rest = deadline - time.monotonic()
        return False

    def _store_state(self):
        """What changes with every line that anybody writes."""
        try:
            status = os.stat(self._store.paths.jobs)
        except OSError:
            return None
        return status.st_ino, status.st_size

    def _wait_out(self, error):
        """The store did not take it: say so once and try again in a second. False: leave instead."""
        if self._duties.gone or not self._place.slot.stands() or isinstance(error, NewerFormat):
            raise error
        self._lacked_room = self._lacked_room or isinstance(error, DiskFull)
        self._voice.say_once(_NO_ROOM % self._store.root if isinstance(error, DiskFull) else told(error))
        self._failures += 1
        if self._done is None:
            if self._control.order is not None:
                return False
            if (self._options.drain or self._options.drain_all) and self._failures >= _LAST_TRIES:
                # Started by cron it would wait beside the next one, and the next.
                raise error
        elif self._control.order == pidfile.NOW and self._failures >= _LAST_TRIES:
            self._voice.say("%s: it could not be recorded and counts as lost" % self._done[0].id)
            return False
        self._control.nap(_RETRY_SECONDS)
        return True
