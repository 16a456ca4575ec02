"""What waits in each queue is told exactly where that is cheap, and else as a bound; who is first in line always is."""

import random

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import queues, segment
from tests.store.stores import FAILURE, job, many
from tests.store.test_listing import count_bytes_read


def depths(here):
    return queues.depths(here.opened().look(), here.now)


def exactly(depth):
    assert all(exact for _, exact in depth[:3])
    return tuple(number for number, _ in depth[:3])


@pytest.fixture(params=["in the journal", "rolled"])
def rolled(request, here):
    """Called when the jobs are there."""
    return here.roll if request.param == "rolled" else lambda: None


def test_pending_jobs_are_ready_delayed_or_blocked(here, rolled):
    here.add("ready-1", "ready-2")
    here.add_in(60, "later")
    here.add("held", held=True)
    here.add("after", after=["later"])
    here.add_in(60, "mail-1", queue="mail")
    rolled()
    assert {queue: exactly(depth) for queue, depth in depths(here).items()} == {"default": (2, 1, 2), "mail": (0, 1, 0)}
    here.pass_time(60)
    assert {queue: exactly(depth) for queue, depth in depths(here).items()} == {"default": (3, 0, 2), "mail": (1, 0, 0)}


def test_failed_jobs_are_none_of_them(here, rolled):
    here.add("failed", max_retries=3)
    here.run("failed", outcome=FAILURE)
    rolled()
    assert exactly(depths(here)["default"]) == (0, 0, 0) and depths(here)["default"].first == []
    here.pass_time(10)
    assert [one.id for one in depths(here)["default"].first] == ["failed"]


def test_what_left_its_segment_is_not_counted_there(here):
    here.bulk([job("late-%d" % number, run_at=here.now / 1000 + 60) for number in range(5)])
    here.store.change(["late-0", "late-1"], lambda old: lifecycle.cancel(old, here.now))
    here.store.change(["late-2"], lambda old: lifecycle.edit(old, {"run_at": None}, here.now))
    assert exactly(depths(here)["default"]) == (1, 2, 0)
    here.roll()
    assert exactly(depths(here)["default"]) == (1, 2, 0)


def test_of_what_is_too_much_to_count_the_rest_is_taken_from_the_total(here, monkeypatch):
    monkeypatch.setattr(queues, "COUNTED", 10)
    here.bulk([job("late-%d" % number, run_at=here.now / 1000 + 60) for number in range(30)] + list(many(4)))
    assert exactly(depths(here)["default"]) == (4, 30, 0)


def test_what_is_not_known_exactly_says_so(here, monkeypatch):
    monkeypatch.setattr(queues, "COUNTED", 10)
    here.bulk([job("late-%d" % number, run_at=here.now / 1000 + 60) for number in range(30)] + list(many(30)))
    depth = depths(here)["default"]
    assert (depth.ready, depth.delayed, depth.blocked) == ((10, False), (10, False), (0, True))


def first(here):
    return {queue: {one.id for one in depth.first} for queue, depth in depths(here).items()}


def test_the_first_of_every_priority_is_found_among_many(here):
    rng = random.Random(1)
    waiting = [job("job-%04d" % number, priority=rng.choice([-7, -7, -7, 0, 0, 3, 12])) for number in range(3000)]
    waiting[1500] = waiting[1500]._replace(priority=8)
    here.bulk(waiting)
    oldest = {}
    for each in waiting:
        oldest.setdefault(each.priority, each.id)
    assert first(here) == {"default": set(oldest.values())}
    here.store.change([oldest[-7], oldest[3]], lambda old: lifecycle.cancel(old, here.now))
    for priority in (-7, 3):
        gone = oldest[priority]
        oldest[priority] = next(each.id for each in waiting if each.priority == priority and each.id != gone)
    assert first(here) == {"default": set(oldest.values())}


def test_one_line_longer_than_what_is_read_at_once_is_no_obstacle(here):
    here.bulk([job("job-%d" % number, priority=number // 10, command="true " + "x" * (30000 if number % 3 else 10)) for number in range(40)])
    assert first(here) == {"default": {"job-0", "job-10", "job-20", "job-30"}}


def test_first_in_line_is_told_for_each_queue_from_the_journal_too(here):
    here.bulk([job("old", queue="mail"), job("old-2", queue="mail")])
    here.add("new")
    here.add("new-2")
    assert first(here) == {"default": {"new"}, "mail": {"old"}}


def test_what_is_counted_costs_the_same_however_much_waits(here, monkeypatch):
    here.bulk(job("job-%d" % number, priority=number % 5) for number in range(20000))
    read = count_bytes_read(monkeypatch)
    assert len(depths(here)["default"].first) == 5
    assert sum(read) < 20 * segment._CHUNK


def test_nothing_waits_in_an_empty_store(here):
    assert depths(here) == {}
