"""What a running job says of how far it is: the last line of a small file, $QUEUECTL_PROGRESS.

    Progress(path)      the file of one slot, for one job after the other
      .open() / .close()
      .trim()           bound the disk space of a job that writes there without end
      .collect()        what the job that has ended last said, or None; the file is empty then
    read(path)          the same of a file as it is now
    of(job, paths)      of a running job, for readers

The job may overwrite the file, append to it, remove it, or put another in its
place. One that does none of these costs a look at the descriptor, and no more.
After the others the file is made anew: what they left running has the old one.
"""

import os

from queuectl_lib.store import disk, usage
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import slots
from queuectl_lib.work.spool import PAGE, make_hole

# Of what a job says no more is kept and shown.
LONGEST = 200

_WINDOW = 4096
_MOST_SPACE = 1 << 20


class Progress:
    """The file of one slot."""

    def __init__(self, path):
        self.path = path
        self._fd = -1
        self._untouched = None

    def open(self):
        """Make it anew, empty. Where that fails, jobs have none; it is tried again after each."""
        try:
            disk.remove(self.path)
            self._fd = disk.open_private(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except (OSError, StoreError):
            return
        self._untouched = _marks(os.fstat(self._fd))

    def close(self):
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def collect(self):
        """What the job that has ended last said of itself, or None; ready for the next one then."""
        if self._fd >= 0 and _marks(os.fstat(self._fd)) == self._untouched:
            return None
        said = read(self.path)
        self.close()
        self.open()
        return said

    def trim(self):
        """Give back what a job that writes there without end takes from the disk, but for the end."""
        try:
            fd = os.open(self.path, disk.READ | os.O_RDWR)
        except OSError:
            return
        try:
            status = os.fstat(fd)
            if usage.taken(status) > _MOST_SPACE:
                _cut(fd, status.st_size)
        finally:
            os.close(fd)


def _marks(status):
    """What changes with everything that is done to a file, its name included."""
    return status.st_size, status.st_nlink, status.st_ctime_ns


def _cut(fd, size):
    try:
        make_hole(fd, 0, (size - _WINDOW) // PAGE * PAGE)
    except (OSError, ValueError, OverflowError, AttributeError):
        # No holes here.
        os.ftruncate(fd, 0)


def read(path):
    """The last line with something in it, at most LONGEST characters; None for none."""
    try:
        fd = os.open(path, disk.READ)
    except OSError:
        return None
    try:
        data = disk.pread(fd, _WINDOW, max(0, os.fstat(fd).st_size - _WINDOW))
    except (OSError, StoreError):
        # A job may put anything there, a directory or a FIFO too.
        return None
    finally:
        os.close(fd)
    lines = [line.strip(b" \t\0") for line in data.splitlines()]
    said = [line for line in lines if line]
    return said[-1].decode("utf-8", "surrogateescape")[:LONGEST] if said else None


def of(job, paths):
    """What a running job says of itself now; None for one that does not run, and where that may not be read."""
    if job.state != "processing":
        return None
    number, _ = slots.parts(job.worker)
    return read(paths.slot_progress(number)) if number else None
