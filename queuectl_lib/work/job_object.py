"""A command's process tree on Windows: what is in its Job Object (tree.py has the other kind).

The object ends with the worker, whatever becomes of that. So of a dead worker's
job at most the leader is still there, for a moment.
"""

import os
import signal

from queuectl_lib.work import children, identity, win32


class Tree:
    """As tree.Tree."""

    def __init__(self, leader, claim, holders=set):
        self.leader = leader
        self._child = children.of(leader)
        self._start = identity.start_of(leader) if leader else None

    def living(self):
        """The leader's pid while anything of it all runs."""
        if self._child is not None:
            lives = self._child.process.poll() is None or self._child.job.running()
        else:
            lives = self._start is not None and identity.alive(identity.Identity(identity.boot_id(), self.leader, self._start))
        return {self.leader} if lives else set()

    def ask(self):
        """Ctrl+Break to the command's group; ended at once where it is another's, or has no console to get that from."""
        try:
            if self._child is not None:
                os.kill(self.leader, signal.CTRL_BREAK_EVENT)
                return
        except (OSError, SystemError):
            # The second is what os.kill raises where there is no console.
            pass
        self.kill()

    def kill(self):
        """End all of it."""
        if self._child is not None:
            self._child.job.end()
            self._child.process.kill()
        elif self.living():
            win32.end(self.leader)


def kill(pids):
    """End these processes."""
    for pid in pids:
        win32.end(pid)
