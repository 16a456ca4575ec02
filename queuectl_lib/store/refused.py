"""refused.jsonl: lines of a stream that are no jobs, or whose id was taken, as they came: to be mended, and given again.

Several streams may write to it: each appends whole lines, under the store lock. When it is
long it is renamed to refused.jsonl.1, and what that was before is gone.
"""

import os

from queuectl_lib.store import disk

# Bytes from which on it is renamed.
LARGEST = 10 * 1024 * 1024


def keep(store, lines):
    """Append lines (bytes without newline), all or none, and bring them to the medium. Raises StoreError."""
    path = store.paths.refused
    with store.lock():
        if os.path.exists(path) and os.path.getsize(path) > LARGEST:
            disk.replace(path, store.paths.old_refused)
        fd = disk.open_private(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            disk.append(fd, _fresh_line(fd) + b"".join([line + b"\n" for line in lines]), path)
            disk.sync(fd, path)
        finally:
            os.close(fd)
    disk.sync_directory(store.root)


def _fresh_line(fd):
    """What has to come first: who was killed may have torn the last line."""
    size = os.fstat(fd).st_size
    return b"\n" if size and disk.pread(fd, 1, size - 1) != b"\n" else b""


def count(paths):
    """How many lines are kept."""
    kept = 0
    for path in (paths.old_refused, paths.refused):
        if os.path.exists(path):
            kept += disk.read_private(path).count(b"\n")
    return kept
