"""Adding a job unless its command is waiting or running already in its queue (`enqueue --unique`).

There is no index of commands: the few who ask would make everybody pay for it. But each
line holds its command as the same bytes, and bytes are found at a gigabyte a second. The store is
searched without the lock. Under it only what was appended since is looked at; where the
journal was replaced or a batch joined meanwhile, the lock is let go and that is searched
first. What was searched once is not searched again: a line of a segment that does not
count any more never counts again.
"""

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, header, line, pieces, segment
from queuectl_lib.words import clock
from queuectl_lib.words.text import JSON_OF

_ALIVE = (b"pending", b"failed", b"processing")
_WAITING_SECTIONS = (header.READY, header.BLOCKED) + header.TIMED
_CHUNK = 256 * 1024


def add(store, job):
    """(the stored job, True), or (the job that is there already, False). Synced; raises as Store.add."""
    search = _Search(store, job)
    there = search.look()
    while there is None:
        try:
            return store.add([job], search.check)[0], True
        except _There as found:
            there = found.job
        except _MoreCame:
            there = search.look()
    return there, False


class _There(Exception):
    """Somebody was quicker."""

    def __init__(self, job):
        super().__init__(job.id)
        self.job = job


class _MoreCame(Exception):
    """More than is to be searched under the lock."""


class _Search:
    """For one command in one queue."""

    def __init__(self, store, job):
        self._store = store
        self._command = job.command
        self._queue = job.queue
        self._wanted = b',"command":' + JSON_OF[str](job.command).encode("ascii")
        self._searched = set()
        self._seen = None

    def look(self):
        """The job that is there, or None."""
        for last in (False, False, True):
            look = self._store.look()
            try:
                return self._look_through(look)
            except FileNotFoundError as error:
                # A roll removed a segment between two looks.
                if last:
                    raise segment.missing(error)
            finally:
                look.close()

    def check(self, live):
        """Raise _There for one that came since, _MoreCame where that is not told at once. The lock is held."""
        generation, end = self._seen
        if live.generation != generation:
            raise _MoreCame
        data = b"\n" + live.read(end)
        if pieces.other_lines(data, "segment"):
            raise _MoreCame
        found = self._in_lines(data, live.path, end - 1)
        if found is not None:
            raise _There(found)

    def _look_through(self, look):
        self._seen = look.journal.generation, look.end
        found = self._in_lines(look.data, look.journal.path, look.journal.body - 1)
        if found is not None:
            return found
        for entry in look.segments():
            if entry.kind != "base" or entry.name in self._searched:
                continue
            found = self._in_segment(look, entry)
            if found is not None:
                return found
            self._searched.add(entry.name)
        return None

    def _in_lines(self, data, path, start):
        """In a piece of journal, which begins at this offset with the newline before its first line."""
        passed = set()
        at = data.rfind(self._wanted)
        while at >= 0:
            begin = data.rfind(b"\n", 0, at) + 1
            match = line.HEAD.match(data, begin)
            if match is None:
                raise line.damaged(path, start + begin)
            head = match.groups()
            job_id = head[line.ID]
            # Its last line with this command; is it the last one of all?
            if job_id not in passed and self._counts(head) and data.find(b'\n{"id":"%s",' % job_id, at) < 0:
                found = self._same(data[begin:data.index(b"\n", at)], path, start + begin)
                if found is not None:
                    return found
            passed.add(job_id)
            at = data.rfind(self._wanted, 0, begin)
        return None

    def _in_segment(self, look, entry):
        reader = look.reader(entry)
        for section in entry.sections:
            if section.kind not in _WAITING_SECTIONS or section.queue != self._queue:
                continue
            for data, begin, start in _lines_with(self._wanted, reader.fd, section):
                each = data[begin:data.index(b"\n", begin)]
                if line.id_of(each) in look.newest or (entry.name, start) in look.gone:
                    continue
                found = self._same(each, reader.path, start)
                if found is not None:
                    return found
        return None

    def _counts(self, head):
        return head[line.STATE] in _ALIVE and head[line.QUEUE].decode() == self._queue

    def _same(self, each, path, start):
        """The job of a line if it is really the same: a variable of its environment may have this name, too."""
        job, _ = line.decode(each, path, start)
        if job.command != self._command or lifecycle.is_expired(job, clock.now()):
            return None
        return job


def _lines_with(wanted, fd, section):
    """Yields (data, where in it a line with these bytes begins, where that is in the file)."""
    rest = b""
    at = section.start
    while at < section.end:
        piece = disk.pread(fd, min(_CHUNK, section.end - at), at)
        if not piece:
            return
        data = rest + piece
        start = at - len(rest)
        at += len(piece)
        whole = data.rfind(b"\n") + 1
        found = data.find(wanted, 0, whole)
        while found >= 0:
            begin = data.rfind(b"\n", 0, found) + 1
            yield data, begin, start + begin
            found = data.find(wanted, data.index(b"\n", found), whole)
        rest = data[whole:]
