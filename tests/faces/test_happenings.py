"""What the journal's lines tell of jobs: one event a change, and none for lines that tell nothing new."""

import pytest

from queuectl_lib.faces import happenings
from queuectl_lib.job import lifecycle
from queuectl_lib.store import news, pauses, spread
from queuectl_lib.words import clock
from tests.store.stores import FAILURE, SUCCESS, Here, many, stop_the_clock


@pytest.fixture
def here(tmp_path, monkeypatch):
    one = Here(str(tmp_path / "store"))
    stop_the_clock(monkeypatch, one)
    yield one
    one.close()


@pytest.fixture
def told(here):
    """A function that tells what has happened since it was called last."""
    follower = news.News(here.opened())
    follower.start()
    teller = happenings.Happenings(here.store, {})

    def tell():
        return [event for entry in follower.look() for event in teller.of(entry, "now")]
    yield tell
    follower.close()


def texts(events):
    return ["%s %s" % (event.id or event.queue or "*", happenings.tell(event)) for event in events]


def change(here, id, function, *rest):
    here.pass_time(1)
    here.store.change([id], lambda job: function(job, *rest, here.now))


def test_all_that_may_happen_to_a_job(here, told):
    here.add("a", max_retries=1)
    change(here, "a", lifecycle.hold)
    change(here, "a", lifecycle.release)
    change(here, "a", lifecycle.edit, {"priority": 3, "queue": "mail"})
    here.run("a", outcome=FAILURE._replace(exit_code=75))
    here.pass_time(5)
    here.run("a", outcome=FAILURE)
    here.pass_time(5)
    here.run("a", outcome=FAILURE._replace(exit_code=None, signal=9))
    here.store.retry(["a"], here.now)
    here.run("a")
    here.store.remove(["a"])
    assert texts(told()) == [
        "a enqueued", "a held", "a released", "a edited: priority, queue",
        "a started by worker 1.a (attempt 1)", "a put back (exit 75): again in 2 s",
        "a started by worker 1.a (attempt 1)", "a failed (exit 3): again in 2 s",
        "a started by worker 1.a (attempt 2)", "a dead (signal 9)", "a retried",
        "a started by worker 1.a (attempt 1)", "a completed in 0.1 s", "a removed"]


def test_a_job_that_is_cancelled_or_handed_back(here, told):
    here.add("a")
    claimed = here.claim(here.worker())
    here.store.change(["a"], lambda job: lifecycle.hand_back(job, here.now))
    here.claim(here.worker())
    change(here, "a", lifecycle.cancel)
    assert texts(told()) == ["a enqueued", "a started by worker 1.a (attempt 1)", "a handed back",
                             "a started by worker 1.a (attempt 1)", "a cancelled: while it ran"]
    assert claimed.id == "a"


def test_a_job_that_waits_for_others_is_told_when_it_is_ready_and_not_before(here, told):
    here.add("a", "b")
    here.add("c", after=["a", "b"])
    change(here, "c", lifecycle.hold)
    change(here, "c", lifecycle.release)
    here.run("a", "b")
    events = [text for text in texts(told()) if text[0] == "c"]
    assert events == ["c enqueued", "c held", "c released", "c ready: what it comes after has completed"]


def test_lines_written_anew_because_many_had_to_learn_of_them_are_told_once(here, told, monkeypatch):
    monkeypatch.setattr(spread, "MOST", 2)
    here.add("a", max_retries=0)
    here.store.add_many(iter(list(many(7, "child", after=["a"]))))
    here.run("a", outcome=FAILURE)
    here.run_order()
    here.store.retry(["a"], here.now)
    order = here.run_order()
    events = texts(told())
    assert len(order) == 8 and len(events) == len(set(events)) == 8 + 2 + 7 + 1 + 7 + 7 + 2 * 8


def test_queues_that_are_paused_and_resumed(here, told):
    since = clock.moment(here.now)
    here.store.change_pauses(lambda before: {"mail": pauses.Pause(since, "new server"), "video": pauses.Pause(on_failure=True)})
    here.store.change_pauses(lambda before: {"mail": before["mail"], "*": pauses.Pause(since)})
    here.store.change_pauses(lambda before: {})
    assert texts(told()) == ["mail paused: new server", "* paused", "* resumed", "mail resumed"]


def test_jobs_that_join_at_once_are_one_event_of_the_moment_they_came(here, told):
    here.pass_time(5)
    here.bulk(many(3))
    (event,) = told()
    assert (event.at, event.queue, event.jobs, happenings.tell(event)) == (
        clock.moment(here.now - 5000), "default", 3, "enqueued 3 jobs")


@pytest.mark.parametrize("outcome, duration", [(SUCCESS, 0.1), (FAILURE, 0.1)])
def test_a_jobs_own_story_is_the_same(here, told, outcome, duration):
    here.add("a")
    here.run("a", outcome=outcome)
    story = happenings.of_job(here.find("a"))
    assert story[-1].duration == duration
    assert [event._replace(attempt=None) for event in told()] == story
