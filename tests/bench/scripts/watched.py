"""Starts queuectl as its launcher does, and notes what its locks and rolls cost.

It stands in the place of queuectl.py in a copy of the tree, so that the rollers
are watched as well, those that are started and those that a supervisor forks.
Every flock of the store lock is timed at the system call: from the first try
until it is held, and from then until it is let go. Nothing of the program is
changed. A probe that takes the lock again and again would see no wait but its
own, and its own turns at the CPU.

A note is a line in the file $BENCH_NOTES: what is noted, seconds. A roller notes
each time it held the lock, and its CPU at its end; every other process only a
wait longer than all its waits before, and how much of it was spent runnable,
waiting for a CPU that others had.
"""

import fcntl
import os
import sys
import time

_rolls = False
_flock = fcntl.flock
_tried = {}
_held = {}
_longest = 0.0


def note(what, *seconds):
    with open(os.environ["BENCH_NOTES"], "a") as file:
        file.write("%s %s\n" % (what, " ".join("%.6f" % each for each in seconds)))


def moment():
    """(now, how long this process has waited for a CPU so far)"""
    with open("/proc/self/schedstat") as file:
        return time.perf_counter(), int(file.read().split()[1]) / 1e9


def timed_flock(fd, operation):
    global _longest
    if os.path.basename(os.readlink("/proc/self/fd/%d" % fd)) != "lock":
        _flock(fd, operation)
        return
    if operation == fcntl.LOCK_UN:
        _flock(fd, operation)
        if _rolls:
            note("held", time.perf_counter() - _held.pop(fd))
        return
    began = _tried.setdefault(fd, moment())
    _flock(fd, operation)
    ended = moment()
    _held[fd] = ended[0]
    _tried.pop(fd)
    waited, starved = ended[0] - began[0], ended[1] - began[1]
    if waited > _longest:
        _longest = waited
        note("waited", waited, starved)


def start():
    if "BENCH_NOTES" in os.environ:
        fcntl.flock = timed_flock
        watch_rolls()
    from queuectl_lib.faces.cli.main import main
    return main()


def watch_rolls():
    """Whoever calls roll() is a process of its own for it, and does nothing else."""
    from queuectl_lib.store import roll
    unwatched = roll.roll

    def watched(*arguments, **options):
        global _rolls
        _rolls = True
        try:
            return unwatched(*arguments, **options)
        finally:
            times = os.times()
            note("cpu", times.user + times.system)
    roll.roll = watched


if __name__ == "__main__":
    home = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [home] + [place for place in sys.path if os.path.realpath(place) != home]
    sys.exit(start())
