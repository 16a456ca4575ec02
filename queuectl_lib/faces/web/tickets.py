"""Tickets: what a browser is started with in the token's place, since other users of the machine can read its command line."""

import secrets
import threading
import time

# Seconds a browser may take to start.
_PATIENCE = 60


class Tickets:
    """Each lets in one, and only soon. So whoever reads it there comes too late, or the browser does, whose owner sees it."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._until = {}

    def make(self):
        """A new one (text)."""
        ticket = secrets.token_hex(24)
        with self._lock:
            self._until[ticket] = self._clock() + _PATIENCE
        return ticket

    def take(self, text):
        """Is this one of them? It is none any more."""
        with self._lock:
            until = self._until.pop(text, None)
        return until is not None and self._clock() < until
