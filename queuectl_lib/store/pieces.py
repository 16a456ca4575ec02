"""Reading many lines at once: what a piece of journal holds, as cheaply as the question allows."""

import re
import zlib

from queuectl_lib.store.line import (
    HEAD, MORE, NAME, TAIL, damaged, decode_other, id_of, is_other, may_be_torn, starts_of)

_RUNNING = b'","state":"processing","was":'

# The head of a job that waits for no moment and for no other job, of which no others have to
# learn, and whose batch does not go on behind it.
_SETTLED = re.compile(
    rb'\{"id":"(' + NAME + rb')","state":"[a-z]+","was":(?:\["[a-z]+","[^"]+"\]|null),"queue":"' + NAME + rb'",'
    rb'"priority":-?\d+,"order":\d+,"due":null(?:,"over":\["[^"]+",\d+,\d+\])?(?:,"slots":\d+)?,'
    rb'"(?!over"|waits_for"|slots"|telling"|more")')


def running(data, start):
    """Yields (id, offset) of the lines in a piece of journal that say a job is running.

    start: the piece's offset in the file.
    """
    at = data.find(_RUNNING)
    while at >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        yield id_of(data[begin:at + 1]), start + begin
        at = data.find(_RUNNING, at + 1)


def settled(data, start):
    """(ids, offsets) of lines of jobs that wait for nothing: running, ended, held or removed.

    data: whole lines that others have just appended at offset `start`. Of many workers
    each sees all lines of all others, so this has to cost next to nothing: nothing is
    parsed, and a line's crc is left to whoever takes the job out of it, and to the
    next roll. None when there are lines of other kinds, or of a batch, among them.
    """
    lines = data.split(b"\n")
    if lines.pop():
        return None
    try:
        ids = [match.group(1) for match in map(_SETTLED.match, lines)]
    except AttributeError:
        return None
    return ids, starts_of(lines, start)


def split(data, start, path):
    """The lines, without newlines, of a piece of journal that ends with a whole batch.

    For who needs few of the heads: a third of what scan() costs. Raises StoreDamaged.
    """
    lines = data.split(b"\n")
    lines.pop()
    crc32 = zlib.crc32
    for number in [number for number, each in enumerate(lines)
                   if each[-TAIL:] != b',"crc":"%08x"}' % crc32(each[:-TAIL])]:
        raise damaged(path, start + sum(len(each) + 1 for each in lines[:number]))
    return lines


def scan(data, start, path):
    """What whole batches a piece of journal holds.

    data: bytes beginning at offset `start` of the file, at a line's begin.
    Returns ([(head, offset, length)…], end): head is HEAD's groups for a job
    and a dict for the other kinds, length leaves the newline out, end is
    the offset behind the last whole batch. What follows is not there yet, or
    never will be (journal.py). Raises StoreDamaged.
    """
    found = []
    batch = []
    offset = end = start
    match = HEAD.match
    crc32 = zlib.crc32
    lines = data.split(b"\n")
    torn = lines.pop()
    for each in lines:
        length = len(each)
        if each[-TAIL:] != b',"crc":"%08x"}' % crc32(each[:-TAIL]):
            raise damaged(path, offset)
        head = match(each)
        if head is None and not is_other(each):
            raise damaged(path, offset)
        head = head.groups() if head else decode_other(each)
        batch.append((head, offset, length))
        offset += length + 1
        if type(head) is dict or head[MORE] is None:
            found += batch
            batch = []
            end = offset
    if torn and not may_be_torn(torn):
        raise damaged(path, offset)
    return found, end


# What follows slices many lines at once: a newline stands before each of them.

_CHANGES = re.compile(rb'\n\{"id":"[^"]+","state":"([a-z]+)","was":(?:\["([a-z]+)","([^"]+)"\]|null),"queue":"([^"]+)"')
_IDS = re.compile(rb'\n\{"id":"([^"]+)"')
_GONE = re.compile(rb'\n\{"gone":\["([^"]+)",(\d+),(\d+)\]')


def changes(data):
    """[(state, state before, queue before, queue)] of every job's line, b"" where it is a new job's."""
    return _CHANGES.findall(data)


def ids(data):
    """The id of every job's line."""
    return _IDS.findall(data)


def gone(data):
    """{(segment, start): end} of every segment line that is said to be overridden."""
    return {(name.decode(), int(start)): int(end) for name, start, end in _GONE.findall(data)}


def other_lines(data, kind):
    """[(offset in data, line)] of the lines of another kind than a job's ('segment', 'pauses'), the last one first."""
    begin = b'\n{"%s":' % kind.encode("ascii")
    found = []
    # From behind: bytes.find takes four times as long to see that there is none.
    at = data.rfind(begin)
    while at >= 0:
        found.append((at + 1, data[at + 1:data.index(b"\n", at + 1)]))
        at = data.rfind(begin, 0, at + 1)
    return found
