"""Lines that arrive, in groups: what has come within a moment of the first one."""

import time
from collections import deque, namedtuple

from queuectl_lib.faces import arriving

# Seconds that the first line of a group may have waited when the group is taken.
WINDOW = 0.1
# Bytes. Escapes and blanks make a line longer than what is stored of it, but none that is
# longer than this is a job: it is handed on in pieces, so that it does not fill the memory.
LONGEST = 8 << 20
# With so many bytes a group is full: of long lines a thousand would be gigabytes.
LARGEST = 16 << 20
# Who leaves takes along what is in the pipe, and what a producer that was told to end as well still writes: so many
# seconds are spent on waiting for that, and no more bytes are read than a pipe holds, since others never stop.
LAST_SECONDS = 1.0
_MOST_IN_A_PIPE = 1 << 20
_BOM = b"\xef\xbb\xbf"

# number: from 1 on; data: bytes without the newline; is_whole: False of a piece of one that is too long.
Line = namedtuple("Line", ("number", "data", "is_whole"))


class Cutter:
    """Cuts bytes into Lines; blank ones are passed over."""

    def __init__(self):
        self._number = 1
        self._begun = []
        self._size = 0
        self._is_whole = True

    def cut(self, data):
        """[Line] of those that end in these bytes, and of pieces."""
        first, *others = data.split(b"\n")
        found = self._go_on(first)
        for begun in others:
            found += self.rest() + self._go_on(begun)
        return found

    def rest(self):
        """The same of a line that ends here."""
        found = self._handed_on()
        self._number += 1
        self._is_whole = True
        return found

    def _go_on(self, data):
        self._begun.append(data)
        self._size += len(data)
        if self._size <= LONGEST:
            return []
        self._is_whole = False
        return self._handed_on()

    def _handed_on(self):
        data = b"".join(self._begun)
        if self._number == 1 and data.startswith(_BOM):
            data = data[len(_BOM):]
        self._begun = []
        self._size = 0
        is_blank = not data or data.isspace()
        return [] if is_blank else [Line(self._number, data, self._is_whole)]


class Intake:
    """The lines of an arriving.Arrivals that were read and not taken yet.

    error: the OSError by which it ended; None as long as it can be read.
    """

    def __init__(self, arrivals, clock=time.monotonic):
        self._arrivals = arrivals
        self._clock = clock
        self.error = None
        self._cutter = Cutter()
        # (when it arrived, Line)
        self._waiting = deque()
        # Their bytes.
        self._size = 0
        self._is_over = False
        self._is_leaving = False
        self._last_seconds = LAST_SECONDS
        self._last_bytes = _MOST_IN_A_PIPE

    def __len__(self):
        return len(self._waiting)

    def gather(self, most):
        """Wait until there is a group; False when there is no line, and none will come."""
        while len(self._waiting) < most and self._size < LARGEST and not self._is_over:
            left = self._waiting[0][0] + WINDOW - self._clock() if self._waiting else None
            if left is not None and left <= 0:
                break
            self._read(left)
        return bool(self._waiting)

    def take(self, most):
        """[Line], at most so many."""
        taken = [self._waiting.popleft()[1] for _ in range(min(most, len(self._waiting)))]
        self._size -= sum(len(line.data) for line in taken)
        return taken

    def rest(self, seconds):
        """Sleep, reading no further; leave() ends it."""
        self._add(self._arrived(self._arrivals.rest, seconds))

    def leave(self):
        """Read no more than what has arrived by now; for handlers of signals."""
        self._is_leaving = True
        self._arrivals.nudge()

    def end(self):
        """Read nothing more; what has come of a line counts as one."""
        if not self._is_over:
            self._add(self._arrived(self._arrivals.rest, 0))
        if not self._is_over:
            self._add(b"")

    def _read(self, seconds):
        if not self._is_leaving:
            self._add(self._arrived(self._arrivals.next, seconds))
            return
        begun = self._clock()
        data = self._arrived(self._arrivals.next, self._last_seconds)
        self._last_seconds -= self._clock() - begun
        self._last_bytes -= len(data or b"")
        self._add(data)
        if self._last_seconds <= 0 or self._last_bytes <= 0:
            self.end()

    def _arrived(self, wait, seconds):
        """What wait(seconds) of the Arrivals brings. An error is an end: it may come while nobody asks for lines."""
        try:
            return wait(seconds)
        except OSError as error:
            self.error = error
            return b""

    def _add(self, data):
        if data is not None:
            self._is_over = not data
            now = self._clock()
            lines = self._cutter.cut(data) if data else self._cutter.rest()
            self._waiting.extend([(now, line) for line in lines])
            self._size += sum(len(line.data) for line in lines)


def from_file(file, clock=time.monotonic):
    """The Intake of a file that is open for reading bytes."""
    return Intake(arriving.Arrivals(file), clock)
