"""How much of the disk a store takes, by what it is for."""

import os
from itertools import islice

# By what the names of files at the top begin with; what is not named here is "other".
_PARTS = {"jobs.jsonl": "journal", "worker.log": "log"}
PARTS = ("journal", "base", "archive", "output", "log", "other")
# A look at so many files takes some 6 ms.
MOST = 2000


def usage(paths, most=MOST):
    """({part: bytes}, complete?) of a store; not complete when a folder holds more than `most` files (None: look at all)."""
    found = dict.fromkeys(PARTS, 0)
    complete = True
    for directory in paths.directories():
        part = os.path.basename(directory)
        entries, whole = _files(directory, most)
        complete = complete and whole
        for name, size in entries:
            found[_part_of_top(name) if directory == paths.root else part if part in found else "other"] += size
    return found, complete


def _part_of_top(name):
    for beginning, part in _PARTS.items():
        if name.startswith(beginning):
            return part
    return "other"


def _files(directory, most):
    """([(name, bytes on the disk)], all of them?)"""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in islice(entries, most):
                if entry.is_file(follow_symlinks=False):
                    found.append((entry.name, _size(entry)))
            return found, next(entries, None) is None
    except FileNotFoundError:
        return found, True


def _size(entry):
    try:
        return taken(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        # Removed while it was looked at.
        return 0


def taken(status):
    """The bytes on the disk of a file, by its os.stat_result."""
    # Spools of long outputs have holes; Windows tells no blocks.
    return getattr(status, "st_blocks", status.st_size / 512) * 512


def free(directory):
    """How many bytes this user may still write there; where the system does not tell, very many."""
    if not hasattr(os, "statvfs"):
        return 1 << 62
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
