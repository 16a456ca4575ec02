"""The line format: one whole job as one line of JSON.

    {"id":"…","state":"…","was":["pending","default"],"queue":"…","priority":0,
     "order":8589934592,"due":0,"over":["00000007",120,560],"more":1, …,"crc":"89abcdef"}

What decides order and counts comes first, so that a scan slices it out of the
bytes and parses only the jobs it wants. Fields that are null are left out.

    was     state and queue of the line this one replaces, null for a new job:
            counts are kept by adding lines up, without knowing the jobs
    due     0: ready; ms since 1970: waits for that moment; null: not waiting for time
    over    the segment line (name, start, end) that this one overrides, if any
    waits_for, slots    of the job (job/record.py); before each id of another job, here and in `after`,
            stands a blank: `grep '"ID"'` is to find a job's own lines
    telling 1: not all jobs that come after this one have learned of its state (spread.py)
    more    1: the batch goes on with the next line; it counts only as a whole
    crc     crc32 of every byte before `,"crc"`. JSON alone took every second
            flipped bit for a valid object

Three more kinds of line stand in a journal only:

    {"gone":["00000007",120,560],"crc":…}     that segment line is overridden
    {"segment":{…},"crc":…}                   a batch written as a segment joins the store
    {"pauses":{…},"crc":…}                    from here on these queues are paused (pauses.py)
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

# Ids and queues become names of files: a line that somebody wrote with others is no job's.
NAME = rb"[A-Za-z0-9][A-Za-z0-9._-]*"
_HEAD = (
    rb'\{"id":"(' + NAME + rb')","state":"([a-z]+)","was":(?:\["([a-z]+)","([^"]+)"\]|null),"queue":"(' + NAME + rb')",'
    rb'"priority":(-?\d+),"order":(\d+),"due":(\d+|null)'
    rb'(?:,"over":\["([^"]+)",(\d+),(\d+)\])?(?:,"waits_for":\[" ([^\]]+)"\])?(?:,"slots":(\d+))?'
    rb'(,"telling":1)?(,"more":1)?')
# Where in HEAD's groups what stands.
ID, STATE, WAS, WAS_QUEUE, QUEUE, PRIORITY, ORDER, DUE, OVER, OVER_START, OVER_END, WAITS_FOR, SLOTS, TELLING, MORE = range(15)

BEGIN = b'{"id":"'
_BEGINNINGS = (BEGIN, b'{"gone":["', b'{"segment":{', b'{"pauses":{')
_CRC = b',"crc":"'
_ID_AT = len(BEGIN)
# So many bytes the crc takes at the end.
TAIL = len(',"crc":"01234567"}')
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


def _encode_other(value):
    """JSON of what is no plain value: a list is one of ids."""
    return _encode([" " + each for each in value] if type(value) is list else value)


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
    _match(b"")
    _decode("{}")


def encode(job, was, over=None, more=False, fixed=None, telling=False):
    """The job's line with its newline.

    was: (state, queue) before, or None; over: (segment, start, end) or None;
    fixed: the fixed_part of an earlier line, when only running changed the job;
    telling: others have still to learn of its state.
    Raises BadInput when the line of a new job would be longer than LONGEST; what happens to
    a job that was taken has to find room, or no worker could get past it.
    """
    pieces = [_head(job, was, over, more, telling)]
    for name, value in zip(_RUN_NAMES, job[_RUN_AT:]):
        if value is not None:
            pieces.append(name + JSON_OF[type(value)](value))
    pieces.append(',"history":[%s]' % job.history.text)
    if fixed is None:
        fixed = fixed_of(job)
    return closed("".join(pieces).encode("ascii") + fixed, None if was else job.id)


def fixed_of(job):
    """What no run changes of a job's line, as bytes."""
    pieces = []
    for name, value in zip(_FIXED_NAMES, job[_HISTORY_AT + 1:]):
        if value is not None:
            pieces.append(name + (JSON_OF.get(type(value)) or _encode_other)(value))
    return "".join(pieces).encode("ascii")


def fixed_part(line):
    """The same, sliced out of a line (without newline)."""
    return line[line.index(_FIXED):-TAIL]


def encode_removed(job, over, more=False):
    """The line that takes a job out of the store."""
    removed = job._replace(state="removed", waits_for=None, slots=None)
    return closed(_head(removed, (job.state, job.queue), over, more, False).encode("ascii"))


def encode_gone(over):
    """The line that says a segment's line is overridden, and by now nowhere else."""
    return closed(b'{"gone":' + _encode(over).encode("ascii"))


def encode_segment(entry):
    """The line by which a segment joins the store; entry: a dict of header.py."""
    return closed(('{"segment":%s' % _encode(entry)).encode("ascii"))


def encode_pauses(pauses):
    """The line from which on these pauses (pauses.py) are in force, and no others."""
    return closed(('{"pauses":%s' % _encode(pauses)).encode("ascii"))


def _head(job, was, over, more, telling):
    due = record.due(job)
    head = '{"id":"%s","state":"%s","was":%s,"queue":"%s","priority":%d,"order":%d,"due":%s%s' % (
        job.id, job.state, '["%s","%s"]' % was if was else "null", job.queue, job.priority, job.order,
        "null" if due is None else due, ',"over":["%s",%d,%d]' % over if over else "")
    if job.waits_for:
        head += ',"waits_for":[" %s"]' % '"," '.join(job.waits_for)
    if job.slots:
        head += ',"slots":%d' % job.slots
    return head + (',"telling":1' if telling else "") + (',"more":1' if more else "")


def closed(data, job_id=None):
    """A line's bytes with their crc and newline; BadInput when that of a new job, which is named, is too long."""
    line = data + b',"crc":"%08x"}\n' % zlib.crc32(data)
    if len(line) > LONGEST and job_id is not None:
        raise BadInput("job %s is too big: %d bytes, at most %d fit a line; put what it carries into a file"
                       % (job_id, len(line), LONGEST))
    return line


def is_whole(line):
    """Does the crc of a line (without newline) fit its bytes?"""
    return line[-TAIL:] == b',"crc":"%08x"}' % zlib.crc32(line[:-TAIL])


def may_be_torn(end):
    """Can these bytes, without a newline at a journal's end, be what a kill or a power cut left of a write?

    That is the beginning of a line, then perhaps zeros. Never a whole line with another
    byte behind it: that one had been stored.
    """
    text = end.rstrip(b"\0")
    if not any(text.startswith(each) or each.startswith(text) for each in _BEGINNINGS):
        return False
    at = text.find(_CRC)
    while at >= 0 and at + TAIL < len(text):
        if is_whole(text[:at + TAIL]):
            return False
        at = text.find(_CRC, at + 1)
    return True


def goes_on(line):
    """Does the batch of a whole line go on with the next one?

    Inside a JSON string the quotes would be escaped, and no other field is a number of this name.
    """
    return b',"more":1' in line


def alone(line):
    """A checked line of a batch (without newline) as one that stands for itself, with its newline."""
    return closed(line[:-TAIL].replace(b',"more":1', b"", 1))


def without_place(line):
    """A whole line (without newline) that names no line of a segment any more; None of one that does nothing else."""
    if not line.startswith(BEGIN):
        return None
    if _match(line).group(OVER + 1) is None:
        return line
    over = line.index(b',"over":[')
    return closed(line[:over] + line[line.index(b"]", over) + 1:-TAIL])[:-1]


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
    if head is None:
        raise damaged(path, offset)
    history = line.index(_HISTORY, head.end())
    fixed = line.index(_FIXED, history)
    # The history stays text: who runs a job need not read it.
    fields = _decode((b"{" + line[head.end() + 1:history] + line[fixed:-TAIL] + b"}").decode())
    if "after" in fields:
        fields["after"] = [each[1:] for each in fields["after"]]
    job_id, state, _, _, queue, priority, order, _, name, start, end, waits_for, slots, _, _ = head.groups()
    job = Job(job_id.decode(), state.decode(), queue.decode(), int(priority), int(order),
              waits_for and ids_in(waits_for), slots and int(slots),
              history=History(line[history + len(_HISTORY):fixed - 1].decode()), **fields)
    return job, name and (name.decode(), int(start), int(end))


def decode_other(line):
    """The dict of a line that is no job's and whose crc was looked at."""
    return _decode(line.decode("ascii"))


def is_other(line):
    """Is a line, of which nothing but the crc is known, of one of the kinds that are no job's?"""
    return line.startswith((b'{"gone":', b'{"segment":', b'{"pauses":'))


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


def ids_in(waits_for):
    """The ids of HEAD's group of that name."""
    return waits_for.decode().split('"," ')


def waiting_parts(line):
    """The ids (bytes) that a job's line waits for; of most lines none."""
    if b',"waits_for":[' not in line:
        return ()
    return _match(line).group(WAITS_FOR + 1).split(b'"," ')


def is_removal(line):
    """Does a job's line say that the job was removed?"""
    return _match(line).group(2) == REMOVED
