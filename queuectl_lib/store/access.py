"""Who may read and write what is in a store: found, and set right where it is our own."""

import os
import shlex
import stat

from queuectl_lib.store import disk, ownership
from queuectl_lib.store.ownership import HAS_OWNERS
from queuectl_lib.store.paths import TRIAL
from queuectl_lib.words.finding import FAULT, REPAIRED, WARNING, WELL, Finding
from queuectl_lib.words.text import listed


def modes(paths):
    """Yields Findings of what in the store is another's, a link, or open to others."""
    if not HAS_OWNERS:
        yield Finding(WELL, "modes", "not looked at on this system")
        return
    found = {}
    for path, status in _everything(paths):
        found.setdefault(_flaw(status), []).append(path)
    for flaw, level, text, advice in _flaws(paths.root):
        if flaw in found:
            yield Finding(level, "modes", "%s: %s" % (listed(found[flaw], 1), text), advice)
    if list(found) == [None]:
        yield Finding(WELL, "modes", "every file and directory (%d) is yours alone" % len(found[None]))


def _flaws(root):
    """Yields (flaw, level, text, advice)."""
    everything, owner = shlex.quote(root), os.stat(root).st_uid
    yield ("foreign", FAULT, "not yours: who wrote it could have commands run as you", ownership.way_out(owner)
           if owner != os.geteuid() else "see what is in it, then: sudo chown -R %d %s" % (owner, everything))
    yield "link", FAULT, "a link, or has another name elsewhere: the store follows none", "put a copy of the file in its place"
    yield ("written", FAULT, "others may write it, and could have commands run as you",
           "look at queuectl list, then: chmod -R go-rwx " + everything)
    yield "read", WARNING, "others may read it: commands and output of jobs", "chmod -R go-rwx " + everything


def _everything(paths):
    """(path, lstat) of the store's directory and of all in it but the files that a job may put there itself."""
    # A store may be a link to where there is room.
    yield paths.root, os.stat(paths.root)
    for folder, directories, names in os.walk(paths.root):
        directories[:] = [name for name in directories if not name.startswith(TRIAL)]
        for name in directories + names:
            if folder == paths.workers and name.endswith(".progress"):
                continue
            path = folder + "/" + name
            try:
                yield path, os.lstat(path)
            except FileNotFoundError:
                # Gone meanwhile.
                continue


def _flaw(status):
    if status.st_uid != os.geteuid():
        return "foreign"
    if stat.S_ISLNK(status.st_mode) or stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        return "link"
    return "written" if status.st_mode & 0o022 else "read" if status.st_mode & 0o055 else None


def close_to_others(paths):
    """Take from others what they may do with what is ours; yields what was done."""
    if not HAS_OWNERS:
        return
    # The directory first: from then on nobody else comes in.
    wrong = [(path, status) for path, status in _everything(paths) if _flaw(status) in ("written", "read")]
    for path, status in wrong:
        disk.set_mode(path, stat.S_IMODE(status.st_mode) & 0o700)
    if wrong:
        yield Finding(REPAIRED, "modes", "closed to others: " + listed((path for path, _ in wrong), 1))
