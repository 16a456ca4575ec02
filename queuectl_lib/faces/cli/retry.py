"""Run jobs that failed or ended again, from attempt 1.

Attempts start at 0 again. A job that runs, or waits to run already, is left
as it is (exit 1). Jobs that died because of one of these come back with it. A
selection takes those that failed or are dead, unless --state says otherwise.
The ids are printed, one a line.

Examples:
  queuectl retry nightly
  queuectl retry --queue mail --search 'connection refused'
  queuectl retry --state cancelled --yes
"""

from queuectl_lib.faces import selection
from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import wake

_STATES = ("failed",) + lifecycle.ENDED


def arguments(parser):
    selection.arguments(parser, _STATES, every="all that failed or are dead")


def run(args, out):
    return retry(args, out, lambda job: job, _STATES, ("failed", "dead"))


def retry(args, out, check, states, usual):
    """Gives jobs of these states that pass the check a full budget again and prints their ids; the exit code."""
    # Imported here: completing its ids needs nothing that ends processes.
    from queuectl_lib.work import cancel
    now = clock.now()
    store = stores.open_store(args.store, write=True)

    def still(job):
        if not args.ids and job.state == "pending":
            raise selection.HasFollowed("job %s came back with another one" % job.id)
        return check(cancel.check_ended(store, job))

    # The first ones first: those that come after them come back with them.
    verb = selection.Verb("retry", lambda job: lifecycle.retry(check(job), now), states, usual,
                          "came back with them", last_first=True, is_shared=True)
    code, queues = selection.run(args, out, store, verb, lambda ids, refused: store.retry(ids, now, still, refused))
    wake.wake(store.paths, queues)
    return code
