"""Where in a segment an id is: sorted 64-bit hashes with offsets, in pages with their own crc.

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
import mmap
import os
import struct
import zlib
from array import array

from queuectl_lib.store import disk
from queuectl_lib.store.paths import index_of

_ENTRY = struct.Struct(">QQ")
_CRC = struct.Struct(">I")
_END = struct.Struct(">QQI")
_PER_PAGE = 255
_PAGE = _PER_PAGE * _ENTRY.size + _CRC.size
# 3 is a primitive root of 257: its powers run through 1..256 once.
_PERMUTED = bytes(pow(3, x, 257) & 255 for x in range(256))


def hash_of(job_id):
    """64 bits of an id (bytes)."""
    return zlib.crc32(job_id) << 32 | zlib.crc32(job_id.translate(_PERMUTED))


class Builder:
    """Collects (id, offset) and writes the index; 16 bytes of memory an entry."""

    def __init__(self):
        # By the first byte of the hash, so that sorting one part after the
        # other sorts the whole and needs the memory of one part only.
        self._parts = [bytearray() for _ in range(256)]
        self.count = 0

    def add(self, job_id, offset):
        number = hash_of(job_id)
        self._parts[number >> 56] += _ENTRY.pack(number, offset)
        self.count += 1

    def hashes(self, part):
        """The sorted (hash, offset) of one of the 256 parts."""
        return sorted(_ENTRY.iter_unpack(self._parts[part]))

    def repeated(self):
        """Lists of the offsets that share a hash with another one."""
        for part in range(256):
            entries = self.hashes(part)
            for at in range(1, len(entries)):
                if entries[at][0] == entries[at - 1][0]:
                    yield [offset for number, offset in entries if number == entries[at][0]]

    def write(self, segment_path, size):
        """Write and sync the index of a segment of so many bytes."""
        path = index_of(segment_path)
        fd = disk.open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            disk.write_pieces(fd, self._pieces(size), path)
            disk.sync(fd, path)
        finally:
            os.close(fd)

    def _pieces(self, size):
        firsts = []
        waiting = []
        for part in range(256):
            waiting += self.hashes(part)
            while len(waiting) >= _PER_PAGE:
                yield self._page(waiting[:_PER_PAGE], firsts)
                del waiting[:_PER_PAGE]
        if waiting:
            yield self._page(waiting, firsts)
        yield _with_crc(struct.pack(">%dQ" % len(firsts), *firsts))
        end = struct.pack(">QQ", self.count, size)
        yield end + _CRC.pack(zlib.crc32(end))

    @staticmethod
    def _page(entries, firsts):
        firsts.append(entries[0][0])
        return _with_crc(b"".join(_ENTRY.pack(*entry) for entry in entries))


def _with_crc(data):
    return data + _CRC.pack(zlib.crc32(data))


def offsets(segment_path, size, job_id):
    """Offsets in the segment where this id may be; None when the index is of no use."""
    try:
        fd = os.open(index_of(segment_path), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        return _look_up(fd, size, hash_of(job_id))
    except (struct.error, ValueError):
        return None
    finally:
        os.close(fd)


def _look_up(fd, size, wanted):
    length = os.fstat(fd).st_size
    with mmap.mmap(fd, length, access=mmap.ACCESS_READ) as data:
        count = _count(data, size)
        pages = -(-count // _PER_PAGE)
        start = length - _END.size - _CRC.size - pages * 8
        if not _fits(data, start, pages * 8):
            return None
        firsts = struct.unpack(">%dQ" % pages, data[start:start + pages * 8])
        found = []
        # An id's entries may straddle two pages.
        page = max(bisect.bisect_left(firsts, wanted) - 1, 0)
        while page < pages and firsts[page] <= wanted:
            entries = min(_PER_PAGE, count - page * _PER_PAGE) * _ENTRY.size
            if not _fits(data, page * _PAGE, entries):
                return None
            found += [offset for number, offset in _ENTRY.iter_unpack(data[page * _PAGE:page * _PAGE + entries])
                      if number == wanted]
            page += 1
        return found


def hashes(segment_path, size):
    """Every hash of a segment's index in rising order (array of unsigned 64 bits); None when the index is of no use."""
    try:
        with open(index_of(segment_path), "rb") as file:
            data = file.read()
        return _all_hashes(data, _count(data, size))
    except (OSError, struct.error, ValueError):
        return None


def _all_hashes(data, count):
    found = array("Q")
    for page in range(-(-count // _PER_PAGE)):
        entries = min(_PER_PAGE, count - page * _PER_PAGE) * _ENTRY.size
        if not _fits(data, page * _PAGE, entries):
            return None
        found.extend(number for number, _ in _ENTRY.iter_unpack(data[page * _PAGE:page * _PAGE + entries]))
    return found


def _count(data, size):
    """The number of entries; ValueError or struct.error when this is no index of a segment of this size."""
    end = data[max(len(data) - _END.size, 0):]
    count, segment_size, crc = _END.unpack(end)
    if segment_size != size or crc != zlib.crc32(end[:-_CRC.size]):
        raise ValueError
    return count


def _fits(data, start, length):
    end = start + length
    return start >= 0 and _CRC.unpack(data[end:end + _CRC.size])[0] == zlib.crc32(data[start:end])
