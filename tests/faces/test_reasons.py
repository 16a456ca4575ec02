"""Why a job is not running, and what would make it run."""

import os

import pytest

from queuectl_lib.faces import reading, reasons
from queuectl_lib.job import history, lifecycle, record
from queuectl_lib.store import ballast, config, pauses, store
from queuectl_lib.words import clock

NOW = 1800000000000


def moment(seconds):
    return clock.moment(NOW + int(seconds * 1000))


def job(**fields):
    made = record.create({"id": "j", "command": "true", "cwd": "/"}, NOW - 60000, record.Defaults())
    return made._replace(**fields)


def why(one, **around):
    return reasons.why(one, NOW, around=reasons.Around(**around))


def test_a_held_job_says_how_to_release_it():
    assert why(job(held=True)) == "it is held: release it with: queuectl release j"


def test_a_waiting_job_says_for_whom_and_how_those_stand():
    states = {"a": "processing", "b": None}
    assert why(job(waits_for=["a", "b"]), others=states) == "it waits for a (processing) and b (not there) to complete"
    states = {"a": "failed", "b": "pending", "c": "pending"}
    text = why(job(waits_for=["a", "b", "c", "d", "e"]), others=states)
    assert text == "it waits for a (failed), b (pending), c (pending) and 2 others to complete"


def test_a_paused_queue_is_named_with_its_reason_and_its_end():
    pause = pauses.Pause(moment(-60), "new server", moment(90))
    assert why(job(queue="mail"), pause=("mail", pause)) == (
        "the queue mail is paused (new server) for 1 min 30 s more: queuectl resume mail")
    assert why(job(), pause=("*", pauses.Pause(moment(-60)))) == "all queues are paused: queuectl resume"


def test_all_reasons_are_told_its_own_first():
    text = why(job(held=True), pause=("*", pauses.Pause(moment(-60))), workers=0)
    assert text.startswith("it is held") and "; all queues are paused" in text and "; no worker is running" in text


def test_what_to_type_is_left_out_where_there_are_buttons():
    def sentence(one, **around):
        return reasons.why(one, NOW, around=reasons.Around(**around), advises=False)
    assert sentence(job(held=True), pause=("*", pauses.Pause(moment(-60)))) == "it is held; all queues are paused"
    assert sentence(job(state="dead", attempts=4, exit_code=3)) == "all 4 attempts failed (exit 3)"
    assert sentence(job(state="dead", waits_for=["a"], error="it comes after a, which is dead"), root="a") == "it comes after a, which is dead"
    assert sentence(job(state="cancelled")) == "it was cancelled"
    # For this there is no button.
    assert "queuectl worker start" in sentence(job(), workers=0)


def test_workers_that_leave_are_none_to_wait_for():
    assert why(job(), workers=0, leaving=2) == "all workers are leaving: start one with: queuectl worker start"
    assert "is ready" in why(job(), workers=1, leaving=1)


def test_a_limit_that_is_reached_is_told():
    mail = job(queue="mail")
    assert "queue.mail.limit 3, of which 3 are taken" in why(mail, limit=3, used=3)
    assert "is ready" in why(mail, limit=3, used=2)
    assert "of which 2 are taken" in why(mail._replace(slots=2), limit=3, used=2)
    # What needs more than there is at all runs when it is alone.
    assert "is ready" in why(mail._replace(slots=5), limit=3, used=0)


def test_expired_and_put_back_jobs_say_so():
    assert "expired" in why(job(expires_at=moment(-1)))
    assert why(job(next_run_at=moment(4))) == "was put back (exit 75) and waits 4 s"


def test_a_dead_job_says_how_it_comes_back():
    dead = job(state="dead", attempts=0, error="it comes after a, which is dead", waits_for=["a"])
    assert why(dead, root="a") == "it comes after a, which is dead; it comes back with: queuectl retry a"
    assert why(dead, root="j").endswith("; run it again with: queuectl dlq retry j")
    assert why(job(state="dead", attempts=4, exit_code=3)).startswith("all 4 attempts failed (exit 3); run it again")
    assert why(job(state="dead", attempts=2, exit_code=3)).startswith("both attempts failed (exit 3)")
    told = history.History().told(moment(0), "dead", exit_code=2, note="no retry after this exit code")
    assert why(job(state="dead", attempts=1, exit_code=2, history=told)).startswith(
        "attempt 1 of at most 4 failed (exit 2): no retry after this exit code; run it again")
    assert why(job(state="cancelled")) == "it was cancelled; run it again with: queuectl retry j"


@pytest.fixture
def stocked(tmp_path):
    one = store.open_store(str(tmp_path / "store"), create=True, write=True)
    return one


def added(one, id, **fields):
    return one.add([record.create(dict({"id": id, "command": "true", "cwd": "/"}, **fields), NOW, record.Defaults())])[0]


def around(one, id):
    return reasons.around(one, one.find(id), reading.Servants(1, 0), NOW)


def test_what_is_around_a_job_is_read_from_its_store(stocked):
    config.set(stocked, "queue.mail.limit", "2")
    added(stocked, "first", queue="mail", slots=2)
    added(stocked, "second", queue="mail")
    added(stocked, "third", after=["first", "second"])
    stocked.claims("1.a").exchange()
    stocked.change_pauses(lambda before: {"default": pauses.Pause(moment(-5))})
    fresh = store.open_store(stocked.root)
    assert around(fresh, "second")[1:4] == (None, 2, 2)
    assert around(fresh, "third").others == {"first": "processing", "second": "pending"}
    assert around(fresh, "third").pause == ("default", pauses.Pause(moment(-5)))


def test_the_job_with_which_it_began_is_found_along_the_chain(stocked):
    for id, after in (("a", None), ("b", ["a"]), ("c", ["b"])):
        added(stocked, id, after=after)
    stocked.change(["a"], lambda job: lifecycle.cancel(job, NOW))
    assert stocked.find("c").state == "dead"
    assert around(stocked, "c").root == "a"
    stocked.remove(["a"])
    assert around(stocked, "b").root == "b"


def test_without_room_a_job_that_is_ready_says_so_and_others_what_else_they_wait_for(stocked, monkeypatch):
    added(stocked, "ready")
    added(stocked, "held", held=True)
    assert around(stocked, "ready").room is None
    monkeypatch.setattr(ballast.usage, "free", lambda directory: 20000)
    assert around(stocked, "ready").room is None
    os.truncate(stocked.paths.ballast, 4096)
    full = around(stocked, "ready").room
    assert full == "no room on the disk: workers start nothing before 1 MB is free"
    assert why(job(), room=full) == full
    assert full not in why(job(held=True), room=full)
    assert "no worker is running" in why(job(), room=full, workers=0)
