"""New jobs by the API: the command line's rules, all or none, and safe to ask for twice."""

import os
import threading

import pytest

from queuectl_lib.job import history, lifecycle
from tests.web import api


@pytest.fixture
def here(tmp_path):
    return api.Routes(tmp_path)


def stored(here):
    return [job.id for job in here.store().jobs()]


# --- one, and many

def test_one_job_is_stored_and_told(here):
    answer = here.ask("POST", "/api/jobs", {"id": "x", "command": "true", "priority": -5, "timeout": "5m", "after": [], "held": True})
    assert answer.status == 201 and answer.headers == {"Location": "/api/jobs/x"} and answer.data["ids"] == ["x"]
    [job] = answer.data["jobs"]
    assert (job["priority"], job["timeout"], job["held"], job["cwd"]) == (-5, 300, True, here.directory)
    assert here.get("/api/jobs/x")["history"] == job["history"]


def test_what_one_server_told_of_a_job_can_be_given_to_another(here, tmp_path):
    (tmp_path / "other").mkdir()
    there = api.Routes(tmp_path / "other")
    there.post("/api/jobs", here.post("/api/jobs", {"id": "y", "command": "true", "queue": "mail", "priority": 3}, 201)["jobs"], 201)
    assert [(job.id, job.queue, job.priority) for job in there.store().jobs()] == [("y", "mail", 3)]


def test_defaults_are_those_of_the_settings(here):
    here.give({})
    with open(here.store().paths.config, "w") as file:
        file.write('{"max_retries": 7, "timeout": 60}')
    os.chmod(here.store().paths.config, 0o600)
    [job] = here.post("/api/jobs", {"command": "true"}, 201)["jobs"]
    assert (job["max_retries"], job["timeout"]) == (7, 60)


@pytest.mark.parametrize("count", [3, 2500])
def test_an_array_is_stored_as_a_whole_in_its_order(here, count):
    answer = here.ask("POST", "/api/jobs", [{"command": "true", "id": "j%d" % number} for number in range(count)])
    assert answer.status == 201 and "Location" not in answer.headers
    assert answer.data["ids"] == ["j%d" % number for number in range(count)] == stored(here)
    assert len(answer.data["jobs"]) == min(count, 100)


@pytest.mark.parametrize("count", [3, 2500])
@pytest.mark.parametrize("bad, text", [
    ({}, "a job needs a command"), ({"command": "x", "prio": 1}, "unknown field 'prio' (did you mean priority?)"),
    ("true", "a job is a JSON object, not text"), (None, "a job is a JSON object, not null"),
    ({"command": "x", "env": {"A": 1}}, "env: A: want text"), ({"command": "x", "timeout": float("nan")}, "timeout: not a duration"),
    ({"command": "x", "id": "../x"}, "id: want letters")])
def test_of_an_array_with_one_that_is_no_job_none_is_stored(here, count, bad, text):
    error = here.post("/api/jobs", [{"command": "true"}] * (count - 1) + [bad], 400)["error"]
    assert error.startswith("job %d: %s" % (count, text)) and error.endswith("nothing was enqueued")
    assert stored(here) == []


@pytest.mark.parametrize("body, text", [
    ({"command": ""}, "command is empty"), (1, "a job is a JSON object, not a number"), (None, "the body is no JSON"),
    (b"{", "the body is no JSON"), (b'{"command": "\xff"}', "the body is no JSON")])
def test_a_body_that_is_no_job_is_400(here, body, text):
    assert here.post("/api/jobs", body, 400)["error"].startswith(text)


def test_a_body_that_is_nested_too_deeply_is_400(here):
    assert here.post("/api/jobs", b"[" * 100000, 400)["error"].startswith("the body is no JSON")


def test_an_id_that_is_there_is_409(here):
    here.give({"id": "x"})
    assert here.post("/api/jobs", {"id": "x", "command": "true"}, 409)["error"] == "a job with the id x is already there"
    assert "already there" in here.post("/api/jobs", [{"command": "true"}, {"id": "x", "command": "true"}], 409)["error"]
    assert "stands twice" in here.post("/api/jobs", [{"id": "y", "command": "true"}] * 2, 409)["error"]
    assert stored(here) == ["x"]


def test_jobs_that_can_never_run_are_told_as_they_are_stored(here):
    here.give({"id": "gone"})
    here.post("/api/jobs/gone/cancel")
    for job in here.post("/api/jobs", [{"command": "true", "after": ["gone"]}] * 2, 201)["jobs"]:
        assert (job["state"], job["error"]) == ("dead", "it comes after gone, which was cancelled")
        stored_job = here.get("/api/jobs/" + job["id"])
        assert stored_job["why"] == job["error"] and stored_job["state"] == "dead"


# --- twice

@pytest.mark.parametrize("count", [1, 3, 2500])
def test_a_repeat_is_told_of_the_same_jobs(here, count):
    jobs = [{"command": "true", "priority": number} for number in range(count)]
    body = jobs[0] if count == 1 else jobs
    first = here.ask("POST", "/api/jobs", body, Idempotency_Key="k")
    again = here.ask("POST", "/api/jobs", body, Idempotency_Key="k")
    assert (first.status, again.status) == (201, 200)
    assert first.data == again.data and first.headers == again.headers
    assert len(stored(here)) == len(set(first.data["ids"])) == count
    other = here.ask("POST", "/api/jobs", body, Idempotency_Key="l")
    assert other.status == 201 and set(other.data["ids"]).isdisjoint(first.data["ids"])


ONE = {"command": "true"}


@pytest.mark.parametrize("first, second", [
    (ONE, {"command": "false"}), (ONE, {"command": "true", "priority": 1}), ({"command": "true", "priority": 1}, ONE),
    (ONE, {"command": "true", "env": {"A": "1"}}), (ONE, {"command": "true", "queue": "mail"}), (ONE, [ONE, ONE]), ([ONE, ONE], ONE),
    ([ONE, ONE], [ONE, {"command": "false"}]), (ONE, {"command": "true", "max_retries": 7}), (ONE, {"command": "true", "cwd": "/"}),
    (ONE, {"command": "true", "run_timeout": 7})])
def test_another_body_under_the_same_key_is_422(here, first, second):
    here.post("/api/jobs", first, 201, Idempotency_Key="k")
    before = list(here.store().jobs())
    assert "was used for another request" in here.post("/api/jobs", second, 422, Idempotency_Key="k")["error"]
    assert list(here.store().jobs()) == before


def test_a_repeat_is_one_whatever_has_become_of_the_job(here):
    body = {"command": "true", "priority": 1, "run_at": "2099-01-01T00:00:00Z", "held": True}
    [id] = here.post("/api/jobs", body, 201, Idempotency_Key="k")["ids"]
    for change in (lambda: here.post("/api/jobs/%s/release" % id), lambda: here.ask("PATCH", "/api/jobs/" + id, {"priority": 9}),
                   lambda: here.post("/api/jobs/%s/cancel" % id), lambda: here.post("/api/jobs/%s/retry" % id),
                   lambda: here.become(id, state="completed")):
        change()
        [job] = here.post("/api/jobs", body, 200, Idempotency_Key="k")["jobs"]
        assert job["id"] == id
    assert job["state"] == "completed" and job["priority"] == 9
    assert len(stored(here)) == 1


def test_a_repeat_is_one_though_the_history_has_lost_what_changed_it(here):
    body = {"command": "true", "priority": 1}
    [id] = here.post("/api/jobs", body, 201, Idempotency_Key="k")["ids"]
    here.ask("PATCH", "/api/jobs/" + id, {"priority": 9})
    for now in range(history.LONGEST):
        here.store().change([id], lambda job: (lifecycle.release if job.held else lifecycle.hold)(job, now))
    here.post("/api/jobs", body, 200, Idempotency_Key="k")


def test_a_repeat_is_one_after_the_settings_and_the_servers_directory_have_changed(here, tmp_path):
    body = {"command": "true"}
    here.post("/api/jobs", body, 201, Idempotency_Key="k")
    with open(here.store().paths.config, "w") as file:
        file.write('{"max_retries": 7, "timeout": 60}')
    os.chmod(here.store().paths.config, 0o600)
    here.site = here.site._replace(cwd="/")
    here.post("/api/jobs", body, 200, Idempotency_Key="k")


def test_an_id_of_ones_own_is_a_repeat_only_beside_a_job_that_the_key_has_made(here):
    mixed = [{"command": "true"}, {"command": "true", "id": "x"}]
    ids = here.post("/api/jobs", mixed, 201, Idempotency_Key="k")["ids"]
    assert here.post("/api/jobs", mixed, 200, Idempotency_Key="k")["ids"] == ids and ids[1] == "x"
    for command in ("true", "false"):
        assert "already there" in here.post("/api/jobs", {"command": command, "id": "x"}, 409, Idempotency_Key="l")["error"]
    clash = [{"command": "true"}, {"command": "false", "id": "x"}]
    assert "already there" in here.post("/api/jobs", clash, 409, Idempotency_Key="m")["error"]
    assert "stands twice" in here.post("/api/jobs", [{"id": "y", "command": "true"}] * 2, 409, Idempotency_Key="n")["error"]
    assert len(stored(here)) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\u00e4", "a\nb"])
def test_a_key_that_is_none_is_400(here, key):
    assert "Idempotency-Key" in here.post("/api/jobs", {"command": "true"}, 400, Idempotency_Key=key)["error"]


@pytest.mark.short
def test_of_many_who_ask_at_once_one_stores_the_jobs(queue, form):
    def ask():
        gate.wait()
        answers.append(client.ask("POST", "/api/jobs", [{"command": "true"}] * 3, Idempotency_Key="same"))

    with api.dashboard(queue) as client:
        gate, answers = threading.Barrier(6), []
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 5 + [201]
    assert all(answer.data == answers[0].data for answer in answers)
    assert sorted(queue.states()) == answers[0].data["ids"]
