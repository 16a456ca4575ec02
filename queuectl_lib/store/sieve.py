"""Which jobs a purge takes, and where they lie: told of a snapshot's journal and of its segments, line by line."""

from array import array
from collections import Counter, namedtuple

from queuectl_lib.store import header, line, segment
from queuectl_lib.store.slices import updated_at

# What has a section of its own name in base segments; any other state may lie in any of the other sections.
_WAITING = frozenset((b"pending", b"failed"))


class Selection(namedtuple("Selection", ("states", "queues", "before"))):
    """Jobs of these states and queues (sets of bytes; None: any queue) that last changed before a moment (text as bytes)."""

    def takes(self, head, data):
        """Is the job of a line among them? head: line.HEAD's groups."""
        # Of whom others have still to learn cannot go yet.
        return (head[line.STATE] in self.states and head[line.TELLING] is None
                and (self.queues is None or head[line.QUEUE] in self.queues)
                and (self.before is None or updated_at(data) < self.before))

    def may_lie_in(self, kind):
        """Can a section of this kind hold any of them?"""
        if kind == header.DEAD or kind.encode() in segment.FINISHED:
            return kind.encode() in self.states
        return bool(self.states & _WAITING)


class Sieve:
    """What a selection takes of the store as a snapshot shows it.

    taken: {(queue, state): n} of what was taken so far; told(id, data): called with each job's line.
    """

    def __init__(self, snapshot, selection, told=None):
        self.taken = Counter()
        self._snapshot = snapshot
        self._selection = selection
        self._told = told

    def takes(self, head, data):
        """Is this line's job taken? Counts it."""
        if not self._selection.takes(head, data):
            return False
        self.taken[head[line.QUEUE].decode(), head[line.STATE].decode()] += 1
        if self._told is not None:
            self._told(head[line.ID], data)
        return True

    def sift(self, entry, sections, gone):
        """(kept, taken) of some sections of a segment.

        kept: {section: array of start, end, start, end …} of the lines that live
        and stay, neighbours joined; taken: start and end of each that goes.
        gone: {(name, start): end} of lines that are overridden.
        """
        kept, taken = {}, array("q")
        newest = self._snapshot.newest
        reader = self._snapshot.reader(entry)
        for section in sections:
            stay = kept[section] = array("q")
            for head, start, data in reader.forward(section.start, section.end):
                # Nothing damaged is taken for what it says, or copied to where it would not be noticed.
                line.check(data, reader.path, start)
                if head[0] in newest or (entry.name, start) in gone:
                    continue
                end = start + len(data) + 1
                if self.takes(head, data):
                    taken.extend((start, end))
                elif stay and stay[-1] == start:
                    stay[-1] = end
                else:
                    stay.extend((start, end))
        return kept, taken

    def count(self):
        """Take everything the selection takes, and only count."""
        for head, data in self._snapshot.heads():
            self.takes(head, data)
        for entry in self._snapshot.segments():
            sections = [section for section in entry.sections if self._selection.may_lie_in(section.kind)]
            self.sift(entry, sections, self._snapshot.gone)
        return self.taken

