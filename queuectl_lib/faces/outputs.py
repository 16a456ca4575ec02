"""A job's output as bytes: what was kept of an ended attempt, and what a running one writes meanwhile."""

import errno
import os
import re

from queuectl_lib.store import disk
from queuectl_lib.words.errors import StorePlanted
from queuectl_lib.work import slots

STREAMS = ("stdout", "stderr")

_CHUNK = 1 << 16
_CUT_OFF = b"\n[queuectl: something is missing here: the file was cut off, as by a power cut]\n"
# None: there are no holes.
_SEEK_DATA = getattr(os, "SEEK_DATA", None)
_LEFT_OUT = re.compile(rb"\n\[queuectl: \d+ bytes left out\]\n")


def kept(job, stream, paths):
    """What was kept of a stream of the last attempt that ended."""
    tail = (getattr(job, stream) or "").encode("utf-8", "surrogateescape")
    file = getattr(job, stream + "_file")
    if file is None:
        return tail
    if os.path.islink(paths.output):
        raise StorePlanted("%s is a link, and the store follows none: put a copy of the file in its place" % paths.output)
    try:
        data = disk.read_private(paths.inside(file))
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
        size = os.fstat(self._file.fileno()).st_size
        # Shorter than what was read: emptied after the job, or cut where there are no holes.
        offset = self.offset if size >= self.offset else 0
        offset = self._next_data(offset)
        if offset is None:
            return b"", self.offset
        self._file.seek(offset)
        data = self._file.read(_CHUNK)
        return data, offset + len(data)

    def _next_data(self, offset):
        """Behind the hole that the cut-out middle of a long output left."""
        if _SEEK_DATA is None:
            return offset
        try:
            return os.lseek(self._file.fileno(), offset, _SEEK_DATA)
        except OSError as error:
            return None if error.errno == errno.ENXIO else offset

    def advance(self, offset):
        self.offset = offset

    def close(self):
        if self._file is not None:
            self._file.close()
