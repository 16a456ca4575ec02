"""Bugs are told on standard error: to whoever started the server, and to none of its clients."""

import sys
import traceback


def report():
    """The traceback of what just went wrong, in one write, so that two do not mix. Raises nothing: its caller has to go on."""
    try:
        sys.stderr.write(_told())
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        # Nobody reads it.
        pass


def _told():
    error = sys.exc_info()[1]
    try:
        return traceback.format_exc()
    except Exception:
        # The one file was replaced by another, out of which the lines of the source cannot be read.
        places = ["  %s, line %d, in %s\n" % (frame.f_code.co_filename, number, frame.f_code.co_name)
                  for frame, number in traceback.walk_tb(error.__traceback__)]
        return "Traceback (its source cannot be read):\n%s%r\n" % ("".join(places), error)
