"""Whether a command left processes behind: where the system can do that, its orphans become the worker's children.

    Orphans()
      .none()       nothing that any command of this worker started is alive; False also where that cannot be told
      .expect(pid)  this child is no command's: it does not count, and its end is kept for who asks
      .ended(pid)   the wait status of such a child, once it has ended; else None
    reap_strangers(own)   for a supervisor that is a container's first process: orphans of workers that died, and of
                          what others started in the container, come to it

A worker whose orphans come to it (Linux: PR_SET_CHILD_SUBREAPER) learns by one
system call that a job's files are nobody else's by now. Without that they are
closed and opened anew after every job to see whether they are (spool.py), which
costs a worker's nine system calls and a tenth of its CPU.

Only what a command handed to a process that is not its own, say a terminal
multiplexer that runs already, is not seen.
"""

import os
import sys

from queuectl_lib.work import children

try:
    # Here, so that the supervisor has it before it forks: it takes 3 ms.
    import ctypes
except ImportError:
    ctypes = None

_PR_SET_CHILD_SUBREAPER = 36
_FIRST = 1


class NoOrphans:
    """Where nobody asks them to come."""

    def none(self):
        """Never known."""
        return False

    def expect(self, pid):
        """Nothing to do: nobody else reaps it."""

    def ended(self, pid):
        """The wait status of a child that has ended, else None."""
        return children.reaped(pid)


class Orphans(NoOrphans):
    """One a process, in its only thread; every child of the process may be reaped here."""

    def __init__(self):
        self._come_here = _adopt()
        # Of the children that somebody expects: their wait status, None while they run.
        self._expected = {}

    def none(self):
        """Is no process left of all that was started here? Reaps those that have ended."""
        if not self._come_here:
            return False
        try:
            pid = -1
            while pid:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid in self._expected:
                    self._expected[pid] = status
        except ChildProcessError:
            return True
        return bool(self._expected) and _children() <= self._expected.keys()

    def expect(self, pid):
        """From now on keep this child's end for ended()."""
        self._expected[pid] = None

    def ended(self, pid):
        """The wait status of an expected child that has ended, told once; else None."""
        status = self._expected[pid]
        if status is None:
            status = children.reaped(pid)
        if status is not None:
            del self._expected[pid]
        return status


def reap_strangers(own):
    """As the first process of a container: reap the orphans that come to it. own: pids of children that somebody waits for."""
    while os.getpid() == _FIRST:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        # Behind one of its own others may wait: that one is seen off at once, and then it is looked again.
        if ended is None or ended.si_pid in own:
            return
        children.reaped(ended.si_pid)


def _children():
    """The pids of all children, zombies too; {0}, which is nobody's, where the system does not tell.

    Of a process whose only thread looks itself the list is exact: nobody else reaps them meanwhile.
    """
    try:
        with open("/proc/thread-self/children", "rb", 0) as file:
            return {int(pid) for pid in file.read().split()}
    except OSError:
        return {0}


def _adopt():
    if ctypes is None or not sys.platform.startswith("linux"):
        return False
    try:
        return ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (OSError, AttributeError):
        # A system without prctl.
        return False


if not hasattr(os, "WNOHANG"):
    # Nothing is left of a command there: its Job Object ends with it.
    Orphans = NoOrphans
