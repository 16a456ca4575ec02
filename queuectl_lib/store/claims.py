"""A worker's desk: one locked transaction records the last result and claims the next job.

What makes a claim atomic across processes is the append in _transact(): it
happens under the store lock, after everything others wrote has been taken in,
and the line it appends says `processing` and whose claim that is. A result
counts only if the job's newest line is still that claim, looked at under the
same lock; else somebody recovered, cancelled or retried the job meanwhile and
the result is dropped.
"""

import time

from queuectl_lib.job import lifecycle
from queuectl_lib.store import line, segment
from queuectl_lib.store.journal import Journal
from queuectl_lib.store.view import View
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreError

# Results reach the medium at the latest this long after they were written.
SYNC_WITHIN = 0.1


class Claims:
    """The desk of one worker ('SLOT.INCARNATION') that serves these queues (None: all)."""

    def __init__(self, store, worker, queues=None):
        self._store = store
        self._worker = worker
        self._journal = Journal(store.paths.jobs, writable=True)
        self._view = View(store.paths, queues)
        self._end = 0
        self._claimed_at = None
        self._fixed = {}
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
        with self._store.lock():
            self._catch_up(locked=True)
            lines = []
            kept = None
            if done is not None:
                kept = self._still(done[0])
                if kept:
                    lines.append(line.encode(done[1], ("processing", done[0].queue), self._over(done[0]),
                                             fixed=self._fixed.get(done[0].id)))
            job = self._transact(lines, now, take)
        if self._store.config.durability == "full":
            self._sync_at_once()
        return kept, job

    def _sync_at_once(self):
        try:
            self.sync()
        except StoreError:
            # The claim stands in the journal: the worker has to know of it. Its
            # next sync, which is due, fails and says so.
            self._unsynced -= SYNC_WITHIN

    def _transact(self, lines, now, take):
        item = self._view.best(now) if take else None
        job = None
        if item is not None:
            data, over, path, offset = self._line_of(item)
            before, _ = line.decode(data, path, offset)
            fixed = line.fixed_part(data)
            job = lifecycle.claim(before, self._worker, now)
            lines.append(line.encode(job, (before.state, before.queue), over, fixed=fixed))
        if lines:
            try:
                start = self._append(lines)
            except Exception:
                if item is not None:
                    self._view.put_back(item)
                raise
            if job is not None:
                # For the finish: what was given of the job need not be encoded again.
                self._fixed = {job.id: fixed}
                self._claimed_at = (self._journal.header.generation, start + sum(map(len, lines[:-1])))
        return job

    def settle(self, before, after):
        """Record `after` if the newest line is still the claim `before`, and sync; False if it is not."""
        with self._store.lock():
            self._catch_up(locked=True)
            if not self._still(before):
                return False
            self._append([line.encode(after, (before.state, before.queue), self._over(before))])
        self.sync()
        return True

    def holds(self, job):
        """Is the newest line of the job still this claim?"""
        self._catch_up(locked=False)
        return self._still(job)

    def running(self):
        """Every job that is processing now, by whomever."""
        self._catch_up(locked=False)
        return [self._read(self._view.newest[job_id])[0] for job_id in list(self._view.running)]

    def next_due(self, now):
        """The moment (ms) of the next waiting job, or None."""
        return self._view.next_due()

    def more_ready(self):
        """Is more work ready, as of the last look?"""
        return self._view.more_ready()

    def unfinished(self):
        """Is anything ready, running, or waiting for its moment?"""
        return self._view.unfinished()

    def sync_due(self):
        """Seconds until the group sync is due; None when nothing is unsynced."""
        if self._unsynced is None:
            return None
        return max(0.0, self._unsynced + SYNC_WITHIN / 2 - time.monotonic())

    def sync(self):
        """Bring what this worker wrote to the medium. Raises StoreError, and marks the store suspect."""
        if self._unsynced is None:
            return
        end = self._journal.length()
        self._store.sync(self._journal)
        self._store.tell_synced(self._journal.header.generation, end)
        self._unsynced = None

    def _synced_by_others(self):
        # A sync covers what everybody wrote before it: of many workers one does it for all.
        if self._unsynced is not None and self._store.synced() >= self._unsynced_until:
            self._unsynced = None

    def maybe_roll(self):
        """Start the roller when the journal wants it; its pid, or None."""
        if not self._journal.wants_roll():
            return None
        return self._store.start_roller()

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
        if locked:
            self._synced_by_others()

    def _look(self, locked):
        if self._journal.refresh():
            self._start_over()
        if self._journal.size > self._end:
            entries, end = self._journal.news(self._end, locked)
            self._view.take(entries)
            self._end = end

    def _start_over(self):
        self._end = self._journal.body
        self._view.reset(self._journal.header.segments)

    def _append(self, lines):
        start = offset = self._journal.append(b"".join(lines))
        self._end = self._journal.size
        for each in lines:
            self._view.take([(line.HEAD.match(each).groups(), offset, len(each) - 1)])
            offset += len(each)
        if self._store.config.durability != "fast":
            self._unsynced_until = self._journal.header.generation, self._end
            if self._unsynced is None:
                self._unsynced = time.monotonic()
        return start

    def _still(self, job):
        newest = self._view.newest.get(job.id.encode())
        if newest is None or newest[0] != b"processing":
            return False
        if self._claimed_at == (self._journal.header.generation, newest[1]) and job.worker == self._worker:
            return True
        found = self._read(newest)[0]
        return (found.worker, found.attempts, found.started_at) == (job.worker, job.attempts, job.started_at)

    def _over(self, job):
        return self._view.newest[job.id.encode()][3]

    def _read(self, newest):
        _, offset, length, _ = newest
        return line.decode(self._journal.read(offset, offset + length), self._journal.path, offset)

    def _line_of(self, item):
        data, over, path, offset = self._view.line_of(item)
        if data is None:
            return self._journal.read(offset, offset + item[5]), over, self._journal.path, offset
        return data, over, path, offset
