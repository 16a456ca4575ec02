"""The chart's look at a store: what was before it is told by the jobs, what comes after it by the totals."""

import os
import shutil

import pytest

from queuectl_lib.faces.web import sampling
from queuectl_lib.store import disk, journal, store
from queuectl_lib.words.errors import StoreError
from tests.store.stores import FAILURE, Here, stop_the_clock


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(store.Store, "start_roller", lambda self: None)
    monkeypatch.setattr(disk, "_data_sync", lambda fd: None)
    one = Here(str(tmp_path / "store"))
    stop_the_clock(monkeypatch, one)
    # In the middle of a minute.
    one.pass_time(30)
    yield one
    one.close()


@pytest.fixture
def looks(here):
    return Looks(here)


class Looks:
    """A Sampling of a store, at the store's time."""

    def __init__(self, here):
        self.here = here
        self.sampling = sampling.Sampling(here.root)

    def take(self, *passed):
        """Look, after so many seconds each."""
        for seconds in passed or (0,):
            self.here.pass_time(seconds)
            self.sampling.take(self.here.now)

    def told(self):
        """(completed, failed, minutes that are not known)"""
        minutes = self.sampling.document(self.here.now)["minutes"]
        known = [each for each in minutes if each["completed"] is not None]
        return sum(each["completed"] for each in known), sum(each["failed"] for each in known), len(minutes) - len(known)

    def filled(self):
        """{minutes ago: (completed, failed)} of those in which something ended."""
        minutes = reversed(self.sampling.document(self.here.now)["minutes"])
        return {ago: (each["completed"], each["failed"]) for ago, each in enumerate(minutes) if each["completed"] or each["failed"]}


def test_what_ended_before_and_after_the_first_look_is_told_once(here, looks):
    here.add("a", "b", "c")
    here.run("a")
    here.run("b", outcome=FAILURE)
    looks.take(60)
    assert looks.told() == (1, 1, 0)
    here.run("b")
    looks.take(10)
    assert looks.told() == (2, 1, 0)


def test_a_job_that_failed_before_it_completed_is_told_as_both(here, looks):
    here.add("a")
    here.run("a", outcome=FAILURE)
    here.pass_time(70)
    here.run("a")
    looks.take(70)
    assert sorted(looks.filled().values()) == [(0, 1), (1, 0)]


def test_what_is_not_yet_looked_at_is_not_known(here, looks):
    assert looks.told() == (0, 0, 60)


def test_rolls_and_what_is_removed_change_nothing(here, looks):
    here.add("a", "b")
    looks.take()
    here.run("a", "b")
    looks.take(10)
    here.roll()
    looks.take(10)
    here.store.remove(["a", "b"])
    here.roll()
    looks.take(10)
    assert looks.told() == (2, 0, 0)


def test_of_jobs_that_were_removed_before_nothing_is_made_up(here, looks):
    here.add("a", "b")
    here.run("a")
    here.pass_time(600)
    here.run("b")
    here.store.remove(["a"])
    looks.take(60)
    completed, _, unknown = looks.told()
    assert completed == 0 and unknown == 59


def test_no_more_jobs_are_looked_at_than_a_bound(here, looks, monkeypatch):
    monkeypatch.setattr(sampling, "MOST", 3)
    here.add("a", "b", "c", "d")
    for id in ("a", "b", "c", "d"):
        here.run(id)
        here.pass_time(60)
    looks.take()
    # Of the oldest that was looked at not all of its minute is known.
    assert looks.told() == (2, 0, 57)


def test_where_too_many_wait_for_their_next_attempt_what_was_before_is_not_known(here, looks, monkeypatch):
    monkeypatch.setattr(sampling, "MOST", 1)
    here.add("a", "b")
    here.run("a", "b", outcome=FAILURE)
    looks.take(60)
    assert looks.told()[2] >= 59


def test_a_store_that_has_not_changed_is_not_read_again(here, looks, monkeypatch):
    here.add("a")
    looks.take()
    read = []
    monkeypatch.setattr(journal.Journal, "read", lambda self, *place: read.append(place))
    looks.take(10, 10, 10)
    assert read == [] and looks.told() == (0, 0, 0)


def test_a_look_that_somebody_asks_for_is_taken_where_the_last_one_is_too_old(here, looks):
    here.add("a", "b")
    looks.take()
    here.run("a")
    here.pass_time(0.5)
    looks.sampling.take(here.now, oldest=1000)
    assert looks.told()[0] == 0
    here.pass_time(0.5)
    looks.sampling.take(here.now, oldest=1000)
    assert looks.told()[0] == 1
    # Of two threads one may have been quicker that came later.
    here.run("b")
    looks.sampling.take(here.now - 5)
    assert looks.told()[0] == 1
    looks.take(1)
    assert looks.told()[0] == 2


def test_where_there_is_no_store_nothing_has_ended(here, tmp_path):
    looks = Looks(here)
    looks.sampling = sampling.Sampling(str(tmp_path / "none"))
    looks.take(0, 10)
    assert looks.told() == (0, 0, 0)


def test_another_store_in_its_place_is_counted_anew(here, looks, tmp_path):
    other = Here(str(tmp_path / "other"))
    other.now = here.now
    other.add("x", "y", "z")
    other.run("x", "y", "z")
    other.close()
    here.pass_time(600)
    here.add("a")
    here.run("a")
    looks.take()
    shutil.rmtree(here.root)
    os.rename(other.root, here.root)
    looks.take(10)
    assert looks.filled() == {10: (3, 0)}


def test_after_a_long_sleep_the_jobs_tell_when_they_ended(here, looks):
    here.add("a", "b")
    looks.take()
    here.pass_time(300)
    here.run("a")
    here.pass_time(300)
    here.run("b")
    looks.take(300)
    assert looks.filled() == {10: (1, 0), 5: (1, 0)}


def test_a_clock_that_is_set_back_makes_no_minute_twice_as_full(here, looks):
    here.add("a")
    here.run("a")
    looks.take(10)
    looks.take(-7200)
    looks.take(10)
    assert looks.told() == (0, 0, 0)


def test_damage_is_raised_and_what_was_known_stays(here, looks):
    here.add("a")
    here.run("a")
    looks.take()
    here.append(b'{"id":"x","crc":"00000000"}\n')
    with pytest.raises(StoreError):
        looks.take(10)
    assert looks.told() == (1, 0, 0)
    here.pass_time(120)
    assert looks.told()[2] == 2


def test_who_wants_to_leave_reads_no_further(here, looks):
    here.add("a", "b")
    here.run("a", "b")
    looks.sampling.take(here.now, lambda: False)
    assert looks.told()[0] == 0
