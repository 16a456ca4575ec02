"""Run workers here until told to stop.

They run in the foreground and print a line per event. Ctrl+C or SIGTERM:
finish the running jobs, then leave; a second one: stop them now and hand them
back to the queue.

Examples:
  queuectl worker start
  queuectl worker start --count 4 --queue mail reports
  */5 * * * *  cd /srv/app && python3 queuectl.py worker start --drain
"""

from queuectl_lib.faces.cli import options
from queuectl_lib.job import identifiers
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import BadInput
from queuectl_lib.work import supervisor

_MOST_WORKERS = 1000


def arguments(parser):
    add = parser.add_argument
    add("--count", metavar="N", default=1, type=options.checked("--count", options.whole_number(1)),
        help="how many (default: 1)")
    add("--queue", metavar="Q", nargs="+", action="append", help="serve only these queues")
    add("--drain", action="store_true", help="leave when nothing is ready to run")
    add("--drain-all", action="store_true", help="leave when nothing is left: wait for retries and delayed jobs too")
    add("--max-jobs", metavar="N", type=options.checked("--max-jobs", options.whole_number(1)),
        help="each worker leaves after so many jobs")


def run(args, out):
    if args.count > _MOST_WORKERS:
        raise BadInput("--count: want at most %d, not %d" % (_MOST_WORKERS, args.count))
    queues = [identifiers.check_queue(name) for name in options.words(args.queue)] or None
    store = stores.open_store(args.store, create=True, write=True)
    # A damaged store is said here once, not by every worker.
    store.counts()
    out.flush()
    return supervisor.start(store, count=args.count, queues=queues, drain=args.drain, drain_all=args.drain_all,
                            max_jobs=args.max_jobs)
