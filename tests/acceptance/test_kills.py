"""kill -9 of whatever works, in the middle of a job: nothing is lost, nothing runs twice at a time."""

import os
import signal

import pytest

from support import is_running, send, wait_until

pytestmark = pytest.mark.short

# The first attempt hangs and does not heed TERM; the next looks whether the first is really gone (a zombie is).
HANGS_ONCE = ("echo $QUEUECTL_ATTEMPT >> runs; "
              "if [ $QUEUECTL_ATTEMPT -gt 1 ]; then "
              "case \"$(ps -o stat= -p $(cat first))\" in ''|Z*) ;; *) echo overlap >> runs;; esac; exit 0; fi; "
              "trap '' TERM; sleep 1000 & echo $! > first; wait")
HELD = "echo $QUEUECTL_ATTEMPT >> runs; echo x > started; while [ ! -e go ]; do sleep 0.05; done"


def kill_all(queue, *kinds):
    pids = [pid for kind in kinds for pid in queue.pids(kind)]
    assert pids
    # The supervisor first, or it would start new workers.
    for pid in pids:
        send(pid, signal.SIGKILL)


def quick_retries(queue):
    queue.run("config", "set", "backoff_max", "50ms")
    queue.run("config", "set", "kill_grace", "300ms")


def lost(job):
    return [entry for entry in job["history"] if "worker lost" in str(entry.get("error"))]


def test_a_killed_worker_is_replaced_and_its_job_tried_again(queue):
    quick_retries(queue)
    id = queue.enqueue(HANGS_ONCE)
    workers = queue.start_workers(count=1)
    queue.wait_for_file("first")
    kill_all(queue, "worker")
    job = queue.wait_for_state(id, "completed")
    assert job["attempts"] == 2 and len(lost(job)) == 1
    assert queue.text("runs").split() == ["1", "2"]
    queue.run("worker", "stop")
    assert workers.wait() == 0


def test_when_the_supervisor_is_killed_its_workers_finish_and_leave(queue):
    id = queue.enqueue(HELD)
    left = queue.enqueue("--priority", 9, "true")
    queue.start_workers(count=1)
    queue.wait_for_file("started")
    [worker] = queue.pids("worker")
    kill_all(queue, "supervisor")
    queue.write("go", "x")
    wait_until(lambda: queue.pids("worker") == [], "the worker has left")
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("completed", 1)
    assert queue.text("runs").split() == ["1"]
    assert queue.job(left)["state"] in ("pending", "completed")
    queue.work(count=1)
    assert set(queue.states().values()) == {"completed"}


def test_when_both_are_killed_the_next_start_recovers_the_job(queue):
    quick_retries(queue)
    id = queue.enqueue(HANGS_ONCE)
    queue.start_workers(count=2)
    queue.wait_for_file("first")
    queue.wait_for_workers(2)
    kill_all(queue, "supervisor", "worker")
    wait_until(lambda: queue.pids("worker") == [], "the workers are gone")
    assert queue.job(id)["state"] == "processing"
    assert "worker lost" in queue.run("show", id).out
    assert "no other is running to take it up: start one with: queuectl worker start\n" in queue.run("show", id).out
    assert "worker lost" in queue.run("list").out
    queue.work(count=1)
    job = queue.job(id)
    assert (job["state"], job["attempts"], len(lost(job))) == ("completed", 2, 1)
    assert queue.text("runs").split() == ["1", "2"]


def test_a_hook_of_a_killed_worker_does_not_run_on_without_a_time_limit(queue):
    queue.run("config", "set", "kill_grace", "100ms")
    queue.run("config", "set", "on_complete", "trap '' TERM; echo $$ > hook; while :; do sleep 0.05; done")
    queue.enqueue("true")
    queue.start_workers(count=1)
    hook = int(queue.wait_for_file("hook"))
    queue.run("config", "unset", "on_complete")
    kill_all(queue, "worker")
    wait_until(lambda: not is_running(hook), "the hook has ended")
    queue.run("worker", "stop")


def test_a_job_that_was_cancelled_does_not_run_on_when_its_worker_is_killed(queue):
    queue.run("config", "set", "kill_grace", "1h")
    id = queue.enqueue("trap '' TERM; echo $$ > leader; while :; do sleep 0.05; done")
    queue.start_workers(count=1)
    leader = int(queue.wait_for_file("leader"))
    queue.run("cancel", id)
    kill_all(queue, "supervisor", "worker")
    wait_until(lambda: queue.pids("worker") == [], "the worker is gone")
    queue.run("config", "set", "kill_grace", "100ms")
    assert is_running(leader)
    queue.start_workers(count=1)
    wait_until(lambda: not is_running(leader), "what is left of the job is ended")
    assert queue.job(id)["state"] == "cancelled"
    queue.run("worker", "stop")


def test_a_killed_enqueue_leaves_all_of_its_jobs_or_none(queue):
    queue.enqueue("--id", "before", "true")
    lines = "".join('{"id": "j%d", "command": "true"}\n' % number for number in range(3000)).encode()
    filler = queue.start("enqueue", "--file", queue.write("jobs", lines))
    wait_until(lambda: filler.poll() is not None or os.path.getsize(queue.journal()) > 8192, "it is writing")
    filler.kill()
    there = len(queue.jobs())
    assert there in (1, 3001)
    queue.enqueue("--id", "after", "true")
    assert len(queue.jobs()) == there + 1
