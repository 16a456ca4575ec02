"""Lines that arrive, in groups: what has come within a moment of the first one, at most so many."""

import time
from collections import deque

# Seconds that the first line of a group may have waited when the group is taken.
WINDOW = 0.1
# Bytes. Escapes and blanks make a line longer than what is stored of it, but none that is
# longer than this is a job: it is handed on in pieces, and does not fill the memory.
LONGEST = 8 << 20
_BOM = b"\xef\xbb\xbf"


class Lines:
    """Cuts what arrives into numbered lines, [(number, bytes without newline)]; blank ones are passed over."""

    def __init__(self):
        self._number = 1
        self._begun = []
        self._size = 0

    def cut(self, data):
        """The lines that end in these bytes, and pieces of one that is too long."""
        first, *others = data.split(b"\n")
        found = []
        self._go_on(first, found)
        for begun in others:
            self._end(found)
            self._go_on(begun, found)
        return found

    def rest(self):
        """What has come of a line that was never ended."""
        found = []
        self._end(found)
        return found

    def _go_on(self, data, found):
        self._begun.append(data)
        self._size += len(data)
        if self._size > LONGEST:
            self._hand_on(found)

    def _end(self, found):
        self._hand_on(found)
        self._number += 1

    def _hand_on(self, found):
        line = b"".join(self._begun)
        if self._number == 1 and line.startswith(_BOM):
            line = line[len(_BOM):]
        if line and not line.isspace():
            found.append((self._number, line))
        self._begun = []
        self._size = 0


class Intake:
    """Gathers the lines of an arriving.Arrivals.

    waiting: how many lines were read and not taken.
    """

    def __init__(self, arrivals, clock=time.monotonic):
        self._arrivals = arrivals
        self._clock = clock
        self._lines = Lines()
        # (when it arrived, number, bytes)
        self._waiting = deque()
        self._is_over = False

    @property
    def waiting(self):
        return len(self._waiting)

    def gather(self, most):
        """Wait until there is a group; False when there is no line left and none will come."""
        while len(self._waiting) < most and not self._is_over:
            left = self._waiting[0][0] + WINDOW - self._clock() if self._waiting else None
            if left is not None and left <= 0:
                break
            self._read(left)
        return bool(self._waiting)

    def take(self, most):
        """[(number, bytes)] of the group, at most so many."""
        return [self._waiting.popleft()[1:] for _ in range(min(most, len(self._waiting)))]

    def _read(self, seconds):
        data = self._arrivals.next(seconds)
        if data is not None:
            self._is_over = not data
            self._add(self._lines.cut(data) if data else self._lines.rest())

    def _add(self, lines):
        now = self._clock()
        self._waiting.extend([(now, number, line) for number, line in lines])
