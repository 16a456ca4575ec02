"""What one worker knows of the store: what is ready next, what falls due next.

Built from the journal's lines and, lazily, from the base segments' sections:
never from the whole backlog. Nothing is ever taken out of the heaps when a job
changes; an item is checked when it comes to the top, and thrown away when the
job's newest line is another one by then. One view serves one set of queues, so
one heap is enough.

An item of the ready heap: (priority, order, id, source, offset, line, queue, slots),
where source 0 is the journal, whose line is read when it is wanted (None), and n the
n-th section cursor.
"""

from heapq import heappop, heappush

from queuectl_lib.store import header, line, pauses, segment
from queuectl_lib.store.cursor import Cursor
from queuectl_lib.store.lanes import Lanes
from queuectl_lib.words.errors import StoreDamaged, StoreError

# Of jobs overdue in segments, so many are put in order at a time.
OVERDUE_WINDOW = 1000
_JOURNAL = 0
_QUEUE = 6


class View:
    """The choice for the workers that serve these queues (None: all)."""

    def __init__(self, paths, queues):
        self._paths = paths
        self._queues = None if queues is None else frozenset(queue.encode() for queue in queues)
        # {id: offset} of every id's newest line in the journal.
        self.newest = {}
        # Queues that are or were paused: their jobs stand apart (lanes.py). stale: one more is, or something
        # could not be read, so a reset is due.
        self._apart = set()
        self.stale = False
        # One object for each queue's name, however many items bear it.
        self._names = {}
        # {queue: how many slots of it may run at once}; a change counts from the next reset on.
        self.limits = {}
        # How long ending a cancelled job's processes may take; as limits.
        self.ending_ms = 0
        self.reset((), {})

    def reset(self, segments, paused):
        """Forget everything: the journal is a new one, with these base segments and pauses ({queue: Pause})."""
        self.close()
        self.newest.clear()
        # {id: the ids that came to wait for it} of the journal; {id: offset} of those marked as telling.
        self._waiters = {}
        self._untold = {}
        self._gone = {}
        limits = {queue.encode(): limit for queue, limit in self.limits.items()}
        self._note_paused(paused)
        self._ready = Lanes(limits, self._apart, self._current, self._passed, self.ending_ms)
        self._ready.pauses = paused
        self.stale = False
        self._now = 0
        self._due = []
        # {lane: how many of its items fell due in segments}: one that is closed must not keep out the others'.
        self._overdue = {}
        self._cursors = [None]
        # Errors of lines that were passed over, still to be raised.
        self._damage = []
        self._due_cursors = []
        for each in segments:
            self._add_segment(each)

    def close(self):
        for reader in getattr(self, "_readers", ()):
            reader.close()
        self._readers = []
        self._awaited = []

    def _add_segment(self, entry):
        if entry.awaited:
            reader = segment.Reader(self._paths, entry.name, entry.size)
            self._readers.append(reader)
            self._awaited.append((entry, reader))
        served = [section for section in entry.sections
                  if section.kind in (header.READY,) + header.TIMED and section.start < section.end
                  and self.serves(section.queue.encode())]
        if not served:
            return
        reader = segment.Reader(self._paths, entry.name, entry.size)
        self._readers.append(reader)
        for section in served:
            gone = self._gone.setdefault(entry.name, set())
            cursor = Cursor(reader, section, len(self._cursors), gone)
            self._cursors.append(cursor)
            if section.kind == header.READY:
                self._refill(cursor)
            elif self._advance(cursor):
                self._due_cursors.append(cursor)

    def serves(self, queue):
        """Is a queue (bytes) one of these?"""
        return self._queues is None or queue in self._queues

    def take(self, entries):
        """Take in journal entries (pieces.scan) in their order."""
        for head, offset, _ in entries:
            if type(head) is dict:
                self._take_other(head)
                continue
            self.newest[head[0]] = offset
            if head[7] != b"null" and self.serves(head[4]):
                self._await(head, offset)
            if head[line.WAITS_FOR]:
                for job_id in line.ids_in(head[line.WAITS_FOR]):
                    self._waiters.setdefault(job_id.encode(), []).append(head[0])
            if head[line.TELLING]:
                self._untold[head[0]] = offset
            if self.limits:
                self._ready.note(head)

    @property
    def takes_ids_alone(self):
        """May lines of jobs that wait for nothing be taken in by id and place (take_settled)?"""
        return not self.limits

    def settle(self, job_id, offset):
        """Take in the line of a job that waits for no moment."""
        self.newest[job_id] = offset

    def take_settled(self, ids, offsets):
        """Take in lines of jobs that wait for no moment (pieces.settled)."""
        self.newest.update(zip(ids, offsets))

    def _await(self, head, offset):
        item = (int(head[5]), int(head[6]), head[0], _JOURNAL, offset, None,
                self._names.setdefault(head[4], head[4]), head[line.SLOTS])
        due = int(head[7])
        if due:
            heappush(self._due, (due, item))
        else:
            self._ready.push(item)

    def _take_other(self, fields):
        if "gone" in fields:
            name, start, _ = fields["gone"]
            self._gone.setdefault(name, set()).add(start)
        elif "segment" in fields:
            self._add_segment(header.segment_of(fields["segment"]))
        else:
            paused = pauses.decoded(fields["pauses"])
            self.stale = self._note_paused(paused) or self.stale
            self._ready.pauses = paused

    def _note_paused(self, paused):
        """Is a queue among these that had no lane so far?"""
        queues = {queue.encode() for queue, pause in paused.items() if pause.since is not None} - {pauses.ALL.encode()}
        is_new = not queues <= self._apart
        self._apart |= queues
        return is_new

    @property
    def pauses(self):
        """{queue: Pause} in force, or armed."""
        return self._ready.pauses

    def best(self, now):
        """The best ready item, taken off its heap, or None. now: ms. Raises StoreDamaged, once for each line."""
        self._mature(now)
        self._now = now
        item = self._ready.pop(now)
        if item is not None:
            self._passed(item)
        if self._damage:
            if item is not None:
                self.put_back(item)
            self._tell_damage()
        return item

    def _tell_damage(self):
        # Each once: the other jobs need not wait for a repair.
        if self._damage:
            raise self._damage.pop(0)

    def put_back(self, item):
        """An item that could not be claimed after all."""
        self._ready.push(item)
        if self._is_overdue(item):
            self._count_overdue(item[_QUEUE], 1)

    def more_ready(self):
        """Is anything ready, as far as taken in?"""
        return self._ready.has_any(self._now)

    def untold(self):
        """{id: offset of its line} of the jobs of whose state some have still to learn (spread.py)."""
        if self._untold:
            self._untold = {job_id: offset for job_id, offset in self._untold.items() if self.newest[job_id] == offset}
        return self._untold

    def is_awaited(self, job_id):
        """May others wait for this id (bytes)?"""
        return job_id in self._waiters or bool(self._awaited)

    def dependents(self, job_id, line_at):
        """Yields (line, offset, its segment's reader or None) of every job that waits for this id (bytes).

        line_at(offset): the journal's line that begins there.
        """
        for child in dict.fromkeys(self._waiters.get(job_id, ())):
            offset = self.newest[child]
            data = line_at(offset)
            if job_id in line.waiting_parts(data):
                yield data, offset, None
        for entry, reader in self._awaited:
            gone = self._gone.get(entry.name, ())
            for start, data in reader.waiting_for(job_id, lambda start: segment.lives(entry, start) and start not in gone):
                if line.id_of(data) not in self.newest:
                    yield data, start, reader

    def next_due(self):
        """The moment (ms) at which the next waiting job falls due, or None; fails as best() does."""
        while self._due and not self._current(self._due[0][1]):
            heappop(self._due)
        for cursor in list(self._due_cursors):
            if not self._current(cursor.item) and not self._advance(cursor):
                self._due_cursors.remove(cursor)
        self._tell_damage()
        # What is due by now and still stands here waits behind the OVERDUE_WINDOW of its lane, which is closed.
        moments = [cursor.due for cursor in self._due_cursors if cursor.due > self._now]
        if self._due:
            moments.append(self._due[0][0])
        end = self._ready.next_end(self._now)
        if end is not None:
            moments.append(end)
        return min(moments) if moments else None

    def waiting(self):
        """Is anything ready, or waiting for its moment, in these queues?"""
        return self._ready.is_waiting(self._now) or self.next_due() is not None

    def segment_of(self, item):
        """The reader of the segment that an item's line is from; None for the journal."""
        cursor = self._cursors[item[3]]
        return cursor and cursor.reader

    def _mature(self, now):
        while self._due and self._due[0][0] <= now:
            self._ready.push(heappop(self._due)[1])
        for cursor in tuple(self._due_cursors):
            while cursor.due <= now and self._overdue.get(self._ready.lane_of(cursor.queue), 0) < OVERDUE_WINDOW:
                self._ready.push(cursor.item)
                self._count_overdue(cursor.queue, 1)
                if not self._advance(cursor):
                    self._due_cursors.remove(cursor)
                    break

    def _passed(self, item):
        """An item was taken out of the ready ones: where it came from a section, the next one follows."""
        if item[3] != _JOURNAL:
            cursor = self._cursors[item[3]]
            if cursor.kind == header.READY:
                self._refill(cursor)
            else:
                self._count_overdue(cursor.queue, -1)

    def _count_overdue(self, queue, number):
        lane = self._ready.lane_of(queue)
        self._overdue[lane] = self._overdue.get(lane, 0) + number

    def _is_overdue(self, item):
        return item[3] != _JOURNAL and self._cursors[item[3]].kind in header.TIMED

    def _current(self, item):
        _, _, job_id, source, offset, *_ = item
        newest = self.newest.get(job_id)
        if source == _JOURNAL:
            return newest == offset
        return newest is None and offset not in self._cursors[source].gone

    def _refill(self, cursor):
        if self._advance(cursor):
            self._ready.push(cursor.item)

    def _advance(self, cursor):
        """Move a cursor to its next line that is alive; False at its end."""
        while True:
            try:
                return cursor.advance(self.newest)
            except StoreDamaged as error:
                self._damage.append(error)
            except (StoreError, OSError):
                # What it reads from is at its end by that.
                self.stale = True
                raise
