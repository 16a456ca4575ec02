"""Jobs in the order a person asks about them, read lazily: a list of ten costs ten, wherever in the list they are.

running, then ready in the order they will run, then waiting by due moment, then
those that no moment makes ready, then dead and finished, newest first.

Each of these groups is sorted by a value, and all sections are (segment.sort_key). So a
place in the list is a group and a key, and a list can be begun behind a place that is days old: sections
that lie before it are not read, and in the others it is looked for (seek.py).

What is overdue is ready; but of many that are, only so many of the longest overdue
are put into the order in which they will run, and the others are listed as waiting. Who goes
on with a list has to draw that line where it was: the horizon, a due moment and an order.
"""

from heapq import merge
from itertools import islice
from operator import itemgetter

from queuectl_lib.store import header, line, seek, segment, sift, slices
from queuectl_lib.store.view import OVERDUE_WINDOW

_WAITING_STATES = (b"pending", b"failed")
# The groups.
RUNNING, READY, WAITING, BLOCKED, DEAD, FINISHED = range(6)
_first = itemgetter(0)
# Behind every order.
_LAST = 1 << 64


def as_job(head, data, path, start):
    """The Job of a line."""
    return line.decode(data, path, start)[0]


class Listing:
    """The jobs of a snapshot; states and queues: sets of names, or None for all.

    read: what makes of a line, its head, its file and offset, what is wanted of a job.
    after: (group, key), the place behind which it begins; horizon: as the list that led there had it.
    """

    def __init__(self, snapshot, now, states=None, queues=None, search=None, read=as_job, after=None, horizon=None):
        self._snapshot = snapshot
        self._now = now
        self._states = states and {state.encode() for state in states}
        self._queues = queues and {queue.encode() for queue in queues}
        self._search = search
        self._read = read
        self._after = after or (RUNNING, None)
        self._horizon = horizon
        self._sieve = None if search is None and queues is None else sift.Sieve(search, self._queues)
        self.total = _wanted(snapshot.counts(), states, queues)
        # Opened at once: a roll may remove them while a list is being read.
        self._segments = [(entry, snapshot.reader(entry)) for entry in snapshot.segments()]
        self._journal = [entry for entry in snapshot.heads() if self._asks_for_one(entry[0])]

    def jobs(self):
        """Yields Job."""
        return (job for _, job in self.entries() if job is not None)

    def entries(self):
        """Yields (place, Job), and (place, None) where one was looked at that is not meant."""
        # Counts are exact, so nobody reads on for what cannot come.
        left = self.total
        if left <= 0:
            return
        first, after = self._after
        groups = (self._running, self._ready, self._waiting, self._blocked, self._dead, self._finished)
        for group in range(first, len(groups)):
            streams = groups[group](after)
            after = None
            for key, entry in merge(*streams, key=_first, reverse=group >= DEAD):
                yield (group, key), self._found(entry)
                left -= entry is not None
                if left <= 0:
                    return
        if self._search is None and self._after == (RUNNING, None):
            self._check_what_was_passed_over()

    def _found(self, entry):
        job = entry and self._read(*entry)
        return job if job and (self._search is None or found_in(job, self._search)) else None

    def _check_what_was_passed_over(self):
        """Fewer jobs than were counted: some may not have looked like what was asked for. StoreDamaged if so."""
        for entry, reader in self._segments:
            for section in entry.sections:
                for start, data in reader.lines(section.start, section.end):
                    line.check(data, reader.path, start)

    # --- the groups: each a list of sorted streams of (key, what to read, None for one that is not meant)

    def _running(self, after):
        return [self._from_journal(lambda head: head[line.STATE] == b"processing", segment.changed, after)]

    def _ready(self, after):
        if not self._asks_for(*_WAITING_STATES):
            return []
        streams = [self._from_journal(self._is_ready, segment.turn, after), self._overdue(after)]
        if self._asks_for(b"pending"):
            streams += [self._forward(reader, section, after) for reader, section in self._sections(header.READY)]
        return streams

    def _waiting(self, after):
        if not self._asks_for(*_WAITING_STATES):
            return []
        after = max(after or self.horizon, self.horizon)
        return [self._from_journal(self._is_timed, segment.due, after)] + [
            self._forward(reader, section, after) for reader, section in self._timed_sections()]

    def _blocked(self, after):
        if not self._asks_for(*_WAITING_STATES):
            return []
        return [self._from_journal(self._is_blocked, segment.arrival, after)] + [
            self._forward(reader, section, after) for reader, section in self._sections(header.BLOCKED)]

    def _dead(self, after):
        return self._newest_first((b"dead",), [header.DEAD], after)

    def _finished(self, after):
        return self._newest_first(segment.FINISHED, [state.decode() for state in segment.FINISHED], after)

    def _newest_first(self, states, kinds, after):
        if not self._asks_for(*states):
            return []
        streams = [self._from_journal(lambda head: head[line.STATE] in states, segment.changed, after, newest_first=True)]
        for kind in kinds:
            streams += [self._backward(reader, section, after) for reader, section in self._sections(kind)]
        return streams

    # --- their streams

    def _from_journal(self, wanted, key, after, newest_first=False):
        found = [(key(*entry), entry + ("", 0)) for entry in self._journal
                 if wanted(entry[0]) and (self._search is None or self._sieve.may_say(*entry))]
        if after is not None:
            found = [item for item in found if (item[0] < after if newest_first else item[0] > after)]
        return sorted(found, key=_first, reverse=newest_first)

    def _forward(self, reader, section, after):
        start = section.start if after is None else seek.first(reader, section, lambda key: key > after)
        return self._stream(reader, section, self._lines(reader, start, section.end))

    def _backward(self, reader, section, after):
        end = section.end if after is None else seek.first(reader, section, lambda key: key >= after)
        if self._sieve is None:
            lines = reader.backward(section.start, end)
        else:
            lines = sift.backward(reader, section.start, end, self._sieve)
        return self._stream(reader, section, lines)

    def _stream(self, reader, section, lines):
        for head, start, data in lines:
            is_meant = self._is_alive(reader, head, start) and self._is_meant(head, data)
            yield reader.key(section, head, start, data), (head, data, reader.path, start) if is_meant else None

    def _lines(self, reader, start, end):
        return reader.forward(start, end) if self._sieve is None else sift.forward(reader, start, end, self._sieve)

    def _overdue(self, after):
        """What fell due in segments, in the order in which it will run: at most a window."""
        found = []
        for reader, section in self._timed_sections():
            end = seek.first(reader, section, lambda key: key > self.horizon)
            entries = self._stream(reader, section, self._lines(reader, section.start, end))
            found += [(segment.turn(*entry[:2]), entry) for _, entry in entries if entry is not None]
        return sorted((item for item in found if after is None or item[0] > after), key=_first)

    @property
    def horizon(self):
        """(due, order) of the last job of those that wait for a moment that is listed as ready."""
        if self._horizon is None:
            self._horizon = self._look_for_horizon()
        return self._horizon

    def _look_for_horizon(self):
        found = [segment.due(*entry) for entry in self._journal if self._is_timed(entry[0])]
        found = [due for due in found if due <= (self._now, _LAST)]
        for reader, section in self._timed_sections():
            found += islice(self._overdue_in(reader, section), OVERDUE_WINDOW)
        return (self._now, _LAST) if len(found) <= OVERDUE_WINDOW else sorted(found)[OVERDUE_WINDOW - 1]

    def _overdue_in(self, reader, section):
        for head, start, data in reader.forward(section.start, section.end):
            due = reader.key(section, head, start, data)
            if due > (self._now, _LAST):
                return
            if self._is_alive(reader, head, start):
                yield due

    # --- which sections, and which lines

    def _timed_sections(self):
        for kind, state in ((header.DUE, b"pending"), (header.RETRY, b"failed")):
            if self._asks_for(state):
                yield from self._sections(kind)

    def _sections(self, kind):
        for entry, reader in self._segments:
            for section in entry.sections:
                if section.kind == kind and section.start < section.end and self._may_hold(section):
                    yield reader, section

    def _may_hold(self, section):
        if section.queue == "":
            return self._asks_for(section.kind.encode())
        return self._queues is None or section.queue.encode() in self._queues

    def _is_alive(self, reader, head, start):
        return head[line.ID] not in self._snapshot.newest and (reader.name, start) not in self._snapshot.gone

    def _is_ready(self, head):
        return head[line.STATE] in _WAITING_STATES and (
            head[line.DUE] == b"0" or self._is_timed(head) and segment.due(head, b"") <= self.horizon)

    def _is_timed(self, head):
        return head[line.STATE] in _WAITING_STATES and head[line.DUE] not in (b"0", b"null")

    def _is_blocked(self, head):
        return head[line.STATE] in _WAITING_STATES and head[line.DUE] == b"null"

    def _is_meant(self, head, data):
        return self._asks_for_one(head) and (self._search is None or self._sieve.may_say(head, data))

    def _asks_for_one(self, head):
        if head[line.STATE] == line.REMOVED or self._states is not None and head[line.STATE] not in self._states:
            return False
        return self._queues is None or head[line.QUEUE] in self._queues

    def _asks_for(self, *states):
        return self._states is None or any(state in self._states for state in states)


def newest_ended(look, now, read=slices.ended):
    """Yields slices.Ended (or what else is read) of every completed and dead job of a snapshot, the one that ended last first."""
    ended = [Listing(look, now, [state], read=read).jobs() for state in ("completed", "dead")]
    return merge(*ended, key=_updated, reverse=True)


def found_in(job, search):
    """Does the text stand in what a person would look for: id, command, queue, error?"""
    wanted = search.lower()
    return any(wanted in text.lower() for text in (job.id, job.command, job.queue, job.error or ""))


def _wanted(counts, states, queues):
    return sum(number for queue, by_state in counts.items() if queues is None or queue in queues
               for state, number in by_state.items() if states is None or state in states)


def _updated(job):
    return job.updated_at
