"""Making a store where there is none."""

import os

from queuectl_lib.store import disk, header, locking


def found(names, patience):
    """Make the directories and the empty journal (paths.Paths); StoreError. patience: seconds to wait for the lock."""
    for directory in names.directories():
        disk.make_private_directory(directory)
    disk.check_private(names.root)
    fd = disk.open_private(names.lock, os.O_RDWR | os.O_CREAT)
    try:
        locking.lock(fd, patience, names.lock)
        # Two first commands at once: one of them finds it made.
        if not os.path.exists(names.jobs):
            # First: who finds a journal relies on the directory being there for good.
            disk.sync_directory(os.path.dirname(names.root))
            disk.write_file(names.jobs, header.encode(header.EMPTY), names.new_jobs)
    finally:
        os.close(fd)
