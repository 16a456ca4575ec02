"""What one worker knows of the store: what is ready next, what falls due next.

Built from the journal's lines and, lazily, from the base segments' sections:
never from the whole backlog. Nothing is ever taken out of the heaps when a job
changes; an item is checked when it comes to the top, and thrown away when the
job's newest line is another one by then. One view serves one set of queues, so
one heap is enough.

An item of the ready heap: (priority, order, id, source, offset, line), where
source 0 is the journal, whose line is read when it is wanted (None), and n the
n-th section cursor.
"""

from heapq import heappop, heappush

from queuectl_lib.store import header, segment

# Of jobs overdue in segments, so many are put in order at a time.
OVERDUE_WINDOW = 1000
_JOURNAL = 0


class View:
    """The choice for the workers that serve these queues (None: all)."""

    def __init__(self, paths, queues):
        self._paths = paths
        self._queues = None if queues is None else frozenset(queue.encode() for queue in queues)
        # {id: offset} of every id's newest line in the journal.
        self.newest = {}
        self.reset(())

    def reset(self, segments):
        """Forget everything: the journal is a new one, with these base segments."""
        self.close()
        self.newest.clear()
        self._gone = {}
        self._ready = []
        self._due = []
        self._overdue = 0
        self._cursors = [None]
        self._due_cursors = []
        for each in segments:
            self._add_segment(each)

    def close(self):
        for reader in getattr(self, "_readers", ()):
            reader.close()
        self._readers = []

    def _add_segment(self, entry):
        served = [section for section in entry.sections
                  if section.kind in (header.READY,) + header.TIMED and section.start < section.end
                  and self.serves(section.queue.encode())]
        if not served:
            return
        reader = segment.Reader(self._paths, entry.name, entry.size)
        self._readers.append(reader)
        for section in served:
            gone = self._gone.setdefault(entry.name, set())
            cursor = _Cursor(reader, section, len(self._cursors), gone)
            self._cursors.append(cursor)
            if section.kind == header.READY:
                self._refill(cursor)
            elif self._advance(cursor):
                self._due_cursors.append(cursor)

    def serves(self, queue):
        """Is a queue (bytes) one of these?"""
        return self._queues is None or queue in self._queues

    def take(self, entries):
        """Take in journal entries (line.scan) in their order."""
        for head, offset, _ in entries:
            if type(head) is dict:
                self._take_other(head)
            else:
                self.newest[head[0]] = offset
                if head[7] != b"null" and self.serves(head[4]):
                    self._await(head, offset)

    def settle(self, job_id, offset):
        """Take in the line of a job that waits for no moment."""
        self.newest[job_id] = offset

    def take_settled(self, ids, offsets):
        """Take in lines of jobs that wait for no moment (line.settled)."""
        self.newest.update(zip(ids, offsets))

    def _await(self, head, offset):
        item = (int(head[5]), int(head[6]), head[0], _JOURNAL, offset, None)
        due = int(head[7])
        if due:
            heappush(self._due, (due, item))
        else:
            heappush(self._ready, item)

    def _take_other(self, fields):
        if "gone" in fields:
            name, start, _ = fields["gone"]
            self._gone.setdefault(name, set()).add(start)
        elif "segment" in fields:
            self._add_segment(header.segment_of(fields["segment"]))

    def best(self, now):
        """The best ready item, taken off the heap, or None. now: ms."""
        self._mature(now)
        if not self._clean_top():
            return None
        return self._pop()

    def put_back(self, item):
        """An item that could not be claimed after all."""
        heappush(self._ready, item)
        self._overdue += self._is_overdue(item)

    def more_ready(self):
        """Is anything ready, as far as taken in?"""
        return self._clean_top()

    def next_due(self):
        """The moment (ms) at which the next waiting job falls due, or None."""
        while self._due and not self._current(self._due[0][1]):
            heappop(self._due)
        for cursor in list(self._due_cursors):
            if not self._current(cursor.item) and not self._advance(cursor):
                self._due_cursors.remove(cursor)
        moments = [cursor.due for cursor in self._due_cursors]
        if self._due:
            moments.append(self._due[0][0])
        return min(moments) if moments else None

    def waiting(self):
        """Is anything ready, or waiting for its moment, in these queues?"""
        return self._clean_top() or self.next_due() is not None

    def segment_of(self, item):
        """The reader of the segment that an item's line is from; None for the journal."""
        cursor = self._cursors[item[3]]
        return cursor and cursor.reader

    def _mature(self, now):
        while self._due and self._due[0][0] <= now:
            heappush(self._ready, heappop(self._due)[1])
        for cursor in tuple(self._due_cursors):
            while cursor.due <= now and self._overdue < OVERDUE_WINDOW:
                heappush(self._ready, cursor.item)
                self._overdue += 1
                if not self._advance(cursor):
                    self._due_cursors.remove(cursor)
                    break

    def _clean_top(self):
        while self._ready:
            if self._current(self._ready[0]):
                return True
            self._pop()
        return False

    def _pop(self):
        item = heappop(self._ready)
        if item[3] != _JOURNAL:
            cursor = self._cursors[item[3]]
            if cursor.kind == header.READY:
                self._refill(cursor)
            else:
                self._overdue -= 1
        return item

    def _is_overdue(self, item):
        return item[3] != _JOURNAL and self._cursors[item[3]].kind in header.TIMED

    def _current(self, item):
        _, _, job_id, source, offset, _ = item
        newest = self.newest.get(job_id)
        if source == _JOURNAL:
            return newest == offset
        return newest is None and offset not in self._cursors[source].gone

    def _refill(self, cursor):
        if self._advance(cursor):
            heappush(self._ready, cursor.item)

    def _advance(self, cursor):
        """Move a cursor to its next line that is alive; False at its end."""
        newest = self.newest
        for job_id, start, data in cursor.lines:
            # What many workers take from one section, each of them passes over here.
            if job_id in newest or start in cursor.gone:
                continue
            head = cursor.reader.head(data, start)
            cursor.item = (int(head[5]), int(head[6]), head[0], cursor.number, start, data)
            cursor.due = int(head[7])
            return True
        return False


class _Cursor:
    """A place in one section of a base segment."""

    def __init__(self, reader, section, number, gone):
        self.reader = reader
        self.kind = section.kind
        self.number = number
        # Where lines of this segment begin that are overridden, and nowhere else by now.
        self.gone = gone
        self.lines = reader.named(section.start, section.end)
        self.item = None
        self.due = 0
