"""The live file, jobs.jsonl: open it, read what is new, repair its end, append.

It is only ever appended to, and replaced as a whole by rename (roll.py). A
process keeps it open and sees by stat, one call a transaction, whether it has
grown or was replaced. (On Windows an open file cannot be replaced: handles.py.)

Repair happens under the lock before an append. kill -9 tears a single write
at a page border, so it happens:
 - a last line without newline is cut (one whose crc is good gets its newline)
 - a batch whose last line is missing is cut as a whole
 - a line that ends in a newline but has a bad crc is damage, not a crash:
   StoreDamaged, nothing is touched. So is an end that no torn write leaves
   (line.may_be_torn): a last newline that became another byte, or a text
   that somebody appended.
Readers without the lock leave an unfinished end alone.
"""

import os

from queuectl_lib.store import disk, header, line, locking
from queuectl_lib.words.errors import StoreDamaged, StoreError

# When this many bytes of news stand in it, it wants to be rolled (some 2,000 lines). Twice as
# much made a list half as slow again, half as much doubles what starting the roller costs.
BOUND = 1024 * 1024
_GLANCE = 65536
# Few lines are longer.
_LINE = 8192
# The jobs of a big batch arrive one place behind the other, and its line by which they
# join is longer than any batch of 200 million needs.
_BATCH_BITS = 20
# Bytes of the first line that tell its format.
_VERSION = 32


def check_format(path):
    """Raise NewerFormat where a newer queuectl wrote this file; what is damaged is for who reads it to find."""
    try:
        # A flipped bit is no newer format: looked at again with its crc.
        if header.is_newer(_begin_of(path)):
            Journal(path, writable=False).refresh()
    except (OSError, StoreDamaged):
        pass


def _begin_of(path):
    fd = disk.open_private(path, os.O_RDONLY)
    try:
        return os.read(fd, _VERSION)
    finally:
        os.close(fd)


def check_standing(paths, existed):
    """Raise StoreError where no store is (any more), or a newer queuectl's."""
    if not os.path.exists(paths.jobs):
        if existed:
            raise StoreError("%s is not there any more" % paths.root)
        raise StoreError("there is no store at %s: enqueue a job, or name the store with --store DIR" % paths.root)
    check_format(paths.jobs)


def check_lock(paths, lock_fd):
    """Raise StoreError where another store is than that of this lock file: its lock keeps nobody out of this one."""
    try:
        if os.path.samestat(os.fstat(lock_fd), os.stat(paths.lock)):
            return
    except OSError:
        pass
    raise StoreError("%s is another store by now, or its lock file is" % paths.root)


def origin_behind(order):
    """The origin of a journal all of whose jobs arrive behind this place of arrival."""
    return (order >> _BATCH_BITS) + 1


class Journal:
    """jobs.jsonl as one process has it open.

    body: offset of the first line behind the header and its copy; size, inode: the file's
    at the last refresh or append; generation, origin: the header's.
    """

    def __init__(self, path, writable):
        self.path = path
        self.body = 0
        self.size = 0
        self.fd = None
        self.inode = None
        # Where the lines end that stood there before this process came.
        self._old_end = None
        self._first = b""
        self._header = None
        self.generation = 0
        self.origin = 0
        self._carried = 0
        self._flags = os.O_RDWR | os.O_APPEND if writable else os.O_RDONLY

    def refresh(self):
        """See how the file stands now; True when it is another file than before.

        Raises FileNotFoundError when there is none.
        """
        try:
            status = os.stat(self.path)
        except PermissionError as error:
            raise disk.refined(error, self.path)
        if status.st_ino == self.inode:
            self.size = status.st_size
            return False
        self._open()
        return True

    def is_replaced(self):
        """Is another file there by now, or none?"""
        try:
            return os.stat(self.path).st_ino != self.inode
        except FileNotFoundError:
            return True

    def _open(self):
        self.close()
        self.fd = disk.open_private(self.path, self._flags)
        try:
            self._begin()
        except (StoreError, OSError):
            # Else the next refresh would take it for known.
            self.close()
            raise

    def _begin(self):
        status = os.fstat(self.fd)
        self.inode = status.st_ino
        self.size = status.st_size
        self._old_end = 0 if self._old_end is not None else status.st_size
        first = disk.pread(self.fd, header.PAGE, 0)
        while b"\n" not in first and len(first) < self.size:
            first += disk.pread(self.fd, len(first), len(first))
        length = first.find(b"\n") + 1
        self.body = 2 * length
        self._first = first[:length]
        self._header = None
        self.generation, _, self.origin, self._carried = header.glance(self._first, self.path)
        if self.size < self.body:
            raise header.damaged(self.path, length)

    @property
    def header(self):
        """The header.Header that the journal begins with."""
        if self._header is None:
            self._header = header.decode(self._first, self.path)
        return self._header

    def length(self):
        """How long the file we have open is at this moment."""
        return os.fstat(self.fd).st_size

    def place(self):
        """(generation, inode, size): which file it is, and how long when it was last seen."""
        return self.generation, self.inode, self.size

    def whole(self):
        """The same as it is now, its end made fit for an append; the lock is held."""
        seen = self.size
        self.size = self.length()
        try:
            self.check_end()
            return self.place()
        finally:
            # What is new is still to be taken in.
            self.size = seen

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None
        self.inode = None

    # Who leaves by an error leaves no open file behind.
    __del__ = close

    def read(self, start, end=None):
        """The bytes from start to end (the size at the last refresh)."""
        end = self.size if end is None else end
        data = disk.pread(self.fd, end - start, start)
        while len(data) < end - start:
            piece = disk.pread(self.fd, end - start - len(data), start + len(data))
            if not piece:
                break
            data += piece
        return data

    def news(self, start, locked):
        """(entries, end) of pieces.scan from an offset on; with the lock held the end is repaired."""
        # Imported here, as in all that an enqueue loads: most of them need only a look at the last line.
        from queuectl_lib.store import pieces
        data = self.read(start)
        entries, end = pieces.scan(data, start, self.path)
        if locked and end < start + len(data):
            return self._repaired(data, start, end)
        return entries, end

    def carried(self):
        """pieces.scan of what the roll itself wrote behind the header."""
        from queuectl_lib.store import pieces
        return pieces.scan(self.read(self.body, self.body + self._carried), self.body, self.path)

    def saw_written(self, start):
        """Was what stands at an offset written after this process came? Older lines are to be checked one by one."""
        return start >= self._old_end

    def line_at(self, start):
        """The line that begins at an offset, newline left out."""
        data = self.read(start, min(start + _LINE, self.size))
        while b"\n" not in data:
            data += self.read(start + len(data), min(start + 2 * len(data), self.size))
        return data[:data.index(b"\n")]

    def _repaired(self, data, start, end):
        from queuectl_lib.store import pieces
        tail = data[end - start:]
        last = tail[tail.rfind(b"\n") + 1:]
        if last and line.is_whole(last):
            disk.append(self.fd, b"\n", self.path)
            data += b"\n"
        entries, end = pieces.scan(data, start, self.path)
        if end < start + len(data):
            disk.cut(self.fd, end, self.path)
        self.size = end
        return entries, end

    def check_end(self):
        """Make the end fit for an append by looking at the last line alone; the lock is held."""
        start = max(self.body, self.size - _GLANCE)
        tail = self.read(start)
        if not tail:
            return
        cut = tail.rfind(b"\n", 0, len(tail) - 1) + 1
        last = tail[cut:-1]
        if tail[-1:] == b"\n" and (cut or start == self.body):
            line.check(last, self.path, start + cut)
            if not line.goes_on(last):
                return
        self.news(self.body, locked=True)

    def append(self, data):
        """Add whole lines at the end; returns the offset of the first. The lock is held."""
        start = disk.append(self.fd, data, self.path)
        self.size = start + len(data)
        return start

    def arrival(self, offset):
        """The place of arrival of a job whose line begins there; so many following ones are free for a batch's."""
        return self.origin + offset << _BATCH_BITS

    def wants_roll(self, times=1):
        """Does it hold so much news (or so many times that) that somebody should roll it?"""
        return self.size - self.body - self._carried > times * BOUND

    def sync(self):
        disk.sync(self.fd, self.path)


if locking.ON_WINDOWS:
    from queuectl_lib.store.handles import held_briefly
    held_briefly(Journal)
