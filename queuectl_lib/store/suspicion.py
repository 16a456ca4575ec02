"""The mark of a failed sync: what is read back may not be on the medium, and no later sync would tell.

Whoever opens the store to write builds new files first (a needless roll), which are synced
from their first byte on; only then is the mark taken away.
"""

import os

from queuectl_lib.store import disk
from queuectl_lib.words.errors import StoreError


def mark(paths):
    """Mark the store. On a full disk there may be no room even for an empty file: then the ballast gets that name."""
    try:
        os.close(disk.open_private(paths.suspect, os.O_WRONLY | os.O_CREAT))
    except (StoreError, OSError):
        try:
            disk.replace(paths.ballast, paths.suspect)
        except (StoreError, OSError):
            # The disk is as good as gone; the caller says so.
            pass
