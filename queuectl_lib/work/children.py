"""The commands that are this process's children: whether one has ended, and how.

    reaped(pid)    the status of one that has ended, once; else None
    told(status)   (exit code, signal number): one of them is None

On Windows a child is known by its process handle, and all that it starts is in a
Job Object of its own, which ends with it, and with this process:

    keep(process, job)   from now on it is one of these (a subprocess.Popen, a win32.JobObject)
    of(pid)              that Child, or None
    running()            the Children of whose end nobody was told yet
"""

import os


class Child:
    """A child on Windows; is_told: whether its end was told to who waits."""

    def __init__(self, process, job):
        self.process = process
        self.job = job
        self.is_told = False

    @property
    def handle(self):
        """What ends a wait when it ends."""
        return int(self.process._handle)


_children = {}


def keep(process, job):
    _children[process.pid] = Child(process, job)


def of(pid):
    return _children.get(pid)


def running():
    return [child for child in _children.values() if not child.is_told]


def _reaped_by_wait(pid):
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # One that could not be ended, and was reaped as an orphan since.
        return 0
    return status if found else None


def _told_by_wait(status):
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None


def _reaped_by_handle(pid):
    child = _children.get(pid)
    code = 0 if child is None else child.process.poll()
    if child is not None and code is not None:
        # What it left running could write into the next job's output: no lock is inherited that would tell.
        child.job.close()
        del _children[pid]
    return code


def _told_by_code(code):
    return code, None


if hasattr(os, "WNOHANG"):
    reaped, told = _reaped_by_wait, _told_by_wait
else:
    reaped, told = _reaped_by_handle, _told_by_code
