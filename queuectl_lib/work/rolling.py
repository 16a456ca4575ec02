"""Having the journal rolled, and old jobs purged, while workers run: the supervisor sees that it is time and starts who does it.

A process of its own rolls (store/roll.py), and nobody waits for it, not even
the supervisor's end. Where workers are forked it is forked as well: the
supervisor has all the code loaded, while a new Python would spend as much on
its start as on a roll. It is alone in its process and holds no lock at that
moment, so the child inherits none, and opens the store anew: an inherited
lock file would be locked for both at once.

Whoever rolls looks for jobs that `retention` no longer keeps; where little is
rolled, somebody is started for that alone, once an hour at the least.
"""

import os
import signal
import time

from queuectl_lib.store import keeping, roller, store as stores
from queuectl_lib.store.journal import Journal
from queuectl_lib.words.errors import QueuectlError
from queuectl_lib.work.settings import Settings

# Of many jobs a second the journal holds this time's lines more than it should.
_BUSY_SECONDS = 0.2
_IDLE_SECONDS = 1.0
# Every worker begins anew in a new journal: while they write much, it comes half as often.
_BUSY_TIMES = 2


class Rolling:
    """One supervisor's care for the journal's length."""

    def __init__(self, store, fork, copies=lambda: ()):
        """fork: whether this process may be forked; copies(): what the child has to close then."""
        self._store = store
        self._fork = fork
        self._copies = copies
        self._journal = Journal(store.paths.jobs, writable=False)
        # The workers say what is wrong with the settings.
        self._settings = Settings(store.paths, store.config, complain=lambda text: None)
        self._kept_house = None
        # Of the child that rolls just now: a pid, on Windows a Popen; None.
        self.roller = None

    def look(self):
        """Start a roll or a purge when it is time, reap the last one; seconds until the next look. Never raises."""
        before = self._journal.size
        self._reap()
        try:
            self._journal.refresh()
            busy = self._journal.size != before
            wanted = self._journal.wants_roll(_BUSY_TIMES if busy else 1) or self._wants_purge()
            if wanted and self.roller is None and not roller.is_postponed(self._store.paths):
                self.roller = self._started()
                self._kept_house = time.monotonic()
        except (QueuectlError, OSError):
            # No store any more, or none to be written: the workers say so.
            return _IDLE_SECONDS
        return _BUSY_SECONDS if busy else _IDLE_SECONDS

    def _wants_purge(self):
        retention = self._settings.now().retention
        if retention is None or self._kept_house is None:
            return retention is not None
        return time.monotonic() - self._kept_house >= max(_IDLE_SECONDS, keeping.slack(retention))

    def _reap(self):
        if self.roller is not None and roller.ended(self.roller):
            self.roller = None

    def _started(self):
        if not self._fork:
            return self._store.start_roller()
        # A signal for the supervisor must not be written into its pipe by the child.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                _roll_and_exit(self._store.root, self._copies())
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _roll_and_exit(root, copies):
    """The forked child: silent, in a session of its own, deaf to the supervisor's signals."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        # From here on they do nothing; the alarm that ends a wait for the lock has to come through.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.setsid()
        for each in copies:
            each.close()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        keeping.roll_and_keep_house(stores.open_store(root, write=True))
        code = 0
    finally:
        # Nothing of the supervisor's may run here: no exit handler, no output it had not yet written.
        os._exit(code)
