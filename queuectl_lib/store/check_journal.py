"""Checking the journal: its header, the copy of that, and every line."""

import os

from queuectl_lib.store import disk, header, line, salvage
from queuectl_lib.words.errors import StoreError
from queuectl_lib.words.text import many


def look_at(checkup):
    """Read it; False when without it nothing else can be looked at."""
    try:
        checkup.fd = disk.open_private(checkup.paths.jobs, os.O_RDONLY)
    except FileNotFoundError:
        checkup.old_journal = True
        checkup.fault(checkup.paths.jobs, "is missing: no job can be found without it",
                      "restore it from a copy; %s makes a new one, with no jobs but those of the segments" % checkup.REPAIR)
        return False
    except StoreError as error:
        checkup.give_up(checkup.paths.jobs, str(error))
        return False
    status = os.fstat(checkup.fd)
    checkup.inode = status.st_ino
    headers = checkup.headers = salvage.headers(checkup.fd)
    try:
        _look_at_header(checkup, headers)
    except StoreError as error:
        # Of a newer format: nothing can be said of it.
        checkup.give_up(checkup.paths.jobs, str(error).lstrip())
        return False
    _look_at_lines(checkup, len(headers.first) + len(headers.copy), status.st_size)
    return checkup.header is not None


def _look_at_header(checkup, headers):
    first, copy = map(salvage.header_in, headers)
    checkup.header = first or copy
    path = checkup.paths.jobs
    if checkup.header is None:
        checkup.old_journal = True
        checkup.fault(path, "the header at byte 0 and its copy are damaged",
                      "restore it from a copy; %s makes it anew from all lines, and pauses all queues" % checkup.REPAIR)
        return
    for start, data in ((0, headers.first), (len(headers.first), headers.copy)):
        if not header.is_whole(data):
            checkup.old_journal = True
            checkup.fault(path, "the header at byte %d is damaged; it can be set right" % start)
    if not checkup.is_ill and headers.first != headers.copy:
        checkup.old_journal = True
        checkup.fault(path, "the header at byte 0 and its copy are not the same")
    checkup.well("header", "format %d, generation %d" % (header.FORMAT, checkup.header.generation))


def _look_at_lines(checkup, body, size):
    torn = 0
    # Where the last bad bytes end that say nothing: a batch that ends there was whole once.
    lost = 0
    for start, each, bad in salvage.stretches(checkup.fd, body, size):
        if each is not None:
            checkup.lines.append((start, each))
            continue
        bad = bad[:size - start]
        end = bad.rfind(b"\n") + 1
        if line.may_be_torn(bad[end:]):
            torn = len(bad) - end
            bad = bad[:end]
        if bad:
            found = salvage.salvage(bad, start)
            checkup.lines += found.whole
            lost = len(checkup.lines) if found.bad else lost
            checkup.old_journal = True
            checkup.bad.append((start, bad, found))
            checkup.bad_bytes(checkup.paths.jobs, start, bad, found)
    torn += _cut_unfinished(checkup.lines, lost)
    left = "; the next writer cuts %d bytes that a crash left" % torn if torn else ""
    checkup.well("journal", many(len(checkup.lines), "line") + left)


def _cut_unfinished(lines, least):
    """Take the lines of a batch that never was finished off the end; how many bytes they were."""
    cut = 0
    while len(lines) > least and line.goes_on(lines[-1][1]):
        cut += len(lines.pop()[1]) + 1
    return cut
