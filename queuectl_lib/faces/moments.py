"""Moments for people: on a terminal by the clock on the wall, in a pipe as they are stored."""

import time

from queuectl_lib.words import clock


class Moments:
    """The moments of one command's output (terminal.Output).

    The zone is said with the first of them, and again with each that has another one (summer time).
    """

    def __init__(self, out):
        self._is_local = out.tty
        self._zone = None

    def shown(self, moment):
        """A moment's text as it is read: '2026-11-25 05:12:07', or with its zone, '2026-11-25 05:12:07 +01:00'."""
        text, zone = self._read(moment)
        if zone == self._zone:
            return text
        self._zone = zone
        return "%s %s" % (text, zone)

    def said(self, moment):
        """The zone of a moment, which is then known to the reader; None where moments are shown as they are stored."""
        _, self._zone = self._read(moment)
        return self._zone

    def _read(self, moment):
        if not self._is_local:
            return moment, None
        try:
            local = time.localtime(clock.parse_moment(moment) // 1000)
        except (OSError, OverflowError, ValueError):
            # Windows knows no local time beyond the year 3000.
            return moment, self._zone
        hours, minutes = divmod(abs(local.tm_gmtoff) // 60, 60)
        return time.strftime("%Y-%m-%d %H:%M:%S", local), "%s%02d:%02d" % ("-" if local.tm_gmtoff < 0 else "+", hours, minutes)
