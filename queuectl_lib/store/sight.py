"""What a worker sees of the store: the journal it reads on in, and the view made of it, kept up to date.

Each process takes in only what is new. Under the store lock that decides; without
it, to save time under the lock or to look something up, an unfinished end is left alone.
"""

from queuectl_lib.job import record
from queuectl_lib.store import line, pauses, pieces, segment
from queuectl_lib.store.journal import Journal
from queuectl_lib.store.view import View
from queuectl_lib.words.errors import DiskFull, StoreDamaged, StoreError

# From KILL to the line that a worker writes when a cancelled job's processes are gone.
_MARGIN_MS = 6000


# In these a job waits for nothing (a dead one may name because of whom it died).
_SETTLED = ("processing", "completed")


class Sight:
    """One process's sight of a store, for workers that serve these queues (None: all).

    journal: journal.Journal; view: view.View; end: up to where in the journal the view knows.
    """

    def __init__(self, store, queues):
        self._store = store
        self.journal = Journal(store.paths.jobs, writable=True)
        self.view = View(store.paths, queues)
        self.view.limits = store.config.limits
        self.view.ending_ms = int(store.config.kill_grace * 1000) + _MARGIN_MS
        self.end = 0
        # The running jobs, and the (generation, offset) up to which that was looked up.
        self._running = []
        self._running_at = None

    def set_limits(self, limits):
        """From now on so many slots of these queues may run at once."""
        if limits is not self.view.limits and limits != self.view.limits:
            self.view.limits = limits
            # As if the journal were another one: all of it is looked at anew.
            self.journal.close()

    def catch_up(self, locked):
        """Take in what is new. Raises StoreError; locked: the store lock is held, and the journal's end is repaired."""
        for last in (False, True):
            try:
                self._look(locked)
                break
            except FileNotFoundError as error:
                # A segment that a roll removed while we were without the lock;
                # the journal that names it is replaced by then.
                self.journal.close()
                self._store.check_there()
                if locked or last:
                    raise segment.missing(error)
            except (StoreError, OSError):
                # Perhaps half of it is taken in.
                self.journal.close()
                raise

    def doubt(self, error):
        """After this StoreError what was just looked at is perhaps half taken in: all of it is read anew.

        But not for what is damaged: each such line is told once, and passed over from then on.
        """
        if not isinstance(error, (DiskFull, StoreDamaged)):
            self.view.stale = True

    def _look(self, locked):
        if self.journal.refresh():
            try:
                self._store.check_there()
            except (StoreError, OSError):
                # Nothing of another store may be taken for what is known of ours.
                self.journal.close()
                raise
            self._start_over()
        if self.journal.size > self.end and not self._take_settled():
            entries, end = self.journal.news(self.end, locked)
            self.view.take(entries)
            self.end = end
        if self.view.stale:
            self._start_over()
            self._look(locked)

    def _take_settled(self):
        """Take in what is new in the cheap way; False where that does not do."""
        if not (self.view.takes_ids_alone and self.journal.saw_written(self.end)):
            return False
        settled = pieces.settled(self.journal.read(self.end), self.end)
        if settled is None:
            return False
        self.view.take_settled(*settled)
        self.end = self.journal.size
        return True

    def _start_over(self):
        """Begin anew in another journal; what its roll wrote is of all kinds, what follows mostly settled."""
        head = self.journal.header
        self.view.reset(head.segments, pauses.decoded(head.pauses))
        entries, self.end = self.journal.carried()
        self.view.take(entries)

    def took(self, lines, place, plain):
        """Let the view know of [(job, its line)] that this process has just appended at this offset.

        plain: no batch, and no line of another kind than a job's.
        """
        if plain and self.view.takes_ids_alone:
            for job, data in lines:
                if job.state in _SETTLED or record.is_settled(job):
                    self.view.settle(job.id.encode(), place)
                else:
                    self.view.take(pieces.scan(data, place, self.journal.path)[0])
                place += len(data)
        else:
            whole = b"".join([data for _, data in lines])
            self.view.take(pieces.scan(whole, place, self.journal.path)[0])
        self.end = self.journal.size

    def running(self):
        """Every job that is processing now, by whomever."""
        self.catch_up(locked=False)
        at = (self.journal.generation, self.end)
        # An idle worker asks every few seconds, and then nothing has changed.
        if at != self._running_at:
            self._running = self._look_for_running()
            self._running_at = at
        return list(self._running)

    def _look_for_running(self):
        data = self.journal.read(self.journal.body, self.end)
        return [self.job_at(offset)[0] for job_id, offset in pieces.running(data, self.journal.body)
                if self.view.newest.get(job_id) == offset]

    def unfinished(self):
        """Is anything ready, running, or waiting for its moment?"""
        return self.view.waiting() or any(self.view.serves(job.queue.encode()) for job in self.running())

    def job_at(self, offset):
        """(job, over) of the journal's line that begins there."""
        return line.decode(self.journal.line_at(offset), self.journal.path, offset)

    def newest(self, job_id):
        """The job as the journal has it, None where that has no line of it or says that it was removed."""
        offset = self.view.newest.get(job_id.encode())
        if offset is None:
            return None
        data = self.journal.line_at(offset)
        line.check(data, self.journal.path, offset)
        return None if line.is_removal(data) else line.decode(data, self.journal.path, offset)[0]

    def dependents(self, job_id):
        """Yields (job, over) of every job that waits for this one (spread.py asks)."""
        for data, offset, reader in self.view.dependents(job_id.encode(), self.journal.line_at):
            if reader is None:
                yield line.decode(data, self.journal.path, offset)
            else:
                yield line.decode(data, reader.path, offset)[0], (reader.name, offset, offset + len(data) + 1)

    def find(self, job_id):
        """(job, over) of an id, or None, as snapshot.find; asked only where a job is retried that others died of."""
        offset = self.view.newest.get(job_id.encode())
        if offset is not None:
            data = self.journal.line_at(offset)
            return None if line.is_removal(data) else line.decode(data, self.journal.path, offset)
        look = self._store.snapshot(self.journal)
        try:
            return look.find_locked(job_id)
        finally:
            look.close()

    def close(self):
        self.journal.close()
        self.view.close()
