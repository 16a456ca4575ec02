"""A job as if it ran in this terminal: its output as it comes, and its exit code."""

import os
import sys

from queuectl_lib.faces import following, hindrance, outputs, terminal
from queuectl_lib.job.lifecycle import ENDED
from queuectl_lib.store import news
from queuectl_lib.work import events


def accompany(store, id, out):
    """Show what a job writes, attempt after attempt, until it has ended; the exit code to end with."""
    errors = terminal.Output(sys.stderr, os.environ)
    if errors.tty:
        terminal.note("job %s" % id)
    try:
        job = _to_its_end(store, id, writers(out, errors))
    except KeyboardInterrupt:
        terminal.note("job %s goes on: follow it with: queuectl logs -f %s; call it off with: queuectl cancel %s" % (id, id, id))
        raise
    news.sync(store)
    out.fresh_line()
    errors.fresh_line()
    if job.state != "completed":
        terminal.note(following.fate(job))
    return following.exit_code(job)


def writers(out, errors):
    """Where the streams of a job go that runs here, for following.Following."""
    return {"stdout": lambda data: following.write(data, out), "stderr": lambda data: following.write(data, errors)}


def _to_its_end(store, id, writers):
    complaints = hindrance.Complaints(lambda: hindrance.of_jobs(store, [id]), terminal.note)
    followed = following.Following(store, id, writers, lambda job: complaints.look())
    if followed.job.state in ENDED:
        # It was there before (--if-absent).
        for stream, write in writers.items():
            write(outputs.kept(followed.job, stream, store.paths))
    while followed.job.state not in ENDED:
        before = followed.job
        followed.change()
        if before.state == "processing" and followed.job.state in ("failed", "pending"):
            terminal.note(events.ended(followed.job))
    return followed.job
