"""The lines that workers and their supervisor print: one per event, one write each.

    03:10:00 [1] started 06d3… (attempt 1/4): backup.sh
    03:10:01 [1] completed 06d3… in 1.2 s
    03:10:09 [2] failed 06d4… (exit 3): retry 1/3 in 2 s

Workers print them themselves: handing each to the supervisor would wake it
twice a job. One os.write a line keeps lines of several workers apart. In the
log of workers in the background (log.py) each line has its day, too; systemd's
journal has the time of its own.
"""

import os
import sys
import time

from queuectl_lib.words import clock
from queuectl_lib.words.text import clip, safe
from queuectl_lib.work import log

_COMMAND_WIDTH = 60
_STDOUT = 1


def started(job):
    return "started %s (attempt %d/%d): %s" % (
        job.id, job.attempts, job.max_retries + 1, clip(safe(job.command), _COMMAND_WIDTH, "..."))


def ended(job):
    """How an attempt ended; job: as it was recorded."""
    if job.state == "completed":
        return "completed %s in %s" % (job.id, clock.show_duration(job.duration or 0))
    if job.state == "failed":
        return "failed %s (%s): retry %d/%d %s" % (job.id, cause(job), job.attempts, job.max_retries, _when(job))
    if job.state == "dead":
        return _dead(job)
    if job.next_run_at is not None:
        return "put back %s (%s): again %s" % (job.id, cause(job), _when(job))
    return "handed back %s: it %s" % (job.id, "is held" if job.held else "will run again")


def _when(job):
    return "when it is released" if job.held else "in " + clock.show_duration(job.history[-1].get("delay", 0))


def _dead(job):
    if job.attempts == 0:
        return "dead %s without an attempt: %s" % (job.id, cause(job))
    times = "1 attempt" if job.attempts == 1 else "%d attempts" % job.attempts
    note = job.history[-1].get("note")
    return "dead %s (%s) after %s%s" % (job.id, cause(job), times, ": " + note if note else "")


def cause(job):
    """Why an attempt failed, in a few words."""
    if job.error:
        return clip(safe(job.error), _COMMAND_WIDTH, "...")
    if job.signal is not None:
        return "signal %d" % job.signal
    return "exit %s" % job.exit_code


def workers(count):
    """'1 worker', '4 workers'."""
    return "1 worker" if count == 1 else "%d workers" % count


def _is_journal():
    """Does standard output go straight to systemd's journal?"""
    named = os.environ.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        status = os.fstat(_STDOUT)
    except OSError:
        return False
    # Commands inherit the variable, and may have redirected their output.
    return named == "%d:%d" % (status.st_dev, status.st_ino)


class Voice:
    """Says lines on standard output."""

    def __init__(self, paths=None):
        """paths: of the store whose log standard output is; None where it is no log."""
        self._paths = paths
        self._clock_format = "%Y-%m-%d %H:%M:%S " if paths is not None else "" if _is_journal() else "%H:%M:%S "
        self._who = ""
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        self._second = None
        self._clock = ""
        self._said = set()

    def name(self, slot):
        """From now on the lines tell which worker they are of."""
        self._who = "[%d] " % slot

    def say(self, *texts):
        """Each text as a line of its own, all in one write."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._clock = time.strftime(self._clock_format, time.localtime(second))
        begin = self._clock + self._who
        lines = "".join([begin + safe(text) + "\n" for text in texts])
        try:
            os.write(_STDOUT, lines.encode(self._encoding, "backslashreplace"))
        except OSError:
            # The terminal or the pipe's reader is gone; the jobs are not.
            pass

    def follow_log(self):
        """Go on in the new log if it was renamed; to be called every second."""
        if self._paths is not None:
            log.follow(self._paths)

    def say_once(self, text):
        """The line, unless it was said since the last forget()."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def forget(self):
        """What was said once may be said again: the trouble was over in between."""
        self._said.clear()
