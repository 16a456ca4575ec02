"""worker.log: what workers in the background print, by way of their standard output and error.

Many processes write to it, each line with one write to its end. When it is
long, a supervisor renames it to worker.log.1, and everybody goes on in a new
file within about a second: whatever is written meanwhile is in the old one,
so no line is lost. Nobody is told: each compares its output with the path.
"""

import os

from queuectl_lib.store import disk, locking
from queuectl_lib.words.errors import StoreError

# Bytes from which on it is renamed. The one before that is kept, an older one is not.
LARGEST = 10 * 1024 * 1024

_OUTPUTS = (1, 2)
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def opened(paths):
    """A descriptor that writes to the log's end. Raises StoreError."""
    fd = disk.open_private(paths.log, _FLAGS)
    if not locking.ON_WINDOWS:
        return fd
    # Elsewhere all who inherit it write at its end.
    from queuectl_lib.work import win32
    try:
        return win32.appending(fd)
    finally:
        os.close(fd)


def is_output(paths):
    """Does this process print into the store's log, or into what it was a moment ago?"""
    mine = _identity(os.fstat, _OUTPUTS[0])
    return mine is not None and mine in (_identity(os.stat, paths.log), _identity(os.stat, paths.old_log))


def follow(paths):
    """Go on in the file that the log is now; where that cannot be, in the one before. To be called every second."""
    if _identity(os.fstat, _OUTPUTS[0]) == _identity(os.stat, paths.log):
        return
    try:
        fd = opened(paths)
    except (StoreError, OSError):
        return
    for number in _OUTPUTS:
        os.dup2(fd, number)
    os.close(fd)


def turn(store):
    """Begin a new log if this one is long; for supervisors."""
    if _size(store.paths.log) <= LARGEST:
        return
    with store.lock():
        # Another one may have done it since.
        if _size(store.paths.log) <= LARGEST:
            return
        if locking.ON_WINDOWS:
            _empty(store.paths)
        else:
            disk.replace(store.paths.log, store.paths.old_log)
            os.close(opened(store.paths))


def _empty(paths):
    """Where a file that many have open cannot be renamed. What is printed in between may be lost."""
    import shutil
    shutil.copyfile(paths.log, paths.old_log)
    os.truncate(paths.log, 0)


def _size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _identity(stat, what):
    try:
        status = stat(what)
    except OSError:
        return None
    return status.st_dev, status.st_ino
