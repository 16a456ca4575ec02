"""Whether a command left processes behind: where the system can do that, its orphans become the worker's children.

    Orphans()
      .none()     nothing that any command of this worker started is alive; False also where that cannot be told

A worker whose orphans come to it (Linux: PR_SET_CHILD_SUBREAPER) learns by one
system call that a job's files are nobody else's by now. Without that they are
closed and opened anew after every job to see whether they are (spool.py), which
costs a worker's nine system calls and a tenth of its CPU.

Only what a command handed to a process that is not its own, say a terminal
multiplexer that runs already, is not seen.
"""

import os
import sys

try:
    # Here, so that the supervisor has it before it forks: it takes 3 ms.
    import ctypes
except ImportError:
    ctypes = None

_PR_SET_CHILD_SUBREAPER = 36


class Orphans:
    """One a process, in its only thread; every child of the process may be reaped here."""

    def __init__(self):
        self._come_here = _adopt()

    def none(self):
        """Is no process left of all that was started here? Reaps those that have ended."""
        if not self._come_here:
            return False
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        return False


def _adopt():
    if ctypes is None or not sys.platform.startswith("linux"):
        return False
    try:
        return ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (OSError, AttributeError):
        # A system without prctl.
        return False


class NoOrphans:
    """Where nobody asks them to come."""

    def none(self):
        return False
