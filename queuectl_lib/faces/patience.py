"""How long a command that watches sleeps between two looks: briefly while things happen, longer and longer while nothing does."""

import time

from queuectl_lib.faces import lasting

SHORTEST = 0.02
LONGEST = 0.2
# A look may take this share of a watcher's time: in a busy store it takes a journal's reading.
_SHARE = 0.04


class Patience:
    """Sleeps for one watcher, at most so many seconds at a time."""

    def __init__(self, longest=LONGEST, sleep=time.sleep, clock=time.monotonic):
        self._longest = longest
        self._sleep = sleep
        self._clock = clock
        self._next = SHORTEST
        self._woken = clock()
        self._rested = False

    def rest(self, happened, most=None):
        """Sleep until the next look; happened: did the last one find anything; most: no longer than that."""
        if not self._rested:
            # Not before: many find that there is nothing to wait for.
            lasting.load_all()
            self._rested = True
        self._next = SHORTEST if happened else min(self._longest, self._next * 1.5)
        pause = min(self._longest, max(self._next, (self._clock() - self._woken) / _SHARE))
        self._sleep(pause if most is None else max(0.0, min(pause, most)))
        self._woken = self._clock()
