"""Run a job here and now, whatever its turn.

It is run as a worker would do it, and counts as an attempt. That its queue is
paused or full, that it is held or not due yet does not matter; one that comes
after others has to wait for them. A job that has ended is retried first. One
that was held is so again when it is to run once more.

Exit code: that of the job, 128 + N if signal N ended it, 1 if it timed out or
cannot be run (it is unknown, or runs already). Ctrl+C ends the job and hands it
back.

Examples:
  queuectl run nightly
  queuectl enqueue --hold --id try ./import.sh && queuectl run try
"""

import os
import sys

from queuectl_lib.faces import following, foreground, terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import events

_INTERRUPTED = 130


def arguments(parser):
    options.id(parser)


def run(args, out):
    # Imported here: help and completion need no worker.
    from queuectl_lib.work import single
    store = stores.open_store(args.store, write=True)
    # Before anything is set up for it.
    store.find(args.id)
    errors = terminal.Output(sys.stderr, os.environ)
    job = single.run(store, args.id, _Voice(), _Shown(store, foreground.writers(out, errors)))
    if job is None:
        terminal.note("job %s was ended: it was taken away" % args.id)
        return 1
    # One that was handed back has not been started.
    return _INTERRUPTED if job.started_at is None else following.exit_code(job)


class _Shown:
    """What the job writes."""

    def __init__(self, store, writers):
        self._paths = store.paths
        self._writers = writers
        self._reader = None

    def begin(self, job):
        try:
            self._reader = following.Reader(job, self._paths, self._writers)
        except (StoreError, OSError):
            # It is claimed, so it is run: what it writes is shown when it has ended.
            self._reader = following.Reader(job, self._paths, self._writers, runs=False)

    def show(self):
        # The slot is this process's: what is in it is this job's.
        while self._reader.read():
            self._reader.show()

    def end(self, job):
        self._reader.show_rest(job)
        self._reader.close()


class _Voice(events.Voice):
    """A worker's remarks, where the output is the job's."""

    def say(self, *texts):
        for text in texts:
            # What everybody sees need not be said.
            if not text.startswith("completed "):
                terminal.note(text)
