"""The token: what a browser or a program has to show the dashboard. Who can read the store can read it, and nobody else.

It stays the same from one start of a dashboard to the next, so that an address somebody kept goes on working.
"""

import hashlib
import os
import re

from queuectl_lib.store import disk, locking, ownership
from queuectl_lib.words.errors import StoreError

_PATIENCE = 30
_BYTES = 24
_TEXT = rb"[0-9a-f]{%d}\n\Z" % (2 * _BYTES)


def read_or_make(paths):
    """The token of a store (text). One that is not there, is none, or that others can read is made anew.

    Raises StoreError: what somebody else put in its place is refused, and where nothing can be written none is made.
    """
    token = _read(paths)
    if token is not None:
        return token
    try:
        fd = disk.open_private(paths.lock, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        raise StoreError("there is no store at %s, and so no place for its token" % paths.root)
    try:
        # Two that start at once have to say the same.
        locking.lock(fd, _PATIENCE, paths.lock)
        return _read(paths) or _make(paths)
    finally:
        os.close(fd)


def to_look(token):
    """The token of those who may look and change nothing, made of a store's. There is no way back from it."""
    return hashlib.sha256(b"read-only " + token.encode("ascii")).hexdigest()[:2 * _BYTES]


def _read(paths):
    """The token that is there, if it is one and a secret, or None."""
    try:
        fd = disk.open_private(paths.token, os.O_RDONLY, mine=True)
    except FileNotFoundError:
        return None
    try:
        if ownership.HAS_OWNERS and os.fstat(fd).st_mode & 0o077:
            return None
        text = disk.pread(fd, 2 * _BYTES + 2, 0)
    finally:
        os.close(fd)
    return text[:-1].decode("ascii") if re.match(_TEXT, text) else None


def _make(paths):
    token = os.urandom(_BYTES).hex()
    disk.write_file(paths.token, token.encode("ascii") + b"\n", paths.token + ".new")
    return token
