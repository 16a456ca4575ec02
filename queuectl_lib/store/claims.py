"""A worker's desk: one locked transaction records the last result and claims the next job.

What makes a claim atomic across processes is the append in _transact(): it
happens under the store lock, after everything others wrote has been taken in,
and the line it appends says `processing` and whose claim that is. A result
counts only if the job's newest line is still that claim, looked at under the
same lock; else somebody recovered, cancelled or retried the job meanwhile and
the result is dropped.
"""

import time
from collections import namedtuple

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import line, pieces, segment
from queuectl_lib.store.journal import Journal
from queuectl_lib.store.view import View
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreError

# Results reach the medium at the latest this long after they were written.
SYNC_WITHIN = 0.1

# What is known of the last claim: where its line stands, what that overrides, and
# what need not be encoded again when its result is recorded.
_Claim = namedtuple("_Claim", ("id", "generation", "place", "over", "fixed"))
_NO_CLAIM = _Claim(None, None, None, None, None)


class Claims:
    """The desk of one worker ('SLOT.INCARNATION') that serves these queues (None: all)."""

    def __init__(self, store, worker, queues=None):
        self._store = store
        self._worker = worker
        self._journal = Journal(store.paths.jobs, writable=True)
        self._view = View(store.paths, queues)
        self._end = 0
        self._last = _NO_CLAIM
        self._lock = None
        # The running jobs, and the (generation, offset) up to which that was looked up.
        self._running = []
        self._running_at = None
        # Since when there is something unsynced (monotonic), and how far it reaches.
        self._unsynced = None
        self._unsynced_until = None

    def exchange(self, done=None, take=True, now=None):
        """Record a result and claim the best ready job, in one write.

        done: (claimed job, the job after it) or None; now: ms.
        Returns (kept, job): kept tells whether the result counted (None without
        one), job is the newly claimed one or None. Raises StoreError with
        nothing changed; call again with the same arguments.
        """
        now = clock.now() if now is None else now
        if self._lock is None:
            self._lock = self._store.lock()
        if self._journal.is_replaced():
            # To take in a new journal takes milliseconds: nobody else need wait for that.
            self._catch_up(locked=False)
        result = self._result(*done) if done is not None and done[0].id == self._last.id else None
        with self._lock:
            self._catch_up(locked=True)
            lines = []
            kept = None
            if done is not None:
                kept = self._still(done[0])
                if kept:
                    lines.append((done[1], result or self._result(*done)))
            job = self._transact(lines, now, take)
        if self._store.config.durability == "full":
            self._sync_at_once()
        return kept, job

    def _result(self, before, after):
        """The line that records what became of a claimed job."""
        if self._last.id == before.id:
            return line.encode(after, (before.state, before.queue), self._last.over, fixed=self._last.fixed)
        over = self._job_at(self._view.newest[before.id.encode()])[1]
        return line.encode(after, (before.state, before.queue), over)

    def _sync_at_once(self):
        try:
            self.sync()
        except StoreError:
            # The claim stands in the journal: the worker has to know of it. Its
            # next sync, which is due, fails and says so.
            self._unsynced -= SYNC_WITHIN

    def _transact(self, lines, now, take):
        """Write the lines, and with them the claim of the best ready job: that job, or None."""
        item = self._view.best(now) if take else None
        if item is None:
            if lines:
                self._append(lines)
            return None
        before, over, data = self._taken(item)
        job = lifecycle.claim(before, self._worker, now)
        fixed = line.fixed_part(data)
        lines.append((job, line.encode(job, (before.state, before.queue), over, fixed=fixed)))
        try:
            place = self._append(lines)
        except Exception:
            self._view.put_back(item)
            raise
        self._last = _Claim(job.id, self._journal.header.generation, place, over, fixed)
        return job

    def _taken(self, item):
        """(job, what its next line overrides, its line) of an item."""
        *_, offset, data = item
        reader = self._view.segment_of(item)
        if reader is None:
            data = self._journal.line_at(offset)
            job, over = line.decode(data, self._journal.path, offset)
            return job, over, data
        job, _ = line.decode(data, reader.path, offset)
        return job, (reader.name, offset, offset + len(data) + 1), data

    def settle(self, before, after):
        """Record `after` if the newest line is still the claim `before`, and sync; False if it is not."""
        with self._store.lock():
            self._catch_up(locked=True)
            if not self._still(before):
                return False
            self._append([(after, self._result(before, after))])
        self.sync()
        return True

    def holds(self, job):
        """Is the newest line of the job still this claim?"""
        self._catch_up(locked=False)
        return self._still(job)

    def running(self):
        """Every job that is processing now, by whomever."""
        self._catch_up(locked=False)
        at = (self._journal.header.generation, self._end)
        # An idle worker asks every few seconds, and then nothing has changed.
        if at != self._running_at:
            self._running = self._look_for_running()
            self._running_at = at
        return list(self._running)

    def _look_for_running(self):
        data = self._journal.read(self._journal.body, self._end)
        return [self._job_at(offset)[0] for job_id, offset in pieces.running(data, self._journal.body)
                if self._view.newest.get(job_id) == offset]

    def next_due(self, now):
        """The moment (ms) of the next waiting job, or None."""
        return self._view.next_due()

    def more_ready(self):
        """Is more work ready, as of the last look?"""
        return self._view.more_ready()

    def unfinished(self):
        """Is anything ready, running, or waiting for its moment?"""
        return self._view.waiting() or any(self._view.serves(job.queue.encode()) for job in self.running())

    def seen(self):
        """(inode, size) of the journal as it was last seen: while a stat tells the same, nothing is new."""
        return self._journal.inode, self._journal.size

    def sync_due(self):
        """Seconds until the group sync is due; None when nothing is unsynced."""
        if self._unsynced is None:
            return None
        return max(0.0, self._unsynced + SYNC_WITHIN / 2 - time.monotonic())

    def sync(self):
        """Bring what this worker wrote to the medium. Raises StoreError, and marks the store suspect."""
        if self._unsynced is None:
            return
        # A sync covers what everybody wrote before it: of many workers one does it for all.
        if self._store.synced() < self._unsynced_until:
            end = self._journal.length()
            self._store.sync(self._journal)
            self._store.tell_synced(self._journal.header.generation, end)
        self._unsynced = None

    def close(self):
        self._journal.close()
        self._view.close()

    def _catch_up(self, locked):
        for last in (False, True):
            try:
                self._look(locked)
                break
            except FileNotFoundError as error:
                # A segment that a roll removed while we were without the lock;
                # the journal that names it is replaced by then.
                self._journal.close()
                self._store.check_there()
                if locked or last:
                    raise segment.missing(error)

    def _look(self, locked):
        if self._journal.refresh():
            self._start_over()
        if self._journal.size > self._end:
            if self._take_settled():
                return
            entries, end = self._journal.news(self._end, locked)
            self._view.take(entries)
            self._end = end

    def _take_settled(self):
        """Take in what is new in the cheap way; False where that does not do."""
        if not self._journal.saw_written(self._end):
            return False
        settled = pieces.settled(self._journal.read(self._end), self._end)
        if settled is None:
            return False
        self._view.take_settled(*settled)
        self._end = self._journal.size
        return True

    def _start_over(self):
        """Begin anew in another journal; what its roll wrote is of all kinds, what follows mostly settled."""
        self._view.reset(self._journal.header.segments)
        entries, self._end = self._journal.carried()
        self._view.take(entries)

    def _append(self, lines):
        """Write [(job, its line)], the last of them a claim or the only one; the offset of the last."""
        place = end = self._journal.append(b"".join([data for _, data in lines]))
        for job, data in lines:
            place = end
            if record.due(job) is None:
                self._view.settle(job.id.encode(), place)
            else:
                self._view.take(pieces.scan(data, place, self._journal.path)[0])
            end += len(data)
        self._end = self._journal.size
        if self._store.config.durability != "fast":
            self._unsynced_until = self._journal.header.generation, self._end
            if self._unsynced is None:
                self._unsynced = time.monotonic()
        return place

    def _still(self, job):
        newest = self._view.newest.get(job.id.encode())
        if newest is None:
            return False
        # The generation as well: in another journal another line may stand at this offset.
        if (job.id, self._journal.header.generation, newest) == self._last[:3]:
            return True
        data = self._journal.line_at(newest)
        line.check(data, self._journal.path, newest)
        if line.is_removal(data):
            return False
        found, _ = line.decode(data, self._journal.path, newest)
        return (found.state, found.worker, found.attempts, found.started_at) == (
            "processing", job.worker, job.attempts, job.started_at)

    def _job_at(self, offset):
        return line.decode(self._journal.line_at(offset), self._journal.path, offset)
