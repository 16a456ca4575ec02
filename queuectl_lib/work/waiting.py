"""The worker's one place to sleep: until a child ends, a signal or a byte arrives, or time is up.

    Waiter()            one a process, in its main thread
      .heed(signum, …)  these signals end a sleep from now on, instead of what they did
      .watch(what)      so does a byte, or the end, on this descriptor, or what has one; .forget(what)
      .wait(seconds)    sleeps (None: without limit) and says what woke it, as a Woken
      .hold()           from now on signals are kept back for wait_for_child; only for who starts
                        its children with no signal blocked
      .wait_for_child(seconds)   the same sleep for who waits for a child: no descriptor ends it, if held
      .close()          puts the process's signals back as they were

The signal numbers come in through a pipe (signal.set_wakeup_fd), so a signal
that arrives between a look and the sleep still ends the sleep.

While a child is waited for, the signals are held (blocked) and taken from the
kernel one by one instead, where it has sigtimedwait: no handler runs, no pipe
is read, which takes a third off what waiting for a command costs. wait() lets
them through again for as long as it sleeps. pidfds cost more, and there are
none in Python 3.8.

On Windows there is one wait for all: for the handles of commands and workers, and
pipes. What a signal says it finds between two short ones.

Descriptors are level-triggered: one that is ready and not read, or at its
end and not forgotten, makes the next sleep return at once.
"""

import os
import select
import signal
import time
from collections import namedtuple

from queuectl_lib.work import children, signals

# child: some child has ended; signals: numbers of the other ones; fds: ready descriptors.
Woken = namedtuple("Woken", ("child", "signals", "fds"))

NOTHING = Woken(False, (), ())
CHILD = Woken(True, (), ())

_CHILD_BYTE = bytes((getattr(signal, "SIGCHLD", 0),))

# poll() counts milliseconds in a C int; whoever sleeps longer asks again.
_LONGEST = 86400.0
# A wait for handles is ended by Ctrl+C, but by no other signal.
_SHORT = 0.2
# Nor for more than 63 at once, before Python 3.13.
_MOST_HANDLES = 60


class _SignalWaiter:
    """What one process sleeps on."""

    def __init__(self):
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._poll = _new_poll()
        self.watch(self._reader)
        self._held = False
        self._replaced = {}
        # A full pipe loses numbers, but it wakes: whoever waits looks at everything then.
        self._replaced_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self.heed(signal.SIGCHLD)

    def heed(self, *signums):
        """Let these signals end a sleep, and do nothing else."""
        for signum in signums:
            # A handler, not SIG_IGN: the job would inherit that. It need not do anything.
            previous = signal.signal(signum, _nothing)
            self._replaced.setdefault(signum, previous)
        # Whoever started this process may have had them blocked.
        (signals.hold_back if self._held else signals.let_through)(signums)

    def watch(self, what):
        """Let a readable or ended descriptor end a sleep."""
        self._poll.register(what, _READABLE)

    def forget(self, what):
        """No longer sleep on this descriptor; to be called before it is closed."""
        self._poll.unregister(what)

    def wait(self, seconds):
        """Sleep until something happens or so many seconds have passed (None: no limit)."""
        if not self._held:
            return self._wait(seconds)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._replaced)
        try:
            return self._wait(seconds)
        finally:
            self._block()

    def hold(self):
        """From now on keep signals back for wait_for_child; does nothing on macOS, which has no such wait."""
        if not self._held and hasattr(signal, "sigtimedwait"):
            self._block()
            self._held = True

    def _block(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, self._replaced)
        try:
            missed = os.read(self._reader, 4096)
        except BlockingIOError:
            return
        # What came just before stands in the pipe, where wait_for_child does not look: it comes again. But
        # the end of a child stays there: raised, it would be told before an order, and a job be claimed in between.
        for signum in missed.replace(_CHILD_BYTE, b""):
            signal.raise_signal(signum)
        if _CHILD_BYTE in missed:
            os.write(self._writer, _CHILD_BYTE)

    def wait_for_child(self, seconds):
        """Sleep until a child has ended, a signal has come, or so many seconds have passed."""
        if not self._held:
            return self._wait(seconds)
        found = signal.sigtimedwait(self._replaced, max(0.0, min(seconds, _LONGEST)))
        if found is None:
            return NOTHING
        if found.si_signo == signal.SIGCHLD:
            return CHILD
        return Woken(False, (found.si_signo,), ())

    def _wait(self, seconds):
        if seconds is not None:
            seconds = max(0.0, min(seconds, _LONGEST)) * 1000
        ready = self._poll.poll(seconds)
        if not ready:
            return NOTHING
        fds = tuple(fd for fd, event in ready if fd != self._reader)
        if len(fds) == len(ready):
            return Woken(False, (), fds)
        return _woken(os.read(self._reader, 4096), fds)

    def close(self):
        """Give the signals back and close the pipe."""
        if self._held:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._replaced)
        signal.set_wakeup_fd(self._replaced_wakeup)
        for signum, previous in self._replaced.items():
            # None: a handler that was not set from Python and cannot be set again.
            signal.signal(signum, signal.SIG_DFL if previous is None else previous)
        os.close(self._reader)
        os.close(self._writer)


def _woken(arrived, fds):
    """The Woken of these signal numbers, as bytes, and ready descriptors."""
    others = arrived.replace(_CHILD_BYTE, b"")
    if not others and not fds:
        return CHILD
    return Woken(len(others) < len(arrived), tuple(others), fds)


def _nothing(signum, frame):
    pass


class _Select:
    """poll() by select(), for systems without it."""

    def __init__(self):
        self._fds = set()

    def register(self, what, events):
        self._fds.add(_number(what))

    def unregister(self, what):
        self._fds.remove(_number(what))

    def poll(self, milliseconds):
        seconds = None if milliseconds is None else milliseconds / 1000
        return [(fd, 1) for fd in select.select(self._fds, (), (), seconds)[0]]


class _HandleWaiter:
    """The same on Windows."""

    def __init__(self):
        self._watched = {}
        self._arrived = []
        self._replaced = {}

    def heed(self, *signums):
        for signum in signums:
            self._replaced.setdefault(signum, signal.signal(signum, self._note))

    def _note(self, signum, frame):
        self._arrived.append(signum)

    def watch(self, what):
        self._watched[_number(what)] = what

    def forget(self, what):
        del self._watched[_number(what)]

    def hold(self):
        pass

    def wait(self, seconds):
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        while True:
            rest = deadline - time.monotonic()
            woken = self._look(max(0.0, min(_SHORT, rest)))
            if rest <= 0 or woken != NOTHING:
                return woken

    # A pipe, too, ends this one here.
    wait_for_child = wait

    def _look(self, seconds):
        running = {child.handle: child for child in children.running()}
        ready = _ready(list(running) + list(self._watched.values()), seconds)
        ended = [running[each] for each in ready if each in running]
        for child in ended:
            # Its handle would end every wait from now on.
            child.is_told = True
        arrived = []
        while self._arrived:
            # One by one: another may arrive in between.
            arrived.append(self._arrived.pop(0))
        return Woken(bool(ended), tuple(arrived), tuple(number for number, what in self._watched.items() if what in ready))

    def close(self):
        for signum, previous in self._replaced.items():
            signal.signal(signum, signal.SIG_DFL if previous is None else previous)


def _ready(objects, seconds):
    if not objects:
        time.sleep(seconds)
        return []
    from multiprocessing import connection
    handfuls = [objects[at:at + _MOST_HANDLES] for at in range(0, len(objects), _MOST_HANDLES)]
    try:
        return [each for handful in handfuls for each in connection.wait(handful, seconds / len(handfuls))]
    except OSError:
        # Ctrl+C, or one that was closed under us.
        return []


def _number(what):
    return what if isinstance(what, int) else what.fileno()


_READABLE = getattr(select, "POLLIN", 1)


def _new_poll():
    return getattr(select, "poll", _Select)()


Waiter = _SignalWaiter if hasattr(signal, "SIGCHLD") else _HandleWaiter
