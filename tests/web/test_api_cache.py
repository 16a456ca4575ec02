"""Answers that are kept while nothing changes: one reading for many who ask, and never an old answer to who changed something."""

import threading
from collections import namedtuple

import pytest

from queuectl_lib.faces.web import cache
from queuectl_lib.store import store as stores
from tests.support import wait_until
from tests.web import api

Answer = namedtuple("Answer", "body")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Maker:
    """Makes answers of a size, and counts them."""

    def __init__(self, size=1):
        self.made = 0
        self.size = size

    def __call__(self):
        self.made += 1
        return Answer(b"x" * self.size)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(clock):
    return cache.Cache(most=100, clock=clock)


def test_while_the_marks_are_the_same_an_answer_is_made_once_a_second(kept, clock):
    make = Maker()
    for now, made in ((0, 1), (0.9, 1), (1.0, 2), (1.5, 2), (2.1, 3)):
        clock.now = now
        kept.answer("k", "marks", make)
        assert make.made == made
    kept.answer("k", "others", make)
    kept.answer("l", "others", make)
    assert make.made == 5


def test_no_more_bytes_are_kept_than_are_allowed_and_the_oldest_go_first(kept):
    for key in "abcd":
        kept.answer(key, "marks", Maker(40))
    again = Maker()
    for key, made in (("d", 0), ("c", 0), ("b", 1)):
        kept.answer(key, "marks", again)
        assert again.made == made
    kept.answer("big", "marks", Maker(1000))
    kept.answer("big", "marks", again)
    assert again.made == 2


def test_what_is_too_old_is_let_go_of(kept, clock):
    kept.answer("a", "marks", Maker())
    clock.now = 5
    kept.answer("b", "marks", Maker())
    assert list(kept._kept) == ["b"]


def test_who_asks_meanwhile_waits_for_the_same_answer(kept):
    begun, gate, answers = threading.Event(), threading.Event(), []
    make = Maker()

    def slow():
        begun.set()
        gate.wait()
        return make()

    def ask():
        answers.append(kept.answer("k", "marks", slow))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    begun.wait()
    # Another question, and the same one after a change, wait for nobody.
    kept.answer("l", "marks", Maker())
    kept.answer("k", "others", Maker())
    gate.set()
    for thread in threads:
        thread.join()
    assert make.made == 1 and len(answers) == 5 and len(set(map(id, answers))) == 1


def test_a_failure_is_not_kept_and_each_who_waited_tries_alone(kept):
    begun, gate, told = threading.Event(), threading.Event(), []

    def broken():
        begun.set()
        gate.wait()
        raise ValueError

    def ask(make):
        try:
            told.append(kept.answer("k", "marks", make))
        except ValueError:
            told.append("failed")

    first = threading.Thread(target=ask, args=[broken])
    first.start()
    begun.wait()
    others = [threading.Thread(target=ask, args=[Maker()]) for _ in range(3)]
    for thread in others:
        thread.start()
    gate.set()
    for thread in [first] + others:
        thread.join()
    assert told.count("failed") == 1 and len(told) == 4
    make = Maker()
    kept.answer("k", "marks", make)
    kept.answer("k", "marks", make)
    assert make.made == 1


# --- in the routes

@pytest.fixture
def here(tmp_path):
    return api.Routes(tmp_path)


@pytest.fixture
def looks(monkeypatch):
    """A list that grows with every look at a store."""
    found = []
    look = stores.Store.look
    monkeypatch.setattr(stores.Store, "look", lambda self: found.append(self) or look(self))
    return found


@pytest.mark.parametrize("target", [
    "/api/jobs", "/api/jobs?search=true", "/api/jobs?sort=id&state=pending", "/api/status", "/api/workers", "/metrics"])
def test_twenty_who_ask_for_the_same_cost_one_look(here, looks, target):
    here.give({})
    looks.clear()
    answers = [here.ask("GET", target) for _ in range(20)]
    assert len(set(map(str, answers))) == 1 and 1 <= len(looks) <= 2
    before = len(looks)
    here.ask("HEAD", target)
    assert len(looks) == before


def test_who_has_changed_something_is_told_of_it(here):
    for number in range(30):
        [id] = here.give({})
        assert here.get("/api/jobs?limit=500")["total"] == number + 1
        assert here.get("/api/jobs/" + id)["held"] is None
        here.post("/api/jobs/%s/hold" % id)
        assert here.get("/api/jobs/" + id)["held"] is True
        assert here.get("/api/status")["states"]["pending"] == number + 1


def test_what_changes_without_a_trace_is_told_within_a_second(here):
    here.give({"id": "x"})
    here.become("x", state="processing", attempts=1, worker="1.abc", started_at="2026-01-01T00:00:00.000Z")
    path = here.store().paths.slot_progress(1)
    for said in ("10 %", "20 %"):
        with open(path, "w") as file:
            file.write(said + "\n")
        wait_until(lambda: here.get("/api/jobs/x")["progress"] == said, "its progress", deadline=5)


def test_stores_are_not_mistaken_for_each_other(here, tmp_path):
    (tmp_path / "other").mkdir()
    other = api.Routes(tmp_path / "other")
    here.give({"id": "x"})
    assert here.ids() == ["x"] and other.ids() == []
