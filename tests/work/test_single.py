"""The claim of one job out of its turn, beside workers that look for any."""

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store.claims import Claims
from queuectl_lib.words.errors import NotDone, StoreError, UnknownJob
from queuectl_lib.work import single
from tests.store.stores import FAILURE, SUCCESS, Here


@pytest.fixture
def here(tmp_path):
    one = Here(str(tmp_path / "store"))
    yield one
    one.close()


def claimed(here, id):
    return single._claimed(here.store, here.worker("7.g"), id, here.now)


def test_it_takes_the_one_that_is_meant_and_nobody_else_does(here):
    here.add("first", priority=-5)
    here.add("a", held=True)
    assert claimed(here, "a").worker == "7.g"
    assert here.run_order() == ["first"]
    with pytest.raises(NotDone, match="running already"):
        claimed(here, "a")


@pytest.mark.parametrize("max_retries, outcome, state, held", [
    (1, FAILURE, "failed", True), (1, FAILURE._replace(exit_code=75), "pending", True), (1, lifecycle.WORKER_LOST, "failed", True),
    (0, FAILURE, "dead", None), (0, SUCCESS, "completed", None)], ids=str)
def test_one_that_was_held_is_held_again_unless_it_has_ended(here, max_retries, outcome, state, held):
    here.add("a", held=True, max_retries=max_retries)
    desk = here.worker("7.g")
    assert here.finish(desk, single._claimed(here.store, desk, "a", here.now), outcome)
    here.pass_time(60)
    assert here.run_order() == []
    assert (here.find("a").state, here.find("a").held) == (state, held)


@pytest.mark.parametrize("rolled", [False, True])
def test_one_that_has_ended_is_retried_and_nobody_takes_it_in_between(here, monkeypatch, rolled):
    here.add("a")
    here.run("a")
    if rolled:
        here.roll()
    claim = Claims.claim

    def with_a_rival(*words):
        assert here.claim(here.worker("9.z")) is None
        return claim(*words)
    monkeypatch.setattr(Claims, "claim", with_a_rival)
    job = claimed(here, "a")
    assert (job.state, job.attempts, job.held) == ("processing", 1, None)
    assert here.states() == {"a": "processing"}


def test_where_the_claim_fails_it_waits_for_any_worker(here, monkeypatch):
    here.add("a")
    here.run("a")

    def fail(*_):
        raise StoreError("no room")
    with monkeypatch.context() as patch:
        patch.setattr(Claims, "claim", fail)
        with pytest.raises(StoreError):
            claimed(here, "a")
    assert here.find("a").held is None
    assert here.run_order() == ["a"]


def test_one_that_comes_after_others_or_is_not_there_is_refused(here):
    here.add("a")
    here.add("b", after=["a"])
    with pytest.raises(NotDone, match="comes after a"):
        claimed(here, "b")
    with pytest.raises(UnknownJob):
        claimed(here, "c")
