"""One output stream of the running job: a file that the job writes itself, kept within bounds.

No pipes and no threads: nothing can block, and a killed worker loses nothing.
Nor is anything synced: a power cut may take the last half minute of big output, but for the tail in the job's line.
The file is locked on a description that the job inherits, so the lock tells
whether anybody can still write there.

Reading along (`logs -f`): read from offset 0 on. Of output without end the
middle is cut out during the run; what lay there is a hole then, so ask
lseek(fd, offset, SEEK_DATA) before each read: the bytes up to the offset it
answers were left out (ENXIO: nothing new yet). A file that is shorter than
your offset was emptied, or, where the file system knows no holes, cut: go on
from 0. After each chunk look at the job; if it no longer runs as that attempt,
drop the chunk and take the rest from its line or its output file.
"""

import mmap
import os

from queuectl_lib.job.lifecycle import Output
from queuectl_lib.store import disk, locking
from queuectl_lib.store.paths import output_name
from queuectl_lib.words.errors import StoreError, StorePlanted

# Output up to this size sits in the job's line, whole; of more, this much of its end.
INLINE = 4096

# The middle is cut out when it is this many times the limit.
_CUT_AT = 4

# O_APPEND: whatever others do to the file, a job writes at its end.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND
_CHUNK = 1 << 16
PAGE = mmap.ALLOCATIONGRANULARITY
_LONGEST_HEAD_IN_MEMORY = 1 << 20
_EMPTY = Output("", 0, None)


class Spool:
    """An output stream of one slot, used by one job after the other."""

    def __init__(self, paths, path, stream):
        """path: its file; stream: 'out' or 'err', for the names of big outputs."""
        self.path = path
        self._paths = paths
        self._stream = stream
        self.fd = -1
        self._begin()

    def open(self):
        """Open it empty and locked; one that somebody still holds is replaced."""
        self.fd, alone = open_locked(self.path, _FLAGS)
        if not alone:
            self._open_another()
        os.ftruncate(self.fd, 0)
        self._begin()

    def close(self):
        """Let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def collect(self, job_id, attempt, limit, alone):
        """The Output of the job that has ended; the spool is empty for the next one then, or closed.

        alone: the job's processes are known to be gone. Big output goes into a file of its own.
        Never raises: whatever becomes of its output, a job has ended.
        """
        try:
            output = self._collected(job_id, attempt, limit, alone)
        except (OSError, StoreError) as error:
            self.close()
            output = Output("[queuectl: the output could not be kept: %s]\n" % error, 0, None)
        if output is not _EMPTY:
            self._begin()
        return output

    def _collected(self, job_id, attempt, limit, alone):
        if not alone and self._is_in_place():
            # Opened again, because the lock of this description is the job's too.
            self.close()
            self.fd, alone = open_locked(self.path, _FLAGS)
        inline = min(INLINE, limit)
        data = disk.pread(self.fd, inline + 1, 0)
        if not data and alone and not self._lost and not self._seen:
            return _EMPTY
        moved = False
        if len(data) <= inline and not self._lost:
            output = Output(data.decode("utf-8", "surrogateescape"), len(data), None)
        else:
            name = output_name(job_id, attempt, self._stream)
            output, moved = self._keep(self._paths.output_file(job_id, attempt, self._stream), name, limit, alone)
        if moved or not alone:
            # A left-over child writes on into the old file, which is gone when it ends.
            try:
                self._open_another()
            except (OSError, StoreError):
                # On a full disk: it stays closed, and no job is started.
                pass
        elif data or self._lost:
            os.ftruncate(self.fd, 0)
        return output

    def _is_in_place(self):
        """A job may have removed it: what it wrote is in ours then."""
        try:
            return os.path.samestat(os.fstat(self.fd), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _open_another(self):
        """Have a new file in the place of one that somebody else still has."""
        self.close()
        disk.remove(self.path)
        self.fd, _ = open_locked(self.path, _FLAGS)

    def trim(self, limit):
        """Give back the disk space of the middle of output without end.

        Returns whether the output grew by more than the limit since the last call.
        """
        size = os.fstat(self.fd).st_size
        grown = size - self._seen > limit
        self._seen = size
        start = max(self._cut, -(-(limit // 2) // PAGE) * PAGE)
        end = (size - limit) // PAGE * PAGE
        if end - start > _CUT_AT * limit:
            self._cut_out(start, end, size, limit)
        return grown

    def _cut_out(self, start, end, size, limit):
        try:
            make_hole(self.fd, start, end)
            self._cut = end
        except (OSError, ValueError, OverflowError, AttributeError):
            # No holes here. The file can be emptied under its writer, but bytes
            # that come in this moment are lost uncounted, and the tail begins anew.
            if not self._lost:
                self._head = disk.pread(self.fd, min(limit // 2, _LONGEST_HEAD_IN_MEMORY), 0)
            os.ftruncate(self.fd, 0)
            self._lost += size
            self._seen = 0

    def _keep(self, target, name, limit, alone):
        """(Output, whether the spool's file itself was moved away) of big output."""
        size = os.fstat(self.fd).st_size
        total = self._lost + size
        begin = max(0, size - min(INLINE, limit))
        text = disk.pread(self.fd, size - begin, begin).decode("utf-8", "surrogateescape")
        try:
            if total <= limit and alone and not locking.ON_WINDOWS:
                os.rename(self.path, target)
                return Output(text, total, name), True
            self._copy(target, size, total, limit)
        except (OSError, StoreError) as error:
            disk.remove(target)
            note = "[queuectl: the end of %d bytes, the rest could not be kept: %s]\n" % (total, error)
            return Output(note + text, total, None), False
        return Output(text, total, name), False

    def _copy(self, target, size, total, limit):
        """Write the first and last half of the limit, and between them how much is missing."""
        fd = disk.open_private(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            if total <= limit:
                _copy_range(self.fd, fd, 0, size)
                return
            head = len(self._head) if self._lost else limit // 2
            tail = min(limit - limit // 2, size)
            if self._lost:
                disk.write_all(fd, self._head)
            else:
                _copy_range(self.fd, fd, 0, head)
            disk.write_all(fd, b"\n[queuectl: %d bytes left out]\n" % (total - head - tail))
            _copy_range(self.fd, fd, size - tail, size)
        finally:
            os.close(fd)

    def _begin(self):
        # Offsets of this attempt: seen by trim(), cut out up to, bytes lost to a cut without holes.
        self._seen = 0
        self._cut = 0
        self._lost = 0
        self._head = b""


def open_locked(path, flags):
    """(descriptor, whether it could be locked): refused, somebody else still has the file."""
    try:
        fd = disk.open_private(path, flags)
    except StorePlanted:
        # A former job's doing: it is not to keep workers from their slot.
        disk.remove(path)
        fd = disk.open_private(path, flags)
    try:
        return fd, locking.try_lock(fd)
    except StoreError:
        os.close(fd)
        raise


def make_hole(fd, start, end):
    """Free the disk space of a range of pages; size and offsets stay as they are."""
    # fallocate() is not in the os module; this does the same to the same file systems.
    with mmap.mmap(fd, end - start, offset=start) as pages:
        pages.madvise(mmap.MADV_REMOVE)


def _copy_range(source, target, start, end):
    while start < end:
        data = disk.pread(source, min(_CHUNK, end - start), start)
        if not data:
            return
        disk.write_all(target, data)
        start += len(data)
