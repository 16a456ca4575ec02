"""Leaving in two steps: the first signal lets what was begun be ended, the second one does not.

That one raises nothing: an exception that comes while Python is in a finalizer is
printed and ignored, and whoever asked twice would have to ask again.
"""

import os
import signal
import time

from queuectl_lib.faces import terminal


class Leaving:
    """For `with`: heeds these signals. signum: the one that came last; None as long as nobody asked to leave."""

    def __init__(self, numbers, told, last_words, clock=time.monotonic):
        """told(): called by the first one, in its handler; last_words(): what is to be said by the second one, in its."""
        self.signum = None
        self._numbers = numbers
        self._told = told
        self._last_words = last_words
        self._clock = clock
        self._since = None
        self._before = {}

    def is_overdue(self, seconds):
        """Was the first signal that long ago?"""
        return self._since is not None and self._clock() - self._since > seconds

    def __enter__(self):
        self._before = {number: signal.signal(number, self._heed) for number in self._numbers}
        return self

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heed(self, number, frame):
        is_first = self.signum is None
        self.signum = number
        if not is_first:
            terminal.note_at_once(self._last_words())
            # As good as a kill: to what is written just then it may happen at any time.
            os._exit(128 + number)
        self._since = self._clock()
        self._told()
