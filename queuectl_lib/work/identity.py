"""Which process exactly: boot, pid and start moment. A pid alone proves nothing, it is used again.

    Identity(boot, pid, start)   three values that JSON can hold
    current() / of(pid)          the identity of this process, of another (None: there is none)
    is_elsewhere(boot)           such a process may live where this one cannot see it: in another container
    alive(identity)              it still runs: the same boot, pid and start; a zombie does not
    start_of(pid)                the start moment alone; a zombie has one
"""

import os
from collections import namedtuple

from queuectl_lib.store import locking
from queuectl_lib.work import proc

Identity = namedtuple("Identity", ("boot", "pid", "start"))

_boot = []


def boot_id():
    """What tells this boot, and this pid namespace, from every other; None where nothing does."""
    if not _boot:
        _boot.append(_read_boot_id())
    return _boot[0]


def _read_boot_id():
    if locking.ON_WINDOWS:
        # None is needed: a start moment of another boot is another one.
        return None
    try:
        with open("/proc/sys/kernel/random/boot_id", "r", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        return _boot_session()
    try:
        # Two containers on one store count pids apart: 17 here is not 17 there.
        return boot + "/" + os.readlink("/proc/self/ns/pid")
    except OSError:
        return boot


def _boot_session():
    """The same on macOS."""
    import subprocess
    try:
        found = subprocess.run(["sysctl", "-n", "kern.bootsessionuuid"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return found.stdout.decode("ascii", "replace").strip() or None


def is_elsewhere(boot):
    """Whether pids of this boot_id() say nothing here: of another boot, or counted in another pid namespace."""
    return boot != boot_id()


def start_of(pid):
    """When the process started, as the system writes it; None when there is no such process."""
    if proc.AVAILABLE:
        found = proc.process(pid)
        return None if found is None else found.start
    listed = proc.listed(pid)
    return None if listed is None else listed[0]


def of(pid):
    """The identity of a process that exists, or None."""
    start = start_of(pid) if pid > 1 else None
    return None if start is None else Identity(boot_id(), pid, start)


def current():
    """The identity of this process."""
    return Identity(boot_id(), os.getpid(), start_of(os.getpid()))


def alive(identity):
    """Whether exactly this process still runs."""
    if identity is None or identity.start is None or identity.boot != boot_id():
        return False
    if proc.AVAILABLE:
        found = proc.process(identity.pid)
        return found is not None and found.start == identity.start and not found.gone
    return proc.listed(identity.pid) == (identity.start, False)
