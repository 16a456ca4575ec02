"""Checking segments: every line, the sections, and what belongs into the indexes."""

import time
from collections import Counter

from queuectl_lib.store import header, index, line, salvage, segment
from queuectl_lib.store.paths import awaited_of, index_of
from queuectl_lib.words.finding import WARNING


class SegmentCheck:
    """The look at one segment. lines: how many there are; ids, awaited: the Sums of what its indexes have to hold."""

    def __init__(self, checkup, entry, reader):
        self.ids = Sum()
        self.awaited = Sum()
        self.lines = 0
        self._checkup = checkup
        self._entry = entry
        self._reader = reader
        self._sections = sorted(entry.sections, key=lambda section: section.start)
        self._borders = {border for section in self._sections for border in (section.start, section.end)}
        self._at = 0
        self._last = None
        self._living = checkup.living[entry.name] = Counter()

    def run(self):
        """Look at all of it, and tell what is wrong."""
        entry = self._entry
        match = line.HEAD.match
        for start, data, bad in salvage.stretches(self._reader.fd, 0, entry.size):
            head = None if data is None else match(data)
            if head is None:
                self._checkup.worn.add(entry.name)
                bad = data + b"\n" if bad is None else bad[:entry.size - start]
                self._checkup.bad_bytes(self._reader.path, start, bad, salvage.salvage(bad, start))
                continue
            head = head.groups()
            self.lines += 1
            self._borders.discard(start)
            self.ids.add(index.hash_of(head[0]), start)
            if head[line.WAITS_FOR] and segment.section_of(head)[0] in header.WAITING:
                for other in line.ids_in(head[line.WAITS_FOR]):
                    self.awaited.add(index.hash_of(other.encode()), start)
            self._look_at(head, data, start)
        if entry.name not in self._checkup.worn:
            self._look_at_sums()

    def _look_at(self, head, data, start):
        sections = self._sections
        while self._at < len(sections) and start >= sections[self._at].end:
            self._at += 1
            self._last = None
        if self._at == len(sections) or start < sections[self._at].start:
            return
        place = segment.section_of(head)
        if place != sections[self._at][:2]:
            # Nor is it sorted by what the others are.
            self._wrong("the job at byte %d does not belong to its section" % start)
        else:
            self._look_at_order(segment.sort_key(place, head, data), start)
        if not self._checkup.is_over(self._entry, head[0], start):
            self._living[head[line.QUEUE].decode(), head[line.STATE].decode()] += 1
            self._checkup.ids.add(head)

    def _look_at_order(self, key, start):
        if self._last is not None and key < self._last:
            self._wrong("the job at byte %d is out of order" % start)
        self._last = key

    def _look_at_sums(self):
        entry = self._entry
        self._borders.discard(entry.size)
        following = zip(self._sections, self._sections[1:])
        if self._borders or any(one.end > other.start for one, other in following):
            self._wrong("its sections do not begin and end with its lines")
        if (self.lines, self.awaited.count) != (entry.jobs, entry.awaited):
            self._wrong("it has %d jobs, %d of them waiting for others, and not %d and %d"
                        % (self.lines, self.awaited.count, entry.jobs, entry.awaited))

    def look_at_indexes(self):
        """Do they say where the lines are? Afterwards, for what they are compared with is known by then."""
        wanted = [(index_of, self.ids)] + [(awaited_of, self.awaited)] * (self.awaited.count > 0)
        if not all(self._is_there(name_of, held) for name_of, held in wanted):
            self._checkup.stale.append(self._entry)
            self._checkup.tell(WARNING, index_of(self._reader.path),
                               "is missing or damaged: the segment is searched instead, which takes longer")

    def _is_there(self, name_of, held):
        for _ in range(3):
            # A roll may just be moving it from the one place to the other.
            for place in self._checkup.paths.segment_places(self._entry.name):
                try:
                    if held.fits(index.Index(name_of(place), self._entry.size)):
                        return True
                except index.Useless:
                    pass
            time.sleep(0.01)
        return False

    def _wrong(self, text):
        self._checkup.worn.add(self._entry.name)
        self._checkup.fault(self._reader.path, text)


class Sum:
    """What an index holds, as numbers that do not depend on the order."""

    def __init__(self):
        self.count = 0
        self._sum = 0

    def add(self, number, offset):
        self.count += 1
        self._sum ^= hash((number, offset))

    def fits(self, opened):
        """Does an index.Index hold just that? Raises index.Useless where it is damaged."""
        other = Sum()
        last = 0
        for number, offset in opened.entries():
            if number < last:
                return False
            last = number
            other.add(number, offset)
        return (self.count, self._sum) == (other.count, other._sum)
