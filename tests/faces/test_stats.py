"""What `stats` counts of jobs that ended lately, and how it says so."""

import itertools

import pytest

from queuectl_lib.faces import figures
from queuectl_lib.faces.cli import stats
from queuectl_lib.store.slices import Ended
from queuectl_lib.words import clock
from tests.faces.test_listing import NOW, Screen

MINUTE = 60
DAY = 24 * 3600


def text(seconds_ago):
    return clock.moment(NOW - int(seconds_ago * 1000)).encode()


def ended(ago=10, state="completed", queue="default", attempts=1, ran=1.0, waited=None, command="true"):
    started = None if waited is None else text(ago + 1)
    return Ended(queue.encode(), state.encode(), attempts, text(ago), text(ago), ran,
                 None if waited is None else text(ago + 1 + waited), started, command.encode())


def gathered(*jobs, since=DAY, **more):
    return figures.gathered(sorted(jobs, key=lambda job: job.updated_at, reverse=True), NOW - since * 1000, NOW, **more)


def shown(found, width=80):
    screen = Screen()
    screen.width = width
    return list(stats._lines(found, NOW, screen))


def test_success_and_retry_rate():
    all = gathered(ended(), ended(attempts=3), ended(state="dead", attempts=4), ended(state="dead", attempts=0, ran=None)).all
    assert (all.completed, all.dead, all.success_rate()) == (2, 2, 0.5)
    # One was given up without having been started: it could not be retried.
    assert all.retry_rate() == 2 / 3


def test_half_did_not_exceed_p50_and_95_of_100_not_p95():
    assert figures.spread([float(number) for number in range(100, 0, -1)]) == (100, 50, 95, 100)
    assert figures.spread([3.0]) == (1, 3, 3, 3)
    assert figures.spread([1.0, 2.0]) == (2, 1, 2, 2)
    assert figures.spread([]) == (0, None, None, None)


def test_waiting_is_from_ready_to_started_where_it_is_known():
    all = gathered(ended(waited=5), ended(waited=0.25), ended()).all
    assert sorted(all.waited) == [0.25, 5] and len(all.ran) == 3


def test_each_queue_has_its_own_numbers():
    found = gathered(ended(queue="mail", ran=5), ended(queue="video", state="dead"), ended(queue="mail"))
    assert list(found.queues) == ["mail", "video"]
    assert (found.queues["mail"].completed, found.queues["video"].dead, found.all.ended) == (2, 1, 3)
    only = gathered(ended(queue="mail"), ended(queue="video"), queues=["video"])
    assert list(only.queues) == ["video"] and only.all.ended == 1


def test_what_ended_within_an_hour_and_a_day_is_counted():
    found = gathered(ended(10), ended(59 * MINUTE), ended(61 * MINUTE), ended(DAY - 1), ended(DAY + 1))
    assert found.all.within == {figures.HOUR: 2, figures.DAY: 4} and found.all.ended == 4


def test_nothing_behind_the_time_asked_for_is_read():
    read = []
    jobs = (read.append(ago) or ended(ago) for ago in itertools.count(1))
    found = figures.gathered(jobs, NOW - 5000, NOW)
    assert found.all.ended == 5 and len(read) == 6 and found.reaches == found.since


def test_no_more_than_a_bound_is_read_and_that_is_said():
    found = figures.gathered((ended(ago) for ago in itertools.count(1)), NOW - DAY * 1000, NOW, most=50)
    assert (found.jobs, found.all.ended, NOW - found.reaches) == (50, 50, 50000)
    lines = shown(found)
    assert "50s" in lines[0] and "only the newest 50 are looked at" in lines[0]
    assert lines[2].split()[1:4] == ["50", "50+", "50+"]
    document = stats._document(found, NOW)
    assert document["complete"] is False
    assert document["all"]["throughput"]["last_hour"] == {"ended": 50, "seconds": 50.0, "per_minute": 60.0}


def test_as_many_as_the_bound_are_all():
    assert gathered(ended(1), ended(2), most=2).reaches == NOW - DAY * 1000


def test_a_dead_job_that_was_edited_since_is_of_its_own_time():
    assert gathered(ended(2 * DAY)._replace(updated_at=text(5)), ended(10)).all.ended == 1


def test_commands_are_ranked_by_their_average_and_by_their_failures():
    found = gathered(ended(command="slow", ran=9), ended(command="slow", ran=7), ended(command="quick"),
                     ended(command="bad", state="dead", attempts=4), ended(command="shaky", attempts=3))
    [slow, *_] = figures.slowest(found.commands, 5)
    assert (slow.shown(), slow.jobs, slow.average(), slow.longest) == ("slow", 2, 8, 9)
    assert [(each.shown(), each.failed, each.dead) for each in figures.most_failing(found.commands, 5)] == [("bad", 4, 1), ("shaky", 2, 0)]
    assert len(figures.slowest(found.commands, 2)) == 2


@pytest.mark.parametrize("length", range(290, 310))
def test_a_long_command_is_known_by_how_it_begins(length):
    """Two that only end differently are two; what is cut is never half an escape."""
    long = "x" * length + "\\u00e9\\\\\\n" * 9
    found = gathered(ended(command=long + "a"), ended(command=long + "b"))
    assert len(found.commands) == 2
    assert found.commands[0].shown().startswith("x" * 290) and "\\u" not in found.commands[0].shown()


@pytest.mark.parametrize("width", [80, None])
def test_what_is_printed_fits_the_screen(width):
    jobs = [ended(ago, queue="a-queue-with-a-long-name-%d" % (ago % 4), attempts=3, ran=ago * 999.5, waited=ago * 777.7, command="x" * 200)
            for ago in range(1, 90)] + [ended(state="dead")]
    lines = shown(gathered(*jobs), width)
    assert any("all" in line for line in lines)
    if width:
        assert max(map(len, lines)) <= width


def test_one_queue_is_not_said_twice():
    assert not any(line.split()[:1] == ["all"] for line in shown(gathered(ended(), ended())))


def test_what_was_not_asked_for_is_not_told_as_zero():
    assert shown(gathered(ended(), since=600))[2].split()[1:4] == ["1", "-", "-"]


def test_of_nothing_nothing_is_told():
    assert shown(gathered()) == []
    document = stats._document(gathered(), NOW)
    assert document["all"]["success_rate"] is None and document["all"]["waiting"]["p95"] is None
