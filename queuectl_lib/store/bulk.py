"""A big batch: written as a segment of its own, and joined to the store by one journal line.

The segment is written, sorted, indexed, checked for duplicate ids and synced
without the lock; under it only what others stored meanwhile is looked at, the file
gets its number, and the line is appended. Before that line nothing of the
batch exists, after it all does. Memory does not grow with the batch.
"""

import itertools

from queuectl_lib.job import identifiers, lifecycle
from queuectl_lib.store import dependencies, disk, header, index, line, locking, new_segment
from queuectl_lib.store.alike import Alike
from queuectl_lib.store.duplicates import Duplicates
from queuectl_lib.store.journal import Journal
from queuectl_lib.store.numbers import next_number, segment_name
from queuectl_lib.store.paths import index_of
from queuectl_lib.store.resort import Pile, incoming
from queuectl_lib.words.errors import StoreError

# Bytes of lines that are written at once.
_HANDFUL = 1024 * 1024


class Batch:
    """Jobs on their way into the store: `first` (a list), then `rest` (an iterator)."""

    def __init__(self, store, first, rest):
        self._store = store
        self._paths = store.paths
        self._jobs = itertools.chain(first, rest)
        self._counts = {}
        self._gives_ids = False
        # {id: ids it comes after}: only of such jobs does a batch remember anything.
        self._graph = {}
        self.journal = Journal(store.paths.jobs, writable=True)

    def commit(self):
        """Write and join; (count, iterable of ids). Passes on what the jobs raise."""
        self.journal.refresh()
        # The ids in order of arrival, as they will be told.
        ids = disk.unnamed(incoming(self._paths))
        pile = Pile(self._paths)
        try:
            self._write(pile, ids, self.journal.arrival(self.journal.size))
            pile.sort()
            entry = self._store_segment(pile.writer)
        except BaseException:
            ids.close()
            pile.close()
            new_segment.remove(pile.writer.path)
            raise
        finally:
            pile.close()
        return entry.jobs, _told(ids)

    def _write(self, pile, ids, order):
        """Write every job; order: the first one's place of arrival."""
        made_up = identifiers.new_ids()
        alike = Alike()
        groups = {}
        told = []
        held = 0
        for job in self._jobs:
            job_id = job.id
            if job_id is None:
                job_id = next(made_up)
            else:
                self._gives_ids = True
            data = alike.encode(job, job_id, order)
            if alike.after is not None:
                self._graph[job_id] = alike.after
            order += 1
            told.append(job_id)
            # What decides the place in a segment (segment.sort_key).
            if alike.is_blocked:
                kind = job.queue, None
            else:
                kind = job.queue, job.priority if alike.run_at is None else alike.run_at
            group = groups.get(kind)
            if group is None:
                groups[kind] = group = []
            group.append(data)
            held += len(data)
            if held > _HANDFUL:
                self._put(pile, groups, ids, told)
                groups = {}
                told = []
                held = 0
        self._put(pile, groups, ids, told)

    def _put(self, pile, groups, ids, told):
        for (queue, _), lines in groups.items():
            states = self._counts.setdefault(queue, {"pending": 0})
            states["pending"] += len(lines)
        pile.put(groups.values())
        disk.write_pieces(ids.fileno(), ["".join([each + "\n" for each in told]).encode()], self._paths.base)

    def _store_segment(self, writer):
        writer.write_index()
        duplicates = None
        if self._gives_ids:
            duplicates = Duplicates(self._store, self.journal, writer)
            duplicates.look_within()
            duplicates.look()
        awaited = self._awaited(writer)
        disk.sync(writer.fd, writer.path)
        while True:
            with self._store.lock():
                self.journal.refresh()
                self.journal.check_end()
                if duplicates is None or duplicates.nothing_came():
                    return self._join(writer, self._to_be_told(awaited))
            duplicates.look()

    def _awaited(self, writer):
        """{id: who comes after it} of the jobs outside of the batch that its jobs come after; BadInput for a circle."""
        if not self._graph:
            return {}
        dependencies.in_order(self._graph)
        brought = index.Index(index_of(writer.path), writer.size)
        awaited = {}
        for job_id, after in self._graph.items():
            for other in after:
                if other not in self._graph and other not in awaited and not writer.holds(brought, other.encode()):
                    awaited[other] = job_id
        return awaited

    def _to_be_told(self, awaited):
        """The lines of those of them that have ended: the batch has still to learn of that. The store lock is held."""
        if not awaited:
            return []
        lines = []
        look = self._store.snapshot(self.journal)
        look.expect(len(awaited))
        for other, job_id in awaited.items():
            found = look.find_locked(other)
            if found is None:
                raise dependencies.unknown(job_id, other)
            job, over = found
            if job.state in lifecycle.ENDED:
                lines.append(line.encode(job, (job.state, job.queue), over, more=True, telling=True))
        look.close()
        return lines

    def _join(self, writer, first):
        """Put the segment in force, by a line behind these; the store lock is held."""
        name = segment_name(next_number(self._paths, self.journal.header.number))
        path = self._paths.segment_places(name)[0]
        if locking.ON_WINDOWS:
            # It renames no open file; elsewhere the lock is to stay until all is there.
            writer.close()
        new_segment.move(writer.path, path)
        entry = writer.entry(name, self._counts)
        try:
            disk.sync_directory(self._paths.base)
            self.journal.append(b"".join(first) + line.encode_segment(header.as_dict(entry)))
        except StoreError:
            # It would lie there until the next roll, for which a full disk has no room. Not if a torn line names it.
            if self.journal.length() == self.journal.size:
                new_segment.remove(path)
            raise
        self.is_told = not first
        return entry


def _told(ids):
    ids.seek(0)
    with ids:
        for each in ids:
            yield each[:-1].decode()
