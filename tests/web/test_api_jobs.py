"""A page of jobs and one job, as the API tells them."""

import json
import os

import pytest

from queuectl_lib.faces.web import jobs
from queuectl_lib.job import record
from queuectl_lib.store import disk, paths, roll, sift
from tests.support import wait_until
from tests.web import api


@pytest.fixture
def here(tmp_path):
    return api.Routes(tmp_path)


@pytest.fixture
def stocked(here):
    """Jobs a (priority 2), b (queue mail), c (held), d (dead), e (completed), f (failed)."""
    here.give({"id": "a", "command": "echo one", "priority": 2}, {"id": "b", "queue": "mail", "command": "send two"},
              {"id": "c", "held": True}, {"id": "d"}, {"id": "e"}, {"id": "f"})
    here.become("d", state="dead", attempts=4, exit_code=3, finished_at="2026-01-01T00:00:00.000Z")
    here.become("e", state="completed", attempts=1, duration=1.5, finished_at="2026-01-01T00:00:00.000Z")
    here.become("f", state="failed", attempts=1, next_run_at="2099-01-01T00:00:00.000Z")
    return here


# --- a page

def test_a_store_that_is_not_there_has_no_jobs_and_none_is_made(here):
    page = here.get("/api/jobs")
    assert (page["jobs"], page["next"], page["total"], page["complete"], page["sorted_of"]) == ([], None, 0, True, None)
    assert here.get("/api/jobs?sort=id")["jobs"] == []
    assert here.get("/api/jobs/x", 404)["error"].startswith("no job has the id x")
    assert not os.path.exists(here.site.store)


def test_the_order_is_that_of_list(stocked):
    assert stocked.ids() == [job.id for job in stocked.store().jobs()] == ["b", "a", "f", "c", "d", "e"]


@pytest.mark.parametrize("query, ids", [
    ("?state=dead", ["d"]), ("?state=dead&state=completed", ["d", "e"]), ("?state=dead,completed", ["d", "e"]),
    ("?queue=mail", ["b"]), ("?queue=mail,default&state=pending", ["b", "a", "c"]), ("?search=TWO", ["b"]),
    ("?search=one&queue=mail", []), ("?state=&search=&limit=", ["b", "a", "f", "c", "d", "e"]),
    ("?sort=id", ["a", "b", "c", "d", "e", "f"]), ("?sort=-id", ["f", "e", "d", "c", "b", "a"]),
    ("?sort=-attempts&state=dead,completed,failed", ["d", "f", "e"]), ("?sort=duration&limit=1", ["e"]),
    ("?sort=id&search=e", ["a", "b", "c", "d", "e", "f"])])
def test_jobs_are_those_that_are_asked_for(stocked, query, ids):
    assert stocked.ids(query) == ids


@pytest.mark.parametrize("query", ["", "&sort=id", "&sort=-created_at", "&search=true", "&search=true&sort=id", "&state=pending"])
def test_pages_follow_each_other_without_gap_and_twice(here, query):
    given = set(here.give(*[{} for _ in range(25)]))
    seen, cursor = [], ""
    while cursor is not None:
        page = here.get("/api/jobs?limit=7" + query + cursor)
        assert len(page["jobs"]) == 7 or page["next"] is None
        seen += [row["id"] for row in page["jobs"]]
        cursor = page["next"] and "&cursor=" + page["next"]
    assert len(seen) == 25 and set(seen) == given


def test_how_many_there_are_is_told_as_long_as_it_is_known(stocked):
    assert stocked.get("/api/jobs?limit=2")["total"] == 6
    assert stocked.get("/api/jobs?state=pending&queue=default")["total"] == 2
    assert stocked.get("/api/jobs?search=true")["total"] is None
    assert stocked.get("/api/jobs?sort=id&limit=1")["total"] == 6
    assert stocked.get("/api/jobs?sort=id&search=true")["total"] is None


@pytest.mark.parametrize("search", ["", "&search=true"])
def test_of_many_jobs_the_first_alone_are_sorted_and_that_is_told(here, monkeypatch, search):
    monkeypatch.setattr(jobs, "SORTED", 20)
    here.give(*[{"id": "j%02d" % number} for number in range(30)])
    page = here.get("/api/jobs?sort=-id&limit=3" + search)
    assert [row["id"] for row in page["jobs"]] == ["j19", "j18", "j17"]
    assert (page["sorted_of"], page["next"]) == (20, "3")
    last = here.get("/api/jobs?sort=-id&limit=3&cursor=18" + search)
    assert [row["id"] for row in last["jobs"]] == ["j01", "j00"] and last["next"] is None


@pytest.mark.parametrize("query", ["&search=true", "&queue=rare", "&queue=rare&search=true"])
def test_a_sorted_list_of_few_among_many_ends_when_time_is_up(here, monkeypatch, query):
    """It looks at the clock wherever nothing was found, here once for each chunk of two lines."""
    monkeypatch.setattr(sift, "_CHUNK", 1000)
    ids = here.give({"id": "r2", "queue": "rare"}, *[{"command": "echo"}] * 40)
    ids += here.give({"id": "r1", "queue": "rare"})
    here.store().change(ids, lambda job: job._replace(state="completed"))
    roll.roll(here.store(), needless=True)
    monkeypatch.setattr(jobs, "monotonic", lambda times=iter(range(1000)): 0.3 * next(times))
    page = here.get("/api/jobs?sort=id" + query)
    assert ([row["id"] for row in page["jobs"]], page["sorted_of"], page["complete"]) == (["r1"], 1, False)
    monkeypatch.setattr(jobs, "monotonic", lambda: 0)
    page = here.get("/api/jobs?sort=id" + query + "&limit=499")
    assert ([row["id"] for row in page["jobs"]], page["sorted_of"], page["complete"]) == (["r1", "r2"], 2, True)


@pytest.mark.parametrize("query, text", [
    ("?stat=dead", "unknown parameter 'stat' (did you mean state?)"), ("?state=deed", "state: unknown state 'deed' (did you mean dead?)"),
    ("?queue=a%20b", "queue: want letters"), ("?sort=age", "sort: unknown field 'age'"), ("?sort=-durations", "did you mean duration?"),
    ("?limit=0", "limit: want a whole number from 1 to 500"), ("?limit=501", "501"), ("?limit=x", "'x'"), ("?limit=-1", "'-1'"),
    ("?limit=" + "9" * 5000, "limit: want"), ("?limit=1&limit=2", "limit: given 2 times"), ("?limit=%C2%B2", "limit: want"),
    ("?cursor=x", "cursor"), ("?sort=id&cursor=x", "cursor"), ("?sort=id&cursor=-1", "cursor"),
    ("?sort=id&cursor=" + "9" * 99, "cursor"), ("?cursor=1~1~5~~", "cursor"), ("?reveal=true", "unknown parameter 'reveal'")])
def test_what_is_wrong_is_named(here, query, text):
    here.give({})
    assert text in here.get("/api/jobs" + query, 400)["error"]


def test_a_row_says_what_a_table_shows(stocked):
    rows = {row["id"]: row for row in stocked.get("/api/jobs")["jobs"]}
    assert rows["a"]["note"] is None and rows["c"]["note"] == "held" and rows["d"]["note"] == "exit 3"
    assert rows["e"]["note"] == "in 1.5 s" and rows["f"]["note"].startswith("retry in ")
    assert not any(row["lost"] for row in rows.values())
    assert "env" not in rows["a"] and "stdout" not in rows["a"]
    stocked.post("/api/queues/mail/pause")
    assert [row["note"] for row in stocked.get("/api/jobs?queue=mail")["jobs"]] == ["paused"]


def test_a_long_command_is_clipped_in_a_row_alone(here):
    here.give({"id": "x", "command": "echo " + "y" * 2000})
    assert len(here.get("/api/jobs")["jobs"][0]["command"]) == 500
    assert len(here.get("/api/jobs/x")["command"]) == 2005


# --- one job

def test_one_job_is_what_show_prints_and_more(here):
    here.give({"id": "x", "env": {"A": "1"}})
    shown = here.get("/api/jobs/x")
    assert dict(record.public(here.store().find("x")), env={"A": "********"}) == {
        name: shown[name] for name in record.PUBLIC}
    assert shown["why"].startswith("no worker is running") and shown["lost"] is False and shown["now"] >= shown["created_at"]


def test_values_of_variables_are_told_on_request_alone(here):
    secret = "s3cr3t"
    wanted = [{"id": "x", "command": "true", "env": {"KEY": secret}}, {"command": "true", "env": {"KEY": secret}}]
    answers = [here.post("/api/jobs", wanted, status, Idempotency_Key="k") for status in (201, 200)]
    answers += [here.get(target) for target in ("/api/jobs", "/api/jobs/x", "/api/jobs/x?reveal=false", "/api/status", "/metrics")]
    answers += [here.post("/api/jobs/x/" + verb) for verb in ("hold", "release", "cancel", "retry")]
    answers += [here.ask("PATCH", "/api/jobs/x", {"priority": 3}).data]
    answers += [here.post("/api/jobs", {"command": "true", "env": {"KEY": [secret]}}, 400)]
    assert not [answer for answer in answers if secret in json.dumps(answer)]
    assert here.get("/api/jobs/x?reveal=true")["env"] == {"KEY": secret}
    assert "reveal: want true or false" in here.get("/api/jobs/x?reveal=yes", 400)["error"]


@pytest.mark.parametrize("id, error", [
    ("nobody", "no job has the id nobody"), ("a%20b", "no job has an id like that"), ("%2e%2e", "no job has an id like that"),
    ("..%2f..%2fetc", "no job has an id like that"), ("x" * 129, "no job has an id like that"),
    ("%E2%80%AE", "no job has an id like that"), ("-x", "no job has an id like that")])
def test_an_id_that_is_not_there_is_404(here, id, error):
    here.give({"id": "x"})
    assert here.get("/api/jobs/nobody", 404)["error"] == "no job has the id nobody"
    for target in ("/api/jobs/" + id, "/api/jobs/%s/stdout" % id, "/api/jobs/%s/output" % id):
        answer = here.ask("GET", target)
        assert answer.status == 404 and error in answer.data["error"], target
    for method, target in (("POST", "/api/jobs/%s/cancel"), ("PATCH", "/api/jobs/%s"), ("DELETE", "/api/jobs/%s")):
        answer = here.ask(method, target % id, {"priority": 1} if method == "PATCH" else None)
        assert answer.status == 404 and error in answer.data["error"], target


def made(**fields):
    return record.create({"id": "x", "command": "true"}, 0, record.Defaults())._replace(**fields)


@pytest.mark.parametrize("fields, expected", [
    ({}, ["cancel", "hold", "edit"]), ({"held": True}, ["cancel", "release", "edit"]),
    ({"state": "processing"}, ["cancel"]), ({"state": "failed"}, ["retry", "cancel", "hold", "edit"]),
    ({"state": "dead"}, ["retry", "edit", "remove"]), ({"state": "completed"}, ["retry", "edit"]),
    ({"state": "cancelled"}, ["retry", "edit"])])
def test_what_can_be_done_to_a_job(fields, expected):
    assert jobs.can(made(**fields), 1) == expected


def test_a_job_whose_processes_are_being_ended_cannot_be_retried():
    assert jobs.can(made(state="cancelled"), 1, ending=True) == ["edit"]


def test_everything_that_can_be_done_happens_and_nothing_else(here):
    here.give({"id": "held", "held": True}, {"id": "waits"}, {"id": "dead"}, {"id": "done"}, {"id": "gone"}, {"id": "again"})
    here.become("dead", state="dead")
    here.become("done", state="completed")
    here.become("gone", state="cancelled")
    here.become("again", state="failed", attempts=1, next_run_at="2099-01-01T00:00:00.000Z")
    actions = {verb: lambda id, verb=verb: here.ask("POST", "/api/jobs/%s/%s" % (id, verb))
               for verb in ("retry", "cancel", "hold", "release")}
    actions["edit"] = lambda id: here.ask("PATCH", "/api/jobs/" + id, {"priority": 7})
    actions["remove"] = lambda id: here.ask("DELETE", "/api/jobs/" + id)
    for id in here.states():
        before = here.store().find(id)
        possible = here.get("/api/jobs/" + id)["can"]
        for name, act in actions.items():
            assert act(id).status == (200 if name in possible else 409), (id, name)
            if name == "remove" and name in possible:
                here.give({"id": id})
            here.store().change([id], lambda job: before)


# --- a running job (over HTTP, in both forms)

@pytest.mark.short
def test_a_running_job_with_its_progress_and_output(queue, form):
    with api.dashboard(queue) as client:
        watch_it_run(queue, client)


def watch_it_run(queue, client):
    told = client.ask("POST", "/api/jobs", {
        "id": "x", "command": "echo '40 %' > $QUEUECTL_PROGRESS; echo out; echo err >&2; touch begun; "
                              "while [ ! -e go ]; do sleep 0.02; done; echo more"})
    assert told.status == 201 and told.headers["Location"] == "/api/jobs/x"
    queue.start_workers()
    wait_until(lambda: os.path.exists(queue.path("begun")), "it has begun")
    shown = wait_until(lambda: [row for row in client.ask("GET", "/api/jobs").data["jobs"] if row["progress"]], "its progress")
    assert (shown[0]["state"], shown[0]["progress"], shown[0]["lost"]) == ("processing", "40 %", False)
    job = client.ask("GET", "/api/jobs/x").data
    assert (job["why"], job["can"], job["progress"]) == (None, ["cancel"], "40 %")
    assert client.ask("GET", "/api/jobs/x/stdout").data == "out\n" and client.ask("GET", "/api/jobs/x/stderr").data == "err\n"
    written = client.ask("GET", "/api/jobs/x/output").data
    assert (written["running"], written["attempt"], written["stdout"]["text"], written["stderr"]["to"]) == (True, 1, "out\n", 4)
    assert client.ask("GET", "/api/workers").data[0]["job"] == "x"
    queue.write("go", b"")
    queue.wait_for_state("x", "completed")
    rest = client.ask("GET", "/api/jobs/x/output?stdout=4&stderr=4").data
    assert (rest["running"], rest["started_at"], rest["stdout"]["text"]) == (False, written["started_at"], "more\n")
    assert rest["stderr"] == {"text": "", "from": 4, "to": 4, "size": 4, "kept": 4, "left_out": False}
    head = client.ask("HEAD", "/api/jobs/x/stdout")
    assert (head.status, head.data, head.headers["Content-Length"]) == (200, "", "9")


# --- what it costs, and what is wrong with the store

def test_a_call_reads_little_more_than_it_shows_however_many_jobs_there_are(here, monkeypatch):
    def cost(target):
        read.clear()
        answers.append(here.get(target))
        return sum(read)

    read, answers = [], []
    pread = disk.pread
    monkeypatch.setattr(disk, "pread", lambda fd, length, start: read.append(length) or pread(fd, length, start))
    ids = here.post("/api/jobs", [{"command": "echo %d" % number} for number in range(30000)], 201)["ids"]
    last = here.get("/api/jobs?limit=500")["next"]
    for _ in range(20):
        last = here.get("/api/jobs?limit=500&cursor=" + last)["next"]
    whole = sum(os.path.getsize(path) for _, path in paths.segment_files(here.store().paths))
    for target in ("/api/jobs", "/api/jobs?state=pending", "/api/jobs?queue=default", "/api/jobs?cursor=" + last, "/api/jobs?search=echo",
                   "/api/status", "/api/workers", "/api/jobs/" + ids[20000], "/api/jobs/%s/output" % ids[20000]):
        assert cost(target) < whole / 10, target
    assert cost("/api/jobs?search=nothing") >= whole
    assert [row["id"] for row in answers[3]["jobs"]] == ids[10500:10550]


def test_a_store_that_is_damaged_is_503_and_nothing_is_told_of_it_to_a_probe(here):
    here.give({})
    with open(here.store().paths.jobs, "r+b") as file:
        file.seek(100)
        file.write(b"\0\0\0")
    for target in ("/api/jobs", "/api/status", "/api/jobs/x"):
        assert "doctor --repair" in here.get(target, 503)["error"]
    assert here.get("/healthz", 503) == {"ok": False, "error": "the store cannot be read"}


def test_settings_that_cannot_be_read_keep_no_list_from_being_shown(here):
    here.give({"id": "x"})
    here.become("x", priority=1)
    with open(here.store().paths.config, "w") as file:
        file.write("{")
    os.chmod(file.name, 0o600)
    assert here.ids() == ["x"]
    assert "config.json" in here.get("/api/status", 503)["error"]
