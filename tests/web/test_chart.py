"""Attempts by the minute of the last hour: nothing doubled, nothing made up; what is not known is null and not zero."""

import pytest

from queuectl_lib.faces.web import chart
from queuectl_lib.store.slices import Attempts
from queuectl_lib.words import clock

MINUTE = chart.MINUTE
# In the middle of a minute.
NOW = 1795317030000
BEGIN = NOW - 30000
NOTHING = chart.Earlier(chart.beginning(NOW), {})


def sample(seconds, completed, failed=0, store="s"):
    return chart.Sample(NOW + seconds * 1000, store, completed, failed)


def moment(seconds):
    return clock.moment(NOW + int(seconds * 1000)).encode()


def ended(seconds, *states):
    """A job whose attempts ended so, the last one at that moment and those before a minute apart."""
    times = range(seconds - 60 * (len(states) - 1), seconds + 1, 60)
    return Attempts(moment(seconds), [(moment(at), state.encode()) for at, state in zip(times, states)])


def told(before, samples, now=NOW):
    """{minutes ago: (completed, failed)} of those in which anything is known to have ended; and the minutes that are not known."""
    document = chart.document(before, samples, now)
    ago = {59 - number: (each["completed"], each["failed"]) for number, each in enumerate(document["minutes"])}
    return ({number: both for number, both in ago.items() if both not in ((0, 0), (None, None))},
            [number for number, both in ago.items() if both == (None, None)])


def test_an_hour_has_sixty_minutes_the_last_of_which_is_this_one():
    document = chart.document(NOTHING, [sample(0, 0)], NOW)
    moments = [each["at"] for each in document["minutes"]]
    assert len(moments) == 60 and moments == sorted(moments)
    assert moments[-1] == clock.moment(BEGIN) and moments[0] == clock.moment(BEGIN - 59 * MINUTE)
    assert document["now"] == clock.moment(NOW) and document["known_since"] == moments[0]


def test_what_two_looks_differ_by_has_ended_between_them():
    samples = [sample(-100, 5, 1), sample(-90, 7, 1), sample(-20, 7, 4), sample(-10, 8, 4), sample(0, 8, 4)]
    assert told(NOTHING, samples) == ({2: (2, 0), 1: (0, 3), 0: (1, 0)}, [])


def test_what_stood_there_at_the_first_look_is_not_counted_as_new():
    assert told(NOTHING, [sample(0, 1000000, 500)]) == ({}, [])


def test_what_was_before_the_first_look_is_told_by_the_jobs_and_added_to_what_came_after():
    before = chart.earlier([ended(-5, "completed"), ended(-120, "failed", "dead")], [ended(-70, "failed")], NOW, 100, True)
    assert told(before, [sample(-1, 10), sample(0, 12)]) == ({0: (3, 0), 2: (0, 1), 1: (0, 1), 3: (0, 1)}, [])


def test_attempts_of_more_than_an_hour_ago_are_left_out_though_their_job_ended_since():
    before = chart.earlier([ended(-3540, "failed", "failed", "completed")], [], NOW, 100, True)
    assert before.minutes == {BEGIN - 59 * MINUTE: (1, 0)}


def test_nothing_behind_the_hour_is_read():
    read = []
    jobs = (read.append(ago) or ended(-60 * ago, "completed") for ago in range(1000))
    assert chart.earlier(jobs, [], NOW, 10000, False).since == chart.beginning(NOW) and len(read) == 61


def test_where_no_more_jobs_may_be_looked_at_the_minutes_before_are_not_known():
    jobs = (ended(-ago, "completed") for ago in range(10000))
    before = chart.earlier(jobs, [], NOW, 100, True)
    found, unknown = told(before, [sample(0, 0)])
    # A minute of which only a part was looked at is not told.
    assert found == {0: (31, 0), 1: (60, 0)} and unknown == list(range(59, 1, -1))
    assert chart.document(before, [], NOW)["known_since"] == clock.moment(NOW - 99000)


def test_where_jobs_were_taken_away_no_more_is_known_than_the_oldest_of_them_tells():
    jobs = [ended(-5, "completed"), ended(-200, "completed")]
    assert told(chart.earlier(jobs, [], NOW, 100, False), [sample(0, 0)])[1] == list(range(59, 2, -1))
    assert told(chart.earlier(jobs, [], NOW, 100, True), [sample(0, 0)])[1] == []
    assert chart.earlier([], [], NOW, 100, False).since == NOW


def test_where_too_many_are_to_be_tried_again_nothing_from_before_is_known():
    before = chart.earlier([ended(-5, "completed")], None, NOW, 100, True)
    found, unknown = told(before, [sample(0, 5), sample(10, 7)], NOW + 10000)
    assert (found, unknown) == ({}, list(range(59, -1, -1)))
    assert told(before, [sample(0, 5), sample(45, 7), sample(85, 7)], NOW + 90000) == ({}, list(range(59, 1, -1)))
    assert told(before, [sample(0, 5), sample(75, 5), sample(85, 7)], NOW + 90000) == ({1: (2, 0)}, list(range(59, 1, -1)))


def test_minutes_that_nobody_looked_at_are_not_known():
    samples = [sample(-600, 5), sample(-300, 5)]
    assert told(NOTHING, samples) == ({}, [4, 3, 2, 1, 0])
    assert told(NOTHING, [sample(-600, 5), sample(0, 5)]) == ({}, [])


def test_one_missed_look_leaves_no_hole():
    assert told(NOTHING, [sample(-60, 5), sample(-20, 5)]) == ({}, [])


@pytest.mark.parametrize("what, after, goes_on", [
    ("nothing happened", sample(10, 5, 5), True),
    ("some ended", sample(10, 6, 7), True),
    ("nothing happened during a long sleep", sample(9000, 5, 5), True),
    ("some ended during a long sleep", sample(9000, 6, 5), False),
    ("the clock was set back", sample(-10, 6, 5), False),
    ("totals shrank: it was rebuilt", sample(10, 4, 5), False),
    ("failures shrank", sample(10, 9, 4), False),
    ("another store took its place", sample(10, 9, 9, store="other"), False),
])
def test_totals_that_do_not_go_on_begin_a_new_count(what, after, goes_on):
    assert chart.goes_on(sample(0, 5, 5), after) is goes_on, what


def test_no_more_samples_are_kept_than_an_hour_needs():
    samples = []
    for number in range(2000):
        samples = chart.added(samples, sample(10 * number, number))
    assert len(samples) <= 362
    now = samples[-1].at
    found, unknown = told(chart.Earlier(NOW, {}), samples, now)
    # Six looks a minute; four in this one so far.
    assert unknown == [] and found == {ago: (6 if ago else 4, 0) for ago in range(60)}


def test_however_often_somebody_asks_no_more_looks_are_kept_and_each_minute_is_as_full():
    samples = []
    # At 0.3 s past each full ten seconds by itself, and each second because somebody asks.
    for at in sorted([10 * n + 0.3 for n in range(400)] + list(range(1, 4000))):
        samples = chart.added(samples, sample(at, int(at)))
    assert len(samples) <= 363
    found, _ = told(chart.Earlier(NOW, {}), samples, samples[-1].at)
    assert [found[ago][0] for ago in range(1, 60)] == pytest.approx([60] * 59, abs=1)


def test_a_clock_that_is_set_back_after_the_last_look_breaks_nothing():
    document = chart.document(NOTHING, [sample(0, 1), sample(10, 3)], NOW - 7200000)
    assert len(document["minutes"]) == 60 and document["known_since"] <= document["now"]


def test_totals_of_all_queues_are_one_and_the_dead_have_failed():
    totals = {"a": {"completed": 3, "failed": 2}, "b": {"completed": 1, "dead": 4}}
    assert chart.sample(totals, 9, "s") == chart.Sample(9, "s", 4, 6)
    assert chart.sample({}, 9, None) == chart.Sample(9, None, 0, 0)
