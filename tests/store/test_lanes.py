"""Queues that are limited or paused, jobs whose time has passed: what a claim passes over, and what it costs the others."""

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import config, view
from queuectl_lib.store.pauses import ALL, Pause
from queuectl_lib.words import clock
from tests.store.stores import FAILURE, SECOND, many


def limit(here, **limits):
    for queue, number in limits.items():
        config.set(here.store, "queue.%s.limit" % queue, str(number))
    here.store = here.opened()


def pause(here, queue, seconds=None, **fields):
    until = None if seconds is None else clock.moment(here.now + seconds * SECOND)
    here.store.change_pauses(lambda pauses: dict(pauses, **{queue: Pause(clock.moment(here.now), None, until)._replace(**fields)}))


def resume(here, queue):
    here.store.change_pauses(lambda pauses: {name: each for name, each in pauses.items() if name != queue})


def claimed(here, desk):
    job = here.claim(desk)
    return job and job.id


@pytest.fixture(params=["journal", "segment"])
def rolled(here, request):
    """Rolls, or not."""
    return here.roll if request.param == "segment" else lambda: None


# Limits

def test_no_more_of_a_queue_run_at_once_than_its_limit(here, rolled):
    limit(here, mail=2)
    here.add("m1", "m2", "m3", "m4", queue="mail")
    here.add("other", priority=9)
    rolled()
    desks = [here.worker("%d.a" % number) for number in range(1, 5)]
    running = [here.claim(desk) for desk in desks]
    assert [job and job.id for job in running] == ["m1", "m2", "other", None]
    assert not desks[3].more_ready()
    here.finish(desks[0], running[0])
    assert claimed(here, desks[3]) == "m3"
    assert claimed(here, desks[0]) is None


def test_a_worker_goes_on_with_the_limited_queue_itself(here):
    limit(here, mail=1)
    here.add("m1", "m2", "m3", queue="mail")
    assert here.run_order() == ["m1", "m2", "m3"]


def test_a_heavy_job_counts_as_several(here, rolled):
    limit(here, mail=3)
    here.add("heavy", queue="mail", slots=2)
    here.add("light", queue="mail")
    here.add("third", queue="mail")
    rolled()
    desks = [here.worker("%d.a" % number) for number in range(1, 4)]
    assert [claimed(here, desk) for desk in desks] == ["heavy", "light", None]


def test_one_that_does_not_fit_is_waited_for_and_not_passed(here):
    limit(here, mail=3)
    here.add("a", "b", queue="mail")
    here.add("heavy", queue="mail", slots=3)
    here.add("light", queue="mail")
    first, second, third = (here.worker("%d.a" % number) for number in range(1, 4))
    running = [here.claim(first), here.claim(second)]
    assert claimed(here, third) is None
    here.finish(first, running[0])
    assert claimed(here, third) is None
    here.finish(second, running[1])
    assert claimed(here, third) == "heavy"
    assert claimed(here, first) is None


def test_one_heavier_than_the_limit_runs_alone(here):
    limit(here, mail=2)
    here.add("huge", queue="mail", slots=5)
    here.add("light", queue="mail")
    one, other = here.worker("1.a"), here.worker("2.a")
    assert claimed(here, one) == "huge"
    assert claimed(here, other) is None


def test_a_changed_limit_counts_for_a_desk_that_is_told(here):
    here.add("m1", "m2", "m3", queue="mail")
    desks = [here.worker("%d.a" % number) for number in range(1, 4)]
    assert claimed(here, desks[0]) == "m1"
    for desk in desks:
        desk.set_limits({"mail": 1})
    assert claimed(here, desks[1]) is None
    for desk in desks:
        desk.set_limits({})
    assert claimed(here, desks[2]) == "m2"


def test_who_runs_is_known_after_a_roll(here):
    limit(here, mail=1)
    here.add("m1", "m2", queue="mail")
    desk = here.worker("1.a")
    job = here.claim(desk)
    here.roll()
    assert claimed(here, here.worker("2.a")) is None
    here.finish(desk, job)
    assert claimed(here, here.worker("3.a")) == "m2"


def cancelled_as_it_runs(here):
    """(a job of a queue with one place, cancelled while it runs; the desk of who waits for that place)"""
    limit(here, mail=1)
    here.add("m1", "m2", queue="mail")
    first, second = here.worker("1.a"), here.worker("2.a")
    job = here.claim(first)
    here.store.change(["m1"], lambda each: lifecycle.cancel(each, here.now))
    assert claimed(here, second) is None
    return job, second


def test_a_job_cancelled_as_it_runs_takes_its_slots_until_its_processes_are_gone(here):
    job, second = cancelled_as_it_runs(here)
    assert not second.more_ready()
    left = lifecycle.Outcome(None, None, None, 0.1, None, None)
    here.store.change(["m1"], lambda each: lifecycle.leave(each, job, left, here.now))
    assert claimed(here, second) == "m2"


def test_but_not_for_ever_when_nobody_says_so(here):
    _, second = cancelled_as_it_runs(here)
    due = second.next_due(here.now)
    assert here.now < due <= here.now + 20 * SECOND
    here.now = due
    assert claimed(here, second) == "m2"


def test_nor_an_hour_longer_because_the_clock_was_set_back(here):
    _, second = cancelled_as_it_runs(here)
    here.pass_time(-3600)
    assert claimed(here, second) is None
    here.pass_time(20)
    assert claimed(here, second) == "m2"


# Pauses

def test_no_job_of_a_paused_queue_is_claimed_until_it_is_resumed(here, rolled):
    here.add("m1", "m2", queue="mail")
    here.add("other")
    rolled()
    desk = here.worker()
    pause(here, "mail")
    assert claimed(here, desk) == "other"
    assert claimed(here, desk) is None
    assert not desk.more_ready() and desk.next_due(here.now) is None
    resume(here, "mail")
    assert here.run_order() == ["m1", "m2"]


def test_a_desk_that_saw_its_jobs_before_the_pause_does_not_take_them(here, rolled):
    here.add("m1", "m2", queue="mail")
    rolled()
    desk = here.worker()
    assert claimed(here, desk) == "m1"
    pause(here, "mail")
    assert claimed(here, desk) is None
    here.add("m3", queue="mail")
    assert claimed(here, desk) is None
    assert claimed(here, here.worker("2.a")) is None


def test_a_pause_of_all_queues_stops_them_all(here):
    here.add("m1", queue="mail")
    here.add("other")
    pause(here, ALL)
    desk = here.worker()
    assert claimed(here, desk) is None
    resume(here, ALL)
    assert claimed(here, desk) == "m1"


def test_a_pause_for_a_time_ends_by_itself(here, rolled):
    here.add("m1", queue="mail")
    rolled()
    pause(here, "mail", 60)
    desk = here.worker()
    assert claimed(here, desk) is None
    assert desk.next_due(here.now) == here.now + 60 * SECOND
    assert desk.unfinished()
    here.pass_time(60)
    assert claimed(here, desk) == "m1"


def test_what_is_paused_without_end_is_not_waited_for(here):
    here.add("m1", queue="mail")
    pause(here, "mail")
    desk = here.worker()
    assert claimed(here, desk) is None
    assert not desk.unfinished()


def test_overdue_jobs_of_a_paused_queue_do_not_keep_out_others(here, monkeypatch):
    monkeypatch.setattr(view, "OVERDUE_WINDOW", 3)
    here.add_in(1, *["mail-%d" % number for number in range(10)], queue="mail")
    here.add_in(2, "other")
    here.roll()
    pause(here, "mail")
    here.pass_time(5)
    assert here.run_order() == ["other"]
    resume(here, "mail")
    assert len(here.run_order()) == 10


@pytest.mark.parametrize("what", ["paused", "limited"])
def test_overdue_jobs_of_a_closed_queue_are_not_due(here, monkeypatch, what):
    monkeypatch.setattr(view, "OVERDUE_WINDOW", 3)
    if what == "limited":
        limit(here, mail=1)
    here.add("running", queue="mail")
    assert claimed(here, here.worker("2.a")) == "running"
    here.add_in(1, *["mail-%d" % number for number in range(10)], queue="mail")
    here.add_in(60, "later")
    due = here.now + 60 * SECOND
    here.roll()
    if what == "paused":
        pause(here, "mail")
    here.pass_time(5)
    desk = here.worker()
    assert claimed(here, desk) is None
    assert desk.next_due(here.now) == due


def test_the_death_of_a_job_pauses_an_armed_queue_at_once(here):
    here.add("m1", "m2", queue="mail", max_retries=0)
    pause(here, "mail", since=None, on_failure=True)
    desk = here.worker()
    job = here.claim(desk)
    after = lifecycle.finish(job, FAILURE, here.now, lifecycle.Policy(2, 10, 0), None)
    assert desk.exchange((job, after), True, here.now) == (True, None)
    assert here.opened().pauses() == {"mail": Pause(clock.moment(here.now), "job m1 died", None, True)}
    resume(here, "mail")
    assert claimed(here, desk) == "m2"


def test_thousands_of_a_closed_queue_are_passed_over_once_and_not_at_each_claim(here, monkeypatch):
    current = view.View._current
    looks = []
    # Before the desks take it from their views.
    monkeypatch.setattr(view.View, "_current", lambda self, item: looks.append(item) or current(self, item))
    here.bulk(many(3000, "mail", queue="mail"))
    here.bulk(many(300, "other", priority=5))
    limit(here, mail=1)
    here.roll()
    blocker, desk = here.worker("1.a"), here.worker("2.a")
    assert claimed(here, blocker) == "mail-000"
    looks.clear()
    for number in range(300):
        job = here.claim(desk)
        assert job.id == "other-%03d" % number
        here.finish(desk, job)
    assert 300 <= len(looks) < 300 * 8


# Jobs whose time has passed

def test_a_job_that_was_not_started_in_time_dies_instead(here, rolled):
    here.add("late", expires_at=(here.now + 10 * SECOND) / 1000)
    here.add("after-it", after=["late"])
    here.add("good", priority=1)
    rolled()
    here.pass_time(11)
    desk = here.worker()
    assert claimed(here, desk) == "good"
    late = here.find("late")
    assert (late.state, late.attempts, late.error) == ("dead", 0, "expired: it was not started by " + late.expires_at)
    assert here.find("after-it").state == "dead"
    assert [job.id for job in desk.ended] == ["late", "after-it"]


def test_one_that_was_started_in_time_is_retried_later(here):
    here.add("a", expires_at=(here.now + SECOND) / 1000)
    here.run("a", outcome=FAILURE)
    here.pass_time(10)
    assert here.run_order() == ["a"]


def test_an_expired_job_that_is_retried_has_time_again(here):
    here.add("a", expires_at=(here.now + SECOND) / 1000)
    here.pass_time(2)
    assert here.run_order() == []
    here.store.retry(["a"], here.now)
    assert here.run_order() == ["a"]


def test_a_job_that_asks_for_later_is_put_back_and_comes_again(here):
    here.add("a")
    here.run("a", outcome=FAILURE._replace(exit_code=75))
    job = here.find("a")
    assert (job.state, job.attempts, job.put_backs) == ("pending", 0, 1)
    assert here.run_order() == []
    here.roll()
    here.pass_time(2)
    assert here.run_order() == ["a"]
