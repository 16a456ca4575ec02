"""What one worker knows of the store: what is ready next, what falls due next, what runs.

Built from the journal's lines and, lazily, from the base segments' sections:
never from the whole backlog. Nothing is ever taken out of the heaps when a job
changes; an item is checked when it comes to the top, and thrown away when the
job's newest line is another one by then. One view serves one set of queues, so
one heap is enough.

An item of the ready heap: (priority, order, id, source, offset, length), where
source 0 is the journal and n the n-th section cursor.
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
        self.newest = {}
        self.running = {}
        self.reset(())

    def reset(self, segments):
        """Forget everything: the journal is a new one, with these base segments."""
        self.close()
        self.newest.clear()
        self.running.clear()
        self._gone = set()
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
                  and self._serves(section.queue.encode())]
        if not served:
            return
        reader = segment.Reader(self._paths, entry.name, entry.size)
        self._readers.append(reader)
        for section in served:
            cursor = _Cursor(reader, section, len(self._cursors))
            self._cursors.append(cursor)
            if section.kind == header.READY:
                self._refill(cursor)
            elif self._advance(cursor):
                self._due_cursors.append(cursor)

    def _serves(self, queue):
        return self._queues is None or queue in self._queues

    def take(self, entries):
        """Take in journal entries (line.scan) in their order."""
        newest = self.newest
        for head, offset, length in entries:
            if type(head) is dict:
                self._take_other(head)
                continue
            job_id, state = head[0], head[1]
            newest[job_id] = (state, offset, length, head[8] and (head[8].decode(), int(head[9]), int(head[10])))
            if state == b"processing":
                self.running[job_id] = head[4]
                continue
            self.running.pop(job_id, None)
            if head[7] != b"null" and self._serves(head[4]):
                item = (int(head[5]), int(head[6]), job_id, _JOURNAL, offset, length)
                if head[7] == b"0":
                    heappush(self._ready, item)
                else:
                    heappush(self._due, (int(head[7]), item))

    def _take_other(self, fields):
        if "gone" in fields:
            name, start, _ = fields["gone"]
            self._gone.add((name, start))
        else:
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

    def unfinished(self):
        """Is anything ready, waiting for its moment, or running, in these queues?"""
        if self._clean_top() or self.next_due() is not None:
            return True
        return any(self._serves(queue) for queue in self.running.values())

    def line_of(self, item):
        """(line, over, path, offset) of an item: its bytes and what a new line would override.

        The line of an item from the journal is None: the caller has the journal.
        """
        _, _, job_id, source, offset, length = item
        if source == _JOURNAL:
            return None, self.newest[job_id][3], None, offset
        reader = self._cursors[source].reader
        over = (reader.name, offset, offset + length + 1)
        return reader.line_at(offset, offset + length), over, reader.path, offset

    def _mature(self, now):
        while self._due and self._due[0][0] <= now:
            heappush(self._ready, heappop(self._due)[1])
        for cursor in list(self._due_cursors):
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
            return newest is not None and newest[1] == offset
        return newest is None and (self._cursors[source].reader.name, offset) not in self._gone

    def _refill(self, cursor):
        if self._advance(cursor):
            heappush(self._ready, cursor.item)

    def _advance(self, cursor):
        """Move a cursor to its next line that is alive; False at its end."""
        for head, start, data in cursor.lines:
            if head[0] in self.newest or (cursor.reader.name, start) in self._gone:
                continue
            cursor.item = (int(head[5]), int(head[6]), head[0], cursor.number, start, len(data))
            cursor.due = int(head[7])
            return True
        return False


class _Cursor:
    """A place in one section of a base segment."""

    def __init__(self, reader, section, number):
        self.reader = reader
        self.kind = section.kind
        self.number = number
        self.lines = reader.forward(section.start, section.end)
        self.item = None
        self.due = 0
