"""Call off jobs; of running ones all processes are ended.

A job that waits is cancelled at once. Of a running one the whole process tree
is ended: TERM, then KILL when kill_grace is over (queuectl config list); it
stays cancelled, whatever its command still does. Jobs that come after a
cancelled one go to the dead letter queue. The ids are printed, one a line.

Examples:
  queuectl cancel nightly
  queuectl cancel --wait import-7
  queuectl cancel --queue mail --state pending --yes
"""

from queuectl_lib.faces import terminal, verbs
from queuectl_lib.faces.cli import selecting
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone
from queuectl_lib.work import cancel


def arguments(parser):
    selecting.arguments(parser, verbs.CANCELLED, every="all that wait or run")
    parser.add_argument("--wait", action="store_true", help="wait until the processes of running ones are gone")


def run(args, out):
    store = stores.open_store(args.store, write=True)
    verb = verbs.cancel(store, clock.now())
    running = []

    def call_off(ids, refused):
        def refused_or_awaited(job_id, error):
            if args.wait and isinstance(error, cancel.StillEnding):
                running.append(error.job)
            else:
                refused(job_id, error)

        done = verb.do(ids, refused_or_awaited)
        running.extend(done.running)
        return done

    code = selecting.run(args, out, store, verb._replace(do=call_off))
    if running and args.wait:
        _await(store, running)
    elif running:
        grace = clock.show_duration(store.config.kill_grace)
        what = "1 was running: its processes are" if len(running) == 1 else (
            "%d were running: their processes are" % len(running))
        terminal.note("%s being ended (TERM, and KILL after %s)" % (what, grace))
    return code


def _await(store, running):
    left = cancel.await_end(store, running)
    if left:
        raise NotDone("cancelled, but processes of %s are still there: see 'queuectl worker list' and the processes "
                      "with QUEUECTL_JOB_ID in their environment" % ", ".join(job.id for job in left))
