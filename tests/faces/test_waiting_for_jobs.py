"""What `wait` makes of how jobs end, also of what it could not see happen."""

import pytest

from queuectl_lib.faces import following
from queuectl_lib.faces.cli import wait
from queuectl_lib.job.record import Job
from queuectl_lib.words.errors import UnknownJob
from tests.store.stores import FAILURE, Here, many


@pytest.fixture
def here(tmp_path):
    one = Here(str(tmp_path / "store"))
    yield one
    one.close()


@pytest.mark.parametrize("fields, code", [
    (dict(state="completed", exit_code=0), 0), (dict(state="dead", exit_code=7), 7), (dict(state="dead", signal=9), 137),
    (dict(state="dead", error="timed out after 3 s"), 1), (dict(state="dead", error="expired"), 1),
    (dict(state="cancelled", exit_code=7), 1), (dict(state="removed"), 1), (dict(state="failed", exit_code=4), 4)])
def test_a_job_ends_a_command_with_its_code(fields, code):
    assert following.exit_code(Job(id="a", **fields)) == code


def test_of_those_named_what_is_left_is_known_and_what_is_done(here):
    here.add("a", "b", max_retries=0)
    waited = wait._Some(here.store, ["a", "b", "a"])
    assert (waited.left(), waited.share(), waited.look()) == (2, 0, False)
    here.run("a")
    assert waited.look() and (waited.left(), waited.share()) == (1, 0.5)
    here.run("b", outcome=FAILURE)
    assert waited.look() and waited.left() == 0
    assert (waited.exit_code(), waited.complaint()) == (1, "1 of 2 jobs did not complete: job b is dead (exit 3)")


def test_what_ended_while_it_slept_through_two_rolls_is_found(here):
    here.add("a", "b", "c")
    waited = wait._Some(here.store, ["a", "b", "c"])
    here.roll()
    here.run("a")
    here.store.remove(["b"])
    here.roll()
    waited.look()
    assert waited.left() == 1 and waited.left_over() == "1 job is left (1 pending)"
    here.run("c")
    waited.look()
    assert (waited.left(), waited.exit_code()) == (0, 1) and "job b was removed" in waited.complaint()


def test_one_that_is_not_there_is_not_waited_for(here):
    here.add("a")
    with pytest.raises(UnknownJob):
        wait._Some(here.store, ["a", "b"])


def test_all_are_counted_however_many_come_meanwhile(here):
    here.add("a", "b")
    here.run("a")
    waited = wait._All(here.store)
    assert (waited.left(), waited.share(), waited.look()) == (1, 0, False)
    here.bulk(many(3))
    here.run("b")
    assert waited.look() and (waited.left(), waited.share()) == (3, 0.25)
    here.run_order()
    assert waited.look() and (waited.left(), waited.share(), waited.exit_code()) == (0, 1, 0)
