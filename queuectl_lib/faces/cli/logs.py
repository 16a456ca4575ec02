"""Print what a job wrote; -f follows it to its end.

Of a job that was tried several times this is the last attempt; -f goes on with
those that follow, and says in between when the next one is. Without --stdout
or --stderr both are printed, one after the other; a pipe gets the bytes as
they are.

Examples:
  queuectl logs nightly
  queuectl logs nightly --stderr --tail 20
  queuectl logs -f nightly
"""

from queuectl_lib.faces import following, foreground, outputs, terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import BadInput, NotDone


def arguments(parser):
    add = parser.add_argument
    options.id(parser)
    add("-f", "--follow", action="store_true", help="follow it until it ends, through retries; wait for it when it has not begun")
    add("--stdout", action="store_true", help="standard output alone")
    add("--stderr", action="store_true", help="standard error alone")
    add("--tail", metavar="N", type=options.checked("--tail", options.whole_number(0)),
        help="the last N lines of each")


def run(args, out):
    if args.stdout and args.stderr:
        raise BadInput("either --stdout or --stderr; without both you have both")
    streams = [name for name in outputs.STREAMS if getattr(args, name)] or list(outputs.STREAMS)
    writers = {stream: lambda data: following.write(data, out) for stream in streams}
    store = stores.open_store(args.store)
    if args.follow:
        _follow(store, args, writers, out)
        return
    job = store.find(args.id)
    if not job.attempts and job.started_at is None:
        raise NotDone("job %s has not run yet; with -f you can wait for it" % job.id)
    if job.state == "processing":
        _print_running(store, job, following.Reader(job, store.paths, writers), args.tail)
    else:
        _print_kept(job, streams, store.paths, args.tail, out)


def _follow(store, args, writers, out):
    """Print what the job writes until it has ended."""
    if out.tty and store.find(args.id).state == "pending":
        terminal.note("job %s has not begun yet; waiting for it" % args.id)
    job = foreground.to_its_end(
        store, args.id, writers, lambda job: _print_kept(job, list(writers), store.paths, args.tail, out), (out,), args.tail)
    if out.tty:
        terminal.note(following.fate(job))


def _print_running(store, job, reader, tail):
    """Print what a running job has written so far."""
    if tail is not None:
        reader.skip_to_tail(tail)
    while reader.read():
        now = store.find(job.id)
        if following.claim_of(now) != following.claim_of(job):
            reader.show_rest(now)
            break
        reader.show()
    reader.close()


def _print_kept(job, streams, paths, tail, out):
    kept = [(stream, outputs.kept(job, stream, paths)) for stream in streams]
    filled = [(stream, data) for stream, data in kept if data]
    if not filled:
        terminal.note("job %s wrote nothing" % job.id)
    for stream, data in filled:
        if out.tty and len(filled) > 1:
            out.line(out.paint("--- %s" % stream, "dim"))
        if outputs.is_gone(job, stream, paths):
            out.flush()
            terminal.note("the file with all of its %s was removed: these are the last %d of %d bytes"
                          % (stream, len(data), getattr(job, stream + "_size")))
        following.write(outputs.last_lines(data, tail) if tail is not None else data, out, whole=True)
