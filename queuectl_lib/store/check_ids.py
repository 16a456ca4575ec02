"""Checking what refers to what: each id once, places that lines name, jobs that wait for others."""

from array import array

from queuectl_lib.job import lifecycle
from queuectl_lib.store import index, line
from queuectl_lib.words.finding import WARNING
from queuectl_lib.words.text import many

_PARTS_BITS = 6
_ENDED = tuple(state.encode() for state in lifecycle.ENDED)


class Ids:
    """The ids of all jobs as they stand, as hashes."""

    def __init__(self):
        self.all = Hashes()
        self._ended = Hashes()
        self._awaited = set()

    def add(self, head):
        """A job, by its newest line (line.HEAD's groups)."""
        number = index.hash_of(head[line.ID])
        self.all.add(number)
        # Of whom others have still to learn: they wait for it rightly.
        if head[line.STATE] in _ENDED and not head[line.TELLING]:
            self._ended.add(number)
        elif _waits(head):
            self._awaited.update(index.hash_of(other.encode()) for other in line.ids_in(head[line.WAITS_FOR]))

    def awaited_in_vain(self):
        """(hashes of those that are not there, of those that have ended) of all that jobs wait for."""
        if not self._awaited:
            return set(), set()
        return self._awaited - self.all.among(self._awaited), self._ended.among(self._awaited)


def _waits(head):
    # A dead one may name because of whom it died, who may be gone.
    return head[line.WAITS_FOR] and head[line.STATE] == b"pending"


class Hashes:
    """Many 64-bit hashes, 8 bytes each."""

    def __init__(self):
        self._parts = [array("Q") for _ in range(1 << _PARTS_BITS)]

    def add(self, number):
        self._parts[number >> 64 - _PARTS_BITS].append(number)

    def __len__(self):
        return sum(map(len, self._parts))

    def repeated(self):
        """The set of those that were added more than once."""
        found = set()
        for part in self._parts:
            part = sorted(part)
            found.update(one for one, other in zip(part, part[1:]) if one == other)
        return found

    def among(self, numbers):
        """The set of those of some numbers (a set) that were added."""
        return {number for part in self._parts for number in part if number in numbers}


def look_at(checkup):
    """Is each id there once, and does nobody wait in vain?"""
    doubles = checkup.ids.all.repeated()
    if doubles:
        _look_at_doubles(checkup, doubles)
    if not checkup.doubles:
        checkup.well("ids", "%s, each id once" % many(len(checkup.ids.all), "job"))
    # Where bytes are missing, so may be whom somebody waits for.
    if checkup.is_complete:
        _look_at_waiting(checkup, *checkup.ids.awaited_in_vain())


def _look_at_doubles(checkup, hashes):
    """Of ids that are the same, and not only their hashes, the last line counts."""
    last = {}
    for entry, head, start, end in checkup.living_lines():
        if index.hash_of(head[line.ID]) not in hashes:
            continue
        if head[line.ID] in last:
            before, older, place, its_end = last[head[line.ID]]
            checkup.old_journal = True
            checkup.doubles[before.name, place] = its_end
            checkup.living[before.name][older[line.QUEUE].decode(), older[line.STATE].decode()] -= 1
            checkup.fault(checkup.readers[before.name].path, "the job at byte %d, %s, stands in a later segment, too"
                          % (place, head[line.ID].decode()))
        last[head[line.ID]] = entry, head, start, end


def _look_at_waiting(checkup, lost, ended):
    if not lost and not ended:
        return
    checkup.is_forsaken = True
    heads = list(checkup.newest.values()) + [head for _, head, _, _ in checkup.living_lines()]
    for head in filter(_waits, heads):
        for other in line.ids_in(head[line.WAITS_FOR]):
            number = index.hash_of(other.encode())
            if number in lost or number in ended:
                checkup.tell(WARNING, "dependencies", "job %s waits for %s, which %s" % (
                    head[line.ID].decode(), other, "is not there" if number in lost else "has ended"))


def look_at_places(checkup):
    """Do `over` and `gone` name lines of segments, and `over` one of the same job?"""
    for offset, each in checkup.lines:
        head = line.HEAD.match(each)
        if head and head.group(line.OVER + 1):
            name, start, end = head.group(line.OVER + 1, line.OVER_START + 1, line.OVER_END + 1)
            _look_at_place(checkup, offset, (name.decode(), int(start), int(end)), head.group(line.ID + 1))
        elif each.startswith(b'{"gone":'):
            _look_at_place(checkup, offset, line.decode_other(each)["gone"], None)


def _look_at_place(checkup, offset, place, job_id):
    name, start, end = place
    # One that was merged into another is named on for a while.
    reader = checkup.readers.get(name)
    if reader is None or name in checkup.worn:
        return
    data = reader.line_at(start, end)
    if not line.is_whole(data) or job_id not in (None, line.id_of(data)):
        checkup.old_journal = True
        checkup.misleading.add(offset)
        checkup.fault(checkup.paths.jobs, "the line at byte %d names bytes %d to %d of segment %s, where no such line is"
                      % (offset, start, end, name))
