"""Making a store where there is none."""

import os

from queuectl_lib.store import ballast, disk, header, locking


def found(names, patience):
    """Make the directories and the empty journal (paths.Paths); StoreError. patience: seconds to wait for the lock."""
    for directory in names.directories():
        disk.make_private_directory(directory)
    disk.check_private(names.root)
    fd = disk.open_private(names.lock, os.O_RDWR | os.O_CREAT)
    try:
        locking.lock(fd, patience, names.lock)
        # Two first commands at once: one of them finds it made.
        if not _is_there(names.jobs):
            disk.write_file(names.jobs, header.encode(header.EMPTY), names.new_jobs)
            ballast.make(names)
    finally:
        os.close(fd)
    disk.sync_directory(os.path.dirname(names.root))


def _is_there(path):
    """As os.path.exists, for which a disk that does not answer is a no: here that would put an empty store in place of a full one."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True
