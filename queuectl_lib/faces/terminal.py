"""Where words go: standard output and error, and what the terminal behind them can show."""

import os
import sys

from queuectl_lib.store import paths
from queuectl_lib.words.text import clip, safe

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_PLAIN_WIDTH = 80
_STDERR = 2
# Of what a message quotes nobody reads a megabyte.
_LONGEST_NOTE = 2000


class Output:
    """Standard output as the commands use it.

    width is None when nobody looks (a pipe, a file): then nothing is cut and
    nothing is coloured.
    """

    def __init__(self, stream, environ):
        self.stream = stream
        self._in_line = False
        self.tty = stream.isatty()
        self.width = _columns(stream, environ) if self.tty else None
        self.colour = self.tty and _has_colour(stream, environ)
        encoding = (getattr(stream, "encoding", None) or "").lower()
        self.ellipsis = "\u2026" if encoding.replace("-", "") == "utf8" else "..."

    def line(self, text=""):
        """One line of data."""
        self.stream.write(text + "\n")

    def text(self, text):
        """Text with its own line ends."""
        self.stream.write(text)
        if text:
            self._in_line = text[-1] != "\n"

    def fresh_line(self):
        """Ends a line that text() left unended, before a note on standard error."""
        if self._in_line:
            self.text("\n")
        self.flush()

    def flush(self):
        self.stream.flush()

    def paint(self, text, colour):
        """The text in a colour where the terminal has one."""
        if not self.colour or not colour:
            return text
        return "\x1b[%sm%s\x1b[0m" % (_COLOURS[colour], text)

    def document(self, value):
        """One JSON document."""
        self.line(_json(value, indent=2))

    def array(self, values):
        """A JSON array with one value a line; of any length, since nothing is collected."""
        opening = "["
        for value in values:
            self.stream.write(opening + "\n" + _json(value))
            opening = ","
        self.line("[]" if opening == "[" else "\n]")

    def lines(self, values):
        """Bare JSON lines."""
        for value in values:
            self.line(_json(value))

    def raw(self, data):
        """Bytes as they are."""
        self.stream.flush()
        buffer = getattr(self.stream, "buffer", None)
        if buffer is None:
            self.stream.write(data.decode("utf-8", "backslashreplace"))
        else:
            buffer.write(data)
            buffer.flush()


def _json(value, indent=None):
    # Imported here: most commands print none.
    import json
    # The one control character that JSON leaves as it is.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def open_output():
    """The Output over this process's standard output, made fit for odd characters."""
    return Output(sys.stdout, os.environ)


def prepare():
    """Makes the standard streams such that writing to them cannot fail for a character."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _fill_closed()
    if hasattr(sys.stdout, "reconfigure"):
        # Containers often set PYTHONUNBUFFERED, and a list would cost a system call a line.
        sys.stdout.reconfigure(errors="backslashreplace", write_through=False)
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="backslashreplace")


def _fill_closed():
    # With `>&-` the next file opened would become descriptor 1, and a line
    # meant for the screen would end up in the store.
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            break
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


def note(text):
    """A remark for a person, on standard error."""
    try:
        sys.stderr.write("queuectl: %s\n" % safe(clip(text, _LONGEST_NOTE, "...")))
        sys.stderr.flush()
    except (OSError, ValueError):
        # Nobody can be told that nobody can be told.
        pass


def note_at_once(text):
    """As note(), for handlers of signals: what they interrupt may be a note."""
    try:
        os.write(_STDERR, ("queuectl: %s\n" % text).encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def note_no_store(root):
    """That nothing is found may only mean that somebody stands in the wrong directory."""
    meant = paths.below(root)
    note("no jobs: there is no store at %s%s" % (root, ", but in it: --store %s" % meant if meant else " yet"))


def reassure(text):
    """Tell a person that there is nothing to see; nothing is said to cron, which would mail it."""
    if sys.stderr.isatty():
        note(text)


def discard_output():
    """Sends what is still unwritten nowhere: whoever read it has left."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


def confirmed(question):
    """Whether the person at the terminal says yes."""
    sys.stderr.write("%s [y/N] " % safe(question))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _has_colour(stream, environ):
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    if os.name != "nt":
        return True
    # A console of Windows shows the codes themselves unless it is asked not to.
    from queuectl_lib.work import win32
    return win32.shows_colours(stream.fileno())


def _columns(stream, environ):
    given = environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _PLAIN_WIDTH
    except (OSError, ValueError):
        return _PLAIN_WIDTH
