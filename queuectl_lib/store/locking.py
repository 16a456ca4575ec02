"""Exclusive locks on open files, by fcntl or msvcrt.

On POSIX a lock is a flock: it belongs to the open file description, is
inherited by children, and is gone when the last copy of the descriptor is
closed. kill -9 and a reboot let go of it, so holding one proves existence.
(lockf was rejected: it loses the lock as soon as any descriptor of the file
is closed in the process, and gives no exclusion inside one.)

On Windows bytes far behind the end of the file are locked: locks there are
mandatory, and a locked byte 0 could not be read by others. A child does not
inherit them. There is no shared kind: who wants to share locks one byte of the
many that an owner locks, another one each time.

The lock file is never renamed and never removed: two waiters would then
hold "the" lock of two files.
"""

import errno
import os
import time
from functools import partial

from queuectl_lib.store import disk
from queuectl_lib.words.errors import StoreError, StoreLocked

try:
    import fcntl
except ImportError:
    fcntl = None
    import msvcrt

# Which of its two kinds of systems this is, the library asks only here, and by what is there.
ON_WINDOWS = fcntl is None

# Pauses (seconds) between two tries, where nobody can wait in the kernel.
_SHORTEST_PAUSE = 0.0002
_LONGEST_PAUSE = 0.001
# Where the bytes begin that are locked on Windows, which takes no offset over 2 GB, and how many they are.
_FAR_BEHIND = 0x7FFF0000
_MANY = 0x8000
# (start, length) of what is locked of a descriptor there.
_ranges = {}

# To be called before a lock is taken by who takes it once: who is about to lose the CPU
# should lose it now, not while all others wait for the lock. Of fifty writers on two cores
# the longest wait was less than half of what it was without. A worker takes it for every job,
# and eight of them spent a tenth more when each gave way.
give_way = getattr(os, "sched_yield", lambda: None)
_owns_alarm = False
# Whether an alarm that rings now is that of a wait: anybody may send one, a job its worker too.
_is_waiting = False
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class _TooLong(Exception):
    """The alarm that ends a wait in the kernel."""


def lock(fd, timeout, path):
    """Take the lock within so many seconds; StoreLocked names the path otherwise."""
    if not try_lock(fd) and not _waited(fd, timeout):
        raise StoreLocked("%s has been locked for %g s: see who holds it (fuser %s) and try again"
                          % (path, timeout, path))


class Held:
    """`with Held(fd, timeout, path, owner):` holds the lock; owner, whose fd it is, lives as long.

    contextlib would cost every command a millisecond.
    """

    def __init__(self, fd, timeout, path, owner):
        self._owner = owner
        self._fd = fd
        self._timeout = timeout
        self._path = path

    def __enter__(self):
        if not try_lock(self._fd):
            lock(self._fd, self._timeout, self._path)

    def __exit__(self, *exception):
        unlock(self._fd)


def is_held(path):
    """Whether anybody holds the lock of this file; of one that cannot be opened nobody does. It refuses a taker for an instant."""
    try:
        # A FIFO in its place must not hold up who asks.
        fd = os.open(path, disk.READ)
    except OSError:
        return False
    try:
        return not try_shared(fd)
    finally:
        os.close(fd)


def _wait_in_kernel(fd, timeout):
    """Queue up for the lock; False when time is up.

    Trying again and again instead cost sixteen busy workers eleven vain calls
    and nine sleeps a job, and let some wait ten times as long as others. An
    alarm sets the time limit: only the main thread can have one.
    """
    global _is_waiting
    # 1 ms, which only who has to wait need pay.
    import signal
    if not _owns_alarm and signal.getitimer(signal.ITIMER_REAL)[0]:
        # Set by whoever uses this as a library.
        return _try_again_and_again(fd, timeout)
    try:
        previous = None if _owns_alarm else signal.signal(signal.SIGALRM, _give_up)
    except ValueError:
        return _try_again_and_again(fd, timeout)
    try:
        _is_waiting = True
        signal.setitimer(signal.ITIMER_REAL, timeout)
        fcntl.flock(fd, fcntl.LOCK_EX)
        _is_waiting = False
    except OSError as error:
        raise _refused(error, fd)
    except _TooLong:
        # The lock may have come with the alarm.
        unlock(fd)
        return False
    finally:
        _is_waiting = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        if previous is not None:
            signal.signal(signal.SIGALRM, previous)
    return True


def own_alarm():
    """For a process that has the alarm to itself, and waits often: what the alarm does is set once."""
    global _owns_alarm
    if not ON_WINDOWS:
        import signal
        signal.signal(signal.SIGALRM, _give_up)
        _owns_alarm = True


def _give_up(signum, frame):
    if _is_waiting:
        raise _TooLong


def _try_again_and_again(fd, timeout):
    deadline = time.monotonic() + timeout
    pause = _SHORTEST_PAUSE
    while not try_lock(fd):
        if time.monotonic() > deadline:
            return False
        # Jitter, without the random module's 4 ms: equal pauses would let the same waiter win again and again.
        time.sleep(pause * (0.5 + time.perf_counter_ns() % 1000 / 1000))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


def _flocked(kind, fd):
    try:
        fcntl.flock(fd, kind)
    except OSError as error:
        if error.errno in _HELD:
            return False
        if error.errno == errno.EBADF:
            # A fault of our own.
            raise
        raise _refused(error, fd)
    return True


def _refused(error, fd):
    return StoreError("%s cannot be locked (%s): has its disk locks?" % (disk.name_of(fd), os.strerror(error.errno)))


def _release_flock(fd):
    fcntl.flock(fd, fcntl.LOCK_UN)


def _try_msvcrt(fd, start=_FAR_BEHIND, length=_MANY):
    # LK_LOCK is not used: it retries ten times, a second apart, and then fails.
    os.lseek(fd, start, os.SEEK_SET)
    try:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, length)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise
    _ranges[fd] = start, length
    return True


def _share_msvcrt(fd):
    # Its clock ticks ten million times a second: two who share do not meet at one byte.
    return _try_msvcrt(fd, _FAR_BEHIND + time.perf_counter_ns() // 100 % _MANY, 1)


def _release_msvcrt(fd):
    # Exactly the range that was locked, or Windows refuses.
    start, length = _ranges.pop(fd)
    os.lseek(fd, start, os.SEEK_SET)
    msvcrt.locking(fd, msvcrt.LK_UNLCK, length)


if not ON_WINDOWS:
    try_lock = partial(_flocked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try_shared = partial(_flocked, fcntl.LOCK_SH | fcntl.LOCK_NB)
    unlock = _release_flock
    _waited = _wait_in_kernel
else:
    try_lock = _try_msvcrt
    try_shared = _share_msvcrt
    unlock = _release_msvcrt
    _waited = _try_again_and_again
