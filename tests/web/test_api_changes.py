"""What the API does to jobs that are there, one or many, and to queues: by the command line's rules."""

import pytest

from queuectl_lib.store import store as stores
from queuectl_lib.work import wake
from tests.support import is_running, wait_until
from tests.web import api


@pytest.fixture
def here(tmp_path):
    return api.Routes(tmp_path)


@pytest.fixture
def stocked(here):
    """Jobs a, b (queue mail), c (held), d (dead), e (completed), f (failed)."""
    here.give({"id": "a", "command": "one"}, {"id": "b", "queue": "mail", "command": "two"}, {"id": "c", "held": True},
              {"id": "d"}, {"id": "e"}, {"id": "f"})
    here.become("d", state="dead", attempts=4, error="No space left")
    here.become("e", state="completed", attempts=1)
    here.become("f", state="failed", attempts=1, next_run_at="2099-01-01T00:00:00.000Z")
    return here


# --- one job

def test_each_change_answers_with_the_job_as_it_is_then(stocked):
    assert stocked.post("/api/jobs/d/retry")["state"] == "pending"
    assert stocked.post("/api/jobs/a/hold")["held"] is True
    assert stocked.post("/api/jobs/a/release")["held"] is None
    assert stocked.post("/api/jobs/a/cancel", {})["state"] == "cancelled"
    assert stocked.get("/api/jobs/a")["can"] == ["retry", "edit"]


@pytest.mark.parametrize("target, text", [
    ("/api/jobs/e/cancel", "nothing to cancel"), ("/api/jobs/a/retry", "waiting to run already"),
    ("/api/jobs/c/hold", "held already"), ("/api/jobs/a/release", "is not held")])
def test_what_cannot_happen_is_409_and_changes_nothing(stocked, target, text):
    before = list(stocked.store().jobs())
    assert text in stocked.post(target, status=409)["error"]
    assert list(stocked.store().jobs()) == before


def test_a_body_that_says_what_nobody_asked_is_refused(stocked):
    assert "unknown field 'wait'" in stocked.post("/api/jobs/a/cancel", {"wait": True}, 400)["error"]
    assert "want an object, not a list" in stocked.post("/api/jobs/a/cancel", [], 400)["error"]
    assert "no JSON" in stocked.post("/api/jobs/a/cancel", b"{", 400)["error"]
    assert stocked.states()["a"] == "pending"


def test_edit_changes_what_it_is_told(stocked):
    edited = stocked.ask("PATCH", "/api/jobs/a", {
        "priority": -3, "queue": "bulk", "timeout": "5m", "max_retries": 0, "command": "new", "run_at": "2099-01-01T00:00:00Z"})
    assert edited.status == 200
    wanted = {"priority": -3, "queue": "bulk", "timeout": 300, "max_retries": 0, "command": "new", "run_at": "2099-01-01T00:00:00.000Z"}
    assert {name: edited.data[name] for name in wanted} == wanted
    assert stocked.ask("PATCH", "/api/jobs/a", {"timeout": None}).data["timeout"] is None
    assert "that is what it is already" in stocked.ask("PATCH", "/api/jobs/a", {"priority": -3}).data["error"]


@pytest.mark.parametrize("body, text", [
    ({}, "what is to be changed?"), ({"prio": 1}, "unknown field 'prio' (did you mean priority?)"), ({"state": "dead"}, "unknown field"),
    ({"priority": "1"}, "priority: want a whole number"), ({"queue": "a b"}, "queue: want letters"), ({"command": ""}, "command is empty"),
    ({"timeout": -1}, "timeout: "), ({"run_at": None}, "run_at: "), ({"priority": 1, "queue": ""}, "queue: ")])
def test_what_no_job_can_be_is_400(stocked, body, text):
    before = stocked.store().find("a")
    answer = stocked.ask("PATCH", "/api/jobs/a", body)
    assert answer.status == 400 and text in answer.data["error"]
    assert stocked.store().find("a") == before


def test_a_dead_job_is_removed_and_no_other(stocked):
    assert stocked.ask("DELETE", "/api/jobs/d") == (200, {"removed": ["d"]}, {})
    assert "is not in the dead letter queue" in stocked.ask("DELETE", "/api/jobs/a").data["error"]
    assert set(stocked.states()) == set("abcef")
    assert stocked.ask("DELETE", "/api/jobs/d").status == 404


# --- many jobs

def test_named_jobs_are_changed_and_each_that_cannot_be_is_told(stocked):
    told = stocked.post("/api/jobs/hold", {"ids": ["a", "c", "nobody", "e", "b", "a", "\ud800"]})
    assert (told["changed"], told["ids"], told["followers"]) == (2, ["a", "b"], 0)
    assert [one["id"] for one in told["refused"]] == ["c", "nobody", "e", "\ud800"]
    assert "held already" in told["refused"][0]["error"]


@pytest.mark.parametrize("verb, body, ids", [
    ("hold", {"all": True}, "abf"), ("hold", {"state": "failed"}, "f"), ("hold", {"state": ["failed", "pending"], "queue": "mail"}, "b"),
    ("hold", {"search": "TWO"}, "b"), ("hold", {"state": ["completed"]}, ""), ("release", {"all": True}, "c"),
    ("cancel", {"queue": ["mail", "default"], "state": "pending"}, "cba"), ("retry", {"all": True}, "d"),
    ("retry", {"queue": "default"}, "d"), ("retry", {"state": ["failed", "completed"]}, "ef"), ("retry", {"search": "no space"}, "d")])
def test_a_selection_takes_what_can_be_changed_alone(stocked, verb, body, ids):
    told = stocked.post("/api/jobs/" + verb, body)
    assert (sorted(told["ids"]), told["changed"], told["refused"]) == (sorted(ids), len(ids), [])


@pytest.mark.parametrize("body, text", [
    ({}, "which jobs?"), ({"ids": []}, "which jobs?"), ({"all": False}, "which jobs?"), ({"state": []}, "which jobs?"),
    ({"ids": ["a"], "all": True}, "not both"), ({"ids": [], "all": True}, "not both"), ({"ids": [1]}, "ids: want text"),
    ({"ids": {"a": 1}}, "ids: want text"), ({"state": "deed"}, "did you mean dead?"), ({"queue": "a b"}, "queue: want"),
    ({"all": "yes"}, "all: want true or false"), ({"search": 1}, "search: want text"), ({"id": "a"}, "did you mean ids?"),
    ([], "want an object")])
def test_a_selection_that_means_nothing_changes_nothing(stocked, body, text):
    for verb in ("hold", "release", "cancel", "retry"):
        assert text in stocked.post("/api/jobs/" + verb, body, 400)["error"]
    assert stocked.states() == dict(a="pending", b="pending", c="pending", d="dead", e="completed", f="failed")


def test_no_more_ids_are_told_than_anybody_reads(here):
    here.give(*[{} for _ in range(1200)])
    told = here.post("/api/jobs/hold", {"all": True})
    assert (told["changed"], len(told["ids"])) == (1200, 1000)
    told = here.post("/api/jobs/hold", {"ids": told["ids"]})
    assert (told["changed"], len(told["refused"])) == (0, 100)


def test_those_that_come_after_are_counted(here):
    here.give({"id": "w0"}, *[{"id": "w%d" % number, "after": "w%d" % (number - 1)} for number in range(1, 5)])
    assert here.post("/api/jobs/cancel", {"ids": ["w1"]}) == {"changed": 1, "ids": ["w1"], "refused": [], "followers": 3}
    assert here.post("/api/jobs/retry", {"ids": ["w1"]})["followers"] == 3
    told = here.post("/api/jobs/cancel", {"all": True})
    assert (told["changed"], told["followers"]) == (5, 0)
    assert here.post("/api/jobs/retry", {"state": "cancelled"})["changed"] == 5
    assert set(here.states().values()) == {"pending"}


def test_where_there_is_no_store_there_is_nothing_to_change(here):
    for target in ("/api/jobs/retry", "/api/jobs/cancel"):
        assert "nothing was enqueued yet" in here.post(target, {"all": True}, 409)["error"]
    assert "nothing was enqueued yet" in here.post("/api/resume", status=409)["error"]
    assert here.ask("DELETE", "/api/jobs/x").status == 404


# --- queues

def test_queues_are_paused_and_resumed(here):
    here.give({})
    told = here.post("/api/queues/mail/pause", {"reason": "new server", "for": "2h"})
    assert told["queues"]["mail"]["reason"] == "new server" and told["queues"]["mail"]["until"] and told["all"] is None
    told = here.post("/api/pause")
    assert set(told["queues"]) == {"mail"} and told["all"]["reason"] is None
    status = here.get("/api/status")
    assert status["paused"]["reason"] is None and status["queues"]["mail"]["paused"]["reason"] == "new server"
    assert status["queues"]["default"]["paused"] == status["paused"]
    assert "paused already" in here.post("/api/pause", status=409)["error"]
    assert here.post("/api/resume")["all"] is None
    assert here.post("/api/queues/mail/resume") == {"queues": {}, "all": None}
    assert "not paused: mail" in here.post("/api/queues/mail/resume", status=409)["error"]


@pytest.mark.parametrize("target, body, text", [
    ("/api/queues/a%20b/pause", {}, "queue: want letters"), ("/api/queues/*/pause", {}, "queue: want letters"),
    ("/api/queues//pause", {}, "queue: want"), ("/api/pause", {"for": "soon"}, "for: not a duration"),
    ("/api/pause", {"for": [1]}, "for: not a duration"), ("/api/pause", {"reason": 1}, "reason: want text"),
    ("/api/pause", {"until": "x"}, "unknown field 'until'"), ("/api/resume", {"reason": "x"}, "unknown field")])
def test_what_is_no_queue_or_no_pause_is_400(here, target, body, text):
    here.give({})
    assert text in here.post(target, body, 400)["error"]
    assert here.store().pauses() == {}


# --- beside the store

def test_whatever_may_give_work_wakes_a_sleeping_worker(here):
    here.give({"id": "x", "queue": "mail", "held": True})
    bell = wake.Bell(stores.open_store(here.site.store).paths, ["mail"])
    gives = [lambda: here.post("/api/jobs/x/release"), lambda: here.ask("PATCH", "/api/jobs/x", {"priority": 1}),
             lambda: here.give({"queue": "mail"}), lambda: here.post("/api/queues/mail/pause") and here.post("/api/queues/mail/resume"),
             lambda: here.post("/api/jobs/hold", {"all": True}) and here.post("/api/jobs/release", {"all": True}),
             lambda: here.post("/api/jobs/cancel", {"all": True}) and here.post("/api/jobs/retry", {"state": "cancelled"})]
    try:
        for give in gives:
            bell.emptied()
            give()
            assert bell.emptied()
    finally:
        bell.close()


@pytest.mark.short
def test_a_job_fails_and_is_retried_and_a_running_one_is_ended(queue, form):
    with api.dashboard(queue) as client:
        queue.run("config", "set", "max_retries", "0")
        assert client.ask("POST", "/api/jobs", {"id": "x", "command": "test -e mended"}).status == 201
        queue.start_workers()
        queue.wait_for_state("x", "dead")
        job = client.ask("GET", "/api/jobs/x").data
        assert job["why"].startswith("its only attempt failed (exit 1)") and job["can"] == ["retry", "edit", "remove"]
        assert client.ask("GET", "/api/status").data["states"]["dead"] == 1
        queue.write("mended", b"")
        assert client.ask("POST", "/api/jobs/retry", {"all": True}).data["ids"] == ["x"]
        queue.wait_for_state("x", "completed")
        assert client.ask("POST", "/api/jobs/x/cancel").status == 409
        assert client.ask("POST", "/api/jobs", {"id": "long", "command": "echo $$ > pid; exec sleep 600"}).status == 201
        pid = int(queue.wait_for_file("pid"))
        assert client.ask("POST", "/api/jobs/cancel", {"ids": ["long"]}).data["changed"] == 1
        wait_until(lambda: not is_running(pid), "the command is gone")
        queue.run("worker", "stop")
