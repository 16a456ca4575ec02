"""A screen that is kept up to date in place, without flicker; the terminal is as it was when it is over, however it ends.

It is another screen than the one the shell writes to (as of an editor), with the
cursor hidden and long lines cut by the terminal itself. A frame is one write: from
the upper left corner on, each line's old rest cleared behind it, and what is below cleared last.
"""

import os
import signal
import sys
import time

from queuectl_lib.faces import lasting, terminal
from queuectl_lib.words.errors import BadInput

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"
_CLEAR_LINE = "\x1b[K"
_CLEAR_BELOW = "\x1b[J"

# Seconds between two looks whether something has changed, and between two frames.
_LOOK_SECONDS = 0.1
_SHORTEST = 0.25
_END_SIGNALS = ("SIGTERM", "SIGHUP")


def keep(out, draw, changed, every):
    """Show what draw(terminal.Output) gives as lines, until Ctrl+C.

    Drawn anew when changed() gives another value than before, or the terminal another
    size, and every so many seconds. Raises BadInput where there is no terminal for it.
    """
    if not out.tty or os.environ.get("TERM") == "dumb":
        raise BadInput("--watch draws on a terminal; in a script look again and again: queuectl status --json")
    lasting.load_all()
    with _Screen(out.stream) as screen:
        seen = None
        drawn = -every
        while True:
            now = time.monotonic()
            look = changed(), _size(out.stream)
            if now - drawn >= (every if look == seen else min(every, _SHORTEST)):
                seen, drawn = look, now
                # Another one each time: its width is that of this moment.
                fresh = terminal.Output(out.stream, os.environ)
                # The last column stays empty: from there clearing the rest of a line takes what stands in it.
                fresh.width -= 1
                screen.show(draw(fresh) + ["", fresh.paint(time.strftime("%H:%M:%S") + "  Ctrl+C leaves", "dim")])
            time.sleep(_LOOK_SECONDS)


class _Screen:
    """For `with`."""

    def __init__(self, stream):
        self._stream = stream
        self._frame = ""

    def __enter__(self):
        for name in _END_SIGNALS:
            if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_DFL:
                signal.signal(getattr(signal, name), _end)
        if hasattr(signal, "SIGTSTP"):
            signal.signal(signal.SIGTSTP, self._stopped)
        self._write(_ENTER)
        return self

    def __exit__(self, *_):
        try:
            self._write(_LEAVE)
        except OSError:
            # The terminal is gone.
            pass

    def show(self, lines):
        """Draw a frame, as much of it as fits."""
        _, height = _size(self._stream)
        if len(lines) > height:
            lines = lines[:max(0, height - 1)] + ["(%d more lines)" % (len(lines) - height + 1)]
        self._frame = _HOME + (_CLEAR_LINE + "\r\n").join(lines) + _CLEAR_LINE + _CLEAR_BELOW
        self._write(self._frame)

    def _write(self, text):
        data = text.encode(self._stream.encoding or "utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._stream.fileno(), data):]

    def _stopped(self, signum, frame):
        """Ctrl+Z: the shell gets its screen back; once it goes on, this one is drawn again."""
        self._write(_LEAVE)
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
        signal.signal(signum, self._stopped)
        self._write(_ENTER + self._frame)


def _end(signum, frame):
    sys.exit(128 + signum)


def _size(stream):
    return os.get_terminal_size(stream.fileno())
