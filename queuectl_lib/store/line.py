"""The line format: one whole job as one line of JSON.

    {"id":"…","state":"…","was":["pending","default"],"queue":"…","priority":0,
     "order":8589934592,"due":0,"over":["00000007",120,560],"more":1, …,"crc":"89abcdef"}

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
    {"segment":{…},"crc":…}                   a batch written as a segment joins the store
"""

import re
import zlib
from itertools import accumulate

from queuectl_lib.job import record
from queuectl_lib.job.history import History
from queuectl_lib.job.record import Job
from queuectl_lib.words.errors import BadInput, StoreDamaged
from queuectl_lib.words.text import JSON_OF

LONGEST = 1024 * 1024
REMOVED = b"removed"

_HEAD = (
    rb'\{"id":"([^"]+)","state":"([a-z]+)","was":(?:\["([a-z]+)","([^"]+)"\]|null),"queue":"([^"]+)",'
    rb'"priority":(-?\d+),"order":(\d+),"due":(\d+|null)'
    rb'(?:,"over":\["([^"]+)",(\d+),(\d+)\])?(,"more":1)?')

# The head of a job that waits for no moment, and whose batch does not go on behind it.
_SETTLED = (
    rb'\{"id":"([^"]+)","state":"[a-z]+","was":(?:\["[a-z]+","[^"]+"\]|null),"queue":"[^"]+",'
    rb'"priority":-?\d+,"order":\d+,"due":null(?:,"over":\["[^"]+",\d+,\d+\])?,"(?!over"|more")')

_BEGIN = b'{"id":"'
_ID_AT = len(_BEGIN)
_RUNNING = b'","state":"processing","was":'
_TAIL = len(',"crc":"01234567"}')
# A line is made of these parts, in the order of the fields of a Job: its head; what a
# run changes; the history; what stays as it was given, which begins with max_retries.
# Inside a JSON string the quotes would be escaped, and the only objects are the history's
# entries and, behind all of these, env: so the first occurrence of a mark is the field.
_HISTORY = b',"history":['
_FIXED = b',"max_retries":'
_RUN_AT = Job._fields.index("attempts")
_HISTORY_AT = Job._fields.index("history")
_RUN_NAMES = tuple(',"%s":' % name for name in Job._fields[_RUN_AT:_HISTORY_AT])
_FIXED_NAMES = tuple(',"%s":' % name for name in Job._fields[_HISTORY_AT + 1:])


def _encode(value):
    # Imported here, as in all that an enqueue loads: json is a fourteenth of what it costs.
    import json
    return json.dumps(value, separators=(",", ":"))


def _decode(text):
    global _decode
    import json
    # Whoever decodes one line decodes many. json.loads would look for blanks before and behind.
    scan_once = json.JSONDecoder().scan_once
    _decode = lambda text: scan_once(text, 0)[0]
    return _decode(text)


def _match(line):
    global _match
    _match = re.compile(_HEAD).match
    return _match(line)


def __getattr__(name):
    """HEAD, the pattern of a head: compiled when first asked for, since an enqueue reads none."""
    global HEAD
    if name != "HEAD":
        raise AttributeError(name)
    HEAD = re.compile(_HEAD)
    return HEAD


def get_ready():
    """Do now what is else done at the first line that is read: whoever forks readers does it once for all."""
    re.compile(_SETTLED)
    _match(b"")
    _decode("{}")


def encode(job, was, over=None, more=False, fixed=None):
    """The job's line with its newline.

    was: (state, queue) before, or None; over: (segment, start, end) or None;
    fixed: the fixed_part of an earlier line, when only running changed the job.
    Raises BadInput when the line would be longer than LONGEST.
    """
    pieces = [_head(job, was, over, more)]
    for name, value in zip(_RUN_NAMES, job[_RUN_AT:]):
        if value is not None:
            pieces.append(name + JSON_OF[type(value)](value))
    pieces.append(',"history":[%s]' % job.history.text)
    if fixed is None:
        fixed = fixed_of(job)
    return closed("".join(pieces).encode("ascii") + fixed, job.id)


def fixed_of(job):
    """What no run changes of a job's line, as bytes."""
    pieces = []
    for name, value in zip(_FIXED_NAMES, job[_HISTORY_AT + 1:]):
        if value is not None:
            pieces.append(name + (_encode(value) if type(value) is dict else JSON_OF[type(value)](value)))
    return "".join(pieces).encode("ascii")


def fixed_part(line):
    """The same, sliced out of a line (without newline)."""
    return line[line.index(_FIXED):-_TAIL]


def encode_removed(job, over):
    """The line that takes a job out of the store."""
    return closed(_head(job._replace(state="removed"), (job.state, job.queue), over, False).encode("ascii"))


def encode_gone(over):
    """The line that says a segment's line is overridden, and by now nowhere else."""
    return closed(b'{"gone":' + _encode(over).encode("ascii"))


def encode_segment(entry):
    """The line by which a segment joins the store; entry: a dict of header.py."""
    return closed(('{"segment":%s' % _encode(entry)).encode("ascii"))


def _head(job, was, over, more):
    due = record.due(job)
    return '{"id":"%s","state":"%s","was":%s,"queue":"%s","priority":%d,"order":%d,"due":%s%s%s' % (
        job.id, job.state, '["%s","%s"]' % was if was else "null", job.queue, job.priority, job.order,
        "null" if due is None else due,
        ',"over":["%s",%d,%d]' % over if over else "", ',"more":1' if more else "")


def closed(data, job_id=None):
    """A line's bytes with their crc and newline; BadInput when that of a job is too long."""
    line = data + b',"crc":"%08x"}\n' % zlib.crc32(data)
    if len(line) > LONGEST and job_id is not None:
        raise BadInput("job %s is too big: %d bytes, at most %d fit a line; put what it carries into a file"
                       % (job_id, len(line), LONGEST))
    return line


def is_whole(line):
    """Does the crc of a line (without newline) fit its bytes?"""
    return line[-_TAIL:] == b',"crc":"%08x"}' % zlib.crc32(line[:-_TAIL])


def goes_on(line):
    """Does the batch of a whole line go on with the next one?

    Inside a JSON string the quotes would be escaped, and no other field is a number of this name.
    """
    return b',"more":1' in line


def check(line, path, offset):
    """Raise StoreDamaged, naming file and offset, unless the line is whole."""
    if not is_whole(line):
        raise damaged(path, offset)


def damaged(path, offset):
    """The StoreDamaged for a line that is not what was written there."""
    return StoreDamaged("%s: the line at byte %d is damaged: keep a copy of the file and run "
                        "'queuectl doctor --repair'" % (path, offset))


def decode(line, path, offset):
    """(Job, over) of a job's line without newline; StoreDamaged when it is not one."""
    check(line, path, offset)
    head = _match(line)
    history = line.index(_HISTORY, head.end())
    fixed = line.index(_FIXED, history)
    # The history stays text: who runs a job need not read it.
    fields = _decode((b"{" + line[head.end() + 1:history] + line[fixed:-_TAIL] + b"}").decode())
    job_id, state, _, _, queue, priority, order, _, name, start, end, _ = head.groups()
    job = Job(job_id.decode(), state.decode(), queue.decode(), int(priority), int(order),
              history=History(line[history + len(_HISTORY):fixed - 1].decode()), **fields)
    return job, name and (name.decode(), int(start), int(end))


def id_of(line):
    """The id (bytes) of a job's line; of no job's, no id."""
    return line[_ID_AT:line.find(b'"', _ID_AT)]


def ids_of(lines):
    """The same of many lines."""
    return [line[_ID_AT:line.find(b'"', _ID_AT)] for line in lines]


def starts_of(lines, start):
    """Where each of these lines begins, newlines counted, if the first one begins there."""
    # Every line but the last moves the next one on.
    return accumulate([start] + [len(line) + 1 for line in lines[:-1]])


def is_removal(line):
    """Does a job's line say that the job was removed?"""
    return _match(line).group(2) == REMOVED


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
    """(ids, offsets) of lines of jobs that wait for no moment: running, ended, held or removed.

    data: whole lines that others have just appended at offset `start`. Of many workers
    each sees all lines of all others, so this has to cost next to nothing: nothing is
    parsed, and a line's crc is left to whoever takes the job out of it, and to the
    next roll. None when there are lines of other kinds, or of a batch, among them.
    """
    lines = data.split(b"\n")
    if lines.pop():
        return None
    try:
        ids = [match.group(1) for match in map(re.compile(_SETTLED).match, lines)]
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
    for number in [number for number, line in enumerate(lines)
                   if line[-_TAIL:] != b',"crc":"%08x"}' % crc32(line[:-_TAIL])]:
        raise damaged(path, start + sum(len(line) + 1 for line in lines[:number]))
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
    match = re.compile(_HEAD).match
    crc32 = zlib.crc32
    lines = data.split(b"\n")
    lines.pop()
    for line in lines:
        length = len(line)
        if line[-_TAIL:] != b',"crc":"%08x"}' % crc32(line[:-_TAIL]):
            raise damaged(path, offset)
        head = match(line)
        head = head.groups() if head else _decode(line.decode("ascii"))
        batch.append((head, offset, length))
        offset += length + 1
        if type(head) is dict or head[11] is None:
            found += batch
            batch = []
            end = offset
    return found, end
