"""The verbs of a store: open, add, find, change, remove, list, count, claim.

Everything that writes goes through here or through a worker's claims.py: lock,
see the end of the journal, decide, append, unlock, and only then sync. What a
user is told was stored has been synced by then.

The verbs that adding one job does not need import their modules when they are
called: one `enqueue` is to cost little more than a bare Python. Workers and their
supervisor have them loaded before they begin: the one file may be replaced under them.
"""

import os

from queuectl_lib.job import identifiers
from queuectl_lib.store import disk, journal, line, locking, ownership, paths
from queuectl_lib.store.defaults import DEFAULTS
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreError, UnknownJob

LOCK_TIMEOUT = 30
# A batch of more is written as a segment of its own.
LARGEST_BATCH = 1000


def open_store(directory=None, create=False, write=False, locked=False, broken=False):
    """The Store in a directory, or in $QUEUECTL_STORE, or in ./.queuectl.

    write: it will be written or run, so a store of others is refused;
    create: made if it is not there; locked: roll.lock was inherited (roller.py); broken: even one that lost its journal.
    Opened for reading, one that is not there is an empty one. Raises StoreError.
    """
    names = paths.Paths(paths.root_of(directory), mine=write)
    if not os.path.exists(names.jobs):
        from queuectl_lib.store import founding
        founding.check_absence(names, broken)
        if create:
            founding.found(names, LOCK_TIMEOUT)
    exists = os.path.exists(names.jobs)
    store = Store(names, exists)
    if exists:
        journal.check_format(names.jobs)
    if write and exists:
        ownership.check_private(names.root, names.directories()[1:] + (names.jobs,))
        if os.path.exists(names.suspect):
            # A sync failed: what was written since then goes into new files first.
            from queuectl_lib.store.roll import roll
            roll(store, needless=True, patience=LOCK_TIMEOUT, locked=locked)
    return store


def load_all():
    """Import now what the verbs would import when they are called."""
    from queuectl_lib.store import bulk, changing, claims, config, founding, listing, paging, roll, roller, snapshot, suspicion, taken
    line.get_ready()
    return bulk, changing, claims, config, founding, listing, paging, roll, roller, snapshot, suspicion, taken


class Store:
    """One .queuectl/ directory. Use open_store.

    lock_fd: its lock file, open from the first lock on.
    """

    def __init__(self, names, exists):
        self.paths = names
        self.root = names.root
        self.exists = exists
        self.lock_fd = None
        self._config = None

    @property
    def config(self):
        """The settings (defaults.Config), read once a command."""
        if self._config is None:
            self._config = self._read_config()
        return self._config

    def _read_config(self):
        if not os.path.exists(self.paths.config):
            return DEFAULTS
        from queuectl_lib.store import config
        return config.load(self.paths)

    def lock(self):
        """The store lock, for `with` and short work only; StoreLocked after half a minute."""
        # Each time: not even workers.pid is to be written in a format of yesterday.
        self.check_there()
        return self.bare_lock()

    def bare_lock(self):
        """The same whatever is there, a journal or none: for who repairs."""
        if self.lock_fd is None:
            # Made anew where a copy of the store came without it.
            self.lock_fd = disk.open_private(self.paths.lock, os.O_RDWR | os.O_CREAT)
        return locking.Held(self.lock_fd, LOCK_TIMEOUT, self.paths.lock, self)

    def __del__(self):
        if self.lock_fd is not None:
            os.close(self.lock_fd)

    def check_there(self):
        """Raise StoreError when there is no store, or no longer, or another one, or one of a newer format."""
        journal.check_standing(self.paths, self.exists)
        if self.lock_fd is not None:
            journal.check_lock(self.paths, self.lock_fd)

    def add(self, jobs, check=None, looked=None):
        """Store new jobs, all or none, synced. Returns them with id and order; DuplicateJob.

        check(journal): called under the lock; what it raises is passed on, and nothing is stored.
        looked: a Snapshot of a moment ago, in which none of their ids is: that shortens the look under the lock.
        """
        made_up = identifiers.new_ids()
        lock, live = self.opened()
        with lock:
            live.refresh()
            live.check_end()
            if check is not None:
                check(live)
            ids = [job.id for job in jobs if job.id is not None]
            if ids:
                from queuectl_lib.store import taken
                taken.refuse(self, live, ids, looked)
            if any(job.after for job in jobs):
                jobs = self._resolved(live, [job._replace(id=job.id or next(made_up)) for job in jobs])
            at = live.size
            stored = []
            lines = []
            for number, job in enumerate(jobs, 1):
                job = job._replace(id=job.id or next(made_up), order=live.arrival(at))
                lines.append(line.encode(job, None, more=number < len(jobs)))
                stored.append(job)
                at += len(lines[-1])
            live.append(b"".join(lines))
        self.settle(live)
        return stored

    def add_many(self, jobs):
        """Store any number of new jobs from an iterable, all or none, in constant memory.

        Returns (count, iterable of their ids). What the iterable raises is
        passed on, and nothing is stored.
        """
        first = []
        rest = iter(jobs)
        for job in rest:
            first.append(job)
            if len(first) > LARGEST_BATCH:
                from queuectl_lib.store.bulk import Batch
                batch = Batch(self, first, rest)
                count, ids = batch.commit()
                self.settle(batch.journal)
                if not batch.is_told:
                    from queuectl_lib.store import changing
                    changing.finish_telling(self)
                return count, ids
        stored = self.add(first) if first else []
        return len(stored), [job.id for job in stored]

    def _resolved(self, live, jobs):
        from queuectl_lib.store import dependencies
        look = self.snapshot(live)
        found = dependencies.resolved(jobs, look, clock.now())
        look.close()
        return found

    def find(self, job_id):
        """The job of an id as it stands; UnknownJob."""
        found = self._read(lambda snapshot: snapshot.find(job_id))
        if found is None:
            raise self.unknown(job_id)
        return found[0]

    def unknown(self, job_id):
        """The UnknownJob to raise where no job has this id."""
        if os.path.exists(self.paths.jobs):
            return UnknownJob("no job has the id %s" % job_id, ": see 'queuectl list'")
        return UnknownJob("no job has the id %s: there is no store at %s" % (job_id, self.root))

    def change(self, ids, function, refused=None):
        """Give jobs a new value: function(job) -> job, which may raise NotDone.

        In groups of 1,000; within a group all or none are changed. Synced.
        Returns changing.Changed; raises UnknownJob, or what the function raised.
        refused(id, error): called instead of that, perhaps twice; the other jobs are changed.
        """
        from queuectl_lib.store import changing
        return changing.change(self, ids, function, refused)

    def remove(self, ids, check=lambda job: job, refused=None):
        """Take jobs out of the store, their outputs too. check(job) may raise NotDone; as change()."""
        from queuectl_lib.store import changing
        return changing.remove(self, ids, check, refused)

    def retry(self, ids, now, check=lambda job: job, refused=None):
        """Give jobs a full budget again, and those back that were given up because of them; as change()."""
        from queuectl_lib.store import changing
        return changing.retry(self, ids, now, check, refused)

    def pauses(self):
        """{queue: Pause} (pauses.py)."""
        return self._read(lambda snapshot: snapshot.pauses()) or {}

    def change_pauses(self, function):
        """Give the store other pauses: function({queue: Pause}) -> {queue: Pause}; synced. Returns them."""
        from queuectl_lib.store import changing
        return changing.change_pauses(self, function)

    def look(self):
        """The store at this moment (snapshot.Snapshot), for several questions; None where no store is."""
        return self._read(lambda snapshot: snapshot.opened(), keep=True)

    def jobs(self, states=None, queues=None, search=None, look=None):
        """Yields jobs, lazily, in the order a person asks about them (listing.py); look: of what moment, not now."""
        from queuectl_lib.store.listing import Listing
        look = look or self.look()
        return iter(()) if look is None else Listing(look, clock.now(), states, queues, search).jobs()

    def counts(self):
        """{queue: {state: n}}; costs the same whatever n is."""
        return self._read(lambda snapshot: snapshot.counts()) or {}

    def claims(self, worker, queues=None):
        """The desk of a worker ('SLOT.INCARNATION') that serves these queues (None: all)."""
        from queuectl_lib.store.claims import Claims
        return Claims(self, worker, queues)

    def sync(self, live):
        """Bring the journal to the medium; when that fails the store is marked suspect."""
        try:
            live.sync()
        except StoreError:
            # Never tried again: the kernel would call the lost pages clean. Whoever
            # writes next builds new files first.
            from queuectl_lib.store.suspicion import mark
            mark(self.paths)
            raise

    def start_roller(self):
        """Start the process that rolls the journal; its pid, or None when one is at it."""
        from queuectl_lib.store.roller import start_roller
        return start_roller(self.paths)

    def opened(self):
        """The lock, to be taken, and the journal, opened before that: so it is held for less."""
        live = journal.Journal(self.paths.jobs, writable=True)
        try:
            # Of its format it tells itself.
            live.refresh()
        except FileNotFoundError:
            self.check_there()
            raise
        lock = self.bare_lock()
        journal.check_lock(self.paths, self.lock_fd)
        locking.give_way()
        return lock, live

    def snapshot(self, live):
        """The Snapshot of an opened journal."""
        from queuectl_lib.store.snapshot import Snapshot
        return Snapshot(self.paths, live)

    def settle(self, live):
        """Bring what was written to the medium, have the journal rolled if it is long, and close it."""
        if self.config.durability != "fast":
            self.sync(live)
        if live.wants_roll():
            from queuectl_lib.store.roller import start_and_leave_alone
            start_and_leave_alone(self.start_roller)
        live.close()

    def _read(self, function, keep=False):
        for last in (False, False, True):
            live = journal.Journal(self.paths.jobs, writable=False)
            try:
                snapshot = self.snapshot(live)
                result = function(snapshot)
                if not keep:
                    snapshot.close()
                return result
            except FileNotFoundError as error:
                # Either there is no store, or a roll removed a segment between
                # two looks: then the next look finds the new files.
                if not os.path.exists(self.paths.jobs):
                    return None
                if last:
                    from queuectl_lib.store import segment
                    raise segment.missing(error)
            finally:
                live.close()
