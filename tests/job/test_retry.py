"""The delay before a retry."""

import random

import pytest

from queuectl_lib.job import retry
from queuectl_lib.job.lifecycle import Policy


def delays(policy, attempts):
    return [retry.delay(number, policy, random) for number in attempts]


def test_the_delay_doubles_with_every_attempt():
    assert delays(Policy(2, 3600, 0), (1, 2, 3, 4)) == [2, 4, 8, 16]


@pytest.mark.parametrize("base, expected", [(1, [1, 1, 1]), (1.5, [1.5, 2.25, 3.375]), (10, [10, 100, 1000])])
def test_another_base_grows_at_its_own_pace(base, expected):
    assert delays(Policy(base, 3600, 0), (1, 2, 3)) == expected


def test_the_delay_never_passes_its_limit():
    assert delays(Policy(2, 10, 0), (3, 4, 5, 60)) == [8, 10, 10, 10]


@pytest.mark.parametrize("base", [2, 2.5, 1000])
def test_a_hundred_thousandth_attempt_does_not_overflow(base):
    assert retry.delay(100000, Policy(base, 3600, 0), random) == 3600


def test_no_limit_means_no_delay():
    assert retry.delay(1, Policy(2, 0, 0), random) == 0


def test_jitter_comes_on_top_and_within_its_bound():
    spread = {retry.delay(2, Policy(2, 3600, 5), random.Random(seed)) for seed in range(200)}
    assert 4 <= min(spread) < 4.5 and 8.5 < max(spread) <= 9


def test_jitter_keeps_jobs_at_the_limit_apart_too():
    assert retry.delay(60, Policy(2, 10, 5), random.Random(1)) > 10
