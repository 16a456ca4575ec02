"""Of a group of jobs those that can be stored are, and each of the others is named."""

from collections import namedtuple

import pytest

from queuectl_lib.faces.admission import Admission
from queuectl_lib.faces.gathering import Line
from queuectl_lib.store import store
from tests.store.stores import Here, job, stop_the_clock

Entry = namedtuple("Entry", ("line", "job"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    one = Here(str(tmp_path / "store"))
    stop_the_clock(monkeypatch, one)
    monkeypatch.setattr(store.Store, "start_roller", lambda self: None)
    yield one
    one.close()


def entries(*jobs):
    """jobs: each an id, None, or a job."""
    return [Entry(Line(number, b"", True), each if isinstance(each, tuple) else job(each)) for number, each in enumerate(jobs, 1)]


def add(here, *jobs, if_absent=False):
    """(the ids that are there, {line number: why not})"""
    admission = Admission(here.opened(), if_absent, lambda act: act())
    ids = admission.add(entries(*jobs))
    return ids, {line.number: reason for line, reason in admission.refusals}


def there(id):
    return "a job with the id %s is already there" % id


def test_all_are_stored_in_their_order(here):
    ids, refused = add(here, "b", None, "a")
    assert (ids[0], ids[2], refused) == ("b", "a", {}) and here.run_order() == ids


def test_ids_that_are_taken_are_refused_and_the_others_stored(here):
    here.add("old")
    assert add(here, "a", "old", "b", "a", "a") == (["a", "b"], {2: there("old"), 4: there("a"), 5: there("a")})


def test_if_absent_ids_that_are_taken_are_as_good(here):
    here.add("old")
    assert add(here, "a", "old", "b", "a", if_absent=True) == (["a", "old", "b", "a"], {})
    assert sorted(here.ids()) == ["a", "b", "old"]


def test_one_that_cannot_be_stored_is_found_among_many(here):
    jobs = ["j%03d" % number for number in range(100)]
    jobs[41] = job("big", env={"LONG": "x" * 1100000})
    jobs[77] = job("late", after=["absent"])
    jobs[78] = job("last", after=["j000"])
    ids, refused = add(here, *jobs)
    assert len(ids) == 98 and set(refused) == {42, 78}
    assert "too big" in refused[42] and "no job has that id" in refused[78]
    assert sorted(here.ids()) == sorted(ids)


@pytest.mark.parametrize("if_absent", [False, True])
def test_a_line_is_not_acknowledged_for_another_one_of_its_id_that_was_refused(here, if_absent):
    ids, refused = add(here, job("a", after=["absent"]), job("a", after=["absent"]), if_absent=if_absent)
    assert ids == [] and set(refused) == {1, 2}
    assert add(here, job("b", after=["absent"]), "b", if_absent=if_absent) == (["b"], refused_first(if_absent))


def refused_first(if_absent):
    return {1: "job b is to come after absent, and no job has that id"}


@pytest.mark.parametrize("if_absent, expected", [(False, (["b"], {1: there("a")})), (True, (["a", "b"], {}))])
def test_one_that_comes_between_the_look_and_the_write_is_noticed(here, monkeypatch, if_absent, expected):
    real = store.Store.add

    def overtaken(self, jobs, **how):
        monkeypatch.setattr(store.Store, "add", real)
        here.add("a")
        return self.add(jobs, **how)
    monkeypatch.setattr(store.Store, "add", overtaken)
    assert add(here, "a", "b", if_absent=if_absent) == expected
    assert sorted(here.ids()) == ["a", "b"]
