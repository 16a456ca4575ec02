"""A big batch: written as a segment of its own, and joined to the store by one journal line.

The segment is written, synced and checked for duplicate ids without the lock;
under it only what others stored meanwhile is looked at, the file gets its
number, and the line is appended. Before that line nothing of the batch exists,
after it all does. Memory is 16 bytes a job, for the index.

The journal overrides every segment, this one too. So where it says that a job
was removed whose id the batch brings again, it is rolled first.
"""

import itertools
import os
from array import array

from queuectl_lib.job import identifiers
from queuectl_lib.store import disk, header, line, locking, roll, segment
from queuectl_lib.store.journal import Journal
from queuectl_lib.store.numbers import next_number, segment_name
from queuectl_lib.store.paths import index_of
from queuectl_lib.store.resort import resorted
from queuectl_lib.store.snapshot import Snapshot
from queuectl_lib.words.errors import DuplicateJob

_UNSORTED = ("", "")
# Seconds to wait for a roll that is going on.
_PATIENCE = 30


class Batch:
    """Jobs on their way into the store: `first` (a list), then `rest` (an iterator)."""

    def __init__(self, store, first, rest):
        self._store = store
        self._paths = store.paths
        self._jobs = itertools.chain(first, rest)
        self._counts = {}
        self._given_ids = 0
        self._sorted = True
        self.journal = Journal(store.paths.jobs, writable=True)

    def commit(self):
        """Write and join; (count, iterable of ids). Passes on what the jobs raise."""
        self.journal.refresh()
        start = self.journal.origin() + self.journal.size
        path = self._paths.incoming(next(identifiers.new_ids()))
        writer = segment.Writer(path, "base")
        try:
            # The roller removes incoming files that nobody holds.
            locking.try_lock(writer.fd)
            self._write(writer, start)
            if not self._sorted:
                writer = resorted(writer, path)
                locking.try_lock(writer.fd)
            seen = self._check_ids(writer)
            writer.flush()
            disk.sync(writer.fd, path)
            writer.index.write(path, writer.size)
            entry = self._join(writer, start + writer.jobs, seen)
        except BaseException:
            disk.remove(path)
            disk.remove(index_of(path))
            raise
        finally:
            writer.close()
        reader = segment.Reader(self._paths, entry.name, entry.size)
        return entry.jobs, _ids(reader) if self._sorted else _ids_by_order(reader, entry.jobs, start)

    def _write(self, writer, order):
        made_up = identifiers.new_ids()
        previous = None
        for job in self._jobs:
            if job.id is None:
                job = job._replace(id=next(made_up), order=order)
            else:
                job = job._replace(order=order)
                self._given_ids += 1
            order += 1
            data = line.encode(job, None)
            section = (header.READY, job.queue) if job.run_at is None else (header.DUE, job.queue)
            here = (section, job.priority)
            if section[0] == header.DUE or previous is not None and here != previous:
                self._sorted = False
            previous = here
            states = self._counts.setdefault(job.queue, {"pending": 0})
            states["pending"] += 1
            # Once it has to be sorted anyway, a section a line would only be a long list.
            writer.add(section if self._sorted else _UNSORTED, job.id.encode(), data)

    def _check_ids(self, writer, locked=False):
        """Refuse duplicates within the batch and with what is stored; how far the journal was seen."""
        if not self._given_ids:
            return None
        writer.flush()
        with_same_hash = writer.index.repeated()
        for places in with_same_hash:
            ids = [_id_at(writer.fd, place) for place in places]
            for job_id in ids:
                if ids.count(job_id) > 1:
                    raise DuplicateJob("the id %s stands twice in this batch: nothing was enqueued" % job_id.decode())
        snapshot = self._snapshot()
        hidden = False
        for part in range(256):
            for number, place in writer.index.hashes(part):
                if snapshot.may_hold(number):
                    hidden |= self._is_hidden(snapshot, _id_at(writer.fd, place), locked)
        seen = (self.journal.header.generation, self.journal.size)
        snapshot.close()
        if hidden:
            roll.roll(self._store, needless=True, patience=_PATIENCE)
            return self._check_ids(writer)
        return seen

    def _snapshot(self):
        for last in (False, False, True):
            try:
                snapshot = Snapshot(self._paths, self.journal)
                snapshot.know_hashes()
                return snapshot
            except FileNotFoundError as error:
                # A roll removed a segment between two looks.
                self._store.check_there()
                if last:
                    raise segment.missing(error)

    @staticmethod
    def _is_hidden(snapshot, job_id, locked):
        """Does the journal say that a job of this id was removed? DuplicateJob when it is there."""
        hidden = job_id in snapshot.newest
        # With the lock held it is too late for a roll: it came and went while the batch was written.
        if hidden and locked or snapshot.find(job_id.decode()) is not None:
            raise DuplicateJob("a job with the id %s is already there: nothing was enqueued" % job_id.decode())
        return hidden

    def _join(self, writer, order, seen):
        with self._store.lock():
            self.journal.refresh()
            self.journal.check_end()
            if seen is not None and seen != (self.journal.header.generation, self.journal.size):
                self._check_ids(writer, locked=True)
            name = segment_name(next_number(self._paths, self.journal.header.number))
            path = self._paths.segment_places(name)[0]
            disk.replace(index_of(writer.path), index_of(path))
            disk.replace(writer.path, path)
            entry = writer.entry(name, self._counts)
            disk.sync_directory(self._paths.base)
            origin = max(self.journal.origin(), order)
            self.journal.append(line.encode_segment(header.as_dict(entry), origin))
        return entry


def _id_at(fd, place):
    return line.HEAD.match(os.pread(fd, 1024, place)).group(1)


def _ids(reader):
    for head, _, _ in reader.forward(0, reader.size):
        yield head[0].decode()
    reader.close()


def _ids_by_order(reader, jobs, first):
    """The ids in order of arrival, from a segment that is sorted otherwise."""
    places = array("Q", bytes(8 * jobs))
    for head, start, _ in reader.forward(0, reader.size):
        places[int(head[6]) - first] = start
    for place in places:
        yield _id_at(reader.fd, place).decode()
    reader.close()
