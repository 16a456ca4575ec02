"""The first signal is taken note of, the second one ends it."""

import os
import signal
import subprocess
import sys

from queuectl_lib.faces.leaving import Leaving
from support import ROOT

# What is asked twice while Python is busy in a finalizer, in which no exception gets anywhere.
IN_A_FINALIZER = """if True:
    import os, signal
    from queuectl_lib.faces.leaving import Leaving

    class Dying:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)

    with Leaving((signal.SIGTERM, signal.SIGINT), lambda: None, lambda: "the last words"):
        Dying()
        os.write(1, b"it went on")"""


def test_the_first_signal_tells():
    told = []
    now = [0.0]
    before = signal.getsignal(signal.SIGTERM)
    with Leaving((signal.SIGTERM, signal.SIGUSR1), lambda: told.append("asked"), None, lambda: now[0]) as leaving:
        assert leaving.signum is None and not leaving.is_overdue(0)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert leaving.signum == signal.SIGUSR1 and told == ["asked"]
        now[0] = 9
        assert leaving.is_overdue(8) and not leaving.is_overdue(10)
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_second_signal_ends_it_wherever_it_comes():
    done = subprocess.run([sys.executable, "-S", "-c", IN_A_FINALIZER], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, b"", b"queuectl: the last words\n")
