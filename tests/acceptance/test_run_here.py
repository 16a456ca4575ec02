"""`run`: a job in the foreground, out of its turn, and an attempt like any other all the same."""

import pytest

from tests.support import wait_until


@pytest.mark.short
def test_run_is_the_job_here_and_now_and_recorded(queue):
    queue.enqueue("--id", "first", "--priority", "-5", "true")
    queue.enqueue("--id", "a", "--hold", "--delay", "1h", "--max-retries", "0",
                  "echo out $QUEUECTL_ATTEMPT; echo err >&2; printf '\\377'; exit 3")
    done = queue.run("run", "a", code=3)
    assert done.out == "out 1\n\udcff" and done.err.startswith("err\nqueuectl: dead a (exit 3)")
    job = queue.job("a")
    assert (job["state"], job["attempts"], job["exit_code"], job["stdout"], job["held"]) == ("dead", 1, 3, "out 1\n\udcff", None)
    assert [entry["state"] for entry in job["history"]] == ["pending", "processing", "dead"]
    assert queue.states()["first"] == "pending" and queue.pids("worker") == []


def test_one_that_has_ended_is_retried_and_brings_back_those_that_died_of_it(queue):
    queue.enqueue("--id", "a", "--max-retries", "0", "echo $(cat count); echo x >> count; [ -s go ]")
    queue.enqueue("--id", "b", "--after", "a", "true")
    queue.work(count=1)
    queue.write("go", "x")
    queue.start_workers()
    queue.wait_for_workers(1)
    assert queue.run("run", "a").out == "x\n"
    queue.wait_for_state("b", "completed")
    assert queue.text("count") == "x\nx\n" and queue.job("a")["held"] is None


def test_its_output_is_shown_as_it_comes_and_ctrl_c_ends_it_and_hands_it_back(queue):
    queue.enqueue("--id", "a", "--max-retries", "0", "echo begun; sh -c 'echo $$ > child; sleep 60'; echo end")
    running = queue.start("run", "a")
    running.wait_for_text("begun")
    queue.wait_for_file("child")
    assert "follow it" in queue.run("run", "a", code=1).err
    assert [worker["job"] for worker in queue.read("worker", "list")] == ["a"]
    running.press_ctrl_c()
    assert running.wait() == 130
    job = queue.job("a")
    assert (job["state"], job["attempts"], job["history"][-1]["note"]) == ("pending", 0, "handed back")
    assert running.text() == "begun\n" and "handed back a" in running.errors()
    assert queue.pidfile() == []


@pytest.mark.parametrize("end, state", [
    (lambda queue, running: running.press_ctrl_c(), "pending"),
    (lambda queue, running: queue.write("go", "x"), "failed"),
    (lambda queue, running: running.kill(), "failed")], ids=["Ctrl+C", "failed", "killed"])
def test_one_that_was_held_is_held_again(queue, end, state):
    queue.run("config", "set", "backoff_max", "1ms")
    queue.enqueue("--id", "a", "--hold", "echo begun; while [ ! -e go ]; do sleep 0.05; done; exit 3")
    running = queue.start("run", "a")
    running.wait_for_text("begun")
    assert "is running" in queue.run("release", "a", code=1).err
    end(queue, running)
    running.wait()
    queue.work("--drain", count=1)
    job = queue.job("a")
    assert (job["state"], job["held"]) == (state, True)
    assert [entry["state"] for entry in job["history"]] == ["pending", "processing", state]
    queue.write("go", "x")
    queue.run("release", "a")
    queue.work("--max-jobs", "1", count=1)
    assert queue.job("a")["attempts"] == job["attempts"] + 1


def test_a_job_that_runs_here_is_nobody_elses(queue):
    queue.enqueue("--id", "a", "echo x >> ran; while [ ! -e go ]; do sleep 0.05; done")
    running = queue.start("run", "a")
    queue.wait_for_file("ran")
    queue.enqueue("--id", "b", "true")
    queue.work("--max-jobs", "1", count=1)
    assert queue.states() == {"a": "processing", "b": "completed"}
    queue.write("go", "x")
    assert running.wait() == 0
    assert queue.text("ran") == "x\n"


def test_one_that_is_cancelled_or_unknown_or_comes_after_others_is_1(queue):
    queue.enqueue("--id", "a", "sleep 60")
    queue.enqueue("--id", "b", "--after", "a", "true")
    assert "comes after a" in queue.run("run", "b", code=1).err
    assert "no job" in queue.run("run", "c", code=1).err
    assert queue.states() == {"a": "pending", "b": "pending"}


def test_killed_it_counts_as_a_lost_worker_and_the_job_is_tried_again(queue):
    queue.run("config", "set", "backoff_max", "1s")
    queue.enqueue("--id", "a", "echo x >> ran; [ $QUEUECTL_ATTEMPT = 2 ] || sleep 60")
    running = queue.start("run", "a")
    queue.wait_for_file("ran")
    running.kill()
    queue.work(count=1)
    job = queue.job("a")
    assert (job["state"], job["attempts"]) == ("completed", 2)
    assert "worker lost" in [entry.get("error") for entry in job["history"]]
    wait_until(lambda: queue.text("ran") == "x\nx\n", "both attempts ran")
