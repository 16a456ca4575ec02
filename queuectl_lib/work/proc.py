"""What the system tells about a process: start moment, parents, session, environment.

/proc where there is one (Linux), `ps` or Windows itself elsewhere. The start moment is kept as
the system writes it and only ever compared: turned into a time of day it
would change whenever the clock is set.
"""

import os
from collections import namedtuple

from queuectl_lib.store import locking

# gone: dead but not yet reaped by its parent; stopped: by a signal, until SIGCONT.
Process = namedtuple("Process", ("pid", "parent", "group", "session", "start", "gone", "stopped"))

# On Windows the current drive may have one as well (WSL's): it tells of other processes.
AVAILABLE = not locking.ON_WINDOWS and os.path.exists("/proc/self/stat")


def process(pid):
    """The Process of a pid, from /proc; None when there is none."""
    if not AVAILABLE:
        return None
    try:
        with open("/proc/%d/stat" % pid, "rb", 0) as file:
            text = file.read().decode("ascii", "replace")
    except OSError:
        return None
    # The command's name comes before, in brackets, and may hold any character.
    fields = text[text.rfind(")") + 2:].split()
    if len(fields) < 20:
        return None
    # The first thread may be dead while others run: the process is not, then.
    gone = fields[0] in "ZX" and int(fields[17]) <= 1
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[3]), fields[19], gone, fields[0] == "T")


def is_stopped(pid):
    """Is there such a process, stopped by a signal? False without /proc."""
    found = process(pid)
    return found is not None and found.stopped


def living():
    """Every process that runs now, as {pid: Process}; empty without /proc."""
    found = {}
    for name in _numbers():
        one = process(int(name))
        if one is not None and not one.gone:
            found[one.pid] = one
    return found


def environment(pid):
    """The environment a process was started with, as it stands in memory: NUL-ended bytes.

    Empty where it may not be read, and for a process that has just ended.
    """
    try:
        with open("/proc/%d/environ" % pid, "rb", 0) as file:
            return file.read()
    except OSError:
        return b""


def locks(pid, files):
    """Whether the process has one of these files ({name without directory: its os.stat}) open under a flock of its own or inherited."""
    directory = "/proc/%d/" % pid
    try:
        for name in os.listdir(directory + "fd"):
            fd = directory + "fd/" + name
            # By another mount the same file has another path. Whose name is another is not looked at: a dead network disk would hold us.
            file = files.get(os.path.basename(os.readlink(fd)))
            if file is not None and os.path.samestat(os.stat(fd), file):
                with open(directory + "fdinfo/" + name, "rb") as file:
                    if b"FLOCK" in file.read():
                        return True
    except OSError:
        # It ended while we looked, or is another user's.
        pass
    return False


def _numbers():
    if not AVAILABLE:
        return []
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _by_ps(pid):
    import subprocess
    try:
        text = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode("ascii", "replace")
    except OSError:
        return None
    state, _, start = text.strip().partition(" ")
    if not start:
        return None
    return start.strip(), state[0] == "Z"


def listed(pid):
    """(start, gone) of a process, for systems without /proc; None when there is none."""
    return _started(pid)


if locking.ON_WINDOWS:
    from queuectl_lib.work.win32 import started as _started
else:
    _started = _by_ps
