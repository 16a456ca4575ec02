"""A segment whose lines came in any order, written again section by section, sorted.

Needed for a batch of mixed queues, priorities or delays; 24 bytes of memory a
job for the time it takes.
"""

import os
from array import array

from queuectl_lib.store import disk, header, segment

# A line is at most 1 MB, so its length fits 21 bits beside its offset.
_LENGTH_BITS = 21


def resorted(writer, path):
    """A new Writer at the same path with the lines of an old one, sorted by section and key."""
    writer.flush()
    source = writer.fd
    groups = _groups(source, writer.size)
    disk.remove(path)
    target = segment.Writer(path, writer.kind)
    try:
        for section, _, places in sorted(groups, key=_group_order):
            for place in places:
                length = place & (1 << _LENGTH_BITS) - 1
                data = os.pread(source, length, place >> _LENGTH_BITS)
                target.add(section, segment.line.HEAD.match(data).group(1), data)
    finally:
        writer.close()
    return target


def _groups(source, size):
    """[(section, priority or 0, places in order)]; lines of one group stay as they came."""
    places = {}
    due = {}
    for start, data in _lines(source, size):
        head = segment.line.HEAD.match(data).groups()
        section = segment.section_of(head)
        packed = start << _LENGTH_BITS | len(data)
        if section[0] == header.DUE:
            due.setdefault(section, []).append((int(head[7]), packed))
        else:
            places.setdefault((section, int(head[5])), array("Q")).append(packed)
    groups = [(section, priority, found) for (section, priority), found in places.items()]
    # Packed places grow with the offset, so equal moments keep their order of arrival.
    groups += [(section, 0, [packed for _, packed in sorted(found)]) for section, found in due.items()]
    return groups


def _group_order(group):
    return group[0], group[1]


def _lines(source, size):
    start = 0
    rest = b""
    while start + len(rest) < size:
        data = rest + os.pread(source, 262144, start + len(rest))
        lines = data.split(b"\n")
        rest = lines.pop()
        for each in lines:
            yield start, each + b"\n"
            start += len(each) + 1
