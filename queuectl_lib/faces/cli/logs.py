"""Print what a job wrote; -f follows it while it runs.

Of a job that was tried several times this is the last attempt. Without
--stdout or --stderr both are printed, one after the other; a pipe gets the
bytes as they are.

Examples:
  queuectl logs nightly
  queuectl logs nightly --stderr --tail 20
  queuectl logs -f nightly
"""

import time

from queuectl_lib.faces import listing, outputs, terminal
from queuectl_lib.faces.cli import options, reading
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import BadInput, NotDone
from queuectl_lib.words.text import safe

_LOOK_SECONDS = 0.1


def arguments(parser):
    add = parser.add_argument
    options.id(parser)
    add("-f", "--follow", action="store_true", help="follow it until it ends; wait for it when it has not begun")
    add("--stdout", action="store_true", help="standard output alone")
    add("--stderr", action="store_true", help="standard error alone")
    add("--tail", metavar="N", type=options.checked("--tail", options.whole_number(0)),
        help="the last N lines of each")


def run(args, out):
    if args.stdout and args.stderr:
        raise BadInput("either --stdout or --stderr; without both you have both")
    streams = [name for name in outputs.STREAMS if getattr(args, name)] or list(outputs.STREAMS)
    store = stores.open_store(args.store)
    job = store.find(args.id)
    if args.follow:
        job = _begun(store, job, out)
    elif not job.attempts:
        raise NotDone("job %s has not run yet; with -f you can wait for it" % job.id)
    if job.state == "processing":
        job = _Reader(store, job, streams, args.tail, out).read(args.follow)
    else:
        _print_kept(job, streams, store.paths, args.tail, out)
    if args.follow and out.tty:
        out.fresh_line()
        terminal.note(_how_it_ended(job))


def _begun(store, job, out):
    """The job once it runs or has ended an attempt."""
    if job.state == "pending" and out.tty:
        terminal.note("job %s has not begun yet; waiting for it" % job.id)
    while job.state == "pending":
        time.sleep(_LOOK_SECONDS)
        job = store.find(job.id)
    return job


def _print_kept(job, streams, paths, tail, out):
    kept = [(stream, outputs.kept(job, stream, paths)) for stream in streams]
    filled = [(stream, data) for stream, data in kept if data]
    if not filled:
        terminal.note("job %s wrote nothing" % job.id)
    for stream, data in filled:
        if out.tty and len(filled) > 1:
            out.line(out.paint("--- %s" % stream, "dim"))
        _write(outputs.last_lines(data, tail) if tail is not None else data, out, whole=True)


def _how_it_ended(job):
    if job.state == "processing":
        return "job %s: its worker died" % job.id
    if job.state in ("failed", "dead"):
        return "job %s %s (%s)" % (job.id, job.state, listing.ended(job))
    return "job %s is %s" % (job.id, job.state)


def _write(data, out, whole=False):
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


class _Reader:
    """Reads a running job's output along, as work/spool.py says how."""

    def __init__(self, store, job, streams, tail, out):
        self._store = store
        self._job = job
        self._tail = tail
        self._out = out
        self._spools = [outputs.Spool(job, stream, store.paths) for stream in streams]

    def read(self, follow):
        """Prints what is there, and with `follow` what comes until it ends; returns the job as it is then."""
        if self._tail is not None:
            self._skip_to_tail()
        while True:
            chunks = [(spool,) + spool.read() for spool in self._spools]
            now = self._store.find(self._job.id)
            if not self._still(now):
                return self._print_rest(now)
            for spool, data, offset in chunks:
                if data:
                    _write(data, self._out)
                    spool.advance(offset)
            if any(data for _, data, _ in chunks):
                continue
            if not follow or reading.is_lost(self._store, now):
                return now
            time.sleep(_LOOK_SECONDS)

    def _still(self, now):
        return (now.state, now.worker, now.attempts) == (self._job.state, self._job.worker, self._job.attempts)

    def _skip_to_tail(self):
        """Advances to the last lines of what is there; should the job end meanwhile, _print_rest sees to it."""
        for spool in self._spools:
            seen = b""
            while True:
                data, offset = spool.read()
                if not data:
                    break
                spool.advance(offset)
                # No more than the last two chunks: a line that is longer is cut.
                seen = seen[-len(data):] + data
            spool.advance(spool.offset - len(outputs.last_lines(seen, self._tail)))

    def _print_rest(self, now):
        if now.state in ("processing", "pending"):
            # Handed back, or another attempt began: what this one wrote is gone.
            return now
        for spool in self._spools:
            _write(outputs.rest(now, spool.stream, self._store.paths, spool.offset), self._out)
        return now
