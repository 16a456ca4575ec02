"""Segments: immutable files of whole jobs' lines, written once, read from any place.

A line of a segment counts while it lies inside one of the segment's sections,
is not called gone, and its id is not in the journal. Readers go forward from a
section's start, or backward from its end, a chunk at a time. new_segment.py writes them.
"""

import errno
import os

from queuectl_lib.store import disk, header, index, line, slices
from queuectl_lib.store.paths import awaited_of, index_of
from queuectl_lib.words.errors import StoreDamaged

FINISHED = (b"completed", b"cancelled")
_CHUNK = 65536
# So much is read at first from a section's end: of many sections most have nothing among the newest ten jobs.
_LAST = 4096


class Reader:
    """A segment opened for reading. Raises FileNotFoundError when a roll removed it meanwhile."""

    fd = None

    def __init__(self, paths, name, size):
        self.name = name
        self.size = size
        self.path = None
        # Its indexes, once they were needed: {path: index.Index}.
        self._indexes = {}
        for path in paths.segment_places(name):
            try:
                self.fd = disk.open_private(path, os.O_RDONLY, paths.mine)
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
        return disk.pread(self.fd, end - start, start).rstrip(b"\n")

    def forward(self, start, end):
        """Yields (head, start, line) of every line from start to end; head: line.HEAD's groups."""
        for place, each in self.lines(start, end):
            yield self.head(each, place), place, each

    def named(self, start, end):
        """Yields (id, start, line) of the same lines, otherwise unread."""
        for start, lines in pieces(self.fd, start, end):
            yield from zip(line.ids_of(lines), line.starts_of(lines, start), lines)
            start += sum(map(len, lines)) + len(lines)
        if start < end:
            self._damaged(start)

    def lines(self, start, end):
        """Yields (start, line) of the same lines, unread."""
        for start, lines in pieces(self.fd, start, end):
            for each in lines:
                yield start, each
                start += len(each) + 1
        if start < end:
            self._damaged(start)

    def backward(self, start, end):
        """The same lines from the last to the first."""
        rest = b""
        size = _LAST
        while end > start:
            at = max(start, end - size)
            size = min(4 * size, _CHUNK)
            data = disk.pread(self.fd, end - at, at) + rest
            lines = data.split(b"\n")
            if lines.pop():
                self._damaged(end - 1)
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
                yield self.head(each, place), place, each
            end = at

    def find(self, job_id):
        """(head, start, line) of every line of this id (bytes), alive or not."""
        try:
            places = self._indexed(index_of(self.path), job_id)
        except index.Useless:
            places = self._search(b'{"id":"%s",' % job_id)
        for start in places:
            data = self.line_from(start)
            head = self.head(data, start)
            if head[0] == job_id:
                yield head, start, data
            else:
                # Two ids may share a hash; a damaged one must not pass for that.
                line.check(data, self.path, start)

    def holding(self, hashes):
        """Those of some rising hashes (index.hash_of) of which it may hold an id; raises index.Useless."""
        return self._index(index_of(self.path)).shared(hashes)

    def waiting_for(self, job_id, alive):
        """(start, line) of the lines of jobs that wait for this id (bytes); alive(start): is one still in force?"""
        for start, each in self._lines_waiting_for(job_id, alive):
            if job_id in line.waiting_parts(each):
                yield start, each
            else:
                line.check(each, self.path, start)

    def _lines_waiting_for(self, job_id, alive):
        try:
            places = self._indexed(awaited_of(self.path), job_id)
        except index.Useless:
            return ((start, each) for start, each in self.lines(0, self.size) if alive(start))
        return ((start, self.line_from(start)) for start in places if alive(start))

    def _indexed(self, path, job_id):
        """The offsets that one of its indexes has for an id (bytes); raises index.Useless."""
        return self._index(path).offsets(index.hash_of(job_id))

    def _index(self, path):
        if path not in self._indexes:
            self._indexes[path] = index.Index(path, self.size)
        return self._indexes[path]

    def line_from(self, start):
        """The bytes of the line that begins there, newline left out."""
        data = b""
        while b"\n" not in data:
            piece = disk.pread(self.fd, 8192, start + len(data))
            if not piece:
                self._damaged(start)
            data += piece
        return data[:data.index(b"\n")]

    def _search(self, wanted):
        start = 0
        rest = b""
        while start < self.size:
            data = rest + disk.pread(self.fd, 16 * _CHUNK, start + len(rest))
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

    def head(self, data, start):
        """line.HEAD's groups of a line of this segment."""
        match = line.HEAD.match(data)
        if match is None:
            self._damaged(start)
        return match.groups()

    def key(self, section, head, start, data):
        """What a line of a section is sorted by (sort_key), which one that is none of its lines may not have."""
        try:
            return sort_key(section, head, data)
        except ValueError:
            self._damaged(start)

    def _damaged(self, start):
        raise line.damaged(self.path, start)


def pieces(fd, start, end):
    """Yields (start, [line…]) of the whole lines from start to end, a chunk at a time; newlines are left out."""
    rest = b""
    while start + len(rest) < end:
        at = start + len(rest)
        data = disk.pread(fd, min(_CHUNK, end - at), at)
        if not data:
            return
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        yield start, lines
        start = at + len(data) - len(rest)


def lives(entry, start):
    """Is a line at this place inside one of the segment's sections?"""
    return any(section.start <= start < section.end for section in entry.sections)


def missing(error):
    """The StoreDamaged for a segment that the journal names and that is not there."""
    return StoreDamaged("%s is missing: restore it, or run 'queuectl doctor --repair'; if this store is a copy, copy it "
                        "again while nothing is rolled: flock .queuectl/roll.lock cp -r ..." % error.filename)


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


def sort_key(section, head, data):
    """What a section's lines are sorted by: a value no two jobs have in common, whichever section they move to."""
    return _KEYS.get(section[0], changed)(head, data)


def turn(head, data):
    """What decides when the job of a line is run, once it is ready."""
    return int(head[line.PRIORITY]), int(head[line.ORDER])


def due(head, data):
    """The same of one that waits for a moment."""
    return int(head[line.DUE]), int(head[line.ORDER])


def arrival(head, data):
    """When a job came, compared with others."""
    return (int(head[line.ORDER]),)


def changed(head, data):
    """When it last changed; one command changes many at one moment."""
    return slices.updated_at(data), int(head[line.ORDER])


_KEYS = {header.READY: turn, header.BLOCKED: arrival}
_KEYS.update(dict.fromkeys(header.TIMED, due))
