"""A job's output as bytes: what was kept of an ended attempt, and what a running one writes meanwhile."""

import errno
import os
import re
from collections import namedtuple

from queuectl_lib.store import disk
from queuectl_lib.words.errors import StorePlanted
from queuectl_lib.work import slots

STREAMS = ("stdout", "stderr")

_CHUNK = 1 << 16
_CUT_OFF = b"\n[queuectl: something is missing here: the file was cut off, as by a power cut]\n"
# None: there are no holes.
_SEEK_DATA = getattr(os, "SEEK_DATA", None)
_LEFT_OUT = re.compile(rb"\n\[queuectl: \d+ bytes left out\]\n")
_NOTE = b"\n[queuectl: %d bytes left out]\n"

# Some of what a job wrote: data begins at `start` and ends before `end`, offsets in all that the job wrote, which
# was `size` so far; `kept`: how much of that there still is, None while it runs. What lies between the offset that was
# asked for and `start` was left out.
Part = namedtuple("Part", ("data", "start", "end", "size", "kept"))


def kept(job, stream, paths):
    """What was kept of a stream of the last attempt that ended."""
    tail = _tail(job, stream)
    file = getattr(job, stream + "_file")
    if file is None:
        return tail
    try:
        data = disk.read_private(_path(file, paths))
    except FileNotFoundError:
        # Removed by hand.
        return tail
    if data.endswith(tail):
        return data
    # Such a file is not synced as the job's line is: that would cost as much as starting another command.
    return data.rstrip(b"\0") + _CUT_OFF + tail


def is_gone(job, stream, paths):
    """Was the file removed by hand that kept more of a stream than the tail?"""
    file = getattr(job, stream + "_file")
    return file is not None and not os.path.lexists(paths.inside(file))


def _tail(job, stream):
    """What stands of it in the job's line."""
    return (getattr(job, stream) or "").encode("utf-8", "surrogateescape")


def _path(file, paths):
    if os.path.islink(paths.output):
        raise StorePlanted("%s is a link, and the store follows none: put a copy of the file in its place" % paths.output)
    return paths.inside(file)


def part(job, stream, paths, offset, length):
    """At most so many bytes (a Part) of what was kept from an offset on, or of the end (None); more of it is not read."""
    file = getattr(job, stream + "_file")
    tail = _tail(job, stream)
    try:
        fd = disk.open_private(_path(file, paths), os.O_RDONLY) if file is not None else None
    except FileNotFoundError:
        fd = None
    if fd is None:
        return _part(lambda length, start: tail[start:start + length], len(tail), getattr(job, stream + "_size"), offset, length)
    try:
        size = os.fstat(fd).st_size
        if disk.pread(fd, len(tail), max(0, size - len(tail))) == tail:
            return _part(lambda length, start: disk.pread(fd, length, start), size, getattr(job, stream + "_size"), offset, length)
    finally:
        os.close(fd)
    data = kept(job, stream, paths)
    return _part(lambda length, start: data[start:start + length], len(data), None, offset, length)


def _part(read, kept_size, total, offset, length):
    """read(length, start): bytes of what was kept; total: how much the job wrote, None where nobody knows."""
    gap = _gap(read, kept_size, total) if total not in (None, kept_size) else None
    if gap is None:
        total, head, behind = kept_size, kept_size, kept_size
    else:
        head, behind = gap
    # Where what was kept behind the gap began.
    again = total - (kept_size - behind)
    start = min(total, max(0, total - length) if offset is None else offset)
    if start < head:
        data = read(min(length, head - start), start)
    else:
        start = max(start, again)
        data = read(length, behind + start - again)
    return Part(data, start, start + len(data), total, kept_size - (behind - head))


def _gap(read, kept_size, total):
    """(where the note about a missing middle begins, where it ends) in what was kept; None where there is none."""
    shortest = len(_NOTE % 0)
    for length in range(shortest, shortest + 19):
        note = _NOTE % max(0, total - kept_size + length)
        if len(note) == length:
            # Both halves of the limit are of one length, unless it has changed while the job ran.
            begin = max(0, (kept_size - length) // 2)
            if read(length, begin) != note:
                begin = read(kept_size, 0).find(note)
            return (begin, begin + length) if begin >= 0 else None
    return None


def rest(job, stream, paths, offset):
    """What was kept of a stream behind so many bytes that were seen while it ran."""
    data = kept(job, stream, paths)
    total = getattr(job, stream + "_size")
    gap = _LEFT_OUT.search(data) if total is not None and total != len(data) else None
    if gap is None or offset <= gap.start():
        return data[offset:]
    return data[max(gap.start(), len(data) - (total - offset)):]


def last_lines(data, count):
    """The last so many lines."""
    if count == 0:
        return b""
    place = len(data) - data.endswith(b"\n")
    for _ in range(count):
        place = data.rfind(b"\n", 0, place)
        if place < 0:
            return data
    return data[place + 1:]


class Spool:
    """A stream of a running job, read from the file that the job writes (see work/spool.py)."""

    def __init__(self, job, stream, paths):
        number, _ = slots.parts(job.worker)
        path = paths.slot_out(number) if stream == "stdout" else paths.slot_err(number)
        self.stream = stream
        self.offset = 0
        try:
            self._file = os.fdopen(disk.open_private(path, os.O_RDONLY), "rb", buffering=0)
        except FileNotFoundError:
            self._file = None

    def read(self):
        """(the next bytes, the offset behind them); nothing is taken until advance()."""
        if self._file is None:
            return b"", self.offset
        size = self.size()
        # Shorter than what was read: emptied after the job, or cut where there are no holes.
        offset = self.offset if size >= self.offset else 0
        offset = self._next_data(offset)
        if offset is None:
            return b"", self.offset
        length = min(_CHUNK, self._next_hole(offset) - offset)
        self._file.seek(offset)
        data = self._file.read(length)
        return data, offset + len(data)

    def size(self):
        """How much the job has written."""
        return os.fstat(self._file.fileno()).st_size if self._file is not None else 0

    def read_all(self):
        """Everything up to now, with a note in each place where something was left out."""
        found = []
        size = self.size()
        while self.offset < size:
            data, end = self.read()
            if not data:
                break
            left_out = end - len(data) - self.offset
            if left_out > 0:
                found.append(_NOTE % left_out)
            found.append(data)
            self.advance(end)
        return b"".join(found)

    def _next_data(self, offset):
        """Behind the hole that the cut-out middle of a long output left."""
        if _SEEK_DATA is None:
            return offset
        try:
            return os.lseek(self._file.fileno(), offset, _SEEK_DATA)
        except OSError as error:
            return None if error.errno == errno.ENXIO else offset

    def _next_hole(self, offset):
        """Where what stands there ends."""
        if _SEEK_DATA is None:
            return offset + _CHUNK
        try:
            return os.lseek(self._file.fileno(), offset, os.SEEK_HOLE)
        except OSError:
            # Cut in this moment.
            return offset + _CHUNK

    def advance(self, offset):
        self.offset = offset

    def close(self):
        if self._file is not None:
            self._file.close()
