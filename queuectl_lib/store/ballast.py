"""The ballast: room kept for the moment when the disk is full.

A file of bytes that do nothing. When the result of a job that ran cannot be
written, a slice is cut off its end and the result written into what that
frees; the disk stays full for everybody else, since whoever stores something
new gives up nothing. It is made anew by workers and rollers, as soon as there is
several times as much room.

256 KB: five hundred results of half a kilobyte, and more than all the workers of a
store have in hand at once; or the new journal of a purge, which frees more.
"""

import os

from queuectl_lib.store import disk, usage
from queuectl_lib.words.errors import DiskFull, StoreError

SIZE = 256 * 1024
# So much is given up beyond what is needed: disks count in blocks, and keep books of them. The less, the less
# is left of it for others.
_SLICE = 8 * 1024
_BLOCK = 4096
# What has to be free before room is taken for it.
_AMPLE = 4 * SIZE
# Less has no room for a claim, even beside a whole one.
_LITTLE = 16 * 1024


def make(paths):
    """Make it, or what is missing of it, if there is ample room; whether it is whole. The store lock is held."""
    try:
        fd = disk.open_private(paths.ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except (StoreError, OSError):
        return False
    try:
        missing = SIZE - os.fstat(fd).st_size
        if missing <= 0:
            return True
        if usage.free(paths.root) < _AMPLE:
            return False
        # Of zeros some disks would keep nothing.
        disk.append(fd, os.urandom(missing), paths.ballast)
        return True
    except (StoreError, OSError):
        return False
    finally:
        os.close(fd)


def no_room(paths):
    """For readers: that workers claim nothing for want of room, in one sentence; None where there is some."""
    try:
        least = _AMPLE if not os.path.exists(paths.ballast) or os.path.getsize(paths.ballast) < SIZE else _LITTLE
        lacks = usage.free(paths.root) < least
    except OSError:
        return None
    return "no room on the disk: workers start nothing before 1 MB is free" if lacks else None


def give_up(paths, needed):
    """Free room for so many bytes; False when there is none left to give. The store lock is held."""
    try:
        fd = disk.open_private(paths.ballast, os.O_WRONLY)
    except (StoreError, OSError):
        return False
    try:
        size = os.fstat(fd).st_size
        disk.cut(fd, max(0, size - needed - _SLICE) // _BLOCK * _BLOCK, paths.ballast)
        return size > 0
    except (StoreError, OSError):
        return False
    finally:
        os.close(fd)


class Reserve:
    """The ballast as one worker uses it: given up for results alone, and nothing claimed until it is whole again.

    error: the StoreError, most often DiskFull, since when nothing is claimed, or None.
    """

    def __init__(self, store):
        self._store = store
        self.error = None

    def make_room(self, error, lines):
        """Give up room for [(job, its line)], which did not fit; raises the error where there are none, or no room.

        The store lock is held.
        """
        self.error = error
        if not lines or not give_up(self._store.paths, sum(len(data) for _, data in lines)):
            raise error

    def check(self):
        """Raises DiskFull as long as the disk is; another trouble once: whoever goes on meets it again, but for a damaged line."""
        error = self.error
        if isinstance(error, DiskFull):
            with self._store.lock():
                if not make(self._store.paths):
                    raise DiskFull(str(error))
        self.error = None
        if error is not None and not isinstance(error, DiskFull):
            raise error
