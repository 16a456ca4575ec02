"""Making a store where there is none."""

import os

from queuectl_lib.store import ballast, disk, header, locking, ownership
from queuectl_lib.store.paths import below, segment_names
from queuectl_lib.words.errors import StoreDamaged, StoreError


def check_absence(names, broken=False):
    """Raise StoreError unless where there is no journal (paths.Paths) there is no store, either; broken: or what is left of one."""
    if os.path.lexists(names.root) and not os.path.isdir(names.root):
        raise StoreError("%s is not a directory: name the store with --store DIR" % names.root)
    try:
        left = segment_names(names.base) + segment_names(names.archive)
    except OSError:
        # Whoever goes on is told.
        return
    traces = ["its segments"] * bool(left) + [path for path in names.later() if os.path.lexists(path)]
    # Looked at once more: another first command may just have made it.
    if traces and not broken and not _is_there(names.jobs):
        raise StoreDamaged("%s is missing, and there still is %s: restore it from a copy, or run "
                           "'queuectl doctor --repair'" % (names.jobs, traces[0]))


def found(names, patience):
    """Make the directories and the empty journal (paths.Paths).

    patience: seconds to wait for the lock. Raises StoreError, also where what was named is the directory that holds a store.
    """
    root, *directories = names.directories()
    meant = below(root)
    if meant:
        raise StoreError("%s is no store, but there is one in it: --store %s" % (root, meant))
    disk.make_private_directory(root)
    # Before anything is put into it: it may be anybody's.
    ownership.check_private(root)
    for directory in directories:
        disk.make_private_directory(directory)
    ownership.check_private(root, directories)
    fd = disk.open_private(names.lock, os.O_RDWR | os.O_CREAT)
    try:
        locking.lock(fd, patience, names.lock)
        # Two first commands at once: one of them finds it made.
        if not _is_there(names.jobs):
            # First: who finds a journal relies on the directory being there for good.
            disk.sync_directory(os.path.dirname(names.root))
            disk.write_file(names.jobs, header.encode(header.EMPTY), names.new_jobs)
            ballast.make(names)
    finally:
        os.close(fd)


def _is_there(path):
    """As os.path.exists, for which a disk that does not answer is a no: here that would put an empty store in place of a full one."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True
