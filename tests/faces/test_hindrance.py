"""What is said of waiting that may be in vain; that is, nothing while there is hope."""

import pytest

from queuectl_lib.faces import hindrance, reading
from queuectl_lib.job import lifecycle
from queuectl_lib.store.pauses import Pause
from queuectl_lib.words import clock
from tests.store.stores import Here, stop_the_clock

SERVANTS = {"forsaken": reading.Servants(0, 0), "left": reading.Servants(0, 1)}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A store whose queues are all served."""
    one = Here(str(tmp_path / "store"))
    stop_the_clock(monkeypatch, one)
    monkeypatch.setattr(reading, "servants", lambda store, queue: SERVANTS.get(queue, reading.Servants(1, 0)))
    yield one
    one.close()


def pause(here, **pauses):
    here.store.change_pauses(lambda before: pauses)


def test_while_there_is_hope_nothing_is_said(here):
    here.add("a", "b")
    here.add_in(3600, "late")
    here.claim(here.worker())
    pause(here, default=Pause(clock.moment(here.now), None, clock.moment(here.now + 1000)), mail=Pause(on_failure=True))
    assert hindrance.of_jobs(here.store, ["a", "b", "late", "unknown"]) == hindrance.of_store(here.store) == []


def test_what_hinders_a_job_is_said(here):
    here.add("held", held=True)
    here.add("after", after=["held"])
    here.add("mail", queue="mail")
    here.add("alone", queue="forsaken")
    pause(here, mail=Pause(clock.moment(here.now), "new server"))
    assert hindrance.of_jobs(here.store, ["held", "after", "mail", "alone"]) == [
        "job held is held: release it with: queuectl release held",
        "job after comes after held, and job held is held: release it with: queuectl release held",
        "the queue mail is paused (new server): queuectl resume mail",
        "no worker that serves the queue forsaken is running: start one with: queuectl worker start"]
    assert len(hindrance.of_store(here.store)) == 3


def test_workers_that_leave_finish_what_they_run_and_start_nothing(here):
    here.add("running", "waiting", queue="left")
    here.claim(here.worker())
    assert hindrance.of_jobs(here.store, ["running"]) == []
    assert hindrance.of_jobs(here.store, ["waiting"]) == [
        "all workers that serve the queue left are leaving: start one with: queuectl worker start"]


def test_of_a_store_only_those_next_to_run_are_asked(here):
    here.add("held", held=True)
    here.add("ready")
    assert hindrance.of_store(here.store) == []
    here.run("ready")
    assert len(hindrance.of_store(here.store)) == 1


def test_the_same_is_said_once(here):
    here.add("a", held=True)
    said = []
    moments = iter(range(100))
    complaints = hindrance.Complaints(lambda: hindrance.of_jobs(here.store, ["a"]), said.append, clock=lambda: next(moments) * 10)
    for _ in range(5):
        complaints.look()
    assert len(said) == 1
    here.store.change(["a"], lambda job: lifecycle.release(job, here.now))
    pause(here, default=Pause(clock.moment(here.now)))
    complaints.look()
    assert said[1:] == ["the queue default is paused: queuectl resume default"]
    pause(here, **{"*": Pause(clock.moment(here.now))})
    complaints.look()
    assert said[2:] == ["all queues are paused: queuectl resume"]


def test_of_two_pauses_the_one_that_lasts_is_told(here):
    here.add("a")
    soon, since = clock.moment(here.now + 1000), clock.moment(here.now)
    for lasting, brief in (("*", "default"), ("default", "*")):
        pause(here, **{brief: Pause(since, "brief", soon), lasting: Pause(since, "lasting")})
        [text] = hindrance.of_jobs(here.store, ["a"])
        assert "(lasting)" in text
