"""Bringing what one worker wrote to the medium: in groups, at the latest SYNC_WITHIN after it was written."""

import time

from queuectl_lib.store.roll import roll
from queuectl_lib.words.errors import StoreError

# Seconds.
SYNC_WITHIN = 0.1


class GroupSync:
    """What was written to a journal.Journal by this process and not synced yet."""

    def __init__(self, store, journal):
        self._store = store
        self._journal = journal
        # Since when there is something (monotonic), and how far it reaches.
        self._since = None
        self._until = None
        self._failed = False

    def wrote(self):
        """Something was just appended."""
        if self._store.config.durability == "fast":
            return
        self._until = self._journal.header.generation, self._journal.size
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
        if self._journal.fd is None:
            # Closed, because what it names is gone: with the store, or by a roll.
            self._store.check_there()
            raise StoreError("%s is to be opened again before it can be synced" % self._journal.path)
        # A sync covers what everybody wrote before it: of many workers one does it for all.
        if self._failed:
            self._build_new_files()
        elif self._store.synced() < self._until:
            end = self._journal.length()
            self._sync()
            self._tell(self._journal.header.generation, end)
        self._since = None

    def _sync(self):
        try:
            self._store.sync(self._journal)
        except StoreError:
            self._failed = True
            raise

    def _tell(self, *reach):
        try:
            self._store.tell_synced(*reach)
        except StoreError:
            # The others sync for themselves then.
            pass

    def _build_new_files(self):
        """What takes the place of a sync after one that failed: the next would call pages clean that are lost."""
        # A roll copies what is read back and syncs that; also one by somebody else.
        if not self._journal.is_replaced() and not roll(self._store, needless=True):
            raise StoreError("%s could not be synced, and is waiting to be copied" % self._journal.path)
        self._failed = False
