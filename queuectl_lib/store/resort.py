"""A batch's lines on their way into a segment: they come in any order, and lie sorted by section and key at the end.

They come in handfuls of some megabyte. The lines of a handful that have section
and key in common are written as one stretch, and where it lies is noted. As long as
stretch follows stretch in order (a batch of jobs that are all alike: the
ordinary case) the file is the segment as it stands. Otherwise the notes are
merged, each handful's being sorted, and the stretches copied in that order
into another file. The notes lie in a file themselves: where every job has a moment
of its own each line is a stretch, and memory must not grow with the batch.
"""

import heapq
import struct
from operator import itemgetter

from queuectl_lib.job import identifiers
from queuectl_lib.store import disk, line, locking, new_segment, segment

# Number of the section, key, start and length of the stretch.
_NOTE = struct.Struct(">IqQQ")
_NOTES_AT_ONCE = 64
# Once it has to be sorted anyway, a section a stretch would only be a long list.
_UNSORTED = ("", "")


class Pile:
    """Takes in handfuls; writer is the new_segment.Writer they went to."""

    def __init__(self, paths):
        self._paths = paths
        self._sections = {}
        self._last = (0, -1 << 63)
        self._is_sorted = True
        self._notes = disk.unnamed(incoming(paths))
        self._ends = [0]
        self.writer = self._new_writer()

    def _new_writer(self):
        writer = new_segment.Writer(incoming(self._paths), "base")
        # The roller removes incoming files that nobody holds.
        locking.try_lock(writer.fd)
        return writer

    def put(self, groups):
        """A handful: lists of lines, each list of one section and key, in order of arrival."""
        notes = bytearray()
        for number, key, section, lines in sorted(map(self._placed, groups), key=itemgetter(0, 1)):
            if (number, key) < self._last:
                self._is_sorted = False
            self._last = (number, key)
            data = b"".join(lines)
            notes += _NOTE.pack(number, key, self.writer.size, len(data))
            self.writer.add(section if self._is_sorted else _UNSORTED, data)
        disk.write_pieces(self._notes.fileno(), [notes], self._paths.base)
        self._ends.append(self._ends[-1] + len(notes))

    def _placed(self, lines):
        data = lines[0]
        head = line.HEAD.match(data).groups()
        section = segment.section_of(head)
        number = self._sections.setdefault(section, len(self._sections))
        key = segment.sort_key(section, head, data)
        return number, key[0], section, lines

    def sort(self):
        """Afterwards what the writer has written is a segment."""
        if self._is_sorted:
            return
        sections = list(self._sections)
        source = self.writer
        source.flush()
        self.writer = self._new_writer()
        try:
            for number, _, start, length in heapq.merge(*map(self._notes_of, self._ends, self._ends[1:])):
                self.writer.add(sections[number], disk.pread(source.fd, length, start))
        finally:
            source.close()
            disk.remove(source.path)

    def _notes_of(self, start, end):
        while start < end:
            data = disk.pread(self._notes.fileno(), min(_NOTES_AT_ONCE * _NOTE.size, end - start), start)
            yield from _NOTE.iter_unpack(data)
            start += len(data)

    def close(self):
        self.writer.close()
        self._notes.close()


def incoming(paths):
    """A path for something that is still being written."""
    return paths.incoming(next(identifiers.new_ids()))
