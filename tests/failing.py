"""The N-th operation on a store's files fails: the words in which a test says which, how, and of what command.

The command line runs in a fork of the test, with the system calls that Python offers
replaced by ones that count what touches the store, and fail where they were told to.
Processes that the command forks count on with it.
"""

import builtins
import errno
import fcntl
import io
import mmap
import os
import signal
import struct
import sys
import time
import traceback
from collections import namedtuple

from queuectl_lib.faces.cli import main
from queuectl_lib.store import disk
from tests.torture import actors

# Seconds.
LONGEST = 20

# operation: a key of _CALLS; number: errno; lasting: from the N-th on every one, as a disk that stays as it is.
Failure = namedtuple("Failure", ("operation", "number", "lasting"))
Done = namedtuple("Done", ("code", "out", "err", "failed"))

FULL = "growth"
CHANGE = "change"
# What each operation is called in Python; how the first argument says which file it is about.
_CALLS = {
    "write": ("write", "pwrite"), "sync": ("fsync", "fdatasync"), "open": ("open",),
    "rename": ("replace", "rename"), "cut": ("ftruncate",), "mkdir": ("mkdir",), "unlink": ("unlink",),
    "spawn": ("posix_spawn",), "read": ("pread", "read"), "list": ("listdir",), "stat": ("stat",),
    "lock": (), FULL: ("write", "pwrite", "open", "mkdir", "mkfifo"),
    CHANGE: ("write", "pwrite", "open", "mkdir", "mkfifo", "replace", "rename", "unlink", "ftruncate", "fdatasync", "utime"),
}
# What may go wrong with a disk, with the table of open files, with locks and with processes.
FAILURES = [
    Failure(FULL, errno.ENOSPC, True), Failure("sync", errno.ENOSPC, True),
    Failure(CHANGE, errno.EROFS, True), Failure("write", errno.EIO, False), Failure("sync", errno.EIO, False),
    Failure("rename", errno.EIO, False), Failure("mkdir", errno.EACCES, False),
    Failure("unlink", errno.EACCES, True), Failure("open", errno.EMFILE, True), Failure("open", errno.EACCES, False),
    Failure("lock", errno.ENOLCK, False), Failure("spawn", errno.EAGAIN, True)]
READ_FAILURES = [Failure("read", errno.EIO, False), Failure("list", errno.EIO, False), Failure("stat", errno.EIO, True)]


class _Counter:
    """How many operations there were and how many of them failed, counted by all processes of a command."""

    def __init__(self):
        self._memory = mmap.mmap(-1, 4096)

    def next(self):
        count, failed = self._values()
        self._memory[:16] = struct.pack("qq", count + 1, failed)
        return count + 1

    def failed(self):
        count, failed = self._values()
        self._memory[:16] = struct.pack("qq", count, failed + 1)

    def _values(self):
        return struct.unpack("qq", self._memory[:16])

    @property
    def failures(self):
        return self._values()[1]


class Failing:
    """The system as a command meets it whose N-th operation of a kind on this store fails."""

    def __init__(self, root, failure, at):
        self._root = root
        self._failure = failure
        self._at = at
        self._counter = _Counter()
        self._real = {name: getattr(os, name) for names in _CALLS.values() for name in names}

    def install(self):
        for name in _CALLS[self._failure.operation]:
            setattr(os, name, self._replacement(name))
        # No power is cut here: what a sync costs need not be paid.
        disk._data_sync = os.fdatasync if self._failure.operation in ("sync", CHANGE) else lambda fd: None
        if self._failure.operation == "lock":
            real_flock = fcntl.flock
            fcntl.flock = lambda fd, kind: self._locked(real_flock, fd, kind)
        if self._failure.operation == "open":
            real_open = builtins.open
            builtins.open = io.open = lambda file, *rest, **more: self._opened(real_open, file, *rest, **more)

    def _replacement(self, name):
        real = self._real[name]

        def call(first, *rest, **more):
            if self._is_meant(name, first, rest) and self._fails():
                self._do_half(name, real, first, rest)
                raise OSError(self._failure.number, os.strerror(self._failure.number),
                              *([first] if isinstance(first, (str, bytes)) else []))
            return real(first, *rest, **more)
        return call

    def _locked(self, real, fd, kind):
        if kind & (fcntl.LOCK_EX | fcntl.LOCK_SH) and self._is_inside(fd) and self._fails():
            raise OSError(self._failure.number, os.strerror(self._failure.number))
        return real(fd, kind)

    def _opened(self, real, file, *rest, **more):
        if isinstance(file, str) and self._is_inside(file) and self._fails():
            raise OSError(self._failure.number, os.strerror(self._failure.number), file)
        return real(file, *rest, **more)

    def _do_half(self, name, real, first, rest):
        """Of a write some bytes come through before the disk is full."""
        if self._failure.operation == FULL and name in ("write", "pwrite") and len(rest[0]) > 1:
            real(first, bytes(rest[0])[:len(rest[0]) // 2], *rest[1:])

    def _is_meant(self, name, first, rest):
        if name == "posix_spawn":
            return True
        if not self._is_inside(first):
            return False
        if self._failure.operation == FULL and name not in ("write", "pwrite"):
            # An entry more in a directory, and a file more on the disk.
            return not os.path.lexists(first) and (name != "open" or rest[0] & os.O_CREAT)
        if self._failure.operation == CHANGE and name == "open":
            return rest[0] & (os.O_WRONLY | os.O_RDWR)
        return True

    def _is_inside(self, what):
        if isinstance(what, int):
            try:
                what = os.readlink("/proc/self/fd/%d" % what)
            except OSError:
                return False
        return os.path.abspath(os.fsdecode(what)).startswith(self._root)

    def _fails(self):
        number = self._counter.next()
        if number == self._at or (number > self._at and self._failure.lasting):
            self._counter.failed()
            return True
        return False

    @property
    def failures(self):
        return self._counter.failures


def run(words, directory, failing=None, before=lambda: None):
    """Run a command line in a directory, in a process of its own: Done."""
    # Once, for all the forks.
    actors.load_all()
    paths = [os.path.join(directory, name) for name in ("out", "err")]
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.setsid()
            os.chdir(directory)
            _redirect(paths)
            before()
            if failing is not None:
                failing.install()
            code = main.main([str(word) for word in words])
            sys.stdout.flush()
        except SystemExit as ending:
            code = ending.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    status = _ended(pid)
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return Done(code, _text(paths[0]), _text(paths[1]), failing.failures if failing else 0)


def _ended(pid):
    """The wait status of a command; one that has not ended in time is killed, with all it started."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _redirect(paths):
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    for number, path in enumerate(paths, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), number)
    sys.stdin = open(0, closefd=False)
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", closefd=False)


def _text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def refuse(path, number):
    raise OSError(number, os.strerror(number), path)
