"""Show everything about one job, and why it is not running.

The values of its variables are hidden unless you --reveal them; --json and
--sh are for machines, and hold them.

Examples:
  queuectl show nightly
  queuectl show nightly --json | jq .history
  queuectl show nightly --sh | sh
"""

from queuectl_lib.faces import moments, reading, reasons, story
from queuectl_lib.faces.cli import options
from queuectl_lib.job import record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput


def arguments(parser, states=None):
    options.id(parser, states)
    parser.add_argument("--sh", action="store_true", help="a shell script that does what the job does")
    options.reveal(parser)
    options.json(parser)


def run(args, out):
    show(args, out, lambda job: job)


def show(args, out, check):
    """Prints a job that passes the check."""
    if args.json and args.sh:
        raise BadInput("either --sh or --json")
    store = stores.open_store(args.store)
    job = reading.with_progress(store, check(store.find(args.id)))
    if args.sh:
        _print_script(store, job, out)
        return
    if args.json:
        out.document(record.public(job))
        return
    now = clock.now()
    # A lost job is taken up by any worker, whichever queues that one serves.
    servants = reading.servants(store, None if job.state == "processing" else job.queue)
    around = reasons.around(store, job, servants, now)
    shown = moments.Moments(out).shown
    for line in story.tell(job, now, reading.is_lost(store, job), around, store.root, out.paint, args.reveal, shown):
        out.line(line)


def _print_script(store, job, out):
    from queuectl_lib.faces import following, script
    following.write(script.of_job(job, store.root), out)
