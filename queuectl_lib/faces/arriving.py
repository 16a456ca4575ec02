"""Bytes as they arrive: a thread reads what is there whenever it is asked to, and who asked may wait as long as it likes.

A thread, since Windows knows no other way to wait for a pipe for a while. It reads
nothing that it was not asked for: what is unread stays in the pipe, and holds up
whoever writes into it.
"""

import queue
import select
import threading

from queuectl_lib.store import locking

# As much as a pipe holds.
CHUNK = 1 << 16
# On Windows Ctrl+C ends no wait: it is heeded when that is over.
_LONGEST_WAIT = 1.0 if locking.ON_WINDOWS else None


class Arrivals:
    """What arrives from one file that is open for reading bytes."""

    def __init__(self, file):
        # Unbuffered: Python, when it ends, would wait for the lock of a buffer that the thread is reading into.
        self._file = getattr(file, "raw", file)
        # The only kind of queue that a signal's handler may put something into, whatever it interrupted.
        self._orders = queue.SimpleQueue()
        self._arrived = queue.SimpleQueue()
        self._is_asked = False
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, seconds=None):
        """The next bytes, b"" at the end. None: nothing came in so many seconds (None: wait for ever), or nudge() did.

        Raises OSError when it cannot be read.
        """
        if not self._is_asked:
            self._is_asked = True
            self._orders.put(True)
        return self.rest(seconds)

    def rest(self, seconds=None):
        """The same without asking for more: bytes come only if next() had waited for them in vain."""
        try:
            found = self._arrived.get(timeout=_bounded(seconds))
        except queue.Empty:
            return None
        if found is None:
            return None
        self._is_asked = False
        if isinstance(found, OSError):
            raise found
        return found

    def nudge(self):
        """Let who waits wait no longer; for handlers of signals."""
        self._arrived.put(None)

    def _read(self):
        while self._orders.get():
            try:
                self._arrived.put(self._bytes())
            except OSError as error:
                self._arrived.put(error)

    def _bytes(self):
        data = self._file.read(CHUNK)
        while data is None:
            # Somebody else who has the pipe has set it not to wait.
            select.select([self._file], [], [])
            data = self._file.read(CHUNK)
        return data


def _bounded(seconds):
    if _LONGEST_WAIT is None:
        return seconds
    return _LONGEST_WAIT if seconds is None else min(seconds, _LONGEST_WAIT)
