"""A worker's desk: one locked transaction records the last result and claims the next job.

What makes a claim atomic across processes is the append in _transact(): it
happens under the store lock, after everything others wrote has been taken in,
and the line it appends says `processing` and whose claim that is. A result
counts only if the job's newest line is still that claim, looked at under the
same lock; else somebody recovered, cancelled or retried the job meanwhile and
the result is dropped.

With a result goes what follows from it for jobs that come after the ended one
(spread.py), and with the death of a job the pause of a queue that is armed for that:
as one batch. The next claim is then a transaction of its own, which knows of all that.
"""

from collections import namedtuple

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import line
from queuectl_lib.store.ballast import Reserve
from queuectl_lib.store.group_sync import GroupSync
from queuectl_lib.store.sight import Sight
from queuectl_lib.store.spread import Change, ending, go_on
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DiskFull, StoreError

# What is known of the last claim: the job, where its line stands, what that overrides,
# and what need not be encoded again when its result is recorded.
_Claim = namedtuple("_Claim", ("job", "generation", "place", "over", "fixed"))
_NO_CLAIM = _Claim(None, None, None, None, None)


class Claims:
    """The desk of one worker ('SLOT.INCARNATION') that serves these queues (None: all).

    ended, readied: jobs that ended in an exchange beside the one that was told, and the queues of
    jobs that became ready by it; whoever reads them empties them. reserve: a ballast.Reserve.
    """

    def __init__(self, store, worker, queues=None):
        self._store = store
        self._worker = worker
        self._sight = Sight(store, queues)
        self._journal = self._sight.journal
        self._view = self._sight.view
        self._last = _NO_CLAIM
        self._lock = None
        self.ended = []
        self.readied = set()
        self.reserve = Reserve(store)
        self._written = GroupSync(store, self._journal)

    def exchange(self, done=None, take=True, now=None):
        """Record a result and claim the best ready job, in one write.

        done: (claimed job, the job after it) or None; now: ms.
        Returns (kept, job): kept tells whether the result counted (None without
        one), job is the newly claimed one or None. Raises StoreError with
        nothing changed; call again with the same arguments.
        On a full disk a result is recorded all the same, and nothing is claimed.
        """
        now = clock.now() if now is None else now
        if take and done is None:
            self.reserve.check()
        if self._lock is None:
            self._lock = self._store.lock()
        if self._journal.is_replaced():
            # To take in a new journal takes milliseconds: nobody else need wait for that.
            self._sight.catch_up(locked=False)
        result = self._result(*done) if done is not None and done[0] is self._last.job else None
        with self._lock:
            self._sight.catch_up(locked=True)
            lines = []
            kept = None
            if done is not None:
                kept = self._still(done[0])
                if kept:
                    lines = self._with_consequences(*done, result or self._result(*done), now)
            try:
                job, again = self._transact(lines, now, take)
            except StoreError as error:
                job, again, take = self._after_failure(error, done if kept else None, now)
        if again or self._view.untold():
            job = self._go_on(job, now, take)
        if self._store.config.durability == "full":
            self._sync_at_once()
        return kept, job

    def _after_failure(self, error, done, now):
        """(None, whether to call again, whether to claim then: no) once a result is recorded though the disk is full."""
        self._sight.doubt(error)
        if not isinstance(error, DiskFull):
            raise error
        lines = self._with_consequences(*done, self._result(*done), now) if done else []
        self.reserve.make_room(error, lines)
        return self._transact(lines, now, take=False) + (False,)

    def _go_on(self, job, now, take):
        """Claim a job, if none is yet, knowing of what has just been written; and tell who has still to learn of something."""
        try:
            while job is None and take:
                with self._lock:
                    self._sight.catch_up(locked=True)
                    told = self._tell(now)
                    job, again = self._transact([], now, take)
                if job is None and not again and not told:
                    return None
            with self._lock:
                self._sight.catch_up(locked=True)
                self._tell(now)
        except StoreError as error:
            # What was recorded is recorded, and what was claimed is claimed. The next exchange without a result says it.
            self._sight.doubt(error)
            self.reserve.error = error
        return job

    def _tell(self, now):
        """One step of telling others of a job's state; False when there is nothing to tell."""
        lines, followers = go_on(self._sight, map(self._sight.job_at, self._view.untold().values()), now)
        if not lines:
            return False
        self._append(lines)
        self._note(lines[:followers])
        return True

    def claim(self, job_id, check, now):
        """Claim exactly this job, whoever's turn it is, as check(job, or None) gives it back, which may raise NotDone."""
        while True:
            with self._store.lock():
                self._sight.catch_up(locked=True)
                # As in _transact: the job's next line would not say any more that others have to learn that it is back.
                if self._tell(now):
                    continue
                before, over = self._sight.find(job_id) or (None, None)
                job = lifecycle.claim(check(before), self._worker, now)
                self._append([(job, line.encode(job, (before.state, before.queue), over))], plain=True)
                return job

    def set_limits(self, limits):
        """From now on so many slots of these queues ({queue: number}) may run at once."""
        self._sight.set_limits(limits)

    def _result(self, before, after):
        """The line that records what became of a claimed job."""
        fixed = self._last.fixed if self._last.job is before else None
        return line.encode(after, (before.state, before.queue), self._over_of(before), fixed=fixed)

    def _over_of(self, before):
        if self._last.job is before:
            return self._last.over
        return self._sight.job_at(self._view.newest[before.id.encode()])[1]

    def _sync_at_once(self):
        try:
            self.sync()
        except StoreError:
            # The claim stands in the journal: the worker has to know of it. Its
            # next sync, which is due, fails and says so.
            self._written.make_due()

    def _with_consequences(self, before, after, result, now):
        """[(job, its line)] that record what became of a claimed job, and what follows from that."""
        if after.state not in lifecycle.ENDED or not (self._view.pauses or self._view.is_awaited(after.id.encode())):
            return [(after, result)]
        lines = ending(self._sight, Change(before, after, self._over_of(before)), now)
        return lines if len(lines) > 1 else [(after, result)]

    def _transact(self, lines, now, take):
        """Write the lines, and with them the claim of the best ready job: (that job or None, whether to call again)."""
        if len(lines) > 1 or lines and not self._view.takes_ids_alone:
            # What follows from them decides what may be chosen.
            self._append(lines)
            self._note(lines[1:])
            return None, True
        item = self._view.best(now) if take else None
        if item is not None and item[2] in self._view.untold():
            # Its next line would not say any more that others have to learn that it is back.
            self._view.put_back(item)
            item = None
        if item is None:
            if lines:
                self._append(lines, plain=True)
            return None, False
        before, over, data = self._taken(item)
        if lifecycle.is_expired(before, now):
            self._give_up(lines, item, Change(before, lifecycle.expire(before, now), over), now)
            return None, True
        job = lifecycle.claim(before, self._worker, now)
        fixed = line.fixed_part(data)
        lines.append((job, line.encode(job, (before.state, before.queue), over, fixed=fixed)))
        place = self._append(lines, item, plain=True)
        self._last = _Claim(job, self._journal.generation, place, over, fixed)
        return job, False

    def _give_up(self, lines, item, change, now):
        """Record that a job's time has passed, instead of claiming it."""
        told = ending(self._sight, change, now)
        self._append(lines + told, item)
        self._note(told)

    def _note(self, lines):
        """Remember who ended and who became ready, for the worker to tell."""
        for job, _ in lines:
            if job is None:
                continue
            if job.state in lifecycle.ENDED:
                self.ended.append(job)
            elif record.due(job) == 0:
                self.readied.add(job.queue)

    def _taken(self, item):
        """(job, what its next line overrides, its line) of an item."""
        offset, data = item[4:6]
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
            self._sight.catch_up(locked=True)
            if not self._still(before):
                return False
            lines = self._with_consequences(before, after, self._result(before, after), clock.now())
            try:
                self._append(lines)
            except DiskFull as error:
                self.reserve.make_room(error, lines)
                self._append(lines)
            self._note(lines[1:])
        self.sync()
        return True

    def holds(self, job):
        """Is the newest line of the job still this claim?"""
        self._sight.catch_up(locked=False)
        return self._still(job)

    def running(self):
        """Every job that is processing now, by whomever."""
        return self._sight.running()

    def next_due(self, now):
        """The moment (ms) of the next waiting job, or None."""
        return self._view.next_due()

    def more_ready(self):
        """Is more work ready, as of the last look?"""
        return self._view.more_ready()

    def unfinished(self):
        """Is anything ready, running, or waiting for its moment?"""
        return self._sight.unfinished()

    def seen(self):
        """(inode, size) of the journal as it was last seen: while a stat tells the same, nothing is new."""
        return self._journal.inode, self._journal.size

    def sync_due(self):
        """Seconds until the group sync is due; None when nothing is unsynced."""
        return self._written.due()

    def sync(self):
        """Bring what this worker wrote to the medium. Raises StoreError, and marks the store suspect."""
        self._written.sync()

    def close(self):
        self._sight.close()

    def _append(self, lines, item=None, plain=False):
        """Write [(job, its line)]; the offset of the last.

        item: goes back to the ready ones when that fails; plain: as Sight.took.
        """
        try:
            place = self._journal.append(b"".join([data for _, data in lines]))
        except Exception:
            if item is not None:
                self._view.put_back(item)
            raise
        self._sight.took(lines, place, plain)
        self._written.wrote()
        return self._journal.size - len(lines[-1][1])

    def _still(self, job):
        # The generation as well: in another journal another line may stand at this offset.
        newest = self._view.newest.get(job.id.encode())
        if job is self._last.job and (self._journal.generation, newest) == self._last[1:3]:
            return True
        found = self._sight.newest(job.id)
        return found is not None and (found.state, found.worker, found.attempts, found.started_at) == (
            "processing", job.worker, job.attempts, job.started_at)
