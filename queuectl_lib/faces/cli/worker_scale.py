"""Have more workers or fewer, while they run.

N is how many there are to be in all, of every start in this store. New ones
are started by a supervisor that runs, with its own options; those who are too
many, of the highest slots, finish their jobs first. 0: all of them.

Examples:
  queuectl worker scale 8
  queuectl worker scale 2 --wait
"""

from queuectl_lib.faces.cli import options
from queuectl_lib.store import store as stores


def arguments(parser):
    add = parser.add_argument
    add("count", metavar="N", type=options.checked("N", options.worker_count(0)))
    add("--wait", action="store_true", help="wait until those who are too many have finished their jobs and left")


def run(args, out):
    from queuectl_lib.work import events, scaling
    store = stores.open_store(args.store, write=True)
    done = scaling.scale(store, args.count, args.wait)
    change = args.count - done.before
    if change > 0:
        said = "%d more than before" % change
    elif change == 0:
        said = "as before"
    elif args.wait:
        said = "%d fewer than before" % -change
    else:
        said = "%d fewer than before, once their jobs are done" % -change
    out.line("%s, %s" % (events.workers(args.count), said))
