"""Tell all workers to leave, and wait until they have.

They finish the jobs they run; with --now those are stopped and handed back to
the queue, and lose no attempt. That none is running is fine.

Examples:
  queuectl worker stop
  queuectl worker stop --timeout 30s || queuectl worker stop --now
"""

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone


def arguments(parser):
    add = parser.add_argument
    add("--now", action="store_true", help="stop the running jobs and hand them back")
    add("--timeout", metavar="DUR", type=options.checked("--timeout", clock.parse_duration),
        help="wait at most this long (exit code 1 when some still run then)")


def run(args, out):
    # Imported here, as in the other commands about workers: help and completion need none.
    from queuectl_lib.work import pidfile, supervisor
    store = stores.open_store(args.store, write=True)
    left = supervisor.stop(store, now=args.now, timeout=args.timeout, tell=terminal.note)
    if left:
        pids = ", ".join(pidfile.pid_of(entry) for entry in left)
        raise NotDone("still running: %s; they were told to stop%s"
                      % (pids, "" if args.now else "; --now does not wait for their jobs"))
    if out.tty:
        terminal.note("no worker is running")
