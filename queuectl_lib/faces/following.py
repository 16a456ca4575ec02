"""Following one job: what it becomes, change by change, and what it writes meanwhile.

A spool is the slot's, not the job's: what was read of it is this attempt's only if
the job still runs when it has been read. So a chunk is read first, then the news,
and only then the chunk is shown. What came too late for that is in the job's next line.
"""

from collections import deque
from contextlib import closing

from queuectl_lib.faces import listing, outputs
from queuectl_lib.faces.patience import Patience
from queuectl_lib.job import lifecycle
from queuectl_lib.store import news
from queuectl_lib.words.text import safe

_LOOK_SECONDS = 0.1


class Following:
    """A job from now on; `job` is what it was up to the change that was taken last."""

    def __init__(self, store, id, writers, idle, tail=None, begun=None):
        """writers: {stream: function(bytes)}; tail: of what was written before, so many lines alone.

        idle(job): called while nothing happens; answers whether to give up.
        begun: begin() of a moment before the job was there, so that its first attempt is not missed.
        """
        self._store = store
        self._id = id
        self._writers = writers
        self._idle = idle
        self._tail = tail
        self._patience = Patience(_LOOK_SECONDS)
        self._coming = deque()
        self._news, look = begun or begin(store)
        self.job = self._first(look)

    def change(self):
        """Wait for the job's next change; what a running attempt writes is shown meanwhile. False: given up."""
        runs = self.job.state == "processing"
        # Of one that does not run nothing is read.
        with closing(Reader(self.job, self._store.paths, self._writers, runs=runs and not self._coming)) as reader:
            # Of an attempt that begins later nothing was written before.
            tail, self._tail = self._tail, None
            if tail is not None:
                reader.skip_to_tail(tail)
            while not self._coming:
                read = reader.read()
                self._look()
                if self._coming:
                    break
                if read:
                    reader.show()
                elif self._idle(self.job):
                    return False
                self._patience.rest(read)
            self.job = self._coming.popleft()
            if runs:
                reader.show_rest(self.job)
        return True

    def _first(self, look):
        found = look.find(self._id) if look else None
        if look:
            look.close()
        if found:
            return found[0]
        self.job = None
        self._look()
        return self._coming.popleft() if self._coming else self._found(self._store.look())

    def _look(self):
        wanted = self._id.encode("utf-8", "surrogatepass")
        for entry in self._news.look():
            if type(entry.head) is not dict and entry.head[0] == wanted:
                self._take(news.job_of(entry))
        if self._news.missed:
            self._coming.clear()
            self._take(self._found(self._store.look()))

    def _take(self, job):
        last = self._coming[-1] if self._coming else self.job
        if job.state == "removed":
            raise self._store.unknown(self._id)
        if last is None or claim_of(job) != claim_of(last) or job.state != "processing":
            self._coming.append(job)

    def _found(self, look):
        found = look and look.find(self._id)
        if not found:
            raise self._store.unknown(self._id)
        look.close()
        return found[0]


def begin(store):
    """(news.News, the store at the moment from which on that tells; None where none was yet), for Following."""
    begun = news.News(store)
    return begun, begun.start()


def claim_of(job):
    """What tells one attempt of a job from every other."""
    return job.state, job.worker, job.attempts, job.started_at


class Reader:
    """Reads a running attempt's output along, as work/spool.py says how."""

    def __init__(self, job, paths, writers, runs=True):
        """writers: {stream: function(bytes)}; runs: False for one that is over, so that its output is in its next line."""
        self._job = job
        self._paths = paths
        self._writers = writers
        self._spools = {stream: outputs.Spool(job, stream, paths) for stream in writers if runs}
        self._chunks = []

    def read(self):
        """Take the next chunks; whether there were any. They are shown by show(), if the job still runs then."""
        self._chunks = [(stream,) + spool.read() for stream, spool in self._spools.items()]
        return any(data for _, data, _ in self._chunks)

    def show(self):
        for stream, data, offset in self._chunks:
            if data:
                self._writers[stream](data)
                self._spools[stream].advance(offset)

    def skip_to_tail(self, count):
        """Advance to the last lines of what is there; should the job end meanwhile, show_rest() sees to it."""
        for spool in self._spools.values():
            seen = b""
            while True:
                data, offset = spool.read()
                if not data:
                    break
                spool.advance(offset)
                # No more than the last two chunks: a line that is longer is cut.
                seen = seen[-len(data):] + data
            spool.advance(spool.offset - len(outputs.last_lines(seen, count)))

    def show_rest(self, job):
        """What was kept of the attempt that is over, behind what was shown."""
        if job.state == "processing" or job.finished_at is None:
            # Handed back, or another attempt began: what this one wrote is gone.
            return
        for stream, write in self._writers.items():
            known = stream in self._spools and job.started_at == self._job.started_at
            data = outputs.rest(job, stream, self._paths, self._spools[stream].offset if known else 0)
            if data:
                write(data)

    def close(self):
        for spool in self._spools.values():
            spool.close()


def write(data, out, whole=False):
    """Bytes as they are into a pipe; on a terminal with everything made visible that could act on it."""
    if not out.tty:
        out.raw(data)
        return
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    # Line ends and tabs do no harm.
    out.text("\n".join("\t".join(safe(part) for part in line.split("\t")) for line in text.split("\n")))
    if whole:
        out.fresh_line()
    out.flush()


def exit_code(job):
    """What a command ends with that ends as this job did: its own code, 128 + N for signal N, 1 where it has none."""
    if job.state == "completed":
        return 0
    if job.state in ("cancelled", "removed"):
        return 1
    if job.signal is not None:
        return 128 + job.signal
    # Timed out, given up, handed back: none of them is the command's own code.
    return job.error is None and job.exit_code or 1


def fate(job):
    """What has become of a job, in a few words: 'job a is dead (exit 3)'."""
    if job.state in ("failed", "dead"):
        return "job %s %s (%s)" % (job.id, "is dead" if job.state == "dead" else "failed", listing.ended(job))
    return "job %s %s" % (job.id, _FATES.get(job.state, "is " + job.state))


def is_between(job):
    """Has an attempt of this job ended, that is to be followed by another one?"""
    return job.state == "failed" or job.state == "pending" and bool(job.put_backs) and job.finished_at is not None


def outlook(job, now):
    """The same of one that is between two attempts: 'job a failed (exit 3): waits 2 s for retry 1 of 3'."""
    return "%s: %s" % (fate(job), lifecycle.waiting_reason(job, now) or "its next attempt is due")


_FATES = {"cancelled": "was cancelled", "removed": "was removed"}
