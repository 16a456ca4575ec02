"""Segments: immutable files of whole jobs' lines, written once, read from any place.

A line of a segment counts while it lies inside one of the segment's sections,
is not called gone, and its id is not in the journal. Whoever writes a segment
sorts its lines by section first; readers go forward from a section's start, or
backward from its end, a chunk at a time.
"""

import errno
import os

from queuectl_lib.store import disk, header, index, line
from queuectl_lib.words.errors import StoreDamaged

FINISHED = (b"completed", b"cancelled")
_CHUNK = 65536


class Writer:
    """Writes a segment: add() every line, section by section, then finish()."""

    def __init__(self, path, kind):
        self.path = path
        self.kind = kind
        self.size = 0
        self.jobs = 0
        self.index = index.Builder()
        self._sections = []
        self._pieces = []
        self._held = 0
        self.fd = disk.open_private(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

    def add(self, section, job_id, data):
        """One line with its newline; section: (kind, queue), job_id: bytes."""
        self.index.add(job_id, self.size)
        sections = self._sections
        if not sections or sections[-1][0] != section:
            sections.append([section, self.size, self.size])
        self._pieces.append(data)
        length = len(data)
        self.size += length
        self.jobs += 1
        sections[-1][2] = self.size
        self._held += length
        if self._held > 4 * _CHUNK:
            self.flush()

    def flush(self):
        try:
            disk.write_all(self.fd, b"".join(self._pieces))
        except OSError as error:
            raise disk.refined(error, self.path)
        self._pieces = []
        self._held = 0

    def finish(self, name, counts=None):
        """Write out and sync the segment and its index; returns its header.Segment."""
        self.flush()
        disk.sync(self.fd, self.path)
        self.close()
        self.index.write(self.path, self.size)
        return self.entry(name, counts)

    def entry(self, name, counts=None):
        """The header.Segment of what was added."""
        sections = tuple(header.Section(kind, queue, start, end) for (kind, queue), start, end in self._sections)
        return header.Segment(name, self.kind, self.jobs, self.size, sections, counts)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None


class Reader:
    """A segment opened for reading. Raises FileNotFoundError when a roll removed it meanwhile."""

    fd = None

    def __init__(self, paths, name, size):
        self.name = name
        self.size = size
        self.path = None
        for path in paths.segment_places(name):
            try:
                self.fd = disk.open_private(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            self.path = path
            break
        if self.path is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), paths.segment(name))
        if os.fstat(self.fd).st_size < size:
            raise StoreDamaged("%s is shorter than the %d bytes it had: restore it from a copy, or run "
                               "'queuectl doctor --repair'" % (self.path, size))

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None

    # A list may be left unread.
    __del__ = close

    def line_at(self, start, end):
        """The bytes of one line, newline left out."""
        return os.pread(self.fd, end - start, start).rstrip(b"\n")

    def forward(self, start, end):
        """Yields (head, start, line) of every line from start to end; head: line.HEAD's groups."""
        rest = b""
        while start + len(rest) < end:
            at = start + len(rest)
            data = os.pread(self.fd, min(_CHUNK, end - at), at)
            if not data:
                self._damaged(at)
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            for each in lines:
                yield self._head(each, start), start, each
                start += len(each) + 1

    def backward(self, start, end):
        """The same lines from the last to the first."""
        rest = b""
        while end > start:
            at = max(start, end - _CHUNK)
            data = os.pread(self.fd, end - at, at) + rest
            lines = data.split(b"\n")
            lines.pop()
            if at > start:
                # The first piece may be the end of a longer line: it waits for the chunk before.
                rest = lines.pop(0) + b"\n" if lines else data
                place = at + len(rest)
            else:
                rest = b""
                place = start
            places = []
            for each in lines:
                places.append((place, each))
                place += len(each) + 1
            for place, each in reversed(places):
                yield self._head(each, place), place, each
            end = at

    def find(self, job_id):
        """(head, start, line) of every line of this id (bytes), alive or not."""
        places = index.offsets(self.path, self.size, job_id)
        if places is None:
            places = self._search(b'{"id":"%s",' % job_id)
        for start in places:
            data = self._line_from(start)
            head = self._head(data, start)
            if head[0] == job_id:
                yield head, start, data
            else:
                # Two ids may share a hash; a damaged one must not pass for that.
                line.check(data, self.path, start)

    def _line_from(self, start):
        data = b""
        while b"\n" not in data:
            piece = os.pread(self.fd, 8192, start + len(data))
            if not piece:
                self._damaged(start)
            data += piece
        return data[:data.index(b"\n")]

    def _search(self, wanted):
        start = 0
        rest = b""
        while start < self.size:
            data = rest + os.pread(self.fd, 16 * _CHUNK, start + len(rest))
            if len(data) == len(rest):
                break
            at = data.find(wanted)
            while at >= 0:
                if at == 0 and start == 0 or data[at - 1:at] == b"\n":
                    yield start + at
                at = data.find(wanted, at + 1)
            kept = min(len(wanted), len(data))
            rest = data[-kept:]
            start += len(data) - kept

    def _head(self, data, start):
        match = line.HEAD.match(data)
        if match is None:
            self._damaged(start)
        return match.groups()

    def _damaged(self, start):
        raise StoreDamaged("%s: the line at byte %d is damaged: keep a copy of the file and run "
                           "'queuectl doctor --repair'" % (self.path, start))


def missing(error):
    """The StoreDamaged for a segment that the journal names and that is not there."""
    return StoreDamaged("%s is missing: restore it from a copy, or run 'queuectl doctor --repair'" % error.filename)


def section_of(head):
    """(kind, queue) of the section that a job which is not running belongs to."""
    if head[1] in FINISHED:
        return head[1].decode(), ""
    if head[1] == b"dead":
        kind = header.DEAD
    elif head[7] == b"null":
        kind = header.BLOCKED
    elif head[7] == b"0":
        kind = header.READY
    else:
        kind = header.RETRY if head[1] == b"failed" else header.DUE
    return kind, head[4].decode()


def sort_key(section, head):
    """What a section's lines are sorted by; None keeps them as they come."""
    if section[0] == header.READY:
        return int(head[5]), int(head[6])
    if section[0] in header.TIMED:
        return int(head[7]), int(head[6])
    return None
