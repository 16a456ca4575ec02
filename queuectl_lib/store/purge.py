"""Purging: jobs that have ended leave the store, a million of them as cheaply as one.

A line for each that says `removed` would make the store grow by what is to go,
and that when the disk may be full. So a purge is a roll of another kind
(roll.py): what it takes is in none of the segments it leaves in force, and the
rename of the new journal takes it out of the store, all at once. It differs in:

 - the journal's jobs that are taken go into no segment, and those of older
   segments are left out: a segment of which nothing stays is named no more,
   one that loses much is written anew, where little goes its borders move
 - the header counts without them
 - others may change such a job meanwhile: retry one, remove one. Their line
   says what the job was, and takes that off the counts once more; and the job
   lives on. So what is appended behind the rolled part is looked through, and
   what was taken of such jobs is counted back
 - their output files are removed once nothing names them. What a crash leaves
   of these stays

Each pass writes little more than _PASS: what it takes is off the disk before
the next one needs room.
"""

import os
from collections import Counter

from queuectl_lib.store import ballast, changing, compact, disk, header, line, new_segment, paths, pieces, roll, segment
from queuectl_lib.store.numbers import number_of, renamed
from queuectl_lib.store.resort import incoming
from queuectl_lib.store.sieve import Selection, Sieve
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DiskFull

# So long the process that rolls may take until it lets a purge begin (seconds).
_PATIENCE = 300
# So much written anew (bytes) ends a pass.
_PASS = 64 * 1024 * 1024
_COPIED_AT_ONCE = 1024 * 1024
# An archive of which more than this part is dead by then is written anew; of a manual purge any, so that
# the files shrink. A base segment, where dead jobs lie among those that wait, only when it loses so much at once.
_MUCH = 0.25
_OUTPUT = b'_file":"'


def selection(states, queues=None, older_than=None, now=None):
    """The Selection of jobs in these states and queues (None: any) that last changed so many seconds before now (ms)."""
    before = None if older_than is None else clock.moment(max(0, now - int(older_than * 1000))).encode()
    return Selection(frozenset(state.encode() for state in states),
                     frozenset(queue.encode() for queue in queues) if queues else None, before)


def count(store, wanted):
    """{(queue, state): n} of what a purge would take now."""
    look = store.look()
    return Counter() if look is None else Sieve(look, wanted).count()


def purge(store, wanted, patience=_PATIENCE):
    """Take the jobs of a Selection out of the store, their outputs too; {(queue, state): n} of them.

    Those that come after one that still waited die, as when it is removed by hand.
    Raises StoreLocked when another process rolls for longer than patience (seconds).
    """
    try:
        taken = roll.alone(store, lambda: _thoroughly(store, wanted), patience)
    except FileNotFoundError as error:
        # Nobody else rolls: it was not there before.
        raise segment.missing(error)
    if wanted.may_lie_in(header.BLOCKED):
        # Behind all passes: only now can nobody enqueue another one that is to come after them.
        changing.give_up_forsaken(store)
    return taken


def _thoroughly(store, wanted):
    taken = Counter()
    try:
        return in_passes(store, wanted, 0, taken)
    except DiskFull:
        # What is to make room needs some; the less, the fewer files are written anew.
        with store.lock():
            ballast.give_up(store.paths, ballast.SIZE)
        in_passes(store, wanted, None, taken)
        with store.lock():
            ballast.make(store.paths)
        return taken


def in_passes(store, wanted, much=_MUCH, taken=None):
    """As purge(), by who sees to it that nobody else rolls.

    much: the dead part of an archive from which on it is written anew, None for never; taken: what is added to.
    """
    taken = Counter() if taken is None else taken
    progress = None
    while progress is None or progress.unfinished:
        one = _Purge(store, wanted, much, progress)
        one.run(needless=True)
        progress = one.progress
        taken.update(one.taken)
    return taken


class _Progress:
    """How far through the segments the passes are.

    after: number_of() of the last one that was looked at; first_new: the number
    from which on they were made by the passes, or since.
    """

    def __init__(self, first_new):
        self.after = (-1, 0)
        self.first_new = first_new
        self.unfinished = False

    def is_ahead(self, entry):
        number = number_of(entry.name)
        return self.after < number and number[0] < self.first_new


class _Purge(roll._Roll):
    """One pass: a roll that leaves out what a Selection takes."""

    def __init__(self, store, wanted, much, progress):
        super().__init__(store)
        self._wanted = wanted
        self._much = much
        self.progress = progress
        self.taken = Counter()

    def _begin(self, needless):
        began = super()._begin(needless)
        # What others append from here on was not there to be taken.
        self._learned = self._copied
        self._looked_up = set()
        self._came_back = set()
        self.progress = self.progress or _Progress(self._number)
        return began

    def _sort_out(self):
        super()._sort_out()
        self._outputs = disk.unnamed(incoming(self._paths))
        self._sieve = Sieve(self._snapshot, self._wanted, self._note_outputs)
        self._waiting = [entry for entry in self._waiting if not self._sieve.takes(*entry)]
        self._finished = [entry for entry in self._finished if not self._sieve.takes(*entry)]

    def _note_outputs(self, job_id, data):
        if _OUTPUT in data:
            job, _ = line.decode(data, self._paths.jobs, 0)
            for name in paths.outputs_of(job):
                seen = _identity(self._paths.inside(name))
                if seen:
                    self._outputs.write(b"%s %s %s\n" % (job_id, name.encode(), seen))

    def _write_segments(self):
        super()._write_segments()
        gone = {(name, start): end for name, start, end in self._gone}
        self._written = 0
        self.progress.unfinished = False
        left = []
        for entry in self._segments:
            left += self._without_taken(entry, gone)
        self._segments, gone = compact.advanced(left, gone)
        self._gone = [(name, start, end) for (name, start), end in gone.items()]

    def _merged(self, segments, gone):
        # A merged one would be looked at by two passes, or by none.
        return segments, gone

    def _without_taken(self, entry, gone):
        """[what stays of a segment] or []; where it is not written anew, what is taken of it is added to `gone`."""
        sections = [section for section in entry.sections if self._wanted.may_lie_in(section.kind)]
        if not sections or not self.progress.is_ahead(entry):
            return [entry]
        if self._written >= _PASS:
            self.progress.unfinished = True
            return [entry]
        kept, taken = self._sieve.sift(entry, sections, gone)
        left = [entry]
        if taken and self._is_much(entry, sum(taken[1::2]) - sum(taken[::2])):
            others = [section for section in entry.sections if section not in sections]
            kept.update(self._sieve.sift(entry, others, gone)[0])
            left = self._written_anew(entry, kept)
        else:
            gone.update(((entry.name, start), end) for start, end in zip(taken[::2], taken[1::2]))
        self.progress.after = number_of(left[0].name if left else entry.name)
        return left

    def _is_much(self, entry, lost):
        if self._much is None:
            return False
        alive = compact.alive(entry)
        if entry.kind == "base":
            return lost >= _MUCH * alive
        return entry.size - alive + lost >= self._much * entry.size

    def _written_anew(self, entry, kept):
        """[the segment with only what is kept], or [] when that is nothing."""
        if not any(kept.values()):
            return []
        name = renamed(self._paths, entry.name)
        writer = new_segment.Writer(self._paths.segment_places(name)[0], entry.kind)
        reader = self._snapshot.reader(entry)
        for section in entry.sections:
            ranges = kept[section]
            for start, end in zip(ranges[::2], ranges[1::2]):
                for at in range(start, end, _COPIED_AT_ONCE):
                    data = disk.pread(reader.fd, min(_COPIED_AT_ONCE, end - at), at)
                    writer.add((section.kind, section.queue), data)
        self._written += writer.size
        return [writer.finish(name)]

    def _copy_tail(self):
        super()._copy_tail()
        self._learn()

    def _learn(self):
        """Look through what others have appended: what was taken of jobs they changed is counted back."""
        length = _COPIED_AT_ONCE
        while self._learned < self._journal.size:
            data = self._journal.read(self._learned, min(self._journal.size, self._learned + length))
            entries, end = pieces.scan(data, self._learned, self._journal.path)
            for head, _, _ in entries:
                if type(head) is not dict and head[line.WAS] in self._wanted.states:
                    self._count_back(head[line.ID])
            if end == self._learned and self._learned + length >= self._journal.size:
                # The rest of a batch is still to come, or never will.
                break
            # A batch counts as a whole, and may be longer.
            length = _COPIED_AT_ONCE if end > self._learned else 2 * length
            self._learned = end

    def _count_back(self, job_id):
        if job_id in self._looked_up:
            return
        self._looked_up.add(job_id)
        before = self._snapshot.line_of(job_id)
        # What a later pass would have taken is still there.
        if before is not None and self._wanted.takes(*before) and not self._is_left(job_id):
            head = before[0]
            self.taken[head[line.QUEUE].decode(), head[line.STATE].decode()] -= 1
            self._came_back.add(job_id)

    def _is_left(self, job_id):
        gone = {(name, start) for name, start, _ in self._gone}
        return any(segment.lives(entry, start) and (entry.name, start) not in gone for entry in self._segments
                   for _, start, _ in self._snapshot.reader(entry).find(job_id))

    def _commit(self):
        self._journal.refresh()
        self._journal.check_end()
        self._learn()
        self.taken.update(self._sieve.taken)
        counts = {queue: dict(states) for queue, states in self._header.counts.items()}
        for (queue, state), number in self.taken.items():
            counts[queue][state] -= number
        self._header = self._header._replace(counts=header.tidied(counts))
        super()._commit()

    def _tidy(self):
        super()._tidy()
        self._outputs.seek(0)
        with self._outputs:
            for each in self._outputs:
                job_id, name, seen = each.split()
                if job_id not in self._came_back:
                    self._remove_output(self._paths.inside(name.decode()), seen)

    def _remove_output(self, path, seen):
        # Another file is another job's: an id is free again as soon as its job is gone.
        if _identity(path) == seen:
            disk.remove(path)


def _identity(path):
    """What tells a file from another of the same name (bytes); None where there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return b"%d-%d" % (status.st_ino, status.st_mtime_ns)
