"""Is an id of a big batch there already? Asked of the whole store once, then only of what came since.

The first look goes without the lock: every segment's index is compared with the
batch's, hash by hash, and of every id in the journal it is asked whether the batch
brings it. Meanwhile others go on storing, so once more, under the lock, what came
since is looked at. If that is more than little (a roll, another batch), or if it
concerns the batch, the lock is let go and it is looked at without: nobody
waits for a pass over a million ids.

The journal overrides every segment, this one too. So where it says that a job
was removed whose id the batch brings again, it is rolled first.
"""

from queuectl_lib.store import index, new_segment, roll, segment
from queuectl_lib.store.paths import index_of
from queuectl_lib.store.snapshot import Snapshot
from queuectl_lib.words.errors import DuplicateJob

# Bytes of journal that are scanned under the lock in some ten milliseconds.
_LITTLE = 1024 * 1024
# Seconds to wait for a roll that is going on.
_PATIENCE = 30


class Duplicates:
    """Looks for the ids of a written and indexed segment; DuplicateJob when one is there."""

    def __init__(self, store, journal, writer):
        self._store = store
        self._journal = journal
        self._batch = writer
        self._compared = set()
        self._seen = None

    def look_within(self):
        """Does an id stand twice in the batch?"""
        brought = self._index()
        for number in brought.repeated():
            ids = [self._id_at(offset) for offset in brought.offsets(number)]
            for job_id in ids:
                if ids.count(job_id) > 1:
                    raise DuplicateJob("the id %s stands twice in this batch: nothing was enqueued" % job_id.decode())

    def look(self):
        """Is one in the store? What was looked at before is passed over; the lock is not held."""
        for last in (False, False, True):
            try:
                hidden = self._look_once()
                break
            except FileNotFoundError as error:
                # A roll removed a segment between two looks.
                self._store.check_there()
                if last:
                    raise segment.missing(error)
        if hidden:
            roll.roll(self._store, needless=True, patience=_PATIENCE)
            self.look()

    def nothing_came(self):
        """Is it certain, by a short look, that the last look still holds? The lock is held, the journal refreshed."""
        generation, end = self._seen
        if generation != self._journal.generation or self._journal.size - end > _LITTLE:
            return False
        entries, _ = self._journal.news(end, locked=True)
        brought = self._index()
        return not any(type(head) is dict or self._brings(brought, head[0]) for head, _, _ in entries)

    def _look_once(self):
        """Does the journal hide an id of the batch: say that its job was removed?"""
        snapshot = Snapshot(self._store.paths, self._journal)
        brought = self._index()
        for entry in snapshot.segments():
            if entry.name not in self._compared:
                self._compare(snapshot, brought, snapshot.reader(entry))
                self._compared.add(entry.name)
        hidden = [job_id for job_id in snapshot.newest if self._brings(brought, job_id)]
        for job_id in hidden:
            _refuse(snapshot, job_id)
        self._seen = self._journal.generation, snapshot.end
        return bool(hidden)

    def _compare(self, snapshot, brought, reader):
        try:
            stored = index.Index(index_of(reader.path), reader.size)
            self._refuse_any(snapshot, brought, map(stored.shared, brought.hashes()))
        except index.Useless:
            stored = new_segment.indexed(reader.fd, reader.size, reader.path)
            self._refuse_any(snapshot, brought, map(brought.shared, stored.hashes()))

    def _refuse_any(self, snapshot, brought, shared):
        for numbers in shared:
            for number in numbers:
                for offset in brought.offsets(number):
                    _refuse(snapshot, self._id_at(offset))

    def _brings(self, brought, job_id):
        return self._batch.holds(brought, job_id)

    def _index(self):
        return index.Index(index_of(self._batch.path), self._batch.size)

    def _id_at(self, offset):
        return self._batch.id_at(offset)


def _refuse(snapshot, job_id):
    if snapshot.find(job_id.decode()) is not None:
        raise DuplicateJob("a job with the id %s is already there: nothing was enqueued" % job_id.decode())
