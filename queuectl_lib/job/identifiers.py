"""Names of jobs and queues: what is allowed, and how an id is made up."""

import os
import re
import time

from queuectl_lib.words.errors import BadInput

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z"
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 35


def check_id(value):
    """The id, or BadInput."""
    return _check("id", value)


def check_queue(value):
    """The queue's name, or BadInput."""
    return _check("queue", value)


def is_id(value):
    """Can a job have this id?"""
    return isinstance(value, str) and re.match(_NAME, value) is not None


def _check(what, value):
    if not is_id(value):
        shown = repr(value) if len(repr(value)) < 60 else repr(value)[:56] + " ..."
        raise BadInput("%s: want letters, digits, '.', '_' and '-', at most 128, beginning with "
                       "a letter or digit, not %s" % (what, shown))
    return value


def new_ids():
    """Endless made-up ids: 16 characters that sort by time.

    45 bits of milliseconds, then 35 random ones from which one process counts
    up: two processes would have to begin within the same millisecond and a
    batch's length of each other in 34 thousand million.
    """
    start = int(time.time() * 1000) << _RANDOM_BITS
    number = start | int.from_bytes(os.urandom(5), "big") >> 5
    while True:
        # All but the last digit change once in 32 ids.
        front = _text(number >> 5, 15)
        for last in _DIGITS[number & 31:]:
            yield front + last
        number = (number | 31) + 1


def _text(number, length):
    digits = [""] * length
    for place in range(length - 1, -1, -1):
        digits[place] = _DIGITS[number & 31]
        number >>= 5
    return "".join(digits)
