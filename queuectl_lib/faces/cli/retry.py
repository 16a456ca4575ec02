"""Run jobs that failed or ended again, from attempt 1.

Attempts start at 0 again. A job that runs, or waits to run already, is left
as it is (exit 1).

Examples:
  queuectl retry nightly
  queuectl list --search invoice --jsonl | jq -r .id | xargs queuectl retry
"""

from queuectl_lib.faces.cli import options
from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import wake


def arguments(parser):
    options.ids(parser, states=("failed",) + lifecycle.ENDED)


def run(args, out):
    store = stores.open_store(args.store, write=True)
    retry(store, args.ids, lambda job: job, out)


def retry(store, ids, check, out):
    """Gives jobs that pass the check a full budget again and prints their ids."""
    changed = store.retry(ids, clock.now(), check)
    jobs = changed.jobs + changed.followers
    wake.wake(store.paths, {job.queue for job in jobs})
    for job in jobs:
        out.line(job.id)
