"""Several workers, several starts: every job once, in the right order, and a clean way to stop."""

import os

import pytest

import support
from support import wait_until

# A job that says that it runs and goes on until it is let go.
HELD = "echo $$ > started; while [ ! -e go ]; do sleep 0.05; done; echo x > finished"
COUNTED = "echo $QUEUECTL_ATTEMPT >> runs/$QUEUECTL_JOB_ID"


def enqueue_counted(queue, count):
    os.mkdir(queue.path("runs"))
    lines = "".join('{"id": "job-%d", "command": "%s"}\n' % (number, COUNTED) for number in range(count))
    assert len(queue.run("enqueue", "--file", "-", input=lines).out.split()) == count


def assert_each_ran_once(queue, count):
    assert len(os.listdir(queue.path("runs"))) == count
    for name in os.listdir(queue.path("runs")):
        assert queue.text("runs", name) == "1\n", name
    assert list(queue.states().values()) == ["completed"] * count


def release(queue):
    queue.write("go", "x")


@pytest.mark.short
def test_many_workers_run_every_job_once(queue):
    enqueue_counted(queue, 400)
    queue.work(count=8)
    assert_each_ran_once(queue, 400)


@pytest.mark.short
def test_two_starts_at_once_share_the_work(queue):
    enqueue_counted(queue, 200)
    both = [queue.start_workers("--drain", count=2) for _ in range(2)]
    assert [started.wait() for started in both] == [0, 0]
    assert_each_ran_once(queue, 200)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_way_to_start_a_process_will_do(queue, method):
    enqueue_counted(queue, 20)
    queue.work(count=2, env={"QUEUECTL_START_METHOD": method})
    assert_each_ran_once(queue, 20)


@pytest.mark.short
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_spawned_workers_can_be_killed_and_stopped(queue, method):
    queue.start_workers(count=2, env={"QUEUECTL_START_METHOD": method})
    queue.wait_for_workers(2)
    support.send(queue.pids("worker")[0], 9)
    id = queue.enqueue("true")
    queue.wait_for_state(id, "completed")
    queue.wait_for_workers(2)
    queue.run("worker", "stop")


def test_an_idle_worker_starts_what_is_enqueued(queue):
    queue.start_workers(count=2)
    queue.wait_for_workers(2)
    for number in range(5):
        queue.enqueue("echo %d >> done" % number)
    wait_until(lambda: os.path.exists(queue.path("done")) and len(queue.text("done").split()) == 5, "five jobs ran")


def test_the_lower_priority_value_runs_first_and_then_who_came_first(queue):
    for name, priority in (("c", 0), ("e", 5), ("d", 0), ("a", -3), ("b", -3)):
        queue.enqueue("--priority", priority, "echo %s >> order" % name)
    queue.work(count=1)
    assert queue.text("order").split() == ["a", "b", "c", "d", "e"]


def test_a_worker_serves_only_its_queues(queue):
    for name in ("mail", "video", "default"):
        queue.enqueue("--id", name, "--queue", name, "true")
    queue.work("--queue", "mail", "video", count=1)
    assert queue.states() == {"mail": "completed", "video": "completed", "default": "pending"}
    assert [job["id"] for job in queue.jobs("--queue", "default")] == ["default"]
    queue.work(count=1)
    assert queue.states()["default"] == "completed"


def test_drain_leaves_what_is_for_later(queue):
    queue.enqueue("--id", "now", "true")
    queue.enqueue("--id", "later", "--delay", "1h", "true")
    started = queue.start_workers("--drain", count=2)
    assert started.wait() == 0
    assert queue.states() == {"now": "completed", "later": "pending"}


def test_max_jobs_is_kept(queue):
    for _ in range(5):
        queue.enqueue("true")
    assert queue.start_workers("--max-jobs", 2).wait() == 0
    assert sorted(queue.states().values()) == ["completed"] * 2 + ["pending"] * 3


@pytest.mark.short
def test_worker_stop_lets_the_running_job_finish(queue):
    id = queue.enqueue(HELD)
    left = queue.enqueue("--priority", 9, "true")
    workers = queue.start_workers()
    queue.wait_for_file("started")
    stopper = queue.start("worker", "stop")
    wait_until(lambda: all(line.get("stop") for line in queue.pidfile()), "the order to stop is in the pidfile")
    release(queue)
    assert stopper.wait() == 0 and workers.wait() == 0
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("completed", 1)
    assert queue.job(left)["state"] == "pending"
    assert queue.pidfile() == []


@pytest.mark.short
def test_worker_stop_now_hands_the_job_back_with_its_attempt(queue):
    id = queue.enqueue(HELD)
    workers = queue.start_workers()
    queue.wait_for_file("started")
    queue.run("worker", "stop", "--now")
    assert workers.wait() == 0
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("pending", 0)
    assert not os.path.exists(queue.path("finished"))


def test_worker_stop_reaches_the_workers_of_every_start(queue):
    several = [queue.start_workers(count=count) for count in (1, 2)]
    queue.wait_for_workers(3)
    assert len(queue.read("worker", "list")) == 3
    queue.run("worker", "stop")
    assert [started.wait() for started in several] == [0, 0]
    assert queue.read("worker", "list") == []


def test_worker_stop_without_workers_is_fine(queue):
    queue.run("worker", "stop")
    queue.enqueue("true")
    queue.run("worker", "stop")


def test_worker_stop_gives_up_after_its_timeout(queue):
    queue.enqueue(HELD)
    queue.start_workers()
    queue.wait_for_file("started")
    done = queue.run("worker", "stop", "--timeout", "300ms", code=1)
    assert done.err.startswith("queuectl: ")
    release(queue)
    queue.run("worker", "stop")


@pytest.mark.short
def test_ctrl_c_once_finishes_the_job_and_leaves(queue):
    id = queue.enqueue(HELD)
    left = queue.enqueue("--priority", 9, "true")
    workers = queue.start_workers(count=2)
    queue.wait_for_state(left, "completed")
    queue.wait_for_file("started")
    late = queue.enqueue("--queue", "nobody", "true")
    workers.press_ctrl_c()
    # Both have heard it when the idle one is gone.
    wait_until(lambda: len(queue.pids("worker")) == 1, "the idle worker has left")
    release(queue)
    assert workers.wait() == 0
    assert (queue.job(id)["state"], queue.job(id)["attempts"]) == ("completed", 1)
    assert queue.job(late)["attempts"] in (0, 1)
    assert "Traceback" not in workers.text() + workers.errors()


@pytest.mark.short
def test_ctrl_c_twice_stops_the_job_and_hands_it_back(queue):
    id = queue.enqueue(HELD)
    workers = queue.start_workers(count=2)
    queue.wait_for_file("started")
    wait_until(lambda: len(queue.pids("worker")) == 2, "both workers are there")
    workers.press_ctrl_c()
    wait_until(lambda: len(queue.pids("worker")) == 1, "the idle worker has left")
    workers.press_ctrl_c()
    workers.wait()
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("pending", 0)
    assert not os.path.exists(queue.path("finished"))
    assert "Traceback" not in workers.text() + workers.errors()


def test_who_is_alive_is_shown(queue):
    id = queue.enqueue(HELD)
    queue.start_workers(count=2)
    queue.wait_for_file("started")
    queue.wait_for_workers(2)
    wait_until(lambda: [line for line in queue.read("worker", "list") if line.get("job") == id],
               "worker list shows the running job")
    shown = queue.run("status").out
    for pid in queue.pids("worker"):
        assert str(pid) in shown and str(pid) in queue.run("worker", "list").out
    release(queue)
