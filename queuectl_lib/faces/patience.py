"""How long a command that watches sleeps between two looks: briefly while things happen, longer and longer while nothing does."""

import time

SHORTEST = 0.02
LONGEST = 0.2


class Patience:
    """Sleeps for one watcher, at most so many seconds at a time."""

    def __init__(self, longest=LONGEST, sleep=time.sleep):
        self._longest = longest
        self._sleep = sleep
        self._next = SHORTEST

    def rest(self, happened, most=None):
        """Sleep until the next look; happened: did the last one find anything; most: no longer than that."""
        self._next = SHORTEST if happened else min(self._longest, self._next * 1.5)
        self._sleep(self._next if most is None else max(0.0, min(self._next, most)))
