"""Enqueueing all jobs of a file or of standard input at once: all or none."""

import os
import stat
import sys

from queuectl_lib.faces import input as given
from queuectl_lib.faces import progress, terminal
from queuectl_lib.words.errors import BadInput
from queuectl_lib.work import wake


def enqueue(store, name, maker, if_absent, out):
    """Store the jobs of the file of this name ('-': standard input), and print their ids.

    maker: record.Maker; if_absent: those whose id is there are fine. Raises BadInput naming the line.
    """
    stream = opened(name)
    shown = shown_name(name)
    with progress.Bar(_watched_terminal(stream), "jobs", _share_read(stream)) as bar:
        jobs = _created(bar.watched(given.from_file(stream)), shown, maker)
        if if_absent:
            from queuectl_lib.faces import once
            ids = once.add_absent(store, jobs)
        else:
            _, ids = store.add_many(jobs)
    wake.wake(store.paths)
    printed = False
    for printed in ids:
        out.line(printed)
    if not printed:
        terminal.note("no jobs in %s" % shown)


def shown_name(name):
    """What messages call the file of this name."""
    return "standard input" if name == "-" else name


def opened(name):
    """The file of this name ('-': standard input), buffered, for reading bytes."""
    if name == "-":
        if sys.stdin.isatty():
            terminal.note("reading jobs from the terminal: one JSON object a line, e.g. "
                          "{\"command\": \"echo hi\"}, then Ctrl+D")
        return sys.stdin.buffer
    try:
        return open(name, "rb")
    except OSError as error:
        raise BadInput("--file %s: %s" % (name, error.strerror))


def _watched_terminal(stream):
    """Where a person sees how far it has come; None where there is none, or where they type the jobs."""
    errors = terminal.Output(sys.stderr, os.environ)
    return errors if errors.tty and not stream.isatty() else None


def _share_read(stream):
    """A function that tells how much of a file of JSON lines is read; of others nobody knows."""
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode) or stream.peek(1)[:1] != b"{":
        return lambda: None
    # It is closed by whoever has read all of it.
    return lambda: 1 if stream.closed else stream.tell() / status.st_size


def _created(pairs, name, maker):
    """The jobs of a file; a fault in one is named by its line."""
    line = 0
    try:
        for line, fields in pairs:
            yield maker.create(fields)
    except BadInput as error:
        where = "" if str(error).startswith("line ") else "line %d: " % line
        raise BadInput("%s, %s%s; nothing was enqueued" % (name, where, error))
