"""Whose a store is: nothing is written to or run from one that somebody else may write."""

import os
import stat

from queuectl_lib.words.errors import StoreError, StorePlanted, StoreUnwritable

# Windows has neither owners nor modes that say anything.
HAS_OWNERS = hasattr(os, "geteuid")
_WRITING = os.O_WRONLY | os.O_RDWR


def check_opened(status, path, flags, mine):
    """Refuse what open_private (disk.py) does not open; status: an os.fstat of it."""
    if not stat.S_ISREG(status.st_mode):
        raise StorePlanted("%s is no plain file: remove it" % path)
    writes = flags & _WRITING
    if not HAS_OWNERS or not (writes or mine):
        return
    _check_mine(status, path, "see what it says, then chown or remove it")
    if writes and status.st_nlink > 1:
        raise StorePlanted("%s has another name elsewhere (a hard link): put a copy of the file in its place" % path)


def check_private(root, parts=()):
    """Refuse a store whose commands somebody else could have written; StoreUnwritable.

    The root may be named by a link, as long as it leads to one's own. parts: paths in it; one that
    is not there is fine. What lies above is not looked at: who may write there can put
    a store of theirs in this one's place, and that is refused.
    """
    if not HAS_OWNERS:
        return
    status = os.stat(root)
    if not stat.S_ISDIR(status.st_mode):
        raise StoreError("%s is not a directory: name the store with --store DIR" % root)
    _check_mine(status, root, "its commands are theirs; " + way_out(status.st_uid))
    for path in parts:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(status.st_mode):
            raise StorePlanted("%s is a link, and the store follows none: put a copy of the file in its place" % path)
        _check_mine(status, path, "see what is in it, then chown or remove it")


def way_out(owner):
    """What to do about a store of this user, who is somebody else."""
    return "use your own with --store DIR" + (", or be them: sudo -u '#%d' ..." % owner if os.geteuid() == 0 else "")


def _check_mine(status, path, advice):
    if status.st_uid != os.geteuid():
        raise StoreUnwritable("%s belongs to user %d, not to you: %s" % (path, status.st_uid, advice))
    if status.st_mode & 0o022:
        import shlex
        raise StoreUnwritable("%s may be written by others, who could have commands run as you: see what they "
                              "put there, then chmod -R go-w %s" % (path, shlex.quote(path)))
