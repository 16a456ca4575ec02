"""The journal read along: every change once, in order, whatever rolls and crashes come in between."""

import os
import random

import pytest

from queuectl_lib.store import config, journal, keeping, news, pieces, roll
from queuectl_lib.words.errors import StoreError
from tests.store.stores import FAILURE, job, many


def told(found):
    """[(id, state before, state)…] of what a look brought, and how many jobs joined at once."""
    return [news.batch_of(entry).jobs if news.batch_of(entry) else (news.job_of(entry).id, news.was(entry), news.job_of(entry).state)
            for entry in found if news.job_of(entry) or news.batch_of(entry)]


@pytest.fixture
def follower(here):
    found = news.News(here.opened())
    found.start()
    yield found
    found.close()


def meanwhile(monkeypatch, step, function):
    """Have something happen in the middle of every roll, before a step of it."""
    before = getattr(roll._Roll, step)

    def during(self):
        function()
        return before(self)
    monkeypatch.setattr(roll._Roll, step, during)


def test_every_change_is_told_once_and_in_order(here, follower):
    assert follower.look() == []
    here.add("a", "b")
    here.run("a")
    assert told(follower.look()) == [("a", None, "pending"), ("b", None, "pending"), ("a", "pending", "processing"),
                                     ("a", "processing", "completed")]
    here.run("b", outcome=FAILURE)
    here.store.remove(["b"])
    assert told(follower.look()) == [("b", "pending", "processing"), ("b", "processing", "failed"), ("b", "failed", "removed")]
    assert follower.look() == []


def test_it_begins_behind_what_was_there(here):
    here.add("a")
    late = news.News(here.opened())
    assert late.start().find("a")[0].state == "pending"
    here.add("b")
    assert told(late.look()) == [("b", None, "pending")]


def test_a_store_that_is_not_there_yet_is_waited_for(tmp_path, monkeypatch):
    from queuectl_lib.store import store
    root = str(tmp_path / "later")
    early = news.News(store.open_store(root))
    assert early.start() is None and early.look() == []
    store.open_store(root, create=True, write=True).add([job("a")])
    assert told(early.look()) == [("a", None, "pending")]


def test_jobs_that_join_at_once_are_one_piece_of_news(here, follower):
    here.bulk(many(5))
    assert told(follower.look()) == [5]


@pytest.mark.parametrize("unread", [True, False])
@pytest.mark.parametrize("step", ["_sort_out", "_copy_tail", "_commit", "_tidy"])
def test_a_roll_hides_nothing_and_tells_nothing_twice(here, follower, monkeypatch, step, unread):
    here.add("runs", "waits", "ends", priority=0)
    desk = here.worker()
    here.claim(desk)
    follower.look()
    if unread:
        here.add("unread")
    if step != "_commit":
        meanwhile(monkeypatch, step, lambda: here.add("during", "the-roll"))
    here.roll()
    here.add("after")
    expected = ["unread"] * unread + ["during", "the-roll"] * (step != "_commit") + ["after"]
    assert told(follower.look()) == [(id, None, "pending") for id in expected]
    assert not follower.missed


def test_of_a_roll_in_the_middle_of_which_it_looked_it_goes_on_where_it_was(here, follower, monkeypatch):
    here.add("a")
    seen = []

    def during():
        here.add("b%d" % len(seen))
        seen.extend(told(follower.look()))
    meanwhile(monkeypatch, "_copy_tail", during)
    here.roll()
    here.add("c")
    seen.extend(told(follower.look()))
    here.roll()
    seen.extend(told(follower.look()))
    assert [id for id, _, _ in seen] == ["a", "b0", "c", "b3"]


def test_whatever_happens_it_tells_what_was_written_and_nothing_else(here, follower, monkeypatch):
    rng = random.Random(7)
    written, seen = [], []
    ids = iter(range(10000))
    append = journal.Journal.append

    def recorded(self, data):
        written.extend(told([news.Entry(head, data[at:at + length]) for head, at, length in pieces.scan(data, 0, "")[0]]))
        return append(self, data)
    monkeypatch.setattr(journal.Journal, "append", recorded)

    def something():
        choice = rng.random()
        if choice < 0.5:
            here.add(*["job-%d" % next(ids) for _ in range(rng.randrange(1, 4))])
        elif choice < 0.9:
            desk = here.worker()
            claimed = here.claim(desk)
            if claimed and rng.random() < 0.8:
                here.finish(desk, claimed, rng.choice([FAILURE, FAILURE._replace(exit_code=0)]))
        else:
            here.bulk(many(3, "bulk-%d" % next(ids)))
    meanwhile(monkeypatch, "_copy_tail", something)
    for _ in range(60):
        for _ in range(rng.randrange(6)):
            something()
        rolls = rng.random() < 0.4
        if rolls:
            here.roll()
        if rolls or rng.random() < 0.3:
            seen += told(follower.look())
    seen += told(follower.look())
    assert seen == written and len(seen) > 100


def test_who_slept_through_two_rolls_is_told_so(here, follower):
    for id in ("a", "b", "c"):
        here.add(id)
        here.roll()
    follower.look()
    assert follower.missed
    here.add("d")
    assert told(follower.look()) == [("d", None, "pending")]
    assert not follower.missed


def test_a_roll_that_purges_as_well_leaves_time_to_look_in_between(here, follower, monkeypatch):
    monkeypatch.setattr(journal, "BOUND", 1)
    config.set(here.store, "retention", "1d")
    here.add("old")
    here.run("old")
    here.pass_time(2 * 86400)
    follower.look()
    here.add("new")
    seen = []
    monkeypatch.setattr(keeping.time, "sleep", lambda seconds: seen.extend(told(follower.look())))
    keeping.roll_and_keep_house(here.opened())
    assert here.ids() == ["new"]
    assert seen + told(follower.look()) == [("new", None, "pending")]
    assert not follower.missed


def test_what_a_crash_tore_is_not_told(here, follower):
    here.add("a", "b")
    here.cut(10)
    assert told(follower.look()) == []
    here.add("c")
    assert told(follower.look()) == [("c", None, "pending")]


def test_a_store_that_is_removed_is_said_to_be(here, follower):
    os.remove(here.journal)
    with pytest.raises(StoreError, match="not there any more"):
        follower.look()
