"""A job as if it ran in this terminal: its output as it comes, and its exit code."""

import os
import sys

from queuectl_lib.faces import following, hindrance, outputs, terminal
from queuectl_lib.job.lifecycle import ENDED, WAITING
from queuectl_lib.store import news
from queuectl_lib.words import clock
from queuectl_lib.work import events


def accompany(store, id, out, begun):
    """Show what a job writes, attempt after attempt, until it has ended; the exit code to end with.

    begun: following.begin() of before the job was stored.
    """
    errors = terminal.Output(sys.stderr, os.environ)
    if errors.tty:
        terminal.note("job %s" % id)
    streams = writers(out, errors)

    def show_kept(job):
        for stream, write in streams.items():
            write(outputs.kept(job, stream, store.paths))
    try:
        job = to_its_end(store, id, streams, show_kept, (out, errors), begun=begun)
    except KeyboardInterrupt:
        terminal.note("job %s goes on: follow it with: queuectl logs -f %s; call it off with: queuectl cancel %s" % (id, id, id))
        raise
    news.sync(store)
    if job.state != "completed":
        terminal.note(following.fate(job))
    return following.exit_code(job)


def writers(out, errors):
    """Where the streams of a job go that runs here, for following.Following."""
    return {"stdout": lambda data: following.write(data, out), "stderr": lambda data: following.write(data, errors)}


def to_its_end(store, id, writers, show_kept, outs, tail=None, begun=None):
    """Show what a job writes, attempt after attempt, until it has ended; the job as it is then.

    writers, tail, begun: as of following.Following; outs: the terminal.Outputs that they write to.
    show_kept(job): called when an attempt was over before this began, with the job as it was left by that.
    What becomes of it between two attempts, and what hinders it, is said on standard error.
    """
    def say(text):
        for out in outs:
            out.fresh_line()
        terminal.note(text)
    complaints = hindrance.Complaints(lambda: hindrance.of_jobs(store, [id]), say)
    followed = following.Following(store, id, writers, lambda job: complaints.look(), tail, begun)
    between = following.is_between(followed.job)
    if between or followed.job.state in ENDED:
        show_kept(followed.job)
    if between:
        say(following.outlook(followed.job, clock.now()))
    while followed.job.state not in ENDED:
        before = followed.job
        followed.change()
        if before.state == "processing" and followed.job.state in WAITING:
            say(events.ended(followed.job))
    for out in outs:
        out.fresh_line()
    return followed.job
