"""Run workers here until told to stop.

They run in the foreground and print a line per event. Ctrl+C or SIGTERM:
finish the running jobs, then leave; a second one: stop them now and hand them
back to the queue.

With --detach they run in the background, and print into worker.log in the
store. The command returns when they are there. --ensure starts only those
missing from N (counting the workers of the same queues), and is silent when
none is: the line for crontab, which brings them back after a reboot, too.

Examples:
  queuectl worker start
  queuectl worker start --count 4 --queue mail reports
  queuectl worker start --detach --count 4 --max-idle 10m
  * * * * *  cd /srv/app && python3 queuectl.py worker start --ensure --detach
"""

from queuectl_lib.faces import terminal, wanted
from queuectl_lib.faces.cli import options
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock


def crew_arguments(parser):
    """Which workers: these are `up`'s, too."""
    add = parser.add_argument
    add("--count", metavar="N", default=1, type=options.checked("--count", options.worker_count(1)),
        help="how many (default: 1)")
    add("--queue", metavar="Q", nargs="+", action="append", help="serve only these queues")


def queues_of(args):
    """The queues they serve; None for all."""
    return wanted.queues(args.queue)


def arguments(parser):
    add = parser.add_argument
    crew_arguments(parser)
    parser.section("where and how many")
    add("--detach", action="store_true", help="in the background, printing into worker.log in the store")
    add("--ensure", action="store_true", help="only as many as are missing from N")
    parser.section("when they leave")
    add("--drain", action="store_true", help="leave when nothing is ready to run")
    add("--drain-all", action="store_true", help="leave when nothing is left: wait for retries and delayed jobs too")
    add("--max-jobs", metavar="N", type=options.checked("--max-jobs", options.whole_number(1)),
        help="each worker leaves after so many jobs")
    add("--max-idle", metavar="DUR", type=options.checked("--max-idle", clock.parse_duration),
        help="each worker leaves when it found nothing to run for so long")


def run(args, out):
    queues = queues_of(args)
    was_there = stores.open_store(args.store).exists
    store = stores.open_store(args.store, create=True, write=True)
    if not was_there:
        # Perhaps it is another one that was meant, where jobs wait.
        terminal.reassure("there was no store at %s: it has been made" % store.root)
    if args.ensure and _all_there(store, args.count, queues):
        return 0
    # A damaged store is said here once, not by every worker.
    store.counts()
    out.flush()
    if args.detach:
        return _in_background(store, args, queues, out)
    from queuectl_lib.work import supervisor
    return supervisor.start(store, count=args.count, queues=queues, drain=args.drain, drain_all=args.drain_all,
                            max_jobs=args.max_jobs, max_idle=args.max_idle, ensure=args.ensure)


def _all_there(store, count, queues):
    """Cron asks every minute: what is needed to start workers is not even loaded then."""
    from queuectl_lib.work import staffing
    return staffing.keeping(store.paths, queues) >= count


def _in_background(store, args, queues, out):
    from queuectl_lib.work import detach
    words = ["--count", str(args.count)] + (["--queue"] + queues if queues else [])
    words += [option for option, given in (("--ensure", args.ensure), ("--drain", args.drain),
                                           ("--drain-all", args.drain_all)) if given]
    words += ["--max-jobs=%d" % args.max_jobs] if args.max_jobs is not None else []
    words += ["--max-idle=%s" % args.max_idle] if args.max_idle is not None else []
    pid = detach.start(store, words)
    if pid is not None and out.tty:
        terminal.note("running in the background with pid %d, printing into %s" % (pid, store.paths.log))
