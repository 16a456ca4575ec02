"""Answers that are given again while nothing has changed: twenty pages that ask for the same cost one reading.

An answer holds as long as the store has not changed, by the marks of the files that every change
leaves a trace in, and no longer than a second: what a job says of its progress, and the time itself, leave none.

The marks are taken before the store is read. So what changes meanwhile may be in the answer
already, but never the other way round: whoever has changed something and asks then has other
marks, and is given no answer that was begun before.
"""

import threading
import time
from collections import OrderedDict

from queuectl_lib.store import disk

_SECONDS = 1.0
MOST_BYTES = 8 << 20


def marks(paths):
    """What is another value after every change of a store."""
    return [disk.mark(path) for path in (paths.jobs, paths.pidfile, paths.config)]


class _Kept:
    """An answer that is being made, or was."""

    def __init__(self, marks, began):
        self.marks = marks
        self.began = began
        self.made = threading.Event()
        self.answer = None


class Cache:
    """Answers by key; may be used by several threads."""

    def __init__(self, most=MOST_BYTES, clock=time.monotonic):
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        # The one that began first comes first.
        self._kept = OrderedDict()

    def answer(self, key, marks, make):
        """What make() returns (it has a `body`), or returned for this key when the marks were the same.

        Who asks while it is being made waits for that. What make() raises is kept from everybody else:
        they try for themselves.
        """
        kept, is_mine = self._entry(key, marks)
        if not is_mine:
            kept.made.wait()
            return kept.answer if kept.answer is not None else make()
        try:
            kept.answer = make()
        finally:
            kept.made.set()
            self._tidy(key, kept)
        return kept.answer

    def _entry(self, key, marks):
        """(the entry of this key that holds, whether it is to be filled by who asks)."""
        with self._lock:
            now = self._clock()
            found = self._kept.get(key)
            if found is not None and found.marks == marks and now - found.began < _SECONDS:
                return found, False
            self._kept.pop(key, None)
            self._kept[key] = made = _Kept(marks, now)
            return made, True

    def _tidy(self, key, kept):
        """Let go of what failed, of what is too old, and of the oldest where there is too much."""
        with self._lock:
            if kept.answer is None and self._kept.get(key) is kept:
                del self._kept[key]
            now = self._clock()
            left = sum(map(_size, self._kept.values()))
            for old, each in list(self._kept.items()):
                if each.made.is_set() and (left > self._most or now - each.began >= _SECONDS):
                    del self._kept[old]
                    left -= _size(each)


def _size(kept):
    return len(kept.answer.body) if kept.answer is not None else 0
