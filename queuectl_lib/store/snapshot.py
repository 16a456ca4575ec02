"""The store at one moment, for commands that look once: find a job, count, and what lists need.

Reads header and journal in one go. An id is found by a bytes search in the
journal, then by the segments' indexes, so that a lookup costs the same at ten
jobs and at a million; only lists and counts look at every line of the journal.
"""

from queuectl_lib.store import header, line, segment


class Snapshot:
    """What the journal says now. Raises FileNotFoundError where no store is."""

    def __init__(self, paths, journal):
        journal.refresh()
        self._paths = paths
        self.journal = journal
        self.data = self._whole(journal.read(journal.body))
        self._entries = None
        self._newest = None
        self._gone = None
        self._segments = None
        self._readers = {}

    def _whole(self, data):
        data = data[:data.rfind(b"\n") + 1]
        last = data[data.rfind(b"\n", 0, len(data) - 1) + 1:]
        if not line.goes_on(last):
            return data
        return data[:line.scan(data, 0, self.journal.path)[1]]

    def close(self):
        for reader in self._readers.values():
            reader.close()

    @property
    def end(self):
        """The offset behind the last line."""
        return self.journal.body + len(self.data)

    @property
    def entries(self):
        """Every entry of the journal (line.scan), checked."""
        if self._entries is None:
            self._entries = line.scan(self.data, self.journal.body, self.journal.path)[0]
        return self._entries

    @property
    def newest(self):
        """{id (bytes): (head, offset, length)} of the journal, in the order of the last lines."""
        if self._newest is None:
            newest = {}
            for entry in self.entries:
                if type(entry[0]) is not dict:
                    newest.pop(entry[0][0], None)
                    newest[entry[0][0]] = entry
            self._newest = newest
        return self._newest

    def counts(self):
        """{queue: {state: n}}, at a cost that does not depend on n."""
        counts = {queue: dict(states) for queue, states in self.journal.header.counts.items()}
        for head, _, _ in self.entries:
            header.count(counts, head)
        return header.tidied(counts)

    def segments(self):
        """Every segment, oldest first: the header's, and those that joined since."""
        if self._segments is None:
            joined = [header.segment_of(self._other(each)["segment"]) for each in self._beginning(b'{"segment":')]
            self._segments = self.journal.header.segments + tuple(joined)
        return self._segments

    @property
    def gone(self):
        """{(name, start)} of every segment line that the journal says is overridden."""
        if self._gone is None:
            self._gone = {tuple(head["gone"][:2]) for head, _, _ in self.entries
                          if type(head) is dict and "gone" in head}
        return self._gone

    def is_gone(self, name, start):
        """Does the journal say that this segment line is overridden?"""
        if self._entries is not None:
            return (name, start) in self.gone
        return any(True for _ in self._beginning(b'{"gone":["%s",%d,' % (name.encode(), start)))

    def find(self, job_id):
        """(job, over) of an id, or None. over: the segment line that a change has to override."""
        wanted = job_id.encode()
        place = self._in_journal(wanted)
        if place is not None:
            return self._decoded(*place)
        for entry in reversed(self.segments()):
            for _, start, data in self.reader(entry).find(wanted):
                if lives(entry, start) and not self.is_gone(entry.name, start):
                    job, _ = line.decode(data, self.reader(entry).path, start)
                    return job, (entry.name, start, start + len(data) + 1)
        return None

    def know_all(self):
        """Prepare for many lookups: one pass now instead of a search for each."""
        return self.newest

    def reader(self, entry):
        """The opened segment of an entry; FileNotFoundError when a roll removed it."""
        reader = self._readers.get(entry.name)
        if reader is None:
            reader = self._readers[entry.name] = segment.Reader(self._paths, entry.name, entry.size)
        return reader

    def job_at(self, offset, length):
        """The job of a journal entry."""
        start = offset - self.journal.body
        return line.decode(self.data[start:start + length], self.journal.path, offset)[0]

    def _decoded(self, offset, length):
        start = offset - self.journal.body
        data = self.data[start:start + length]
        line.check(data, self.journal.path, offset)
        if line.HEAD.match(data).group(2) == line.REMOVED:
            return None
        return line.decode(data, self.journal.path, offset)

    def _in_journal(self, wanted):
        if self._newest is not None:
            entry = self._newest.get(wanted)
            return entry and (entry[1], entry[2])
        # A raw newline never stands inside a line, so this finds beginnings only.
        start = self.data.rfind(b'\n{"id":"%s",' % wanted) + 1
        if start == 0 and not self.data.startswith(b'{"id":"%s",' % wanted):
            return None
        return self.journal.body + start, self.data.index(b"\n", start) - start

    def _beginning(self, prefix):
        at = 0 if self.data.startswith(prefix) else self.data.find(b"\n" + prefix) + 1
        while at or self.data.startswith(prefix):
            end = self.data.index(b"\n", at)
            yield self.data[at:end + 1]
            at = self.data.find(b"\n" + prefix, end) + 1
            if at == 0:
                return

    def _other(self, data):
        return line.scan(data, 0, self.journal.path)[0][0][0]


def lives(entry, start):
    """Is a line at this place inside one of the segment's sections?"""
    return any(section.start <= start < section.end for section in entry.sections)
