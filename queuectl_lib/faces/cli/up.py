"""Run workers and the dashboard here until told to stop.

As `worker start` and `dashboard` in one terminal. Ctrl+C or SIGTERM: finish
the running jobs, which can be watched to their end, then leave; a second one:
stop them now and hand them back to the queue. `worker stop` ends both, too.

Examples:
  queuectl up --open
  queuectl up --count 4 --queue mail reports --port 9000
"""

from queuectl_lib.faces.cli import dashboard, worker_start
from queuectl_lib.faces.web import beside, serving
from queuectl_lib.work import supervisor


def arguments(parser):
    worker_start.crew_arguments(parser)
    parser.section("the dashboard")
    dashboard.place_arguments(parser)


def run(args, out):
    queues = worker_start.queues_of(args)
    store = dashboard.opened(args.store)
    # A damaged store is said here once, not by every worker.
    store.counts()
    token, = serving.tokens_of(store, False)
    with dashboard.listening(args) as listener:
        dashboard.announce(args, out, listener, token)
        post = beside.post(listener, store.root, token, args.host, args.open, args.name)
        return supervisor.start(store, count=args.count, queues=queues, beside=[post])
