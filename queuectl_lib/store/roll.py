"""Rolling: the journal's jobs move to segments, and a short new journal replaces the long one.

Done by one process of its own (roll.lock), while everybody goes on:

1. under the store lock: see where the last whole batch ends (P), reserve names
2. without it: finished jobs of the lines before P go to an archive segment,
   waiting ones to a base segment; running ones and `gone` lines are carried
   into the new journal; segments that have lost too much are merged
   (compact.py); everything built is synced
3. copy what others appended behind P, in rounds, until little is left
4. under the store lock: copy the rest, write the header, sync, rename, sync
   the directory
5. without it: remove what the new header no longer names

Lines are copied as they are, byte for byte. The live file is never truncated
or rewritten: a crash at any point leaves the old one in force, and files that
no header names, which the next roll removes. One that fails, as on a full disk,
removes them itself.
"""

import os

from queuectl_lib.store import compact, disk, header, line, locking, new_segment, pauses, pieces, roller, segment, suspicion
from queuectl_lib.store.journal import Journal
from queuectl_lib.store.numbers import names_of_roll, next_number, number_of
from queuectl_lib.store.paths import lone_indexes, segment_files
from queuectl_lib.store.snapshot import Snapshot
from queuectl_lib.words.errors import StoreError

# What may be left to copy under the lock.
_LITTLE = 65536
_MOST_ROUNDS = 20


def roll(store, needless=False, patience=None, locked=False):
    """Roll the journal; False when another process is at it, or when there is too little news.

    needless: roll however little it is; patience: wait so many seconds for the
    other process; locked: roll.lock was inherited (roller.py).
    """
    return alone(store, lambda: _until_short(store, needless), patience, locked)


def alone(store, function, patience=None, locked=False):
    """What function() returns, done while nobody else rolls this store; False when another process does.

    patience, locked: as in roll().
    """
    if locked:
        return function()
    fd = disk.open_private(store.paths.roll_lock, os.O_RDWR | os.O_CREAT)
    try:
        if patience is not None:
            locking.lock(fd, patience, store.paths.roll_lock)
        elif not locking.try_lock(fd):
            return False
        return function()
    finally:
        os.close(fd)


def _until_short(store, needless):
    rolled = _Roll(store).run(needless)
    # What others wrote meanwhile may be enough for another: starting a process for it
    # would cost as much as the roll.
    while rolled and _Roll(store).run(needless=False):
        pass
    return rolled


class _Roll:
    """One roll. Each step leaves its results in attributes for the next."""

    def __init__(self, store):
        self._store = store
        self._paths = store.paths
        self._journal = Journal(store.paths.jobs, writable=True)
        self._snapshot = None
        self._there = None
        self._new = None
        self._inode = None

    def run(self, needless):
        try:
            if not self._build(needless):
                return False
        except BaseException:
            self._give_up()
            raise
        try:
            self._tidy()
        except (StoreError, OSError):
            # All is in force; what could not be removed the next roll removes.
            pass
        return True

    def _build(self, needless):
        try:
            with self._store.lock():
                if not self._begin(needless):
                    return False
            self._sort_out()
            self._write_segments()
            # The names of what was written.
            disk.sync_directory(self._paths.base)
            self._carry()
            self._copy_tail()
            with self._store.lock():
                self._commit()
            return True
        finally:
            if self._snapshot is not None:
                self._snapshot.close()
            self._close_new()

    def _give_up(self):
        """Remove what was written, and let the next roll wait a little."""
        roller.postpone(self._paths)
        try:
            if self._inode is None:
                return
            if os.stat(self._paths.jobs).st_ino == self._inode:
                # The rename was done, and only then something failed: a power cut may still take it back.
                suspicion.mark(self._paths)
                return
            disk.remove(self._paths.new_jobs)
            for name, path in set(segment_files(self._paths)).difference(self._there):
                # A batch that has joined meanwhile has a greater number.
                if number_of(name)[0] <= self._number + 1:
                    new_segment.remove(path)
        except (StoreError, OSError):
            # The next one that succeeds removes it.
            pass

    def _close_new(self):
        if self._new is not None:
            os.close(self._new)
        self._new = None

    def _begin(self, needless):
        """Fix the prefix to be rolled and reserve names; the store lock is held."""
        self._journal.refresh()
        if not needless and not self._journal.wants_roll():
            return False
        self._journal.check_end()
        # Read here, for what is half written now may be taken back; looked at without the lock.
        self._snapshot = Snapshot(self._paths, self._journal)
        self._copied = self._snapshot.end
        self._there = segment_files(self._paths)
        # Of who was killed between two renames, or two removals. Now nobody is between them.
        for path in lone_indexes(self._paths.base, self._paths.archive):
            disk.remove(path)
        self._number = next_number(self._paths, self._journal.header.number)
        self._base_name, self._done_name = names_of_roll(self._number + 1)
        self._new = disk.open_private(self._paths.new_jobs, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self._inode = os.fstat(self._new).st_ino
        # Reserved by being there, even where nothing is to be written, until all is done: a batch that joins now gets a
        # greater number.
        self._reserved = [(self._base_name, self._base_path()), (self._done_name, self._done_path())]
        for _, path in self._reserved:
            os.close(disk.open_private(path, os.O_WRONLY | os.O_CREAT))
        return True

    def _base_path(self):
        return self._paths.segment_places(self._base_name)[0]

    def _done_path(self):
        # Beside the base segments while they may hold earlier lines of these jobs.
        return self._paths.segment_places(self._done_name)[0]

    def _sort_out(self):
        """Which newest lines wait, are finished, or stay in the journal."""
        self._waiting = []
        self._finished = []
        self._staying = []
        for entry in self._snapshot.heads():
            state = entry[0][line.STATE]
            # Who is being told of stays where everybody sees it (spread.py).
            if state == b"processing" or entry[0][line.TELLING]:
                self._staying.append(entry)
            elif state in segment.FINISHED:
                self._finished.append(entry)
            elif state != line.REMOVED:
                self._waiting.append(entry)

    def _write_segments(self):
        gone = compact.overridden(self._snapshot)
        segments, gone = compact.advanced(self._snapshot.segments(), gone)
        # Only the older ones: the next roll reads through what this one writes (compact.overridden).
        segments, gone = self._merged(segments, gone)
        written = [self._write(self._base_path(), "base", self._base_name, self._waiting),
                   self._write(self._done_path(), "archive", self._done_name, self._finished)]
        self._segments = segments + [each for each in written if each is not None]
        # A line that stays is carried itself and says what it overrides.
        for head, _ in self._staying:
            if head[8] is not None:
                gone.pop((head[8].decode(), int(head[9])), None)
        self._gone = [(name, start, end) for (name, start), end in gone.items()]

    def _merged(self, segments, gone):
        return compact.merged(self._paths, self._snapshot, segments, gone)

    def _write(self, path, kind, name, entries):
        if not entries:
            return None
        writer = new_segment.Writer(path, kind, reserved=True)
        for section, _, data in sorted(map(_with_key, entries), key=_place):
            writer.add(section, data + b"\n")
        return writer.finish(name)

    def _carry(self):
        """Begin the new journal: room for the header, the lines that stay, what is gone."""
        counts = {queue: dict(states) for queue, states in self._snapshot.counts().items()}
        totals = self._snapshot.totals()
        parts = []
        for head, data in self._staying:
            parts.append(line.alone(data) if head[line.MORE] else data + b"\n")
            # The header counts what was before the journal's first line.
            header.count(counts, head, sign=-1)
            header.tally(totals, head, sign=-1)
        parts += [line.encode_gone(over) for over in sorted(self._gone)]
        self._counts = header.tidied(counts)
        carried = b"".join(parts)
        self._header = header.Header(
            self._journal.generation + 1, self._number + 1, 0, len(carried), self._counts,
            header.tidied(totals), pauses.encoded(self._snapshot.pauses()), tuple(self._segments))
        # A batch that joins meanwhile adds its segment to the header.
        self._room = len(header.encode(self._header)) + 2 * header.PAGE
        disk.write_pieces(self._new, [b" " * self._room, carried], self._paths.new_jobs)
        disk.sync(self._new, self._paths.new_jobs)

    def _copy_tail(self):
        for _ in range(_MOST_ROUNDS):
            self._journal.refresh()
            left = self._journal.size - self._copied
            if left > _LITTLE:
                # Only whole batches: what a killed writer left behind them is cut by the next one.
                self._copy(pieces.scan(self._journal.read(self._copied), self._copied, self._journal.path)[1])
                disk.sync(self._new, self._paths.new_jobs)
            else:
                return

    def _copy(self, end):
        while self._copied < end:
            data = self._journal.read(self._copied, min(end, self._copied + 1024 * 1024))
            disk.write_pieces(self._new, [data], self._paths.new_jobs)
            self._copied += len(data)

    def _commit(self):
        """Put the new journal in force; the store lock is held."""
        self._journal.refresh()
        self._journal.check_end()
        self._copy(self._journal.size)
        # Offsets start anew; places of arrival go on where they were.
        final = self._header._replace(origin=self._journal.origin + self._journal.size)
        data = header.encode(final, self._room)
        disk.write_at(self._new, data, 0, self._paths.new_jobs)
        disk.sync(self._new, self._paths.new_jobs)
        # Windows renames no open file.
        self._close_new()
        disk.replace(self._paths.new_jobs, self._paths.jobs)
        disk.sync_directory(self._paths.root)
        disk.remove(self._paths.suspect)

    def _tidy(self):
        self._journal.close()
        named = {each.name for each in self._segments}
        # Of a roll that was killed, or merged by this one. What joined since the beginning is none of it.
        for name, path in self._there + self._reserved:
            if name not in named:
                new_segment.remove(path)
        new_segment.remove_abandoned(self._paths.base)
        new_segment.settle_archives(self._paths, self._segments)


def _with_key(entry):
    head, data = entry
    section = segment.section_of(head)
    return section, segment.sort_key(section, head, data), data


def _place(item):
    return item[:2]
