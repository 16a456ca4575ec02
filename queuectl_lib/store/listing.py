"""Jobs in the order a person asks about them, read lazily: a list of ten costs ten.

running, then ready in the order they will run, then waiting by due moment,
then dead and finished, newest first.
"""

from heapq import merge

from queuectl_lib.store import header, line, segment, sift, slices
from queuectl_lib.store.view import OVERDUE_WINDOW

_WAITING_STATES = (b"pending", b"failed")


def as_job(head, data, path, start):
    """The Job of a line."""
    return line.decode(data, path, start)[0]


class Listing:
    """The jobs of a snapshot; states and queues: sets of names, or None for all.

    read: what makes of a line, its head, its file and offset, what is wanted of a job; it has the name updated_at.
    """

    def __init__(self, snapshot, now, states=None, queues=None, search=None, read=as_job):
        self._snapshot = snapshot
        self._now = now
        self._states = states and {state.encode() for state in states}
        self._queues = queues and {queue.encode() for queue in queues}
        self._search = search
        self._read = read
        self._sieve = None if search is None and queues is None else sift.Sieve(search, self._queues)
        self._shown_as_ready = set()
        self._left = _wanted(snapshot.counts(), states, queues)
        # Opened at once: a roll may remove them while a list is being read.
        self._segments = [(entry, snapshot.reader(entry)) for entry in snapshot.segments()]
        self._journal = [entry for entry in snapshot.heads() if self._matches(*entry)]

    def jobs(self):
        """Yields Job."""
        # Counts are exact, so nobody reads on for what cannot come.
        if self._left <= 0:
            return
        for group in (self._running, self._ready, self._waiting, self._dead, self._finished):
            for job in group():
                self._left -= 1
                if self._search is None or found_in(job, self._search):
                    yield job
                if self._left <= 0:
                    return
        if self._search is None:
            self._check_what_was_passed_over()

    def _check_what_was_passed_over(self):
        """Fewer jobs than were counted: some may not have looked like what was asked for. StoreDamaged if so."""
        for entry, reader in self._segments:
            for section in entry.sections:
                for start, data in reader.lines(section.start, section.end):
                    line.check(data, reader.path, start)

    def _running(self):
        return map(self._from_journal, self._in_journal(lambda head: head[1] == b"processing"))

    def _ready(self):
        if not self._asks_for(*_WAITING_STATES):
            return iter(())
        journal = sorted((_place(entry[0]), entry) for entry in self._in_journal(self._is_ready))
        streams = [((key, self._from_journal(entry)) for key, entry in journal), self._overdue()]
        if self._asks_for(b"pending"):
            streams += [self._sorted_section(each, _place) for each in self._sections(header.READY)]
        return (job for _, job in merge(*streams, key=_first))

    def _waiting(self):
        if not self._asks_for(*_WAITING_STATES):
            return
        journal = sorted((_due(entry[0]), entry) for entry in self._in_journal(self._is_waiting))
        streams = [((key, self._from_journal(entry)) for key, entry in journal)]
        streams += [self._sorted_section(each, _due) for each in self._timed_sections()]
        for _, job in merge(*streams, key=_first):
            yield job
        for entry in self._in_journal(lambda head: head[1] in _WAITING_STATES and head[7] == b"null"):
            yield self._from_journal(entry)
        for each in self._sections(header.BLOCKED):
            for _, job in self._sorted_section(each, _place):
                yield job

    def _dead(self):
        return self._newest_first((b"dead",), [header.DEAD])

    def _finished(self):
        return self._newest_first(segment.FINISHED, [state.decode() for state in segment.FINISHED])

    def _newest_first(self, states, kinds):
        if not self._asks_for(*states):
            return
        for entry in reversed(list(self._in_journal(lambda head: head[1] in states))):
            yield self._from_journal(entry)
        for each in reversed(self._segments):
            streams = [self._backward(place) for kind in kinds for place in self._sections(kind, [each])]
            for job in merge(*streams, key=_updated, reverse=True):
                yield job

    def _overdue(self):
        """Yields ((priority, order), job) of what fell due in segments, sorted, at most a window."""
        found = []
        for reader, section in self._timed_sections():
            for head, start, data in self._forward(reader, section):
                if int(head[7]) > self._now or len(found) >= OVERDUE_WINDOW:
                    break
                if self._alive(reader, head, start) and self._matches(head, data):
                    found.append((_place(head), (head, data, reader.path, start)))
                    self._shown_as_ready.add((reader.name, start))
        for place, entry in sorted(found, key=_first):
            yield place, self._read(*entry)

    def _sorted_section(self, place, key):
        reader, section = place
        for head, start, data in self._forward(reader, section):
            if (self._alive(reader, head, start) and self._matches(head, data)
                    and (reader.name, start) not in self._shown_as_ready):
                yield key(head), self._read(head, data, reader.path, start)

    def _backward(self, place):
        reader, section = place
        if self._sieve is None:
            found = reader.backward(section.start, section.end)
        else:
            found = sift.backward(reader, section.start, section.end, self._sieve)
        for head, start, data in found:
            if self._alive(reader, head, start) and self._matches(head, data):
                yield self._read(head, data, reader.path, start)

    def _forward(self, reader, section):
        if self._sieve is None:
            return reader.forward(section.start, section.end)
        return sift.forward(reader, section.start, section.end, self._sieve)

    def _timed_sections(self):
        for kind, state in ((header.DUE, b"pending"), (header.RETRY, b"failed")):
            if self._asks_for(state):
                yield from self._sections(kind)

    def _sections(self, kind, segments=None):
        for entry, reader in self._segments if segments is None else segments:
            for section in entry.sections:
                if section.kind == kind and section.start < section.end and self._may_hold(section):
                    yield reader, section

    def _may_hold(self, section):
        if section.queue == "":
            return self._asks_for(section.kind.encode())
        return self._queues is None or section.queue.encode() in self._queues

    def _alive(self, reader, head, start):
        return head[0] not in self._snapshot.newest and (reader.name, start) not in self._snapshot.gone

    def _in_journal(self, wanted):
        return (entry for entry in self._journal if wanted(entry[0]))

    def _is_ready(self, head):
        return head[1] in _WAITING_STATES and head[7] != b"null" and int(head[7]) <= self._now

    def _is_waiting(self, head):
        return head[1] in _WAITING_STATES and head[7] != b"null" and int(head[7]) > self._now

    def _matches(self, head, data):
        if head[1] == line.REMOVED or self._states is not None and head[1] not in self._states:
            return False
        if self._queues is not None and head[4] not in self._queues:
            return False
        return self._search is None or self._sieve.may_say(head, data)

    def _from_journal(self, entry):
        # A snapshot's lines have been checked.
        return self._read(*entry, "", 0)

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


def _place(head):
    return int(head[5]), int(head[6])


def _due(head):
    return int(head[7]), int(head[6])


def _first(item):
    return item[0]


def _updated(job):
    return job.updated_at
