"""The worker's one place to sleep: until a child ends, a signal or a byte arrives, or time is up.

    Waiter()            one a process, in its main thread
      .heed(signum, …)  these signals end a sleep from now on, instead of what they did
      .watch(fd)        so does a byte, or the end, on this descriptor; .forget(fd)
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

Descriptors are level-triggered: one that is ready and not read, or at its
end and not forgotten, makes the next sleep return at once.
"""

import os
import select
import signal
from collections import namedtuple

# child: some child has ended; signals: numbers of the other ones; fds: ready descriptors.
Woken = namedtuple("Woken", ("child", "signals", "fds"))

NOTHING = Woken(False, (), ())
CHILD = Woken(True, (), ())

_CHILD_BYTE = bytes((signal.SIGCHLD,))

# poll() counts milliseconds in a C int; whoever sleeps longer asks again.
_LONGEST = 86400.0


class Waiter:
    """What one process sleeps on."""

    def __init__(self):
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._poll = select.poll() if hasattr(select, "poll") else _Select()
        self.watch(self._reader)
        self._held = False
        self._early = b""
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
        signal.pthread_sigmask(signal.SIG_BLOCK if self._held else signal.SIG_UNBLOCK, signums)

    def watch(self, fd):
        """Let a readable or ended descriptor end a sleep."""
        self._poll.register(fd, getattr(select, "POLLIN", 1))

    def forget(self, fd):
        """No longer sleep on this descriptor; to be called before it is closed."""
        self._poll.unregister(fd)

    def wait(self, seconds):
        """Sleep until something happens or so many seconds have passed (None: no limit)."""
        if self._early:
            return self._taken_early()
        if not self._held:
            return self._wait(seconds)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._replaced)
        try:
            return self._wait(seconds)
        finally:
            self._keep_back()

    def hold(self):
        """From now on keep signals back for wait_for_child; does nothing on macOS, which has no such wait."""
        if not self._held and hasattr(signal, "sigtimedwait"):
            self._keep_back()
            self._held = True

    def _keep_back(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, self._replaced)
        try:
            # What came in the moment before is in the pipe, which nobody reads while a command runs.
            self._early = os.read(self._reader, 4096)
        except BlockingIOError:
            pass

    def _taken_early(self):
        arrived, self._early = self._early, b""
        return _woken(arrived, ())

    def wait_for_child(self, seconds):
        """Sleep until a child has ended, a signal has come, or so many seconds have passed."""
        if not self._held:
            return self._wait(seconds)
        if self._early:
            return self._taken_early()
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

    def register(self, fd, events):
        self._fds.add(fd)

    def unregister(self, fd):
        self._fds.remove(fd)

    def poll(self, milliseconds):
        seconds = None if milliseconds is None else milliseconds / 1000
        return [(fd, 1) for fd in select.select(self._fds, (), (), seconds)[0]]
