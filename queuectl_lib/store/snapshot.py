"""The store at one moment, for commands that look once: find a job, count, and what lists need.

Reads header and journal in one go. An id is found by a bytes search in the
journal, then by the segments' indexes, so that a lookup costs the same at ten
jobs and at a million; only lists and counts look at every line of the journal.
They slice and count its bytes as a whole: taking every line apart on its own
cost a list more than starting Python.
"""

from collections import Counter

from queuectl_lib.job import identifiers
from queuectl_lib.store import header, line, pauses, pieces, segment

# From so many lookups on one pass over the journal costs less than a search for each.
_MANY = 20


class Snapshot:
    """What the journal says now. Raises FileNotFoundError where no store is."""

    def __init__(self, paths, journal):
        journal.refresh()
        self._paths = paths
        self.journal = journal
        # From the newline that ends the header's copy on, so that one stands before every line.
        self._data = self._whole(journal.read(journal.body - 1))
        self._lines = None
        self._newest = None
        self._heads = None
        self._changes = None
        self._counts = None
        self._gone = None
        self._waiting = None
        self._segments = None
        self._readers = {}

    def _whole(self, data):
        if data[:1] != b"\n":
            raise header.damaged(self.journal.path, self.journal.body // 2)
        end = data.rfind(b"\n") + 1
        if end < len(data) and not line.may_be_torn(data[end:]):
            raise line.damaged(self.journal.path, self.journal.body - 1 + end)
        data = data[:end]
        last = data[data.rfind(b"\n", 0, len(data) - 1) + 1:]
        if not line.goes_on(last):
            return data
        return data[:1 + pieces.scan(data[1:], 0, self.journal.path)[1]]

    def close(self):
        for reader in self._readers.values():
            reader.close()

    @property
    def end(self):
        """The offset behind the last line."""
        return self.journal.body - 1 + len(self._data)

    @property
    def data(self):
        """The journal's bytes, from the newline before its first line to that behind its last one."""
        return self._data

    @property
    def lines(self):
        """Every line of the journal, checked, without its newline; those that are no jobs too."""
        if self._lines is None:
            self._lines = pieces.split(self._data[1:], self.journal.body, self.journal.path)
        return self._lines

    @property
    def newest(self):
        """{id (bytes): number of its last line} of the journal."""
        if self._newest is None:
            self._newest = self._numbers()
        return self._newest

    def _numbers(self):
        ids = pieces.ids(self._data)
        numbers = range(len(self.lines))
        if len(ids) < len(self.lines):
            numbers = [number for number, each in enumerate(self.lines) if each.startswith(b'{"id":')]
        return dict(zip(ids, numbers))

    def heads(self):
        """[(head, line)] of the newest lines, in their order; head: line.HEAD's groups."""
        if self._heads is None:
            lines = self.lines
            self._heads = self._with_heads(lines[number] for number in sorted(self.newest.values()))
        return self._heads

    def removed(self):
        """The same of every line that removes a job: its id may have been given again since."""
        return self._with_heads(each for each in self.lines if b'","state":"removed"' in each)

    def counts(self):
        """{queue: {state: n}}, at a cost that does not depend on n."""
        if self._counts is None:
            counts = _copied(self.journal.header.counts)
            for change, times in self._changed():
                header.count(counts, change, times)
            for fields in self._joined():
                header.count(counts, fields)
            self._counts = header.tidied(counts)
        return self._counts

    def totals(self):
        """{queue: {"completed": n, "failed": n, "dead": n}}: how attempts have ended since the store was made."""
        totals = _copied(self.journal.header.totals)
        for change, times in self._changed():
            header.tally(totals, change, times)
        return totals

    def _changed(self):
        """(the part of a head that decides counts, how often it occurs) of the journal's lines."""
        if self._changes is None:
            # Damage is not counted.
            found = Counter(pieces.changes(self._data)) if self.lines else {}
            self._changes = [((None,) + tuple(part or None for part in change), times)
                             for change, times in found.items()]
        return self._changes

    def pauses(self):
        """{queue: Pause} that are in force, or armed."""
        # As in _in_journal.
        for _, each in pieces.other_lines(self._data, "pauses") if self.lines else ():
            return pauses.decoded(line.decode_other(each)["pauses"])
        return pauses.decoded(self.journal.header.pauses)

    def segments(self):
        """Every segment, oldest first: the header's, and those that joined since."""
        if self._segments is None:
            joined = [header.segment_of(fields["segment"]) for fields in self._joined()]
            self._segments = self.journal.header.segments + tuple(joined)
        return self._segments

    @property
    def gone(self):
        """{(name, start): end} of every segment line that the journal calls overridden."""
        if self._gone is None:
            self._gone = pieces.gone(self._data) if self.lines else {}
        return self._gone

    def find(self, job_id):
        """(job, over) of an id, or None. over: the segment line that a change has to override."""
        if not identifiers.is_id(job_id):
            # Typed by somebody; it may be no text that can be looked for.
            return None
        wanted = job_id.encode()
        found = self._in_journal(wanted)
        if found is not None:
            return self._decoded(*found)
        found = self._in_segments(wanted)
        if found is None:
            return None
        entry, _, start, data = found
        job, _ = line.decode(data, self.reader(entry).path, start)
        return job, (entry.name, start, start + len(data) + 1)

    def has(self, job_id):
        """Is there a job of this id (bytes)? For who need not know it."""
        if self._newest is None:
            return self.find(job_id.decode()) is not None
        if job_id in self._newest:
            return self.line_of(job_id)[0][line.STATE] != line.REMOVED
        found = self._in_segments(job_id)
        if found is None:
            return False
        entry, _, start, data = found
        # Those of the journal are checked, all of them.
        line.check(data, self.reader(entry).path, start)
        return True

    def line_of(self, job_id):
        """(head, line) of an id (bytes) as it stands, unless it is not there: None; for who need not know the job."""
        number = self.newest.get(job_id)
        if number is not None:
            return self._with_heads([self.lines[number]])[0]
        found = self._in_segments(job_id)
        return None if found is None else (found[1], found[3])

    def _in_segments(self, job_id):
        """(entry, head, start, line) of an id (bytes) as the segments have it, or None."""
        for entry in reversed(self.segments()):
            for head, start, data in self.reader(entry).find(job_id):
                if self._alive(entry, start):
                    return entry, head, start, data
        return None

    def dependents(self, job_id):
        """Yields (job, over) of every job whose waits_for names this id, as it stands."""
        wanted = job_id.encode()
        for number in self._waiting_lines().get(wanted, ()):
            yield line.decode(self.lines[number], self.journal.path, self.journal.body)
        for entry in reversed(self.segments()):
            if not entry.awaited:
                continue
            reader = self.reader(entry)
            for start, data in reader.waiting_for(wanted, lambda start: self._alive(entry, start)):
                if line.id_of(data) not in self.newest:
                    yield line.decode(data, reader.path, start)[0], (entry.name, start, start + len(data) + 1)

    def waiting_for_others(self):
        """Yields (id, ids it waits for) of every job that waits for others."""
        for head, _ in self.heads():
            if head[line.STATE] == b"pending" and head[line.WAITS_FOR]:
                yield head[line.ID].decode(), line.ids_in(head[line.WAITS_FOR])
        for entry in self.segments():
            for section in entry.sections if entry.awaited else ():
                if section.kind != header.BLOCKED:
                    continue
                for head, start, _ in self.reader(entry).forward(section.start, section.end):
                    if head[line.WAITS_FOR] and head[line.ID] not in self.newest and self._alive(entry, start):
                        yield head[line.ID].decode(), line.ids_in(head[line.WAITS_FOR])

    def _alive(self, entry, start):
        return segment.lives(entry, start) and (entry.name, start) not in self.gone

    def _waiting_lines(self):
        """{id (bytes): numbers of the newest lines of jobs that wait for it} of the journal."""
        if self._waiting is None:
            self._waiting = {}
            for number in self.newest.values() if b',"waits_for":[' in self._data else ():
                for job_id in line.waiting_parts(self.lines[number]):
                    self._waiting.setdefault(job_id, []).append(number)
        return self._waiting

    def untold(self):
        """Yields (job, over) of the jobs of whose state some have still to learn (spread.py)."""
        for head, data in self.heads() if b',"telling":1' in self._data else ():
            if head[line.TELLING]:
                yield line.decode(data, self.journal.path, self.journal.body)

    def find_locked(self, job_id):
        """The same under the store lock: no roll comes in between, so what is missing is damage."""
        try:
            return self.find(job_id)
        except FileNotFoundError as error:
            raise segment.missing(error)

    def expect(self, lookups):
        """Prepare for so many lookups."""
        if lookups > _MANY and self._newest is None:
            self._newest = self._numbers()

    def reader(self, entry):
        """The opened segment of an entry; FileNotFoundError when a roll removed it."""
        reader = self._readers.get(entry.name)
        if reader is None:
            reader = self._readers[entry.name] = segment.Reader(self._paths, entry.name, entry.size)
        return reader

    def opened(self):
        """Itself with every segment open: whatever a roll removes later, this moment can be read."""
        for entry in self.segments():
            self.reader(entry)
        return self

    def _decoded(self, data, offset):
        line.check(data, self.journal.path, offset)
        if line.is_removal(data):
            return None
        return line.decode(data, self.journal.path, offset)

    def _in_journal(self, wanted):
        """(line, offset) of an id's last line, or None."""
        # A newer line of it may be one whose id is damaged: so all are checked.
        lines = self.lines
        if self._newest is not None:
            number = self._newest.get(wanted)
            return None if number is None else (lines[number], self.journal.body)
        at = self._data.rfind(b'\n{"id":"%s",' % wanted)
        if at < 0:
            return None
        return self._data[at + 1:self._data.index(b"\n", at + 1)], self.journal.body + at

    def _with_heads(self, lines):
        """[(head, line)] of lines of the journal whose crc was looked at."""
        lines = list(lines)
        try:
            return [(line.HEAD.match(each).groups(), each) for each in lines]
        except AttributeError:
            # Somebody wrote it, and made the crc fit.
            bad = next(each for each in lines if line.HEAD.match(each) is None)
            raise line.damaged(self.journal.path, self.journal.body - 1 + self._data.index(bad))

    def _joined(self):
        """The journal's lines of batches that joined as segments, as dicts, oldest first."""
        lines = pieces.other_lines(self._data, "segment") if self.lines else ()
        return [line.decode_other(each) for _, each in reversed(lines)]


def _copied(counts):
    return {queue: dict(states) for queue, states in counts.items()}
