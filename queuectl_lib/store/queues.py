"""What waits in each queue, told at a cost that does not grow with how much waits.

How many jobs a queue has in which state is counted already. What those counts
leave open is read off the sections, which are sorted, for a bounded number of
lines: how many of the pending ones are ready, and who is first in line.
"""

from collections import namedtuple
from itertools import islice

from queuectl_lib.store import disk, header, line

# ready, delayed, blocked (held, or after others): pending jobs; (number, exactly?), where it is
# no less than the number when it is not exact. first: the Jobs that are first in line, one of each
# priority and kind: who waits longest is one of them, unless jobs were given back their old place.
Depth = namedtuple("Depth", ("ready", "delayed", "blocked", "first"))

# So many lines are counted of a section's kind, and so many priorities are told apart.
COUNTED = 500
_PRIORITIES = 20
_NEAR = 8192
_BEGINNING = 1024
_KINDS = {header.READY: "ready", header.DUE: "delayed", header.BLOCKED: "blocked"}


def depths(look, now):
    """{queue: Depth} of a snapshot, of every queue with a job that waits."""
    pending = {queue: states.get("pending", 0) for queue, states in look.counts().items()
               if states.get("pending") or states.get("failed")}
    found = {queue: _Waiting(number) for queue, number in pending.items()}
    for head, data in look.heads():
        if head[line.STATE] in (b"pending", b"failed") and head[line.QUEUE].decode() in found:
            found[head[line.QUEUE].decode()].take(head, data, now)
    for entry in look.segments():
        for section in entry.sections:
            if section.start < section.end and section.queue in found:
                found[section.queue].sections.append((look.reader(entry), section))
    return {queue: waiting.depth(look, now) for queue, waiting in sorted(found.items())}


class _Waiting:
    """What waits in one queue."""

    def __init__(self, pending):
        self._pending = pending
        self._counted = dict.fromkeys(_KINDS.values(), 0)
        self._first = None
        self.sections = []

    def take(self, head, data, now):
        """A line of the journal."""
        due = head[line.DUE]
        kind = "blocked" if due == b"null" else "delayed" if int(due) > now else "ready"
        if head[line.STATE] == b"pending":
            self._counted[kind] += 1
        place = int(head[line.ORDER])
        if kind == "ready" and (self._first is None or place < self._first[0]):
            self._first = place, data

    def depth(self, look, now):
        exact = {"ready": True}
        for kind in ("delayed", "blocked"):
            exact[kind] = self._count(kind, look, now)
        if not all(exact.values()):
            exact["ready"] = self._count("ready", look, now)
        else:
            self._counted["ready"] = self._pending - self._counted["delayed"] - self._counted["blocked"]
        unknown = [kind for kind in exact if not exact[kind]]
        if len(unknown) == 1:
            # It is what the others leave.
            self._counted[unknown[0]] += self._pending - sum(self._counted.values())
            exact[unknown[0]] = True
        first = [] if self._first is None else [line.decode(self._first[1], "", 0)[0]]
        first += [line.decode(data, reader.path, start)[0] for reader, start, data in self._heads(look, now)]
        return Depth(first=first, **{kind: (self._counted[kind], exact[kind]) for kind in exact})

    def _count(self, wanted, look, now):
        """Add the jobs of this kind that stand in segments; False when there were too many."""
        left = COUNTED
        for reader, section in self.sections:
            kind = _KINDS.get(section.kind)
            # A delayed job is ready once its moment has come.
            if kind != wanted and (kind, wanted) != ("delayed", "ready"):
                continue
            for head, start, data in reader.forward(section.start, section.end):
                late = section.kind == header.DUE and reader.key(section, head, start, data)[0] > now
                if late and wanted == "ready":
                    break
                if left == 0:
                    return False
                left -= 1
                counts = head[line.STATE] == b"pending" and (late or wanted != "delayed")
                self._counted[wanted] += counts and _alive(look, reader, head, start)
        return True

    def _heads(self, look, now):
        """Yields (reader, start, line) of those first in line in each section."""
        for reader, section in self.sections:
            if section.kind in header.TIMED:
                head, start, data = _first_alive(look, reader, section.start, section.end)
                if head is not None and reader.key(section, head, start, data)[0] <= now:
                    yield reader, start, data
            elif section.kind == header.READY:
                for start, data in islice(_first_of_priorities(look, reader, section), _PRIORITIES):
                    yield reader, start, data


def _first_of_priorities(look, reader, section):
    """Yields (start, line) of the first job of every priority in a section sorted by it."""
    last, _, _ = next(reader.backward(section.start, section.end))
    at = section.start
    while at is not None:
        head, start, data = _first_alive(look, reader, at, section.end)
        if head is None:
            return
        yield start, data
        priority = int(head[line.PRIORITY])
        at = None if priority == int(last[line.PRIORITY]) else _behind(reader, start, section.end, priority)


def _first_alive(look, reader, start, end):
    for head, start, data in reader.forward(start, end):
        if _alive(look, reader, head, start):
            return head, start, data
    return None, None, None


def _alive(look, reader, head, start):
    return head[line.ID] not in look.newest and (reader.name, start) not in look.gone


def _behind(reader, start, end, priority):
    """Where the first line of a greater priority begins, by bisection."""
    low, high = start, end
    while high - low > _NEAR:
        middle = (low + high) // 2
        place = _next_line(reader, middle, high)
        if place < high and _priority(reader, place) <= priority:
            low = place
        else:
            high = middle
    for head, place, _ in reader.forward(low, end):
        if int(head[line.PRIORITY]) > priority:
            return place
    return None


def _next_line(reader, at, end):
    """Where the first line behind a place begins, or the end."""
    while at < end:
        data = disk.pread(reader.fd, min(_NEAR, end - at), at)
        cut = data.find(b"\n")
        if cut >= 0:
            return at + cut + 1
        at += len(data)
    return end


def _priority(reader, start):
    # Two names and a few numbers stand before it.
    return int(reader.head(disk.pread(reader.fd, _BEGINNING, start), start)[line.PRIORITY])
