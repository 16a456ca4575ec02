"""What can be read of damaged bytes: whole lines among them, lines with one bit set right again, and what is neither.

A crc tells more than that something is wrong: of a line in which one bit was
flipped it tells which one. (Of a thousand bytes of anything else, one in half a
million would be taken for such a line.)
"""

import os
import re
import zlib
from bisect import bisect_left
from collections import namedtuple

from queuectl_lib.store import disk, header, line, segment
from queuectl_lib.words.text import many

# whole: (offset, line without newline) in their order; bad: bytes that say nothing any more.
Salvage = namedtuple("Salvage", ("whole", "bad"))

_BEGIN = re.compile(rb'\{"(?:id":"|gone":\["|segment":\{|pauses":\{|queuectl":)')
_END = re.compile(rb',"crc":"[0-9a-f]{8}"\}')
_ID = re.compile(rb'\{ ?"id": ?"([A-Za-z0-9][A-Za-z0-9._-]{0,127})"')
# What one changed byte between two lines leaves, or an editor that ends lines its own way.
_SEPARATOR = 2
_TRIED = 3
# A stretch of bad bytes ends with the line with which it is as long: somebody may have changed every line.
_STRETCH = 1024 * 1024

# crc32 goes through a table; the last byte decides which entry was taken last, so it can be gone through backwards.
_TABLE = [zlib.crc32(bytes([number ^ 0xFF])) ^ 0xFF000000 for number in range(256)]
_INDEX = {entry >> 24: number for number, entry in enumerate(_TABLE)}
_BIT = {_TABLE[1 << bit]: 1 << bit for bit in range(8)}


def salvage(data, start=0):
    """The Salvage of a stretch of damaged bytes that begins at an offset."""
    whole, bad = [], []
    at = 0
    for begin, end in _whole_lines(data) + [(len(data), len(data))]:
        mended, left = _mended(data[at:begin], start + at)
        whole += mended
        bad += left
        if begin < end:
            whole.append((start + begin, data[begin:end]))
        at = end
    return Salvage(whole, b"".join(bad))


def _whole_lines(data):
    """(begin, end) of every line among them whose crc fits."""
    found = []
    start = 0
    begins = [match.start() for match in _BEGIN.finditer(data)]
    for end in (match.end() for match in _END.finditer(data)):
        last = bisect_left(begins, end)
        # The last one before it, but where a variable of `env` looks like one.
        for begin in reversed(begins[max(0, last - _TRIED):last]):
            if begin >= start and line.is_whole(data[begin:end]):
                found.append((begin, end))
                start = end
                break
    return found


def _mended(gap, start):
    """([(offset, line) for each that one bit was wrong in], [the others])"""
    text = gap.lstrip(b"\r\n")
    start += len(gap) - len(text)
    text = text.rstrip(b"\r\n")
    if len(text) < _SEPARATOR:
        return [], []
    # The flipped bit may have made a newline.
    as_one = restored(text)
    if as_one is not None:
        return [(start, as_one)], []
    lines, bad = [], []
    for each in text.split(b"\n"):
        mended = restored(each.rstrip(b"\r"))
        if mended is not None:
            lines.append((start, mended))
        else:
            bad.append(each + b"\n")
        start += len(each) + 1
    return lines, bad


def restored(data):
    """A line without newline in which one bit is wrong as it was; None where it is not that."""
    body, tail = data[:-line.TAIL], data[-line.TAIL:]
    crc = zlib.crc32(body)
    wanted = b',"crc":"%08x"}' % crc
    if sum(bin(one ^ other).count("1") for one, other in zip(tail, wanted)) == 1:
        data = body + wanted
    elif _END.fullmatch(tail):
        place, bit = _flipped(crc ^ int(tail[-10:-2], 16), len(body))
        data = data[:place] + bytes([data[place] ^ bit]) + data[place + 1:]
    return data if line.is_whole(data) and _BEGIN.match(data) else None


def _flipped(difference, length):
    """(byte, bit) of so many bytes whose change changes their crc32 by this; of none, a place that changes nothing."""
    for place in range(length - 1, -1, -1):
        if difference in _BIT:
            return place, _BIT[difference]
        index = _INDEX[difference >> 24]
        difference = ((difference ^ _TABLE[index]) << 8 & 0xFFFFFFFF) | index
    return 0, 0


# The two lines with which a journal begins, as bytes: where they were, perhaps damaged.
Headers = namedtuple("Headers", ("first", "copy"))
# So many bytes from the beginning the copy is looked for.
_FAR = 64 * 1024 * 1024


def headers(fd):
    """The Headers of an opened journal, empty where there are none."""
    size = os.fstat(fd).st_size
    begins = []
    for place in range(0, min(size, _FAR), header.PAGE):
        if disk.pread(fd, len(header.BEGIN), place) == header.BEGIN:
            begins.append(place)
            if place:
                break
    if not begins:
        return Headers(b"", b"")
    length = begins[-1]
    if not length:
        # The copy's own beginning is damaged.
        first = disk.pread(fd, _FAR, 0)
        length = first.find(b"\n") + 1 or len(first)
    return Headers(disk.pread(fd, length, 0), disk.pread(fd, length, length))


def header_in(data):
    """The header.Header that such a line holds, or held before a bit was flipped in it; None where it holds none."""
    text = data.rstrip(b" \r\n")
    for each in (text, restored(text)):
        if each is not None and each.startswith(header.BEGIN) and line.is_whole(each):
            return header.decode(each + b" " * (-(len(each) + 1) % header.PAGE) + b"\n", "")
    return None


def lines_of(fd, start, end):
    """Yields (offset, line, is it whole) of all lines between two offsets; one that lacks its newline is not whole."""
    tail = line.TAIL
    crc32 = zlib.crc32
    for start, lines in segment.pieces(fd, start, end):
        for each in lines:
            yield start, each, each[-tail:] == b',"crc":"%08x"}' % crc32(each[:-tail])
            start += len(each) + 1
    if start < end:
        rest = disk.pread(fd, end - start, start)
        if rest:
            yield start, rest, False


def stretches(fd, start, end):
    """Yields (offset, line, None) of every whole line, and (offset, None, bytes) of what lies between two of them."""
    bad = []
    for at, each, whole in lines_of(fd, start, end):
        if bad and (whole or at - start > _STRETCH):
            yield start, None, b"".join(bad)
            bad = []
        if whole:
            yield at, each, None
        else:
            if not bad:
                start = at
            bad += [each, b"\n"]
    if bad:
        yield start, None, b"".join(bad)


def readable(fd, start, end, note=None):
    """Yields (offset, line) of every line between two offsets that is whole or can be set right.

    note(offset, bytes, their Salvage): called for each damaged stretch, if given.
    """
    for at, each, data in stretches(fd, start, end):
        if data is None:
            yield at, each
            continue
        found = salvage(data, at)
        if note:
            note(at, data, found)
        yield from found.whole


def ids_in(data):
    """Ids of jobs that bad bytes still tell."""
    return [match.decode() for match in dict.fromkeys(_ID.findall(data))]


def untold(data):
    """In words, as a list of none or one: how many lines of bad bytes tell no id."""
    lines = sum(not _ID.search(each) for each in data.splitlines())
    return [many(lines, "line") + " that no job can be told from"] * (lines > 0)
