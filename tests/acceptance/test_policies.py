"""What a job's end, its niceness and its own word of how far it is lead to."""

import json
import os
import signal

import pytest

import support
from support import wait_until


def configure(queue, **values):
    for key, value in values.items():
        queue.run("config", "set", key, value)


# --- exit codes


@pytest.mark.short
def test_a_job_that_asks_to_be_tried_later_is_left_for_later_and_loses_no_attempt(queue):
    configure(queue, backoff_base=60)
    id = queue.enqueue("--max-retries", 0, "exit 75")
    drained = queue.start_workers("--drain")
    assert drained.wait() == 0
    assert "put back %s (exit 75): again in 1 min" % id in drained.text()
    assert "1 job left for later: 1 delayed; next in " in drained.text()
    job = queue.job(id)
    assert (job["state"], job["attempts"], job["put_backs"], job["exit_code"]) == ("pending", 0, 1, 75)
    assert "was put back (exit 75)" in queue.run("show", id).out
    assert "was put back (exit 75)" in queue.run("list", "--verbose").out


def test_a_put_back_waits_longer_each_time_and_at_most_backoff_max(queue):
    configure(queue, backoff_base="1.1", backoff_max="1150ms")
    id = queue.enqueue("--max-retries", 0, "echo x >> runs; [ $(wc -l < runs) -gt 2 ] || exit 75")
    queue.work(count=1)
    job = queue.job(id)
    assert [entry["delay"] for entry in job["history"] if "delay" in entry] == [1.1, 1.15]
    assert (job["state"], job["attempts"]) == ("completed", 1)


def test_an_exit_code_after_which_a_retry_would_be_vain_is_the_end(queue):
    configure(queue, no_retry_exit_codes="2,126")
    vain = queue.enqueue("--max-retries", 5, "echo x >> vain; exit 2")
    failing = queue.enqueue("--max-retries", 5, "exit 3")
    text = queue.start_workers("--drain")
    assert text.wait() == 0
    assert "dead %s (exit 2) after 1 attempt: no retry after this exit code" % vain in text.text()
    assert queue.states() == {vain: "dead", failing: "failed"}
    assert queue.text("vain") == "x\n"
    shown = queue.run("show", vain).out
    assert "attempt 1 of at most 6 failed (exit 2): no retry after this exit code" in shown
    queue.run("dlq", "retry", vain)
    assert queue.job(vain)["state"] == "pending"


# --- hooks


@pytest.mark.short
def test_hooks_are_told_which_job_ended_and_have_ended_before_the_worker_leaves(queue):
    configure(queue, max_retries=0, on_dead="cat >> dead.jsonl", hook_timeout="1m",
              on_complete='sleep 0.3; echo "$QUEUECTL_HOOK $QUEUECTL_JOB_ID $QUEUECTL_JOB_STATE" >> complete')
    queue.enqueue("--id", "good", "true")
    queue.enqueue("--id", "bad", "echo why >&2; exit 3")
    queue.enqueue("--id", "missing", "--cwd", "/", "kill -9 $$")
    queue.work(count=2)
    assert queue.text("complete") == "on_complete good completed\n"
    told = {job["id"]: job for job in map(json.loads, queue.text("dead.jsonl").splitlines())}
    assert told == {id: queue.job(id) for id in ("bad", "missing")}


def test_a_hook_that_is_set_while_workers_run_is_there_for_the_next_job(queue):
    queue.start_workers()
    queue.wait_for_workers(1)
    for number in range(4):
        name = "ran-%d" % number
        configure(queue, on_complete="echo x > " + name)
        queue.run("enqueue", "--wait", "true")
        wait_until(lambda: os.path.exists(queue.path(name)), "the hook ran")


def test_a_slow_hook_is_not_in_the_way_of_the_jobs(queue):
    """It waits for what a later job does: were it waited for, neither would ever end."""
    configure(queue, on_complete='[ "$QUEUECTL_JOB_ID" != first ] || { while [ ! -e second ]; do sleep 0.02; done; echo x > seen; }')
    queue.enqueue("--id", "first", "true")
    queue.enqueue("--id", "second", "touch second; echo out")
    queue.work(count=1)
    assert queue.text("seen") == "x\n"
    # Nothing of it in the job's output.
    assert queue.job("second")["stdout"] == "out\n"


def test_a_hook_that_fails_or_takes_too_long_is_said_and_changes_nothing_of_its_job(queue):
    configure(queue, on_complete='case $QUEUECTL_JOB_ID in slow) sleep 1000;; *) exit 3;; esac', hook_timeout="300ms")
    queue.enqueue("--id", "slow", "true")
    queue.enqueue("--id", "fails", "true")
    text = queue.work(count=1)
    assert "hook on_complete of slow: timed out after 0.3 s" in text
    assert "hook on_complete of fails: exit 3" in text
    assert queue.states() == {"slow": "completed", "fails": "completed"}
    # That no `sleep 1000` is left is looked at when the queue is closed.


def test_what_a_hook_enqueues_is_run_before_a_draining_worker_leaves(queue):
    enqueue = " ".join(queue.program.words + ["enqueue", "--id", "second", "'echo x > ran'"])
    configure(queue, poll_interval="1h", on_complete='[ "$QUEUECTL_JOB_ID" = second ] || { sleep 0.3; %s; }' % enqueue)
    queue.enqueue("--id", "first", "true")
    assert queue.start_workers("--drain").wait() == 0
    assert queue.states() == {"first": "completed", "second": "completed"}


def test_a_hook_that_is_set_while_workers_run_is_run(queue):
    queue.start_workers()
    queue.wait_for_workers(1)
    configure(queue, on_dead='echo "$QUEUECTL_JOB_ERROR" > told')
    id = queue.enqueue("--max-retries", 0, "--timeout", "100ms", "sleep 1000")
    assert queue.wait_for_file("told") == "timed out after 0.1 s\n"
    assert queue.job(id)["state"] == "dead"


def test_a_job_that_dies_with_its_worker_has_its_hook(queue):
    configure(queue, max_retries=0, on_dead='echo "$QUEUECTL_JOB_ID: $QUEUECTL_JOB_ERROR" > told')
    id = queue.enqueue("echo 70%% > $QUEUECTL_PROGRESS; echo x > running; exec sleep 1000")
    queue.start_workers()
    queue.wait_for_file("running")
    support.send(queue.pids("worker")[0], signal.SIGKILL)
    assert queue.wait_for_file("told") == id + ": worker lost\n"
    assert queue.job(id)["progress"] == "70%%"


def test_stop_now_ends_the_hooks_and_an_ordinary_stop_waits_for_them(queue):
    configure(queue, on_complete="echo x > running; while [ ! -e go ]; do sleep 0.02; done; echo x > ended")
    workers = queue.start_workers()
    queue.enqueue("true")
    queue.wait_for_file("running")
    stopping = queue.start("worker", "stop")
    wait_until(lambda: any(line.get("stop") for line in queue.pidfile()), "the worker is told")
    assert queue.pids("worker")
    queue.write("go", "x")
    assert stopping.wait() == 0 and workers.wait() == 0
    assert queue.text("ended") == "x\n"
    for name in ("go", "running"):
        os.unlink(queue.path(name))
    workers = queue.start_workers()
    queue.enqueue("true")
    queue.wait_for_file("running")
    queue.run("worker", "stop", "--now")
    assert workers.wait() == 0
    assert "stopped with its worker" in workers.text()


# --- niceness


def test_a_nice_job_is_nice_and_the_others_are_not(queue):
    mine = os.nice(0)
    nice = queue.enqueue("--nice", 7, "nice; sh -c nice")
    plain = queue.enqueue("nice")
    queue.work(count=1)
    assert queue.job(nice)["stdout"].split() == [str(min(19, mine + 7))] * 2
    assert queue.job(plain)["stdout"].split() == [str(mine)]


# --- progress


@pytest.mark.short
def test_what_a_job_says_of_its_progress_is_shown_while_it_runs_and_kept(queue):
    id = queue.enqueue("echo '50% of it' > $QUEUECTL_PROGRESS; while [ ! -e go ]; do sleep 0.02; done; "
                       "echo '100% of it' >> $QUEUECTL_PROGRESS")
    queue.start_workers("--drain")
    wait_until(lambda: queue.jobs()[0]["progress"] == "50% of it", "it is in the list")
    assert "50% of it, for " in queue.run("list").out
    assert "50% of it" in queue.run("show", id).out and queue.job(id)["progress"] == "50% of it"
    assert queue.read("worker", "list")[0]["progress"] == "50% of it"
    assert "50% of it" in queue.run("worker", "list").out
    assert queue.read("status")["workers"][0]["progress"] == "50% of it"
    queue.write("go", "x")
    assert queue.wait_for_state(id, "completed")["progress"] == "100% of it"


def test_progress_cannot_move_a_terminals_cursor(queue):
    id = queue.enqueue(r"printf 'red\033[31m\n' > $QUEUECTL_PROGRESS; while [ ! -e go ]; do sleep 0.02; done")
    queue.start_workers("--drain")
    wait_until(lambda: queue.job(id)["progress"], "it was said")
    for words in (("list",), ("show", id), ("worker", "list"), ("status",), ("list", "--verbose")):
        text = queue.run(*words).out
        assert "\033" not in text and r"red\x1b[31m" in text
    queue.write("go", "x")
    queue.wait_for_state(id, "completed")


def test_the_next_job_begins_with_nothing_said(queue):
    queue.enqueue("--id", "first", "echo early > $QUEUECTL_PROGRESS")
    queue.enqueue("--id", "next", "cat $QUEUECTL_PROGRESS")
    queue.work(count=1)
    assert queue.job("first")["progress"] == "early"
    assert (queue.job("next")["progress"], queue.job("next")["stdout"]) == (None, "")
