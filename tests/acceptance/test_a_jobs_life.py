"""What becomes of one job: it succeeds, fails, is retried, dies, is given another chance, runs out of time."""

import os

import pytest

from support import wait_until

pytestmark = pytest.mark.short


def delays(job):
    return [entry["delay"] for entry in job["history"] if entry["state"] == "failed"]


def story(job):
    return [entry["state"] for entry in job["history"]]


def test_a_job_that_succeeds(queue):
    id = queue.enqueue("echo hello; echo trouble >&2")
    assert queue.job(id)["state"] == "pending"
    queue.work()
    job = queue.job(id)
    assert (job["state"], job["attempts"], job["exit_code"]) == ("completed", 1, 0)
    assert (job["stdout"], job["stderr"]) == ("hello\n", "trouble\n")
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    assert story(job) == ["pending", "processing", "completed"]
    assert queue.run("logs", id, "--stdout").out == "hello\n"


def test_a_job_that_fails_is_retried_with_growing_delays_and_ends_in_the_dlq(queue):
    queue.run("config", "set", "backoff_base", "1.1")
    id = queue.enqueue("--max-retries", 2, "echo $QUEUECTL_ATTEMPT >> runs; exit 3")
    queue.work()
    job = queue.job(id)
    assert (job["state"], job["attempts"], job["exit_code"]) == ("dead", 3, 3)
    assert queue.text("runs").split() == ["1", "2", "3"]
    assert delays(job) == pytest.approx([1.1, 1.1 ** 2])
    assert [dead["id"] for dead in queue.read("dlq", "list")] == [id]
    assert id in queue.run("dlq", "show", id).out
    assert "dlq" in queue.run("status").out.lower()


def test_a_retry_comes_after_its_delay_and_not_before(queue):
    id = queue.enqueue("--max-retries", 1, "date +%s.%N >> moments; exit 1")
    queue.work()
    first, second = [float(line) for line in queue.text("moments").split()]
    assert delays(queue.job(id)) == [2]
    assert second - first >= 2


def test_dlq_retry_gives_a_full_budget_again(queue):
    queue.run("config", "set", "backoff_max", "50ms")
    id = queue.enqueue("--max-retries", 2, "echo $QUEUECTL_ATTEMPT >> runs; exit 1")
    queue.work()
    queue.run("dlq", "retry", id)
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("pending", 0)
    assert queue.read("dlq", "list") == []
    queue.work()
    assert queue.text("runs").split() == ["1", "2", "3"] * 2
    assert queue.job(id)["state"] == "dead"


def test_dlq_retry_all_and_purge(queue):
    queue.run("config", "set", "max_retries", "0")
    ids = [queue.enqueue("--id", name, "test -e mended") for name in ("one", "two", "three")]
    queue.work()
    assert sorted(job["id"] for job in queue.read("dlq", "list")) == sorted(ids)
    queue.write("mended", "")
    queue.run("dlq", "retry", "one")
    queue.run("dlq", "retry", "--all")
    queue.work()
    assert set(queue.states().values()) == {"completed"}
    queue.enqueue("--id", "four", "false")
    queue.work()
    queue.run("dlq", "purge", "--yes")
    assert queue.read("dlq", "list") == []
    queue.run("show", "four", code=1)


def test_retry_runs_a_waiting_or_dead_job_again(queue):
    queue.run("config", "set", "max_retries", "0")
    id = queue.enqueue("echo $QUEUECTL_ATTEMPT >> runs; test -e mended")
    queue.work()
    queue.write("mended", "")
    queue.run("retry", id)
    queue.work()
    assert queue.job(id)["state"] == "completed"


def test_an_invalid_command_fails_with_its_reason_and_the_worker_goes_on(queue):
    queue.run("config", "set", "backoff_max", "50ms")
    bad = queue.enqueue("--max-retries", 1, "no-such-command-here --now")
    broken = queue.enqueue("--max-retries", 0, "if then")
    good = queue.enqueue("echo fine")
    queue.work(count=1)
    job = queue.job(bad)
    assert (job["state"], job["attempts"], job["exit_code"]) == ("dead", 2, 127)
    assert "not found" in job["stderr"]
    assert queue.job(broken)["state"] == "dead" and queue.job(broken)["stderr"]
    assert queue.job(good)["state"] == "completed"


def test_a_directory_that_is_gone_is_a_failed_attempt_with_a_clear_error(queue):
    os.mkdir(queue.path("gone"))
    id = queue.enqueue("--max-retries", 0, "--cwd", "gone", "true")
    good = queue.enqueue("true")
    os.rmdir(queue.path("gone"))
    queue.work(count=1)
    job = queue.job(id)
    assert job["state"] == "dead" and "gone" in job["error"]
    assert queue.job(good)["state"] == "completed"


def test_a_timeout_ends_the_whole_process_tree(queue):
    queue.run("config", "set", "kill_grace", "200ms")
    id = queue.enqueue("--timeout", "300ms", "--max-retries", 0, "sleep 1000 & sleep 1000")
    stubborn = queue.enqueue("--timeout", "300ms", "--max-retries", 0,
                             "trap '' TERM; (trap '' TERM; sleep 1000) & while true; do sleep 0.1; done")
    queue.work(count=2)
    for job in (queue.job(id), queue.job(stubborn)):
        assert job["state"] == "dead" and "timed out after" in job["error"]
    # That nothing of the two trees still runs is checked when the queue is closed.


def test_a_timed_out_job_is_retried(queue):
    queue.run("config", "set", "backoff_max", "50ms")
    id = queue.enqueue("--timeout", "500ms", "[ $QUEUECTL_ATTEMPT -gt 1 ] || sleep 1000")
    queue.work(count=1)
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("completed", 2)
    assert story(job) == ["pending", "processing", "failed", "processing", "completed"]
    assert any("timed out" in entry.get("error", "") for entry in job["history"])


def test_a_job_ended_by_a_signal_says_which(queue):
    id = queue.enqueue("--max-retries", 0, "kill -9 $$")
    queue.work(count=1)
    job = queue.job(id)
    assert (job["state"], job["signal"]) == ("dead", 9)


def test_jobs_outlive_every_stop_and_start(queue):
    """Nothing is in memory: whoever comes next goes on where the store stands."""
    queue.run("config", "set", "backoff_max", "300ms")
    first = queue.enqueue("--id", "first", "echo first >> order")
    flaky = queue.enqueue("--id", "flaky", "echo flaky >> order; [ $QUEUECTL_ATTEMPT -gt 1 ]")
    queue.start_workers("--max-jobs", 2).wait()
    assert queue.job(first)["state"] == "completed" and queue.job(flaky)["state"] == "failed"
    queue.enqueue("--id", "last", "echo last >> order")
    queue.work(count=1)
    assert sorted(queue.text("order").split()) == ["first", "flaky", "flaky", "last"]
    assert set(queue.states().values()) == {"completed"}


def test_it_runs_where_it_was_enqueued_with_its_variables(queue):
    os.mkdir(queue.path("there"))
    id = queue.run("--store", queue.store, "enqueue", "--env", "COLOUR=blue", "--env", "SIZE=7",
                   "pwd; echo $COLOUR $SIZE $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT; echo $QUEUECTL_STORE",
                   cwd=queue.path("there")).out.strip()
    queue.work(count=1)
    assert queue.job(id)["stdout"].splitlines() == [
        os.path.realpath(queue.path("there")), "blue 7 %s 1" % id, os.path.realpath(queue.store)]


def test_a_job_reads_nothing_from_standard_input(queue):
    id = queue.enqueue("cat; echo end")
    queue.work(count=1)
    assert queue.job(id)["stdout"] == "end\n"


def test_why_a_job_waits_is_told(queue):
    id = queue.enqueue("--delay", "2h", "true")
    assert "2 h" in queue.run("show", id).out or "1 h" in queue.run("show", id).out
    assert queue.job(id)["state"] == "pending"


def test_a_delayed_job_starts_at_its_moment(queue):
    delayed = queue.enqueue("--delay", "1s", "true")
    past = queue.enqueue("--run-at", "2020-01-01T00:00:00Z", "true")
    at_epoch = queue.enqueue("--run-at", "1500000000", "true")
    queue.work(count=1)
    job = queue.job(delayed)
    assert job["started_at"] >= job["run_at"] > job["created_at"]
    assert {queue.job(id)["state"] for id in (past, at_epoch)} == {"completed"}


def test_logs_follow_a_running_job_to_its_end(queue):
    id = queue.enqueue("echo one; while [ ! -e go ]; do sleep 0.05; done; echo two")
    queue.start_workers("--drain")
    follower = queue.start("logs", "-f", id)
    follower.wait_for_text("one")
    queue.write("go", "x")
    assert follower.wait() == 0
    assert follower.text() == "one\ntwo\n"
    wait_until(lambda: queue.job(id)["state"] == "completed", "the job is completed")
