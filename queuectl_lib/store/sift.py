"""Reading through segments for few lines among many: what cannot hold them is passed over a chunk at a time.

A chunk is looked at as bytes, before anything takes its lines apart: of a
million jobs in which a hundred are meant, only those hundred are decoded.

The line at which a chunk ends is told whether it may be wanted or not: so who searches
for a limited time knows how far he came.
"""

from queuectl_lib.store import disk, line, slices
from queuectl_lib.words.text import JSON_OF

_CHUNK = 65536
_ESCAPE = b"\\u"


class Sieve:
    """What to look for: a text in what a person would look for, jobs of some queues (sets of bytes), or both."""

    def __init__(self, search, queues):
        self._text = None if search is None else _as_on_disk(search.lower())
        self._queues = queues and [b'"queue":"%s"' % queue for queue in queues]

    def may_pass(self, data):
        """Might a wanted line be among these bytes?"""
        if self._queues is not None and not any(queue in data for queue in self._queues):
            return False
        return self._text is None or self._text in data.lower()

    def may_say(self, head, data):
        """Might id, queue, command or error of a line hold the text?"""
        if self._text is None:
            return True
        return any(self._text in part.lower() for part in (head[line.ID], head[line.QUEUE]) + slices.spoken(data))


def _as_on_disk(text):
    """Bytes that a line must hold, put into small letters, where a job has this text in small letters.

    A letter beyond ASCII is an escape there, and its capital is another one: any escape will do.
    """
    return JSON_OF[str](text)[1:-1].encode("ascii").lower() if text.isascii() else _ESCAPE


def forward(reader, start, end, sieve):
    """Yields (head, start, line) of the lines from start to end that may be wanted, and of each chunk's last one."""
    size = _CHUNK
    while start < end:
        data = disk.pread(reader.fd, min(size, end - start), start)
        data = data[:data.rfind(b"\n") + 1]
        if data:
            size = _CHUNK
            yield from _wanted(reader, data, start, sieve, data.rfind(b"\n", 0, -1) + 1)
            start += len(data)
        elif size < end - start:
            size *= 2
        else:
            raise line.damaged(reader.path, start)


def backward(reader, start, end, sieve):
    """The same from the last to the first, and of each chunk's first one."""
    size = _CHUNK
    while start < end:
        at = max(start, end - size)
        data = disk.pread(reader.fd, end - at, at)
        if at > start:
            # Perhaps the end of a longer line, which the next chunk brings as a whole.
            cut = data.find(b"\n") + 1
            at += cut
            data = data[cut:]
            if at == end or not cut:
                size *= 2
                continue
        size = _CHUNK
        yield from reversed(list(_wanted(reader, data, at, sieve, 0)))
        end = at


def _wanted(reader, data, start, sieve, border):
    """border: where in these bytes the line begins that is told in any case."""
    if not sieve.may_pass(data):
        each = data[border:data.index(b"\n", border)]
        yield reader.head(each, start + border), start + border, each
        return
    at = 0
    for each in data.split(b"\n")[:-1]:
        if at == border or sieve.may_pass(each):
            yield reader.head(each, start + at), start + at, each
        at += len(each) + 1
