"""A worker: one process that claims jobs and runs their commands, one after the other.

One round: record the last result and claim the next job, in one transaction
-> start the command -> wait -> its outcome. Repeating, sleeping and leaving
are outside of it.

A worker needs nothing but the store. What it imports, it imports before its
first claim: the file it comes from may be replaced under it.

Two losses are excluded by order: a result is kept here until the store has
taken it (a full disk or a lock held too long are waited out), and a slot is
left only after that.
"""

import os
import random
import sys
import time
from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import events, pidfile, slots
from queuectl_lib.work.control import Control
from queuectl_lib.work.output import Spools
from queuectl_lib.work.recovery import Recovery
from queuectl_lib.work.runner import Runner
from queuectl_lib.work.settings import Settings
from queuectl_lib.work.waiting import Waiter
from queuectl_lib.work.wake import Bell

# limit: only slots 1 to limit may be taken; None: any.
Options = namedtuple("Options", ("queues", "drain", "drain_all", "max_jobs", "limit"))
Options.__new__.__defaults__ = (None, False, False, None, None)

# Exit code of a worker whose store is not there any more: another one would not help.
STORE_GONE = 3

_TICK_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_LAST_TRIES = 3
_STOPPED = "stopped"
_TAKEN_AWAY = "taken away"


def main(root, options, connection, supervisor, inherited=()):
    """A worker process, from its first statement to its exit code.

    connection: orders from the supervisor, whose entry in workers.pid is
    `supervisor`; inherited: its ends of the siblings' pipes, if forked.
    """
    for other in inherited:
        other.close()
    waiter = Waiter()
    control = Control(waiter, connection)
    voice = events.Voice()
    try:
        store = stores.open_store(root, write=True)
        store.check_there()
        code = Worker(store, options, waiter, control, voice).live(supervisor)
    except StoreError as error:
        voice.say("worker leaves: %s" % error)
        code = STORE_GONE
    sys.exit(code)


class _Gone(Exception):
    """The store was removed under the worker."""


class Worker:
    """One worker's life in its store."""

    def __init__(self, store, options, waiter, control, voice):
        self._store = store
        self._options = options
        self._waiter = waiter
        self._control = control
        self._voice = voice
        self._settings = Settings(store.paths, voice.say_once)
        self._slot = None
        self._job = None
        self._done = None
        self._last_tries = _LAST_TRIES
        self._gone = False
        self._next_tick = 0.0
        self._sync_again = 0.0
        self._roller = None

    def live(self, supervisor):
        """Move in, work, move out; the exit code."""
        if not self._move_in(supervisor):
            return 0
        try:
            self._work()
        except _Gone:
            self._voice.say("the store %s was removed: leaving" % self._store.root)
            return STORE_GONE
        finally:
            self._move_out()
        return 0

    def _work(self):
        while True:
            try:
                job = self._exchange(clock.now())
            except (StoreError, OSError) as error:
                if not self._wait_out(error):
                    return
                continue
            if job is not None:
                self._run(job)
            elif not self._idle():
                return

    # One round

    def _exchange(self, now):
        """Record the last result and claim the next job; None when there is none to run."""
        take = self._control.order is None and not self._used_up()
        kept, job = self._claims.exchange(self._done, take, now)
        # From here on nothing may raise: the claim is ours alone to know.
        said = []
        if kept:
            said.append(events.ended(self._done[1]))
        elif kept is False:
            said.append("dropped the result of %s: it was taken away meanwhile" % self._done[0].id)
        self._done = None
        if job is not None:
            said.append(events.started(job))
            if self._claims.more_ready():
                self._bell.pass_on()
        if said:
            self._voice.say(*said)
        return job

    def _run(self, job):
        """Run a claimed job's command; leaves in _done what is to be recorded of it."""
        settings = self._settings.now()
        self._job = job
        ended = self._runner.run(job, settings.kill_grace, settings.output_limit, self)
        self._job = None
        now = clock.now()
        if ended.order is None:
            self._slot.done += 1
            self._done = job, lifecycle.finish(job, ended.outcome, now, self._settings.now().policy, random)
            return
        self._discard(ended.outcome)
        if ended.order == _STOPPED:
            self._done = job, lifecycle.hand_back(job, now)
        else:
            self._voice.say("ended %s: it was taken away" % job.id)

    def _discard(self, outcome):
        """Remove what was kept of an output that no job's line will name."""
        for output in (outcome.stdout, outcome.stderr):
            if output is not None and output.file is not None:
                disk.remove(self._store.paths.inside(output.file))

    # Duties: at every wake-up, also while a command runs

    def due(self):
        """Seconds until attend() has something to do."""
        now = time.monotonic()
        first = min(self._next_tick - now, self._recovery.due(now))
        sync = self._claims.sync_due()
        return first if sync is None else min(first, max(sync, self._sync_again - now))

    def attend(self, woken):
        """Take in what woke the worker, and do what is due; why the running command is to end, or None."""
        look = self._control.hear(woken)
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + _TICK_SECONDS
            self._tick(now)
            look = True
        if self._claims.sync_due() == 0 and now >= self._sync_again:
            self._sync(now)
        try:
            self._recovery.tend(now)
            if look and self._job is not None and not self._claims.holds(self._job):
                return _TAKEN_AWAY
        except (StoreError, OSError) as error:
            self._voice.say_once(str(error))
        return _STOPPED if self._control.order == pidfile.NOW or self._gone else None

    def _tick(self, now):
        """What wants doing once a second."""
        self._slot.beat(self._job and self._job.id, now)
        self._control.read()
        self._gone = not self._slot.stands()
        self._roll()

    def _roll(self):
        """Have the journal rolled when it is time; reap who did it."""
        try:
            if self._roller is None:
                self._roller = self._claims.maybe_roll()
            elif os.waitpid(self._roller, os.WNOHANG)[0]:
                self._roller = None
        except ChildProcessError:
            self._roller = None
        except (StoreError, OSError) as error:
            self._voice.say_once(str(error))

    def _sync(self, now):
        try:
            self._claims.sync()
        except (StoreError, OSError) as error:
            self._sync_again = now + _RETRY_SECONDS
            self._voice.say_once(str(error))

    # Sleeping

    def _idle(self):
        """Sleep until there may be work again; False when it is time to leave."""
        if self._control.order is not None or self._used_up() or self._options.drain:
            return False
        if self._options.drain_all and not self._claims.unfinished():
            # A sibling may be waiting for the job that was the last one.
            self._bell.pass_on()
            return False
        self._sync(time.monotonic())
        self._voice.forget()
        self._sleep(self._until_look())
        if self._gone:
            raise _Gone()
        return True

    def _until_look(self):
        now = clock.now()
        due = self._claims.next_due(now)
        longest = self._settings.now().poll_interval
        return longest if due is None else max(0.0, min(longest, (due - now) / 1000))

    def _sleep(self, seconds):
        """Until a byte in the FIFO is ours, an order has come, or the time is over."""
        deadline = time.monotonic() + seconds
        bell = self._bell.fd
        if bell is not None:
            self._waiter.watch(bell)
        rest = seconds
        while rest > 0 and self._control.order is None and not self._gone:
            woken = self._waiter.wait(min(rest, self.due()))
            self.attend(woken)
            # Emptied before the look: a byte that comes later is a reason for another one.
            if bell in woken.fds and self._bell.emptied():
                break
            rest = deadline - time.monotonic()
        if bell is not None:
            self._waiter.forget(bell)

    def _wait_out(self, error):
        """The store did not take it: say so once and try again in a second. False: leave instead."""
        if not self._slot.stands():
            raise _Gone()
        self._voice.say_once(str(error))
        if self._control.order is not None and self._done is None:
            return False
        if self._control.order == pidfile.NOW:
            self._last_tries -= 1
            if not self._last_tries:
                self._voice.say("%s: it could not be recorded and counts as lost" % self._done[0].id)
                return False
        self._nap(_RETRY_SECONDS)
        return True

    def _nap(self, seconds):
        """Sleep so long, or until the next order; whether there is none."""
        before = self._control.order
        deadline = time.monotonic() + seconds
        rest = seconds
        while rest > 0 and self._control.order == before:
            self._control.hear(self._waiter.wait(rest))
            self._control.read()
            rest = deadline - time.monotonic()
        return self._control.order is None

    def _used_up(self):
        return self._options.max_jobs is not None and self._slot.done >= self._options.max_jobs

    # Coming and going

    def _move_in(self, supervisor):
        """Take a slot that is clear, with all that belongs to it; False when there is none, or no time."""
        not_clear = set()
        while self._control.order is None:
            try:
                if not self._take_slot(supervisor, not_clear):
                    return False
                if self._recovery.clear_own_slot(self._nap):
                    self._spools.open()
                    return True
                not_clear.add(self._slot.number)
                self._give_up_slot()
            except (StoreError, OSError) as error:
                self._give_up_slot()
                self._store.check_there()
                self._voice.say_once(str(error))
                self._nap(_RETRY_SECONDS)
        return False

    def _take_slot(self, supervisor, skip):
        store = self._store
        with store.lock():
            self._slot = slots.take(store.paths, self._options.limit, skip)
            if self._slot is None:
                return False
            # A stop asked for before this line was there is on the supervisor's.
            order = pidfile.order(store.paths, supervisor)
            self._entry = pidfile.Entry(
                kind=pidfile.WORKER, queues=self._options.queues and list(self._options.queues), stop=order,
                **self._slot.who())
            pidfile.add(store.paths, self._entry)
        self._control.follow(pidfile.Orders(store.paths, self._entry))
        self._voice.name(self._slot.number)
        self._claims = store.claims(self._slot.name, self._options.queues)
        self._recovery = Recovery(store, self._claims, self._slot, self._settings, self._voice)
        self._bell = Bell(store.paths, self._options.queues)
        self._spools = Spools(store.paths, self._slot.number)
        self._runner = Runner(self._waiter, self._spools, store.root, self._slot.name)
        return True

    def _give_up_slot(self):
        if self._slot is not None:
            self._slot.leave()
            self._slot = None

    def _move_out(self):
        """Leave nothing unsynced. The slot itself goes with the process: until then it is alive."""
        self._recovery.close()
        self._sync(time.monotonic())
        try:
            with self._store.lock():
                pidfile.remove(self._store.paths, self._entry)
        except (StoreError, OSError):
            # The next writer drops the line: the slot is free by then.
            pass
