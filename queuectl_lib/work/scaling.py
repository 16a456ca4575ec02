"""`worker scale`: more workers or fewer, while they run.

Both are orders in workers.pid (staffing.py): a supervisor reads in its line how
many it is to have hired, and the workers of the highest slots read in theirs
that they are to leave after their job.
"""

import time
from collections import namedtuple

from queuectl_lib.words.errors import NotDone
from queuectl_lib.work import detach, pidfile, staffing

# before: how many workers there were to be; leaving: the entries of those told to leave.
Scaled = namedtuple("Scaled", ("before", "leaving"))

_LOOK_SECONDS = 0.05


def scale(store, count, wait=False):
    """Have so many workers in all; Scaled once new ones are there.

    wait: also until those told to leave have left. Raises NotDone when more
    are wanted and no supervisor is there to start them.
    """
    store.check_there()
    staffing.await_lines(store.paths)
    with store.lock():
        before, told = staffing.request_scale(store.paths, count)
    for entry in told:
        pidfile.nudge(entry)
    if count < before:
        while wait and any(pidfile.alive(store.paths, entry) for entry in told):
            time.sleep(_LOOK_SECONDS)
        return Scaled(before, told)
    if count > before:
        _await_hired(store.paths, count, told)
    return Scaled(before, [])


def _await_hired(paths, count, told):
    if not told:
        raise NotDone("no workers run that could become more: start them with: queuectl worker start --count %d" % count)
    [supervisor] = told
    who = supervisor.boot, supervisor.pid
    if not detach.await_staff(paths, who, lambda: not pidfile.alive(paths, supervisor)):
        raise NotDone("the supervisor with %s was told to start more workers, but they are not there: "
                      "see what it says, and queuectl worker list" % pidfile.pid_of(supervisor))
