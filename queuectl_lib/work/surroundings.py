"""What the system around a store allows its processes, and what time it says it is, as Findings."""

import time

from queuectl_lib.store import locking, sieve
from queuectl_lib.words import clock
from queuectl_lib.words.finding import REMARK, WARNING, WELL, Finding
from queuectl_lib.work import proc

try:
    import resource
except ImportError:
    resource = None

# So many milliseconds in the future are no matter of a clock that was set back.
_SOON = 60000
# This program's first year.
_FIRST_YEAR = 2025
# So many of the newest lines are looked at.
_NEWEST = 100
_FEW_FILES = 128
_MUCH = 0.9


def moments(store, look):
    """Yields what is to be said of the time: the year, and jobs that changed later than now; as a check of checkup.py."""
    now = clock.now()
    if time.gmtime(now // 1000).tm_year < _FIRST_YEAR:
        yield Finding(WARNING, "clock", "it is %s, says the system" % clock.moment(now), "set its clock")
        return
    latest = max((sieve.updated_at(data).decode() for _, data in look.heads()[-_NEWEST:]), default="")
    if latest > clock.moment(now + _SOON):
        yield Finding(WARNING, "clock", "a job changed at %s, and it is %s: the clock was set back, and delays last longer"
                      % (latest, clock.moment(now)), "set it by NTP; nothing is lost")
    else:
        yield Finding(WELL, "clock", "no job changed later than now")


def limits():
    """Yields what the system allows."""
    texts = []
    if resource is not None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if 0 <= files < _FEW_FILES:
            yield Finding(WARNING, "limits", "%d open files for a process: too few for many segments" % files, "ulimit -n 1024")
        texts.append("%s open files" % ("any number of" if files == resource.RLIM_INFINITY else files))
    if locking.ON_WINDOWS:
        yield Finding(WELL, "limits", "what a job starts is in its Job Object, and ends with it")
        return
    if not proc.AVAILABLE:
        yield Finding(REMARK, "limits", "no /proc: what hides from its job's process group is not found and not ended")
        return
    most = _number("/proc/sys/kernel/pid_max")
    if most:
        running = len(proc.living())
        if running > _MUCH * most:
            yield Finding(WARNING, "limits", "%d of %d processes run" % (running, most), "end some, or raise kernel.pid_max")
        texts.append("%d of %d processes" % (running, most))
    yield Finding(WELL, "limits", ", ".join(texts + ["/proc"]))


def _number(path):
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
