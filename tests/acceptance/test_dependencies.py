"""Jobs that come after others, queues with limits, jobs with a time to start in: the real program, real workers."""

import json

import pytest

from support import wait_until

NOTED = "echo $QUEUECTL_JOB_ID >> order"


@pytest.mark.short
def test_jobs_run_after_those_they_come_after(queue):
    queue.enqueue("--id", "a", NOTED)
    queue.enqueue("--id", "b", "--after", "a", NOTED)
    queue.enqueue("--id", "c", "--after", "a,b", "--priority", "-5", NOTED)
    assert queue.job("c")["waits_for"] == ["a", "b"]
    assert "waits for a (pending) and b (pending) to complete" in queue.run("show", "c").out
    queue.work(count=3)
    assert queue.text("order").split() == ["a", "b", "c"]
    assert queue.job("c")["after"] == ["a", "b"] and queue.job("c")["waits_for"] is None


@pytest.mark.short
def test_a_batch_may_name_its_own_jobs_in_any_order(queue):
    jobs = [{"id": "report", "command": NOTED, "after": ["left", "right"]},
            {"id": "left", "command": NOTED, "after": ["fetch"]}, {"id": "right", "command": NOTED, "after": ["fetch"]},
            {"id": "fetch", "command": NOTED}]
    queue.run("enqueue", "--file", "-", input="\n".join(map(json.dumps, jobs)))
    queue.work(count=4)
    order = queue.text("order").split()
    assert order[0] == "fetch" and order[-1] == "report" and len(order) == 4


def test_a_circle_is_refused_and_nothing_is_stored(queue):
    jobs = [{"id": "a", "command": "true", "after": ["b"]}, {"id": "b", "command": "true", "after": ["a"]}]
    refused = queue.run("enqueue", "--file", "-", input=json.dumps(jobs), code=2)
    assert "in a circle: a -> b -> a" in refused.err or "in a circle: b -> a -> b" in refused.err
    assert queue.jobs() == []


def test_an_unknown_job_cannot_be_waited_for(queue):
    refused = queue.run("enqueue", "--after", "nobody", "true", code=1)
    assert "nobody" in refused.err and queue.jobs() == []


@pytest.mark.parametrize("nothing", ["", ","])
def test_an_unset_variable_is_no_job_to_wait_for(queue, nothing):
    refused = queue.run("enqueue", "--after", nothing, "true", code=2)
    assert "--after: want the id of a job" in refused.err and queue.jobs() == []


@pytest.mark.short
def test_when_a_job_dies_those_behind_it_do_and_its_retry_brings_them_back(queue):
    queue.enqueue("--id", "root", "--max-retries", "0", "test -e mended")
    queue.enqueue("--id", "leaf", "--after", "root", "true")
    queue.enqueue("--id", "end", "--after", "leaf", "true")
    queue.work()
    assert queue.states() == {"root": "dead", "leaf": "dead", "end": "dead"}
    assert queue.job("end")["error"] == "it comes after leaf, which is dead"
    queue.write("mended", "x")
    assert queue.run("dlq", "retry", "root").out.split()[0] == "root"
    queue.work()
    assert queue.states() == {"root": "completed", "leaf": "completed", "end": "completed"}


@pytest.mark.parametrize("shape", ["chain", "fan"])
def test_thousands_of_them_come_through(queue, shape):
    count = 3000
    lines = ['{"id": "0", "command": "true"}'] + [
        '{"id": "%d", "command": "true", "after": ["%d"]}' % (number, number - 1 if shape == "chain" else 0)
        for number in range(1, count)]
    queue.run("enqueue", "--file", "-", input="\n".join(lines))
    queue.work(count=2)
    assert queue.read("status")["states"]["completed"] == count


def test_a_chain_of_thousands_dies_with_its_root_and_is_retried_with_it(queue):
    count = 3000
    lines = ['{"id": "0", "command": "true"}'] + [
        '{"id": "%d", "command": "true", "after": ["%d"]}' % (number, number - 1) for number in range(1, count)]
    queue.run("enqueue", "--file", "-", input="\n".join(lines))
    queue.run("cancel", "0")
    assert queue.read("status")["states"]["dead"] == count - 1
    queue.run("retry", "0")
    assert queue.read("status")["states"]["pending"] == count


@pytest.mark.short
def test_no_more_of_a_queue_run_at_once_than_its_limit(queue):
    queue.run("config", "set", "queue.mail.limit", "2")
    watch = "mkdir running.$QUEUECTL_JOB_ID; ls -d running.* | wc -l >> seen; sleep 0.1; rmdir running.$QUEUECTL_JOB_ID"
    for _ in range(8):
        queue.enqueue("--queue", "mail", watch)
    queue.work(count=6)
    assert max(map(int, queue.text("seen").split())) <= 2


def test_a_raised_limit_lets_waiting_workers_go_on(queue):
    queue.run("config", "set", "queue.mail.limit", "1")
    queue.enqueue("--queue", "mail", "--id", "first", "while [ ! -e go ]; do sleep 0.05; done")
    queue.enqueue("--queue", "mail", "--id", "second", "true")
    queue.start_workers(count=2)
    queue.wait_for_state("first", "processing")
    assert queue.job("second")["state"] == "pending"
    queue.run("config", "set", "queue.mail.limit", "2")
    queue.wait_for_state("second", "completed")
    queue.write("go", "x")


def test_heavy_jobs_count_as_several(queue):
    queue.run("config", "set", "queue.video.limit", "3")
    watch = "mkdir running.$QUEUECTL_JOB_ID; ls -d running.* | wc -l >> seen; sleep 0.1; rmdir running.$QUEUECTL_JOB_ID"
    for _ in range(4):
        queue.enqueue("--queue", "video", "--slots", "2", watch)
    queue.work(count=4)
    assert max(map(int, queue.text("seen").split())) == 1


def test_a_job_that_could_not_be_started_in_time_is_in_the_dlq(queue):
    id = queue.enqueue("--expires", "50ms", "true")
    wait_until(lambda: queue.run("show", id).out.find("expired") > 0, "its time has passed")
    queue.work()
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("dead", 0)
    assert job["error"].startswith("expired: it was not started by ")


def test_a_held_job_waits_whatever_else_is_free(queue):
    id = queue.enqueue("--hold", "true")
    queue.work()
    assert queue.job(id)["state"] == "pending"
    assert "it is held" in queue.run("show", id).out
