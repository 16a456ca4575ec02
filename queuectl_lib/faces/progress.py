"""How far something long has come: one line on standard error while it lasts, and nothing of it afterwards.

Only a carriage return and blanks move the cursor: every terminal knows those.
"""

import time

from queuectl_lib.faces import terminal
from queuectl_lib.words import clock as durations

# Seconds until it is worth showing, and between two drawings.
_FIRST_AFTER = 0.3
_EVERY = 0.1
_CELLS = 20


class Bar:
    """For `with`, which takes the line away however the work ends.

    out: terminal.Output over standard error, None when nobody looks there;
    unit: what is counted ('jobs'); share: a function that tells how much is done
    (0 to 1, None when nobody knows).
    """

    def __init__(self, out, unit, share, clock=time.monotonic):
        self._out = out
        self._unit = unit
        self._share = share
        self._clock = clock
        self._begun = clock()
        self._next = self._begun + _FIRST_AFTER
        self._drawn = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._draw("")

    def watched(self, items):
        """The same items, shown as they are taken."""
        return items if self._out is None else self._counted(items)

    def _counted(self, items):
        count = 0
        for item in items:
            count += 1
            self.tick(count)
            yield item
        if self._drawn:
            self.show(count)

    def tick(self, count):
        """Draw the line anew if it is time for that."""
        if self._is_due():
            self.show(count)

    def tell(self, text, at_once=False):
        """The same with a text instead of a count; at_once: what comes now takes long, and nothing is told meanwhile."""
        if self._out is not None and (at_once or self._is_due()):
            self._next = self._clock() + _EVERY
            self._draw(text if len(text) < self._out.width - 2 else "")

    def note(self, text):
        """A remark on a line of its own; the bar goes on below."""
        self._draw("")
        terminal.note(text)

    def show(self, count):
        """Draw the line anew."""
        now = self._clock()
        self._next = now + _EVERY
        passed = now - self._begun
        counted = "{:,} {}".format(count, self._unit)
        texts = [counted, counted + ", {:,} a second".format(int(count / passed))]
        share = self._share()
        if share is not None:
            texts = ["%d %%  %s" % (100 * share, text) for text in texts]
            texts.append("[%s]  %s" % (("#" * int(_CELLS * share)).ljust(_CELLS, "."), texts[-1]))
            if 0 < share < 1:
                texts.append("%s, %s left" % (texts[-1], durations.show_duration(round(passed * (1 - share) / share))))
        # With room for the ^C that a terminal prints.
        fitting = [text for text in texts if len(text) < self._out.width - 2]
        self._draw(fitting[-1] if fitting else "")

    def _is_due(self):
        return self._out is not None and self._clock() >= self._next

    def _draw(self, text):
        if not text and not self._drawn:
            return
        # What was longer is covered with blanks, at the end a ^C behind it too.
        self._drawn = max(self._drawn, len(text))
        line = text.ljust(self._drawn) if text else " " * (self._drawn + 2) + "\r"
        try:
            self._out.text("\r" + line)
            self._out.flush()
        except (OSError, ValueError):
            # Nobody sees it any more.
            pass
