"""Bringing what one worker wrote to the medium: in groups, at the latest SYNC_WITHIN after it was written.

A sync covers what everybody wrote before it, so who did one leaves word in the lock file: which
journal it was (generation and inode), and how far it has reached the medium. The word may outlive a power cut, or come
along with a copy of the store. So it is of one file alone, and of nothing in that which could still be taken back.
"""

import os
import time

from queuectl_lib.store import disk, locking
from queuectl_lib.store.roll import roll
from queuectl_lib.words.errors import StoreError

# Seconds.
SYNC_WITHIN = 0.1
# Bytes of a number: an inode has so many where it has most.
_LENGTH = 16


class GroupSync:
    """What was written to a journal.Journal by this process and not synced yet."""

    def __init__(self, store, journal):
        self._store = store
        self._journal = journal
        # Since when there is something (monotonic), and up to where in which journal it reaches.
        self._since = None
        self._until = None
        self._failed = False

    def wrote(self):
        """Something was just appended."""
        if self._store.config.durability == "fast":
            return
        self._until = self._journal.place()
        if self._since is None:
            self._since = time.monotonic()

    def due(self):
        """Seconds until a sync is due; None when nothing is unsynced."""
        if self._since is None:
            return None
        return max(0.0, self._since + SYNC_WITHIN / 2 - time.monotonic())

    def make_due(self):
        """Let it be due at once."""
        self._since -= SYNC_WITHIN

    def sync(self):
        """Bring it to the medium. Raises StoreError, and marks the store suspect."""
        if self._since is None:
            return
        if self._journal.inode is None:
            # Closed, because what it names is gone: with the store, or by a roll.
            self._store.check_there()
            raise StoreError("%s is to be opened again before it can be synced" % self._journal.path)
        # Of many workers one does it for all.
        if self._failed:
            self._build_new_files()
        elif not self._is_told():
            place = self._whole() or self._until
            self._sync()
            self._tell(place)
        self._since = None

    def _sync(self):
        try:
            self._store.sync(self._journal)
        except StoreError:
            self._failed = True
            raise

    def _build_new_files(self):
        """What takes the place of a sync after one that failed: the next would call pages clean that are lost."""
        # A roll copies what is read back and syncs that; also one by somebody else, unless its rename is in doubt.
        done = self._journal.is_replaced() and not os.path.exists(self._store.paths.suspect)
        if not done and not roll(self._store, needless=True):
            raise StoreError("%s could not be synced, and is waiting to be copied" % self._journal.path)
        self._failed = False

    def _whole(self):
        """The place up to which everybody's lines are whole; None where nothing came, or where it would be a wait.

        The file's length alone may be more: what a killed writer tore is cut off by the next one, and
        others write there what nobody has synced.
        """
        if self._journal.length() == self._until[2] or not locking.try_lock(self._store.lock_fd):
            return None
        try:
            return self._journal.whole()
        except StoreError:
            # Who appends next meets it.
            return None
        finally:
            locking.unlock(self._store.lock_fd)

    def _tell(self, place):
        word = b"".join([number.to_bytes(_LENGTH, "big") for number in place])
        try:
            # Twice: it is read without the lock, so perhaps half written.
            disk.write_at(self._store.lock_fd, word + word, 0, self._store.paths.lock)
        except StoreError:
            # The others sync for themselves then.
            pass

    def _is_told(self):
        """Has somebody synced as far as this process wrote?"""
        data = disk.pread(self._store.lock_fd, 6 * _LENGTH, 0)
        *journal, end = [int.from_bytes(data[at:at + _LENGTH], "big") for at in range(0, 3 * _LENGTH, _LENGTH)]
        return data[:3 * _LENGTH] == data[3 * _LENGTH:] and tuple(journal) == self._until[:2] and end >= self._until[2]
