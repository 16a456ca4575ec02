"""What a user may give of a job, field by field: each check returns the value as it is kept, or raises BadInput."""

import os

from queuectl_lib.job import identifiers
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput

# Linux refuses a single argument longer than this (MAX_ARG_STRLEN, 32 pages).
_LONGEST_COMMAND = 131071
_LARGEST_NUMBER = 10 ** 9
_NO_NUMBER = 10 ** 18
# What a line has room for besides its output.
_MOST_AFTER = 1000


def command(command):
    if not isinstance(command, str):
        if command is None:
            raise BadInput("a job needs a command")
        raise BadInput("command: want text, not %s" % kind(command))
    if not command.strip():
        raise BadInput("command is empty")
    if "\0" in command:
        raise BadInput("command holds a NUL character")
    # Of plain ASCII, which is nearly every command, the length is known without encoding it.
    if len(command if command.isascii() else _bytes("command", command)) > _LONGEST_COMMAND:
        raise BadInput("command is longer than the system takes (%d bytes): put it into a script" % _LONGEST_COMMAND)
    return command


def _bytes(name, text):
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadInput("%s holds a lone surrogate character" % name)


def _whole(name, value, least, largest):
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput("%s: want a whole number, not %s" % (name, _shown(value)))
    if not least <= value <= largest:
        raise BadInput("%s: want %d to %d, not %s" % (name, least, largest, _shown(value)))
    return value


def priority(value):
    return _whole("priority", value, -_LARGEST_NUMBER, _LARGEST_NUMBER)


def max_retries(value):
    return _whole("max_retries", value, 0, _LARGEST_NUMBER)


def timeout(value):
    """Seconds from a number or a duration such as '5m'; None and 'none' mean no limit."""
    if value is None or value == "none":
        return None
    try:
        seconds = clock.parse_duration(value)
    except BadInput as error:
        raise BadInput("timeout: %s" % error)
    if seconds <= 0:
        raise BadInput("timeout: want more than 0 seconds, or none")
    return seconds


def run_at(value):
    """The text of a moment."""
    return _moment("run_at", value)


def expires_at(value):
    """The same."""
    return _moment("expires_at", value)


def _moment(name, value):
    try:
        return clock.moment(clock.parse_moment(value))
    except BadInput as error:
        raise BadInput("%s: %s" % (name, error))


def after(value):
    """A list of ids, each once; None for none."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise BadInput("after: want ids, not %s" % kind(value))
    # In a line of the store a blank stands before each.
    ids = list(dict.fromkeys(identifiers.check_id(each.strip() if isinstance(each, str) else each) for each in value))
    if len(ids) > _MOST_AFTER:
        raise BadInput("after: want at most %d ids, not %d" % (_MOST_AFTER, len(ids)))
    return ids or None


def held(value):
    """True, or None for a job that is not held."""
    if not isinstance(value, bool):
        raise BadInput("held: want true or false, not %s" % _shown(value))
    return value or None


def slots(value):
    """How many of its queue's limit it takes; None for 1."""
    number = _whole("slots", value, 1, _LARGEST_NUMBER)
    return None if number == 1 else number


def nice(value):
    """By how much its priority with the system is lowered; None for not at all."""
    return _whole("nice", value, 0, 19) or None


def cwd(value):
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadInput("cwd: want a directory, not %s" % _shown(value))
    _bytes("cwd", value)
    return os.path.abspath(value)


def environment(value):
    """A checked dict of variables; raises BadInput."""
    if not isinstance(value, dict):
        raise BadInput("env: want an object of names and values, not %s" % kind(value))
    for name, text in value.items():
        # A value may be a secret, and a message ends up in logs: none is quoted.
        if not name or "=" in name or "\0" in name:
            raise BadInput("env: %r is no name of a variable" % name.partition("=")[0])
        if not isinstance(text, str):
            raise BadInput("env: %s: want text, not %s" % (name, kind(text)))
        if "\0" in text:
            raise BadInput("env: %s: its value holds a NUL character" % name)
        _bytes("env: %r" % name, name + text)
    return value


def merged(defaults, given):
    """Variables given for all jobs, and over them those of one; None for none at all."""
    if not defaults:
        return given or None
    return dict(defaults, **given)


# What may be changed of a job that is there (lifecycle.edit).
EDITABLE = {"priority": priority, "queue": identifiers.check_queue, "timeout": timeout, "run_at": run_at,
            "max_retries": max_retries, "command": command}


def kind(value):
    """What a JSON value is, in words."""
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _shown(value):
    if isinstance(value, (list, dict)):
        # One may lie in the other, deeper than repr goes.
        return kind(value)
    if isinstance(value, int) and abs(value) >= _NO_NUMBER:
        # Some Pythons refuse to write down what has thousands of digits, others take seconds.
        return "a number of more than 18 digits"
    text = repr(value)
    return text if len(text) < 40 else text[:36] + " ..."
