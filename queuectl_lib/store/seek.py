"""Finding a place in a sorted section by its value: a few lines are read, however many there are.

By value and not by offset, since a section may have been merged with others, or begin
elsewhere, when somebody comes back to a place.
"""

from queuectl_lib.store import disk, line

# What a line and the newline before it mostly fit into.
_PIECE = 4096


def first(reader, section, is_behind):
    """The offset of the first line of a section whose key (segment.sort_key) is_behind(key) says so; else the section's end.

    Raises StoreDamaged for a line that would lead astray.
    """
    low, high = section.start, section.end
    # Most sections lie before the place or behind it as a whole.
    if low == high or not is_behind(_key(reader, section, *_last(reader, section))):
        return high
    if is_behind(_key(reader, section, low, reader.line_from(low))):
        return low
    # Lines before `low` are not behind; those that begin at or after `high` are.
    found = high
    while low < high:
        middle = (low + high) // 2
        start = low if middle == low else _behind_newline(reader, middle - 1)
        if start >= high:
            high = middle
            continue
        data = reader.line_from(start)
        if is_behind(_key(reader, section, start, data)):
            found = start
            high = middle
        else:
            low = start + len(data) + 1
    return found


def _behind_newline(reader, at):
    """The offset behind the first newline at or behind this one."""
    while True:
        data = disk.pread(reader.fd, _PIECE, at)
        newline = data.find(b"\n")
        if newline >= 0:
            return at + newline + 1
        if not data:
            raise line.damaged(reader.path, at)
        at += len(data)


def _last(reader, section):
    """(start, line) of a section's last line."""
    size = _PIECE
    while True:
        at = max(section.start, section.end - size)
        data = disk.pread(reader.fd, section.end - at, at)
        newline = data.rfind(b"\n", 0, len(data) - 1)
        if newline >= 0:
            return at + newline + 1, data[newline + 1:-1]
        if at == section.start:
            return at, data[:-1]
        size *= 8


def _key(reader, section, start, data):
    line.check(data, reader.path, start)
    return reader.key(section, reader.head(data, start), start, data)
