"""What changes in a store, as it happens: the journal read along, across its rolls, nothing left out and nothing twice.

A journal that was rolled is never written again: what is unread of it is read first.
Its last lines stand in the new one, byte for byte, behind what the roll itself wrote:
the piece with which the old one ends and this begins was seen already. Lines
count when their batch is whole, so that what a writer takes back was never told.

To look costs two system calls where nothing has changed.
"""

import os
from collections import namedtuple

from queuectl_lib.job.record import Job
from queuectl_lib.store import header, line, locking, pieces, segment
from queuectl_lib.store.journal import Journal
from queuectl_lib.words.errors import StoreError

# One line of a journal: head is that of pieces.scan.
Entry = namedtuple("Entry", ("head", "line"))


class News:
    """One process's place in the journal. start() it, then look() again and again.

    missed: whether the journal was rolled more than once between the last two looks (of
    a process that was stopped, say): then some changes were not seen.
    """

    def __init__(self, store):
        self._store = store
        self._journal = None
        self._end = 0
        self._size = None
        # Where a journal that is replaced cannot be read any more: what was read of it.
        self._kept = [] if locking.ON_WINDOWS else None
        self.missed = False

    def start(self):
        """The store at the moment from which on look() tells (snapshot.Snapshot); None where there is none yet."""
        while True:
            look = self._store.look()
            if look is None:
                return None
            self._open()
            if self._journal.generation == look.journal.generation:
                self._end = look.end
                if self._kept is not None:
                    self._kept = [look.data[1:]]
                return look

    def look(self):
        """[Entry…] of what was written since the last look. Raises StoreError when the store is gone, or damaged."""
        self.missed = False
        if self._journal is None:
            if not os.path.exists(self._store.paths.jobs):
                return []
            self._open()
        replaced = self._journal.is_replaced()
        try:
            found = self._read_on()
        except FileNotFoundError:
            found = []
            replaced = True
        if replaced:
            self._cross()
            found += self._read_on()
        return found

    def close(self):
        if self._journal is not None:
            self._journal.close()

    def _open(self):
        """Begin at the first line of the journal that is there now."""
        self.close()
        self._journal = Journal(self._store.paths.jobs, writable=False)
        try:
            self._journal.refresh()
        except FileNotFoundError:
            self._store.exists = True
            self._store.check_there()
        self._end = self._journal.body
        self._size = None

    def _read_on(self):
        size = self._journal.length()
        if size == self._size:
            return []
        self._size = size
        start = min(self._end, size)
        data = self._journal.read(start, size)
        entries, self._end = pieces.scan(data, start, self._journal.path)
        if self._kept is not None:
            self._kept.append(data[:self._end - start])
        return [Entry(head, data[at - start:at - start + length]) for head, at, length in entries]

    def _cross(self):
        """Go over to the journal that has replaced the one that was read to its end."""
        old = self._journal.header
        end = self._end
        if self._kept is None:
            seen = self._journal.read(self._journal.body, end)
        else:
            seen, self._kept = b"".join(self._kept), []
        self._open()
        new = self._journal.header
        self._end += new.carried
        if new.generation != old.generation + 1:
            self.missed = True
            return
        overlap = _overlap(seen, self._journal.read(self._end))
        self._end += overlap
        # It ended where this one's places of arrival begin.
        self.missed = self._kept is not None and not overlap and old.origin + end != new.origin


def _overlap(before, after):
    """How many bytes, whole lines, `after` begins with that `before` ends with."""
    last = before[before.rfind(b"\n", 0, -1) + 1:]
    at = after.rfind(last) if last else -1
    while at >= 0:
        length = at + len(last)
        if before.endswith(after[:length]):
            return length
        at = after.rfind(last, 0, length - 1)
    return 0


def entries_of(look):
    """[Entry…] of all that the journal of a snapshot holds, the running jobs that a roll carried on first."""
    return [Entry(_head_of(each), each) for each in look.lines]


def _head_of(each):
    match = line.HEAD.match(each)
    return match.groups() if match else line.decode_other(each)


def job_of(entry):
    """The Job of an entry, as it is since; one that was removed has nothing but id, queue and the state 'removed'.

    None for the other kinds of lines.
    """
    head = entry.head
    if type(head) is dict:
        return None
    if head[line.STATE] == line.REMOVED:
        return Job(id=head[line.ID].decode(), state="removed", queue=head[line.QUEUE].decode())
    # Its crc was looked at.
    return line.decode(entry.line, "", 0)[0]


def was(entry):
    """The state before, of a job's entry; None for a new job."""
    state = entry.head[line.WAS]
    return state and state.decode()


def batch_of(entry):
    """The header.Segment of jobs that joined all at once, if the entry says that; else None."""
    fields = type(entry.head) is dict and entry.head.get("segment")
    return header.segment_of(fields) if fields else None


def moment_of(store, batch):
    """When the first job of a batch was enqueued; None where that cannot be told any more."""
    try:
        reader = segment.Reader(store.paths, batch.name, batch.size)
    except FileNotFoundError:
        # Merged with others by a roll.
        return None
    start, first = next(reader.lines(0, batch.size))
    return line.decode(first, reader.path, start)[0].created_at


def sync(store):
    """Bring the journal to the medium, as far as a reader may: what it tells others will still be true after a power cut."""
    if store.config.durability == "fast":
        return
    journal = Journal(store.paths.jobs, writable=False)
    try:
        journal.refresh()
        journal.sync()
    except (StoreError, OSError):
        # Its writer is told, and sees to it. Or it was replaced: by what is synced.
        pass
    finally:
        journal.close()
