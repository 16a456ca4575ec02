"""The line format: one whole job as one line of JSON.

    {"id":"…","state":"…","was":["pending","default"],"queue":"…","priority":0,
     "order":8192,"due":0,"over":["00000007",120,560],"more":1, …,"crc":"89abcdef"}

What decides order and counts comes first, so that a scan slices it out of the
bytes and parses only the jobs it wants. Fields that are null are left out.

    was     state and queue of the line this one replaces, null for a new job:
            counts are kept by adding lines up, without knowing the jobs
    due     0: ready; ms since 1970: waits for that moment; null: not waiting for time
    over    the segment line (name, start, end) that this one overrides, if any
    more    1: the batch goes on with the next line; it counts only as a whole
    crc     crc32 of every byte before `,"crc"`. JSON alone took every second
            flipped bit for a valid object

Two more kinds of line stand in a journal only:

    {"gone":["00000007",120,560],"crc":…}     that segment line is overridden
    {"segment":{…},"origin":n,"crc":…}        a batch written as a segment joins the store
"""

import json
import re
import zlib

from queuectl_lib.job import lifecycle
from queuectl_lib.job.record import Job
from queuectl_lib.words.errors import BadInput, StoreDamaged

LONGEST = 1024 * 1024
REMOVED = b"removed"

HEAD = re.compile(
    rb'\{"id":"([^"]+)","state":"([a-z]+)","was":(?:\["([a-z]+)","([^"]+)"\]|null),"queue":"([^"]+)",'
    rb'"priority":(-?\d+),"order":(\d+),"due":(\d+|null)'
    rb'(?:,"over":\["([^"]+)",(\d+),(\d+)\])?(,"more":1)?')

_TAIL = len(',"crc":"01234567"}')
# What running a job changes, and what stays as it was given (max_retries is always there).
_FIXED_FROM = Job._fields.index("max_retries")
_FIXED_BEGIN = b',"max_retries":'
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().decode


def encode(job, was, over=None, more=False, fixed=None):
    """The job's line with its newline.

    was: (state, queue) before, or None; over: (segment, start, end) or None;
    fixed: the fixed_part of an earlier line, when only running changed the job.
    Raises BadInput when the line would be longer than LONGEST.
    """
    end = len(job) if fixed is None else _FIXED_FROM
    fields = {name: value for name, value in zip(Job._fields[5:end], job[5:end]) if value is not None}
    text = _head(job, was, over, more) + "," + _encode(fields)[1:-1]
    line = _closed(text.encode("ascii") + (fixed or b""))
    if len(line) > LONGEST:
        raise BadInput("job %s is too big: %d bytes, at most %d fit a line; put what it carries into a file"
                       % (job.id, len(line), LONGEST))
    return line


def fixed_part(line):
    """What no run changes of a line (without newline), as bytes for encode.

    Inside a JSON string the quote would be escaped, and history, the only
    object before it, has no such field: the first occurrence is the field.
    """
    return line[line.index(_FIXED_BEGIN):-_TAIL]


def encode_removed(job, over):
    """The line that takes a job out of the store."""
    return _closed(_head(job._replace(state="removed"), (job.state, job.queue), over, False).encode("ascii"))


def encode_gone(over):
    """The line that says a segment's line is overridden, and by now nowhere else."""
    return _closed(b'{"gone":' + _encode(over).encode("ascii"))


def encode_segment(entry, origin):
    """The line by which a segment joins the store; entry: a dict of header.py."""
    return _closed(('{"segment":%s,"origin":%d' % (_encode(entry), origin)).encode("ascii"))


def _head(job, was, over, more):
    due = lifecycle.due(job)
    return '{"id":"%s","state":"%s","was":%s,"queue":"%s","priority":%d,"order":%d,"due":%s%s%s' % (
        job.id, job.state, '["%s","%s"]' % was if was else "null", job.queue, job.priority, job.order,
        "null" if due is None else due,
        ',"over":["%s",%d,%d]' % over if over else "", ',"more":1' if more else "")


def _closed(data):
    return data + b',"crc":"%08x"}\n' % zlib.crc32(data)


def is_whole(line):
    """Does the crc of a line (without newline) fit its bytes?"""
    return line[-_TAIL:] == b',"crc":"%08x"}' % zlib.crc32(line[:-_TAIL])


def check(line, path, offset):
    """Raise StoreDamaged, naming file and offset, unless the line is whole."""
    if not is_whole(line):
        raise StoreDamaged("%s: the line at byte %d is damaged: keep a copy of the file and run "
                           "'queuectl doctor --repair'" % (path, offset))


def decode(line, path, offset):
    """(Job, over) of a job's line without newline; StoreDamaged when it is not one."""
    check(line, path, offset)
    fields = _decode(line.decode("ascii"))
    history = fields.get("history")
    if history is not None:
        fields["history"] = tuple(history)
    over = fields.get("over")
    return Job._make(map(fields.get, Job._fields)), tuple(over) if over else None


def split(data, start, path):
    """The lines, without newlines, of a piece of journal that ends with a whole batch.

    For who needs few of the heads: a third of what scan() costs. Raises StoreDamaged.
    """
    lines = data.split(b"\n")
    lines.pop()
    crc32 = zlib.crc32
    damaged = [line for line in lines if line[-_TAIL:] != b',"crc":"%08x"}' % crc32(line[:-_TAIL])]
    for line in damaged[:1]:
        check(line, path, start + sum(len(each) + 1 for each in lines[:lines.index(line)]))
    return lines


def scan(data, start, path):
    """What whole batches a piece of journal holds.

    data: bytes beginning at offset `start` of the file, at a line's begin.
    Returns ([(head, offset, length)…], end): head is HEAD's groups for a job
    and a dict for the other kinds, length leaves the newline out, end is
    the offset behind the last whole batch. What follows is not there yet, or
    never will be (journal.repair). Raises StoreDamaged.
    """
    found = []
    batch = []
    offset = end = start
    match = HEAD.match
    crc32 = zlib.crc32
    lines = data.split(b"\n")
    lines.pop()
    for line in lines:
        length = len(line)
        if line[-_TAIL:] != b',"crc":"%08x"}' % crc32(line[:-_TAIL]):
            check(b"", path, offset)
        head = match(line)
        head = head.groups() if head else _decode(line.decode("ascii"))
        batch.append((head, offset, length))
        offset += length + 1
        if type(head) is dict or head[11] is None:
            found += batch
            batch = []
            end = offset
    return found, end
