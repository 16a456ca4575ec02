"""The first signal is taken note of, the second one ends it."""

import os
import signal

import pytest

from queuectl_lib.faces.leaving import AtOnce, Leaving


def test_the_first_signal_tells_and_the_second_one_raises():
    told = []
    now = [0.0]
    before = signal.getsignal(signal.SIGTERM)
    with Leaving((signal.SIGTERM, signal.SIGUSR1), lambda: told.append("asked"), lambda: now[0]) as leaving:
        assert leaving.signum is None and not leaving.is_overdue(0)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert leaving.signum == signal.SIGUSR1 and told == ["asked"]
        now[0] = 9
        assert leaving.is_overdue(8) and not leaving.is_overdue(10)
        with pytest.raises(AtOnce):
            os.kill(os.getpid(), signal.SIGTERM)
        assert leaving.signum == signal.SIGTERM and told == ["asked"]
    assert signal.getsignal(signal.SIGTERM) == before
