"""Writing a segment: its lines sorted by section, and then its indexes."""

import os
import time

from queuectl_lib.store import disk, header, index, line, locking, segment
from queuectl_lib.store.numbers import number_of
from queuectl_lib.store.paths import awaited_of, index_of, runs_of
from queuectl_lib.words.errors import StoreError, StorePlanted

# Bytes that are written at once.
_HELD = 256 * 1024
# Seconds.
_ABANDONED_AFTER = 60


class Writer:
    """Writes a segment: add() every line, section by section, then finish().

    jobs: how many there are, once they are indexed. reserved: the file is there, and empty, so that
    nobody else takes its name: it must not be away for a moment, as it were if a new one took its place.
    """

    def __init__(self, path, kind, reserved=False):
        self.path = path
        self.kind = kind
        self.size = 0
        self.jobs = None
        self.awaited = 0
        self._sections = []
        self._pieces = []
        self._held = 0
        self.fd = disk.open_private(path, os.O_RDWR | os.O_APPEND | (0 if reserved else os.O_CREAT | os.O_TRUNC))

    def add(self, section, data):
        """One line with its newline, or several of the same section: (kind, queue)."""
        sections = self._sections
        if not sections or sections[-1][0] != section:
            sections.append([section, self.size, self.size])
        self._pieces.append(data)
        length = len(data)
        self.size += length
        sections[-1][2] = self.size
        self._held += length
        if self._held > _HELD:
            self.flush()

    def flush(self):
        disk.write_pieces(self.fd, [b"".join(self._pieces)], self.path)
        self._pieces = []
        self._held = 0

    def write_index(self):
        """Read back what was written, and write and sync the indexes of it."""
        self.flush()
        ids = indexed(self.fd, self.size, self.path)
        ids.write(index_of(self.path), self.size)
        self.jobs = ids.count
        # Looking for them among all lines would cost a batch a twentieth.
        waiting = [(first, end) for (kind, _), first, end in self._sections if kind in header.WAITING]
        self.awaited = _write_awaited(self.fd, self.size, self.path, waiting)

    def holds(self, ids, job_id):
        """Is an id (bytes) one of those that were written? ids: the index.Index of them."""
        return any(self.id_at(offset) == job_id for offset in ids.offsets(index.hash_of(job_id)))

    def id_at(self, offset):
        """The id (bytes) of the job whose line begins there."""
        # An id has 128 characters at most.
        return line.id_of(disk.pread(self.fd, 256, offset))

    def finish(self, name, counts=None):
        """Write out and sync the segment and its index; returns its header.Segment."""
        self.write_index()
        disk.sync(self.fd, self.path)
        self.close()
        return self.entry(name, counts)

    def entry(self, name, counts=None):
        """The header.Segment of what was added."""
        sections = tuple(header.Section(kind, queue, start, end) for (kind, queue), start, end in self._sections)
        return header.Segment(name, self.kind, self.jobs, self.size, sections, counts, self.awaited)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None


def indexed(fd, size, path):
    """The index.Builder of the ids of a segment of so many bytes, from its lines."""
    builder = index.Builder(runs_of(path))
    for start, lines in segment.pieces(fd, 0, size):
        builder.add_lines(lines, start)
    return builder


def _write_awaited(fd, size, path, ranges):
    """Write the other index, if there is anything to be in it, of these ranges' lines; how many entries it has."""
    builder = index.Builder(runs_of(path))
    for first, end in ranges:
        for start, lines in segment.pieces(fd, first, end):
            _add_waiting(builder, lines, start)
    if builder.count:
        builder.write(awaited_of(path), size)
    return builder.count


def _add_waiting(builder, lines, start):
    for place, each in zip(line.starts_of(lines, start), lines):
        for job_id in line.waiting_parts(each):
            builder.add(job_id, place)


def make_indexes(path, size):
    """Write the indexes of a segment that is there anew."""
    for each in (index_of(path), awaited_of(path)):
        # Who has it open goes on reading the old one.
        disk.remove(each)
    fd = disk.open_private(path, os.O_RDONLY)
    try:
        indexed(fd, size, path).write(index_of(path), size)
        _write_awaited(fd, size, path, [(0, size)])
    finally:
        os.close(fd)


def remove(path):
    """Remove a segment's file, and what belongs to it, if it is there."""
    for beside in (awaited_of(path), index_of(path)):
        disk.remove(beside)
    # On Windows what somebody reads stays. Left is then what the next roll knows to remove.
    if not os.path.exists(index_of(path)):
        disk.remove(path)


def move(path, target):
    """Give a segment another name; the indexes first: a segment without them is searched through.

    One that is not there was perhaps moved before a crash came.
    """
    for beside in (awaited_of, index_of):
        if os.path.exists(beside(path)):
            disk.replace(beside(path), beside(target))
    disk.replace(path, target)


def settle_archives(paths, segments):
    """Move archives out of base/ once no older base segment is left that may hold their jobs' earlier lines."""
    oldest = min((number_of(each.name) for each in segments if each.kind == "base"), default=None)
    moved = False
    for each in segments:
        here, there = paths.segment_places(each.name)
        if each.kind == "archive" and os.path.exists(here) and (oldest is None or number_of(each.name) < oldest):
            # Readers look in both places, so the order of the two renames does not matter.
            try:
                move(here, there)
                moved = True
            except StoreError:
                # On Windows, where somebody reads it: left to the next roll.
                pass
    if moved:
        # Before the next sync of base, which promises no more than that they are gone from there.
        disk.sync_directory(paths.archive)


def remove_abandoned(directory):
    """Incoming batches whose writer is no more."""
    for name in os.listdir(directory):
        if not name.startswith(".incoming-"):
            continue
        path = directory + "/" + name
        try:
            fd = disk.open_private(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        except StorePlanted:
            disk.remove(path)
            continue
        old = time.time() - os.fstat(fd).st_mtime > _ABANDONED_AFTER
        # A writer that changes files in mid-batch is without a lock for a moment.
        abandoned = old and locking.try_lock(fd)
        # Before: Windows removes no open file. Nobody else takes up what a dead one wrote.
        os.close(fd)
        if abandoned:
            remove(path)
