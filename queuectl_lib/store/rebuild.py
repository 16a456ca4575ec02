"""A new journal in place of a damaged one, with new segments in place of damaged ones; and all of it from nothing but lines.

Renewed keeps what the header says of the segments: which of their lines are over. Rebuilt is for
a store of whose header neither copy can be read: the newest line of each id counts, in the order of the files'
names (the order of `grep … archive/* base/* jobs.jsonl`). Jobs that were removed or purged, and whose lines are still in
some segment, come back by that, and jobs that had ended may be waiting again: so all queues are paused.
"""

import os
import time
from functools import partial

from queuectl_lib.store import disk, header, index, line, new_segment, pauses, salvage, segment
from queuectl_lib.store.journal import origin_behind
from queuectl_lib.store.numbers import number_of, renamed
from queuectl_lib.store.paths import segment_names
from queuectl_lib.words import clock
from queuectl_lib.words.text import many

_PLACE_BITS = 40
# Why all queues are paused after that.
_REASON = "rebuilt after damage: look, then queuectl resume"
# What stands in the line by which a batch joins, and in no other.
_OF_A_BATCH = (b'{"segment":', b'"kind":"base","jobs":', b'"sections":[[')


class _New:
    """What is to be put in force, built from a check.Checkup; the store lock is held.

    stretches: [(path, start, length, bad)] of what was damaged, bad being the bytes of it that could not be set right;
    remarks: what else is to be said; advice: what is to be done after that, or None.
    """

    advice = None

    def __init__(self, paths, checkup):
        self.stretches = []
        self.remarks = []
        self._paths = paths
        self._checkup = checkup
        self._damaged = {}
        self._lines = []
        self._pauses = None
        self._gone = {}
        self._segments = []
        self._old = []
        self._counts = {}
        self._read_journal()

    def damaged(self):
        """[(path, [bytes…])] of what is to be kept aside."""
        return list(self._damaged.items())

    def _note(self, path, start, data, found):
        self._damaged.setdefault(path, []).append(data)
        self.stretches.append((path, start, len(data), found.bad))

    def _read_journal(self):
        """Sort out the lines of the journal that are to be kept."""
        for start, data, found in self._checkup.bad:
            self._note(self._paths.jobs, start, data, found)
        for start, each in self._checkup.lines:
            if start in self._checkup.misleading:
                each = line.without_place(each)
            if each is not None:
                self._keep(each)
        self.newest = {line.id_of(each): each for each in self._lines}

    def _keep(self, each):
        if each.startswith(line.BEGIN):
            self._keep_job(each)
            return
        fields = line.decode_other(each)
        if "pauses" in fields:
            self._pauses = pauses.decoded(fields["pauses"])
        elif "gone" in fields:
            name, start, end = fields["gone"]
            self._gone[name, start] = end

    def _keep_job(self, each):
        # What its batch went on with is kept elsewhere, or lost: it would be taken for one that was never finished.
        self._lines.append(line.alone(each)[:-1] if line.goes_on(each) else each)

    def _keep_header(self):
        """Keep its bytes and those of its copy aside, for they are damaged."""
        if self._checkup.headers is not None:
            self._damaged.setdefault(self._paths.jobs, []).insert(0, b"".join(self._checkup.headers))

    def _count(self, head):
        if head[line.STATE] != line.REMOVED:
            header.add(self._counts, head[line.QUEUE].decode(), head[line.STATE].decode(), 1)

    def _read(self, number, path, first):
        """Yields (place among all, head, line) of every job's line of a segment's file that is not called gone."""
        name = os.path.basename(path)[:-len(".jsonl")]
        fd = disk.open_private(path, os.O_RDONLY)
        count = 0
        try:
            for at, whole in salvage.readable(fd, 0, os.fstat(fd).st_size, first and partial(self._note, path)):
                count += 1
                match = line.HEAD.match(whole)
                if match and (name, at) not in self._gone and match.group(1) not in self.newest:
                    yield number << _PLACE_BITS | count, match.groups(), whole
        finally:
            os.close(fd)

    def _sort_into(self, path, name, entries):
        """Write these lines [(place, head, line)] of a segment's file as a segment of their own, if there are any."""
        self._old.append(path)
        lines = []
        for place, head, data in entries:
            section = segment.section_of(head)
            lines.append((section, segment.sort_key(section, head, data), data))
            self._count(head)
        if not lines:
            return
        lines.sort()
        name = renamed(self._paths, name)
        kind = "archive" if lines[0][0][0].encode() in segment.FINISHED else "base"
        writer = new_segment.Writer(self._paths.segment_places(name)[0], kind)
        for section, _, data in lines:
            writer.add(section, data + b"\n")
        self._segments.append(writer.finish(name))

    def commit(self):
        """Put it in force, and remove what is named no more."""
        for each in self.newest.values():
            self._count(line.HEAD.match(each).groups())
        for each in self._lines:
            # The header counts what was before the journal's first line.
            header.count(self._counts, line.HEAD.match(each).groups(), sign=-1)
        names = {entry.name for entry in self._segments}
        lines = [each + b"\n" for each in self._lines]
        lines += [line.encode_gone((name, start, end)) for (name, start), end in sorted(self._gone.items()) if name in names]
        carried = b"".join(lines)
        final = self._header()._replace(
            carried=len(carried), counts=header.tidied(self._counts), segments=tuple(self._segments))
        for directory in (self._paths.base, self._paths.archive):
            disk.sync_directory(directory)
        disk.write_file(self._paths.jobs, header.encode(final) + carried, self._paths.new_jobs)
        for path in self._old:
            new_segment.remove(path)


class Renewed(_New):
    """A new journal by the old header."""

    def __init__(self, paths, checkup):
        super().__init__(paths, checkup)
        self._gone.update(checkup.doubles)
        both = checkup.headers
        if both.first != both.copy or not header.is_whole(both.first):
            self._keep_header()
            self.remarks.append("the header was written anew from its copy")
        for entry in checkup.segments:
            if entry.name in checkup.missing:
                self.remarks.append("segment %s is missing: up to %d jobs are lost with it" % (entry.name, entry.jobs))
            elif entry.name in checkup.worn:
                self._segments += self._written_anew(entry)
            else:
                self._segments.append(entry._replace(counts=None))
                for (queue, state), number in checkup.living[entry.name].items():
                    header.add(self._counts, queue, state, number)
        for name in self._unnamed():
            path = self._paths.segment_places(name)[0]
            self._sort_into(path, name, self._read(0, path, first=True))
            self.remarks.append("the batch in segment %s, whose line was damaged, is kept" % name)

    def _unnamed(self):
        """The names of batches that joined since the last roll, if the line that named one may be among what is lost."""
        lost = b"".join([found.bad for _, _, found in self._checkup.bad])
        if not any(part in lost for part in _OF_A_BATCH):
            return []
        named = {entry.name for entry in self._checkup.segments}
        return [name for name in _by_age(self._paths.base) if name not in named
                and number_of(name) > (self._checkup.header.number, 0) and not number_of(name)[1]]

    def _written_anew(self, entry):
        """[the segment with all that lives of it and can be read], or [] where that is nothing."""
        reader = segment.Reader(self._paths, entry.name, 0)
        self._old.append(reader.path)
        name = renamed(self._paths, entry.name)
        writer = new_segment.Writer(self._paths.segment_places(name)[0], entry.kind)
        last = section = None
        for start, head, whole in self._lines_of(reader, entry):
            if section is None or not section.start <= start < section.end:
                section = next((each for each in entry.sections if each.start <= start < each.end), None)
                last = None
            if section is None or head[line.ID] in self.newest or (entry.name, start) in self._gone:
                continue
            belongs = segment.section_of(head)
            key = segment.sort_key(belongs, head, whole)
            if belongs != section[:2] or last is not None and key < last:
                # Not where it would be looked for: the journal may hold anything.
                self._keep_job(whole)
                self.newest[head[line.ID]] = whole
                continue
            last = key
            writer.add(belongs, whole + b"\n")
            self._count(head)
        reader.close()
        if writer.size:
            return [writer.finish(name)]
        writer.close()
        new_segment.remove(writer.path)
        return []

    def _lines_of(self, reader, entry):
        """Yields (where it was written, head, line) of every job's line that can be read."""
        size = os.fstat(reader.fd).st_size
        stretches = []
        for place, whole in salvage.readable(reader.fd, 0, size, lambda *bad: stretches.append(bad)):
            match = line.HEAD.match(whole)
            if match:
                # Where bytes were taken out, or put in, all that follows has moved.
                yield place + (entry.size - size if stretches else 0), match.groups(), whole
        for bad in stretches:
            self._note(reader.path, *bad)

    def _header(self):
        old = self._checkup.header
        number = max([old.number] + [number_of(entry.name)[0] for entry in self._segments])
        return old._replace(generation=old.generation + 1, number=number,
                            origin=old.origin + os.stat(self._paths.jobs).st_size,
                            pauses=old.pauses if self._pauses is None else pauses.encoded(self._pauses))


class Rebuilt(_New):
    """A new journal and new segments from nothing but lines."""

    def __init__(self, paths, checkup):
        super().__init__(paths, checkup)
        self._last = {}
        self._order = 0
        self._totals = {}
        # All segments are new, and the numbers of those that are left out are given again.
        self._lines = [line.without_place(each) for each in self._lines]
        self._keep_header()
        files = [paths.archive + "/" + name for name in _by_age(paths.archive)]
        files += [paths.base + "/" + name for name in _by_age(paths.base)]
        for number, name in enumerate(files):
            for place, head, _ in self._read(number, name + ".jsonl", first=True):
                self._last[index.hash_of(head[line.ID])] = place
                self._order = max(self._order, int(head[line.ORDER]))
        for number, name in enumerate(files):
            self._write(number, name + ".jsonl", os.path.basename(name))
        for each in self._lines:
            self._order = max(self._order, int(line.HEAD.match(each).group(line.ORDER + 1)))
        lost = "neither the header nor its copy could be read" if checkup.headers else "it was missing"
        if not files and not self._lines:
            self.remarks.append("%s, and there is no line of any job: the store is empty now" % lost)
            self.advice = "if there is a copy of the store, restore it before anything is enqueued"
            return
        self._pauses = dict(self._pauses or {}, **{pauses.ALL: pauses.Pause(clock.moment(clock.now()), _REASON)})
        self.remarks.append("%s: all was built from %s and the journal's lines; jobs that were removed may be back, other "
                            "pauses may be gone, and jobs that had ended may run again: so all queues are paused"
                            % (lost, many(len(files), "segment")))
        self.advice = "look at queuectl list, then queuectl resume"

    def _write(self, number, path, name):
        entries = []
        for place, head, data in self._read(number, path, first=False):
            if self._last[index.hash_of(head[line.ID])] == place:
                entries.append((place, head, data))
                header.tally(self._totals, (None, head[line.STATE], b"processing", None, head[line.QUEUE]))
        self._sort_into(path, name, entries)

    def _header(self):
        # Greater than any count of rolls: what others remember of an old journal must not fit this one.
        generation = int(time.time())
        number = max([0] + [number_of(entry.name)[0] for entry in self._segments])
        return header.EMPTY._replace(generation=generation, number=number, origin=origin_behind(self._order),
                                     totals=header.tidied(self._totals), pauses=pauses.encoded(self._pauses or {}))


def _by_age(directory):
    return sorted(segment_names(directory), key=number_of)
