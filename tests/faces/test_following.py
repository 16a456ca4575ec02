"""One job followed through its attempts: all it writes, and nothing that another one writes into the same slot."""

import os

import pytest

from queuectl_lib.faces import following
from queuectl_lib.faces.cli import main
from queuectl_lib.job import lifecycle
from queuectl_lib.job.lifecycle import Output
from queuectl_lib.words.errors import UnknownJob
from queuectl_lib.work import wake
from tests.store.stores import FAILURE, SUCCESS, Here


@pytest.fixture
def here(tmp_path):
    one = Here(str(tmp_path / "store"))
    yield one
    one.close()


@pytest.fixture
def shown():
    return []


def follow(here, id, shown, idle=lambda job: True, **more):
    """idle: by default nothing is waited for."""
    return following.Following(here.store, id, {"stdout": shown.append}, idle, **more)


def spool(here, data):
    """What stands in slot 1 at this moment."""
    with open(os.path.join(here.root, "workers", "1.out"), "wb") as file:
        file.write(data)


def writing(text, outcome=SUCCESS):
    """How an attempt ended that wrote this."""
    return outcome._replace(stdout=Output(text, len(text), None), stderr=Output("", 0, None))


def test_attempts_that_went_by_unseen_are_shown_from_their_lines(here, shown):
    here.add("a", max_retries=5)
    followed = follow(here, "a", shown)
    spool(here, b"another one's")
    for text, outcome in (("one", FAILURE), ("two", FAILURE), ("three", SUCCESS)):
        here.run("a", outcome=writing(text, outcome))
        here.pass_time(60)
    states = []
    while followed.job.state != "completed":
        assert followed.change()
        states.append(followed.job.state)
    assert states == ["processing", "failed", "processing", "failed", "processing", "completed"]
    assert shown == [b"one", b"two", b"three"]


def test_what_was_read_when_the_job_had_just_ended_may_be_another_ones(here, shown, monkeypatch):
    here.add("a")
    desk = here.worker()
    job = here.claim(desk)
    spool(here, b"one")
    read = following.Reader.read

    def just_then(self):
        here.finish(desk, job, writing("one"))
        spool(here, b"another one's")
        monkeypatch.setattr(following.Reader, "read", read)
        return read(self)
    followed = follow(here, "a", shown)
    monkeypatch.setattr(following.Reader, "read", just_then)
    assert followed.change() and shown == [b"one"]


def test_what_was_shown_while_it_ran_is_not_shown_again(here, shown):
    here.add("a")
    desk = here.worker()
    job = here.claim(desk)
    spool(here, b"one\n")
    idle = []

    def ended(_):
        idle.append(here.finish(desk, job, writing("one\ntwo\n")) if not idle else None)
    followed = follow(here, "a", shown, ended)
    assert followed.change()
    assert shown == [b"one\n", b"two\n"]


def test_of_one_that_was_handed_back_nothing_is_shown_twice_and_put_back_its_rest_is(here, shown):
    here.add("a")
    followed = follow(here, "a", shown)
    here.claim(here.worker())
    here.store.change(["a"], lambda job: lifecycle.hand_back(job, here.now))
    here.run("a", outcome=writing("later", FAILURE._replace(exit_code=75)))
    for state in ("processing", "pending", "processing", "pending"):
        assert followed.change() and followed.job.state == state
    assert shown == [b"later"]
    assert not followed.change()


@pytest.mark.parametrize("is_new", [True, False], ids=["a new store", "one with jobs"])
def test_what_was_over_before_it_could_be_followed_is_shown_when_that_began_before_the_job_was_there(here, shown, is_new):
    if not is_new:
        here.add("other", priority=5)
    begun = following.begin(here.opened())
    here.add("a", max_retries=1)
    for text in ("one", "two"):
        here.run("a", outcome=writing(text, FAILURE))
        here.pass_time(60)
    followed = follow(here, "a", shown, begun=begun)
    assert followed.job.state == "pending"
    while followed.job.state != "dead":
        assert followed.change()
    assert shown == [b"one", b"two"]


def test_enqueue_wait_shows_attempts_that_are_over_when_it_has_hardly_stored_the_job(here, capfd, monkeypatch):
    def work_at_once(*_):
        for text in ("one\n", "two\n"):
            here.run("a", outcome=writing(text, FAILURE))
            here.pass_time(60)
    monkeypatch.setattr(wake, "wake", work_at_once)
    code = main.main(["--store", here.root, "enqueue", "--wait", "--id", "a", "--max-retries", "1", "true"])
    shown = capfd.readouterr()
    assert (code, shown.out) == (FAILURE.exit_code, "one\ntwo\n")
    assert shown.err == "queuectl: failed a (exit 3): retry 1/1 in 2 s\nqueuectl: job a is dead (exit 3)\n"


def test_one_that_was_there_before_is_followed_from_what_it_was(here, shown):
    here.add("a")
    here.run("a", outcome=FAILURE)
    begun = following.begin(here.store)
    assert follow(here, "a", shown, begun=begun).job.state == "failed"
    with pytest.raises(UnknownJob):
        follow(here, "b", shown, begun=following.begin(here.store))


def test_a_tail_is_of_what_was_written_before_and_of_nothing_that_comes_later(here, shown):
    here.add("a", max_retries=5)
    desk = here.worker()
    job = here.claim(desk)
    spool(here, b"1\n2\n")

    def goes_on(job):
        here.finish(desk, claims.pop(), writing("1\n2\n", FAILURE))
    claims = [job]
    followed = follow(here, "a", shown, goes_on, tail=1)
    assert followed.change() and followed.job.state == "failed"
    here.pass_time(60)
    claims.append(here.claim(desk))
    spool(here, b"1\n2\n")
    assert followed.change() and followed.change() and followed.job.state == "failed"
    assert b"".join(shown) == b"2\n1\n2\n"


def test_one_that_is_removed_is_not_waited_for(here, shown):
    here.add("a")
    followed = follow(here, "a", shown)
    here.store.remove(["a"])
    with pytest.raises(UnknownJob):
        followed.change()
