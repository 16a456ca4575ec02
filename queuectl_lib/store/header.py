"""The first two lines of jobs.jsonl, alike: what the store was when its journal began.

    {"queuectl":1,"generation":7,"number":12,"origin":81920,"carried":512,"counts":{"default":{"pending":3}},
     "totals":{"default":{"completed":17}},"pauses":{},
     "segments":[{"name":"00000007","kind":"base","jobs":2,"size":800,
                  "sections":[["ready","default",0,800]]}],"crc":"…"}

padded with blanks to a multiple of 4 KB, so that it can be written last, in
front of a journal that is copied already. It stands there twice: without the
sections nobody would know which lines of a segment are over, so a damaged header
is set right from its copy (repair.py). Nobody else reads the second one.

    generation  grows by one with every roll
    number      the highest segment number given so far: none is given twice, since
                lines name segments that may be gone long ago
    origin      origin + offset of a new job's line decides its place of arrival (journal.py)
    carried     how many bytes of journal the roll itself wrote: not yet news
    counts      jobs by queue and state before the journal's first line
    totals      attempts by queue and how they ended, since the store was made
    pauses      queues that are paused (pauses.py)
    segments    oldest first. A section is a range of a segment's bytes that is
                still alive, of one kind and queue
"""

import zlib
from collections import namedtuple

from queuectl_lib.store import line
from queuectl_lib.words.errors import NewerFormat, StoreDamaged

FORMAT = 1
PAGE = 4096
BEGIN = b'{"queuectl":'

# base sections: what each is sorted by
READY = "ready"      # (priority, order)
DUE = "due"          # (due, order): jobs that wait for their moment
RETRY = "retry"      # (due, order): failed ones, so that few of them are found among many that wait
BLOCKED = "blocked"  # order
DEAD = "dead"        # (updated_at, order), that is in order of dying
TIMED = (DUE, RETRY)
# Where jobs are that wait for others, or died because of them; in a section without a kind anything may be.
WAITING = (BLOCKED, DEAD)
# How an attempt ends that is counted in the totals.
OUTCOMES = (b"completed", b"failed", b"dead")
# Archives have a section for each state of finished jobs, sorted as the dead ones, queues mixed.

Header = namedtuple("Header", ("generation", "number", "origin", "carried", "counts", "totals", "pauses", "segments"))
# awaited: how many times a job of it waits for another one.
Segment = namedtuple("Segment", ("name", "kind", "jobs", "size", "sections", "counts", "awaited"))
Segment.__new__.__defaults__ = (None, 0)
Section = namedtuple("Section", ("kind", "queue", "start", "end"))

EMPTY = Header(1, 0, 0, 0, {}, {}, {}, ())


def as_dict(segment):
    """A segment as it stands in a header or in a journal line."""
    fields = {"name": segment.name, "kind": segment.kind, "jobs": segment.jobs, "size": segment.size,
              "sections": [list(section) for section in segment.sections]}
    if segment.awaited:
        fields["awaited"] = segment.awaited
    if segment.counts:
        fields["counts"] = segment.counts
    return fields


def segment_of(fields):
    """The Segment of such a dict."""
    return Segment(fields["name"], fields["kind"], fields["jobs"], fields["size"],
                   tuple(Section(*section) for section in fields["sections"]), fields.get("counts"), fields.get("awaited", 0))


def encode(header, room=2 * PAGE):
    """The header's bytes: a line of whole pages, newline last, two times; together at least `room` long."""
    fields = {"queuectl": FORMAT, "generation": header.generation,
              "number": header.number, "origin": header.origin,
              "carried": header.carried, "counts": header.counts, "totals": header.totals, "pauses": header.pauses,
              "segments": [as_dict(segment._replace(counts=None)) for segment in header.segments]}
    import json
    text = json.dumps(fields, separators=(",", ":"))
    data = text[:-1].encode("ascii")
    data += b',"crc":"%08x"}' % zlib.crc32(data)
    size = max(room // 2, -(-(len(data) + 1) // PAGE) * PAGE)
    return 2 * (data + b" " * (size - len(data) - 1) + b"\n")


def glance(data, path):
    """[generation, number, origin, carried] of a first line; StoreDamaged, or NewerFormat.

    More is not needed to append, and so need not be parsed.
    """
    if not is_whole(data):
        raise damaged(path, 0)
    version, *others = data.split(b",", 5)[:5]
    if _number(version) > FORMAT:
        raise NewerFormat("%s is of format %d, this queuectl knows %d: use the newer queuectl"
                          % (path, _number(version), FORMAT))
    return [_number(field) for field in others]


def is_whole(data):
    """Are these bytes a header's line with its newline, as it was written?"""
    # A job's line is whole as well.
    return (data.startswith(BEGIN) and len(data) % PAGE == 0 and data.endswith(b"\n")
            and line.is_whole(data.rstrip(b" \n")))


def damaged(path, offset):
    """The StoreDamaged for a header, or its copy, that begins there."""
    return StoreDamaged("%s: the header at byte %d is damaged: keep a copy of the file and run "
                        "'queuectl doctor --repair'" % (path, offset))


def is_newer(start):
    """Whether a file that begins with these bytes says that it is of a format that is not known here."""
    version = start.partition(b",")[0]
    return version.startswith(BEGIN) and version[len(BEGIN):].isdigit() and _number(version) > FORMAT


def _number(field):
    return int(field.partition(b":")[2])


def decode(data, path):
    """The Header in a first line; fails as glance() does."""
    numbers = glance(data, path)
    import json
    fields = json.loads(data.decode("ascii"))
    return Header(*numbers, fields["counts"], fields["totals"], fields["pauses"],
                  tuple(segment_of(each) for each in fields["segments"]))


def count(counts, head, sign=1):
    """Add what one journal entry (pieces.scan) does to counts {queue: {state: n}}."""
    if type(head) is dict:
        for queue, states in head.get("segment", {}).get("counts", {}).items():
            for state, number in states.items():
                add(counts, queue, state, sign * number)
        return
    if head[2] is not None:
        add(counts, head[3].decode(), head[2].decode(), -sign)
    if head[1] != line.REMOVED:
        add(counts, head[4].decode(), head[1].decode(), sign)


def tally(totals, head, sign=1):
    """Add the end of an attempt, if a job's line (line.HEAD's groups) is that, to totals {queue: {state: n}}."""
    if head[line.WAS] == b"processing" and head[line.STATE] in OUTCOMES:
        add(totals, head[line.QUEUE].decode(), head[line.STATE].decode(), sign)


def add(counts, queue, state, number):
    """Add a number of jobs to counts {queue: {state: n}}."""
    states = counts.setdefault(queue, {})
    states[state] = states.get(state, 0) + number


def tidied(counts):
    """The same counts without zeros and empty queues."""
    kept = {queue: {state: number for state, number in states.items() if number} for queue, states in counts.items()}
    return {queue: states for queue, states in kept.items() if states}
