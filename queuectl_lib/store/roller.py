"""Starting the process that rolls the journal (roll.py), by whoever sees that it is long."""

import os
import time
from _thread import allocate_lock

from queuectl_lib.store import disk, locking
from queuectl_lib.words import program
from queuectl_lib.words.errors import StoreError

# Above what the roller opens before it looks.
_LOCK_FD = 60
# Seconds during which nobody starts another after one that failed.
_PAUSE = 30
# Those that were left alone, and the lock of who looks at them: a thread that reaped what another one has just reaped
# could reap a child that is none of them.
_left = set()
_looking = allocate_lock()


def start_roller(paths):
    """Start a process that rolls this store, unless one is at it; what ended() knows it by, or None.

    It is born with roll.lock, taken here and inherited, so that thirty-two
    workers who see a long journal at once start one process and not thirty-two.
    Spawned, never forked: a fork would inherit all locks its parent holds. On Windows no lock
    is inherited: it takes roll.lock itself, and leaves where another one was faster.
    """
    fd = disk.open_private(paths.roll_lock, os.O_RDWR | os.O_CREAT)
    try:
        if is_postponed(paths) or not locking.try_lock(fd):
            return None
        return _spawned(program.command() + ["--store", paths.root, "roll"], fd)
    finally:
        os.close(fd)


if locking.ON_WINDOWS:
    def _spawned(command, lock):
        from subprocess import DEVNULL
        locking.unlock(lock)
        return program.start_apart(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)

    def ended(child):
        return child.poll() is not None
else:
    def _spawned(command, lock):
        command = command + ["--locked"]
        files = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
        # Where much is open it may have that very number, and to itself older systems duplicate nothing: it would be closed.
        files.append((os.POSIX_SPAWN_DUP2, lock, _LOCK_FD if lock != _LOCK_FD else _LOCK_FD + 1))
        # A worker holds its signals back; the roller has none to wait for.
        return os.posix_spawn(command[0], command, os.environ, file_actions=files, setsigmask=())

    def ended(child):
        """Whether a roller has ended; it is reaped then."""
        try:
            return bool(os.waitpid(child, os.WNOHANG)[0])
        except ChildProcessError:
            # Reaped by somebody else, or left by the parent before a fork.
            return True


def leave_alone(child):
    """Nobody waits for this one (None: for none): it is reaped when the next is left, should this process live so long."""
    with _looking:
        _left.difference_update([earlier for earlier in _left if ended(earlier)])
        if child is not None:
            _left.add(child)


def start_and_leave_alone(start):
    """Have a roller started by this function. That it cannot be matters to nobody: the next who sees the long journal tries again."""
    try:
        leave_alone(start())
    except (StoreError, OSError):
        pass


def postpone(paths):
    """A roll failed, and on a full disk the next would, too: let it not be started by every transaction.

    roll.lock says so, by a modification time in the future: that takes no room, and is forgotten
    by itself. Who is asked for a roll (a purge, a store under suspicion) begins at once.
    """
    disk.date(paths.roll_lock, time.time() + _PAUSE)


def is_postponed(paths):
    """Did a roll fail a short while ago?"""
    try:
        # A clock that was set back must not make it wait for days.
        return 0 < os.stat(paths.roll_lock).st_mtime - time.time() <= _PAUSE
    except OSError:
        return False
