"""How long a watcher sleeps: it is quick to see what happens, and costs next to nothing while nothing does."""

from queuectl_lib.faces.patience import LONGEST, SHORTEST, Patience


class Time:
    """A clock that moves by what is slept and by what a look is said to take."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def rests(happened, look=0.0, most=None, count=1):
    """What a Patience sleeps after so many looks that took so long each."""
    time = Time()
    patience = Patience(sleep=time.sleep, clock=lambda: time.now)
    for _ in range(count):
        time.now += look
        patience.rest(happened, most)
    return time.slept


def test_it_sleeps_briefly_while_things_happen_and_longer_while_nothing_does():
    assert rests(True, count=5) == [SHORTEST] * 5
    slept = rests(False, count=20)
    assert slept == sorted(slept) and SHORTEST < slept[0] < slept[1] and slept[-1] == LONGEST


def test_what_costs_much_is_done_seldom_but_never_too_late():
    assert rests(True, look=0.004)[0] > 0.09
    assert rests(True, look=0.5) == [LONGEST]


def test_it_never_sleeps_beyond_a_deadline():
    assert rests(False, most=0.05, count=9)[-1] == 0.05
    assert rests(False, most=-1) == [0.0]
