"""Show the workers that are alive and what they run.

UP is how long it lives, DONE how many jobs it ran, BEAT how old its last
heartbeat is, FOR how long its job has been running, PROGRESS what the job says
of how far it is ($QUEUECTL_PROGRESS). On a terminal QUEUES is left out when all
workers serve all queues, and STATE comes in when one was told to stop: it is
leaving, finishes its job and takes no other.

Examples:
  queuectl worker list
  queuectl worker list --json | jq '.[].pid'
"""

from queuectl_lib.faces import reading, report, terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.store import ballast
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import pidfile, slots


def arguments(parser):
    options.json(parser)


def run(args, out):
    store = stores.open_store(args.store)
    now = clock.now()
    alive = slots.living(store.paths)
    running = {job.worker: reading.with_progress(store, job) for job in store.jobs(states=["processing"])}
    serving = pidfile.serving(store.paths)
    leaving = pidfile.leaving(pidfile.read(store.paths))
    room = ballast.no_room(store.paths)
    if room:
        # An array of workers has no place for it: with --json it is said here, too.
        terminal.note(room)
    if args.json:
        out.array(report.workers_document(alive, running, serving, now, leaving))
        return
    for line in report.workers(alive, running, serving, now, out, leaving):
        out.line(line)
    if not alive:
        terminal.note("no worker is running; start one with: queuectl worker start")
    elif out.tty and any(entry.log for entry in pidfile.living(store.paths)):
        out.flush()
        terminal.note("those in the background print into %s" % store.paths.log)
