"""The signals between queuectl's processes, as far as there are any: Windows has Ctrl+C and Ctrl+Break alone.

What nobody can be told there by a signal stands in workers.pid or in a pipe, and
is read within a second. os.kill is never called there: it ends a process, or sends
Ctrl+C to all of a console, whatever it was meant to do.
"""

import os
import signal

# Has a worker or a supervisor look at its orders, and at its job; None where there is no such signal.
NUDGE = getattr(signal, "SIGUSR1", None)
# Of a terminal, or a console, that is closed.
_CLOSED = getattr(signal, "SIGHUP", None) or getattr(signal, "SIGBREAK")


def to_leave():
    """Those by which somebody asks a process to leave."""
    # nohup and its like have it ignored on purpose: the commands are to inherit that.
    if signal.getsignal(_CLOSED) == signal.SIG_IGN:
        return signal.SIGINT, signal.SIGTERM
    return signal.SIGINT, signal.SIGTERM, _CLOSED


def asked_to_leave():
    """The same for a command of a script or a person: what is ignored already, as behind `&` in a script, stays so."""
    return tuple(number for number in to_leave() if signal.getsignal(number) != signal.SIG_IGN)


def heeded():
    """All that a worker or a supervisor listens to."""
    return to_leave() if NUDGE is None else to_leave() + (NUDGE,)


def nudge(pid):
    """Have a process look; it is of ours, and lives."""
    if NUDGE is not None:
        try:
            os.kill(pid, NUDGE)
        except OSError:
            # Gone in between, or another user's: it looks by itself within a second.
            pass


def leave_the_terminal():
    """Ctrl+C is the supervisor's alone.

    To ignore it here is not enough: a command is in the worker's group until
    it leads a session of its own, and Ctrl+C in that half millisecond ended it.
    """
    try:
        os.setsid()
    except (AttributeError, PermissionError):
        # There are no sessions on this system; or it leads one already.
        pass


def heed_none():
    """Leave all of them to the supervisor: whoever stops a whole group means that one."""
    # A fork writes into the pipe of its parent's Waiter otherwise.
    signal.set_wakeup_fd(-1)
    for number in heeded():
        # No SIG_IGN: what is started from here would inherit that.
        signal.signal(number, lambda number, frame: None)
    let_through(heeded())


if hasattr(signal, "pthread_sigmask"):
    def hold_back(signums):
        """Let none of these through for now."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signums)

    def let_through(signums):
        """Let these through again."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signums)
else:
    def hold_back(signums):
        """Nothing can be held back."""

    let_through = hold_back
