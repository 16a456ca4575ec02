"""Where in a segment an id is (or those that come after it): sorted 64-bit hashes with offsets, in pages with their own crc.

    page 0, 1, …: up to 255 entries (hash, offset), crc32      entries sorted by hash
    directory:    the first hash of every page, crc32
    end:          number of entries, the segment's size, crc32

An id is found by two reads and two bisections, at ten jobs and at a million.
A hit is verified on the line itself, so two ids may share a hash. The index is
derived: where it is missing or does not fit, the segment is searched instead.

The hash is two crc32s of the id, the second after a permutation of its bytes
that no xor can express: crc32 is linear, so a second one with another start
value would know nothing new. No import, 0.5 microseconds.
"""

import bisect
import os
import struct
import zlib
from array import array

from queuectl_lib.store import disk, line
from queuectl_lib.words.errors import StoreError

_ENTRY = struct.Struct(">QQ")
_CRC = struct.Struct(">I")
_END = struct.Struct(">QQI")
_PER_PAGE = 255
# So many of a page are looked for in its bytes; for more it is unpacked.
_FEW = 10
# So many entries are sorted at a time, as objects.
_RUN = 16384
_PAGE = _PER_PAGE * _ENTRY.size + _CRC.size
# 3 is a primitive root of 257: its powers run through 1..256 once.
_PERMUTED = bytes(pow(3, x, 257) & 255 for x in range(256))


def hash_of(job_id):
    """64 bits of an id (bytes)."""
    return zlib.crc32(job_id) << 32 | zlib.crc32(job_id.translate(_PERMUTED))


class Builder:
    """Collects where every id of a segment is, and writes the index.

    In sorted runs: what is full goes into a file without a name, so that memory
    holds one run, and of each other where its parts begin.
    """

    def __init__(self, path):
        """path: for that file, as long as it takes to open it; of a small segment there is none."""
        self._path = path
        self._file = None
        self._bounds = []
        self._new = []
        self.count = 0

    def add_lines(self, lines, offset):
        """Jobs' lines without newlines, the first of which begins at this offset of the segment."""
        new = self._new
        pack = _ENTRY.pack
        for job_id, each in zip(map(line.id_of, lines), lines):
            new.append(pack(hash_of(job_id), offset))
            offset += len(each) + 1
        self._added(len(lines))

    def add(self, job_id, offset):
        """One id (bytes), at this offset."""
        self._new.append(_ENTRY.pack(hash_of(job_id), offset))
        self._added(1)

    def _added(self, count):
        self.count += count
        new = self._new
        while len(new) > _RUN:
            self._put_away(sorted(new[:_RUN]))
            del new[:_RUN]

    def _put_away(self, run):
        if self._file is None:
            self._file = disk.unnamed(self._path)
        data = b"".join(run)
        disk.write_pieces(self._file.fileno(), [data], self._path)
        self._bounds.append(_bounds(data))

    def _part(self, number, first, last):
        """The entries of a run that is put away whose hashes begin with these bytes."""
        bounds = self._bounds[number]
        start = _ENTRY.size * (_RUN * number + bounds[first])
        return disk.pread(self._file.fileno(), _ENTRY.size * (bounds[last] - bounds[first]), start)

    def hashes(self):
        """Every hash, in tuples of rising ones."""
        for number in range(len(self._bounds)):
            yield _hashes(self._part(number, 0, 256))
        yield _hashes(b"".join(sorted(self._new)))

    def write(self, path, size):
        """Write and sync the index, of a segment of so many bytes, into this file."""
        fd = disk.open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            disk.write_pieces(fd, self._pieces(size), path)
            disk.sync(fd, path)
        finally:
            os.close(fd)

    def _pieces(self, size):
        firsts = bytearray()
        waiting = []
        for entries in self._sorted():
            waiting += entries
            full = len(waiting) - len(waiting) % _PER_PAGE
            for at in range(0, full, _PER_PAGE):
                yield _page(waiting[at:at + _PER_PAGE], firsts)
            del waiting[:full]
        if waiting:
            yield _page(waiting, firsts)
        yield _with_crc(bytes(firsts))
        end = struct.pack(">QQ", self.count, size)
        yield end + _CRC.pack(zlib.crc32(end))

    def _sorted(self):
        """Every entry in order, in 256 lists: as objects they take more room, so only some at a time are."""
        last = b"".join(sorted(self._new))
        bounds = _bounds(last)
        for first in range(256):
            parts = [self._part(number, first, first + 1) for number in range(len(self._bounds))]
            parts.append(last[_ENTRY.size * bounds[first]:_ENTRY.size * bounds[first + 1]])
            yield sorted([part[at:at + _ENTRY.size] for part in parts for at in range(0, len(part), _ENTRY.size)])


def _bounds(run):
    """Which entries of a sorted run are the first with a hash whose first byte is 0, 1, … and 256: the end."""
    first_bytes = run[::_ENTRY.size]
    return array("I", [bisect.bisect_left(first_bytes, each) for each in range(257)])


def _hashes(run):
    return struct.unpack(">%dQ" % (len(run) // 8), run)[::2]


def _page(entries, firsts):
    firsts += entries[0][:8]
    return _with_crc(b"".join(entries))


def _with_crc(data):
    return data + _CRC.pack(zlib.crc32(data))


def _places(data, number):
    """Where in a page's bytes the entries of a hash are: a search of bytes takes a tenth of what unpacking them does."""
    wanted = number.to_bytes(8, "big")
    found = []
    at = data.find(wanted)
    while at >= 0:
        if at % _ENTRY.size == 0:
            found.append(at)
        at = data.find(wanted, at + 1)
    return found


class Useless(StoreError):
    """An index that is missing, damaged, or of another segment. Who has just written it cannot do without."""

    def __init__(self, path):
        super().__init__("%s cannot be read, or does not fit its segment: try again" % path)


class Index:
    """The index of a segment of so many bytes, open as long as somebody has it; raises Useless wherever it is that."""

    _fd = None

    def __init__(self, path, size):
        self._path = path
        try:
            self._fd = disk.open_private(path, os.O_RDONLY)
        except (OSError, StoreError):
            raise Useless(path)
        end = os.fstat(self._fd).st_size - _END.size
        self._count, segment_size = struct.unpack(">QQ", self._checked(end, 16))
        if segment_size != size:
            raise Useless(path)
        pages = -(-self._count // _PER_PAGE)
        self._firsts = struct.unpack(">%dQ" % pages, self._checked(end - _CRC.size - pages * 8, pages * 8))

    def __del__(self):
        if self._fd is not None:
            os.close(self._fd)

    def offsets(self, number):
        """The offsets of every id with this hash."""
        found = []
        # Entries of the same hash may straddle two pages.
        page = max(bisect.bisect_left(self._firsts, number) - 1, 0)
        while page < len(self._firsts) and self._firsts[page] <= number:
            data = self._bytes(page)
            found += [int.from_bytes(data[at + 8:at + 16], "big") for at in _places(data, number)]
            page += 1
        return found

    def hashes(self):
        """Every hash, in tuples of rising ones."""
        return (self._page(page)[::2] for page in range(len(self._firsts)))

    def entries(self):
        """Yields every (hash, offset), by rising hashes."""
        for page in range(len(self._firsts)):
            entries = self._page(page)
            yield from zip(entries[::2], entries[1::2])

    def repeated(self):
        """Hashes that stand there more than once."""
        last = None
        for numbers in self.hashes():
            if numbers[0] == last or len(set(numbers)) < len(numbers):
                yield from sorted({each for each, before in zip(numbers, (last,) + numbers) if each == before})
            last = numbers[-1]

    def shared(self, numbers):
        """Those of some rising hashes (a list or tuple) that it holds too; no page is read twice."""
        found = []
        at = 0
        while at < len(numbers):
            page = bisect.bisect_right(self._firsts, numbers[at]) - 1
            last = page + 1 == len(self._firsts)
            end = len(numbers) if last else bisect.bisect_left(numbers, self._firsts[page + 1], at)
            if page >= 0:
                found += self._in_page(page, numbers[at:end])
            at = end
        return found

    def _in_page(self, page, numbers):
        if len(numbers) > _FEW:
            held = set(self._page(page)[::2])
            return [number for number in numbers if number in held]
        data = self._bytes(page)
        return [number for number in numbers if _places(data, number)]

    def _page(self, page):
        """hash, offset, hash, offset … of a page."""
        data = self._bytes(page)
        return struct.unpack(">%dQ" % (len(data) // 8), data)

    def _bytes(self, page):
        entries = min(_PER_PAGE, self._count - page * _PER_PAGE)
        return self._checked(page * _PAGE, entries * _ENTRY.size)

    def _checked(self, start, length):
        try:
            data = disk.pread(self._fd, length + _CRC.size, start) if start >= 0 else b""
        except StoreError:
            raise Useless(self._path)
        if data[length:] != _CRC.pack(zlib.crc32(data[:length])):
            raise Useless(self._path)
        return data[:length]
