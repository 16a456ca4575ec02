"""Workers in the background: they stay, they come back, they become more and fewer while jobs run."""

import json
import os
import signal
import subprocess
import time

import pytest

import support
from support import is_running, send, wait_until

HELD = "echo $QUEUECTL_JOB_ID >> started; while [ ! -e go ]; do sleep 0.05; done"
CRONTAB = ["worker", "start", "--ensure", "--count", "2", "--detach"]
# Said to be of another boot: what a pidfile is after one.
BOOT = "7e0b5a3c-0000-4000-8000-000000000000"


def log(queue):
    return queue.text(".queuectl", "worker.log")


def alive(queue):
    return [worker["slot"] for worker in queue.read("worker", "list")]


def wait_for_slots(queue, *numbers):
    wait_until(lambda: alive(queue) == list(numbers), "the workers are in slots %s" % (numbers,))


def hold(queue, count):
    """So many jobs that run until they are let go."""
    ids = [queue.enqueue(HELD) for _ in range(count)]
    wait_until(lambda: list(queue.states().values()).count("processing") == count, "%d jobs run" % count)
    return ids


def kill_all(queue):
    """As a power cut does it: nobody takes leave."""
    pids = queue.pids("supervisor") + queue.pids("worker")
    for pid in pids:
        send(pid, signal.SIGKILL)
    wait_until(lambda: not [pid for pid in pids if is_running(pid)], "all of them are dead")


@pytest.mark.short
def test_detached_workers_are_there_when_the_command_returns_and_stay(queue):
    shell = subprocess.Popen(
        ["/bin/sh", "-c", '"$@"; echo done; exec sleep 1000', "sh"] + queue.program.words
        + ["worker", "start", "--detach", "--count", "2"],
        cwd=queue.directory, env=queue.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, start_new_session=True)
    # All it prints, and it prints it once the workers have let go of its outputs, if they had them.
    assert shell.stdout.readline() == b"done\n"
    assert alive(queue) == [1, 2]
    os.killpg(shell.pid, signal.SIGHUP)
    shell.wait()
    assert (shell.stdout.read(), shell.stderr.read()) == (b"", b"")
    id = queue.enqueue("echo $PWD")
    assert queue.wait_for_state(id, "completed")
    assert alive(queue) == [1, 2]
    assert "completed %s" % id in log(queue)
    assert {os.getsid(pid) for pid in queue.pids("supervisor")} == set(queue.pids("supervisor"))
    queue.run("worker", "stop")
    assert "no job is running: leaving" in log(queue)


def test_a_detached_drain_may_be_over_before_the_command_returns(queue):
    queue.enqueue("--id", "a", "true")
    done = queue.run("worker", "start", "--detach", "--drain")
    assert (done.out, done.err) == ("", "")
    queue.wait_for_state("a", "completed")


def test_what_keeps_detached_workers_from_starting_is_said_in_one_line(queue):
    queue.enqueue("true")
    os.mkdir(queue.path(".queuectl", "worker.log"))
    done = queue.run("worker", "start", "--detach", code=3)
    assert done.err.startswith("queuectl: ") and "worker.log" in done.err and done.err.count("\n") == 1
    os.rmdir(queue.path(".queuectl", "worker.log"))
    os.rmdir(queue.path(".queuectl", "workers"))
    queue.write(".queuectl/workers", "in the way")
    done = queue.run("worker", "start", "--detach", "--drain", code=3)
    assert done.err.startswith("queuectl: no worker could be started: ") and done.err.count("\n") == 1
    assert "Traceback" not in log(queue)


def test_workers_detached_in_a_job_outlive_it(queue):
    words = " ".join("'%s'" % word for word in queue.program.words)
    id = queue.enqueue("--timeout", "2s", "--max-retries", "0",
                       "%s --store other worker start --detach && echo yes > there; sleep 1000" % words)
    queue.work(count=1)
    assert queue.job(id)["error"] == "timed out after 2 s" and queue.text("there") == "yes\n"
    other = queue.run("--store", "other", "worker", "list", "--json")
    [worker] = json.loads(other.out)
    environment = support._proc(worker["pid"], "environ").split(b"\0")
    assert not [entry for entry in environment if entry.startswith((b"QUEUECTL_JOB", b"QUEUECTL_CLAIM", b"QUEUECTL_ATT"))]
    assert {os.readlink("/proc/%d/fd/%d" % (worker["pid"], number)) for number in (0, 1, 2)} == {
        "/dev/null", queue.path("other", "worker.log")}
    queue.run("--store", "other", "worker", "stop")


def test_workers_detached_in_a_hook_know_nothing_of_it(queue):
    words = " ".join("'%s'" % word for word in queue.program.words)
    queue.run("config", "set", "on_complete", "%s --store other worker start --detach" % words)
    queue.enqueue("true")
    queue.work(count=1)
    [worker] = json.loads(queue.run("--store", "other", "worker", "list", "--json").out)
    environment = support._proc(worker["pid"], "environ").split(b"\0")
    assert [entry for entry in environment if entry.startswith(b"QUEUECTL_")] == [b"QUEUECTL_STORE=" + os.fsencode(queue.store)]
    queue.run("--store", "other", "worker", "stop")


@pytest.mark.short
def test_the_line_for_crontab_brings_back_what_is_missing_and_is_silent(queue):
    def cron():
        done = subprocess.run(queue.program.words + ["--store", queue.store] + CRONTAB, cwd=queue.top, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict({"PATH": "/usr/bin:/bin", support.MARK: queue.top}, **queue.program.environment))
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    cron()
    first = queue.wait_for_workers(2)
    cron()
    assert queue.pids("worker") == first
    # A worker that has just died is its supervisor's to replace.
    send(first[0], signal.SIGKILL)
    cron()
    wait_for_slots(queue, 1, 2)
    assert len(queue.pids("supervisor")) == 1
    # The machine was switched off, with a job running.
    [id] = hold(queue, 1)
    kill_all(queue)
    lines = "".join(json.dumps(dict(line, boot=BOOT)) + "\n" for line in queue.pidfile())
    queue.write(".queuectl/workers.pid", lines)
    queue.write("go", "x")
    cron()
    # One of them may hold the slot of the lost job to clear it up: then the other is in the third.
    assert len(alive(queue)) == 2
    queue.wait_for_state(id, "completed", "failed")
    assert len(queue.pids("supervisor")) == 1 and not [line for line in queue.pidfile() if line["boot"] == BOOT]
    queue.run("worker", "stop")


def test_many_at_the_same_moment_start_no_more_than_are_missing(queue):
    queue.run("worker", "start", "--detach")
    crons = [queue.start(*CRONTAB) for _ in range(6)]
    assert [cron.wait() for cron in crons] == [0] * 6
    assert [cron.text() + cron.errors() for cron in crons] == [""] * 6
    wait_for_slots(queue, 1, 2)
    time.sleep(0.5)
    assert alive(queue) == [1, 2]


def test_those_that_drain_are_replaced(queue):
    queue.run(*CRONTAB)
    hold(queue, 1)
    stopper = queue.start("worker", "stop")
    wait_until(lambda: len(alive(queue)) == 1, "the idle one has left")
    queue.run(*CRONTAB)
    assert len(alive(queue)) == 3
    queue.write("go", "x")
    assert stopper.wait() == 0
    wait_until(lambda: len(alive(queue)) == 2, "the other two stay")
    queue.run(*CRONTAB)
    assert len(alive(queue)) == 2


def test_workers_on_demand(queue):
    queue.run("worker", "start", "--ensure", "--detach", "--max-idle", "300ms")
    id = queue.enqueue("true")
    queue.wait_for_state(id, "completed")
    wait_until(lambda: queue.pidfile() == [], "the idle worker has left, and its supervisor with it")
    queue.run("worker", "start", "--ensure", "--detach", "--max-idle", "300ms")
    assert alive(queue) == [1]


@pytest.mark.short
def test_workers_become_more_and_fewer_while_jobs_run(queue):
    queue.run("worker", "start", "--detach", "--count", "2")
    hold(queue, 2)
    waiting = queue.enqueue("--id", "third", HELD)
    assert queue.run("worker", "scale", "3").out == "3 workers, 1 more than before\n"
    assert alive(queue) == [1, 2, 3]
    queue.wait_for_state(waiting, "processing")
    assert queue.run("worker", "scale", "3").out == "3 workers, as before\n"
    assert queue.run("worker", "scale", "1").out == "1 worker, 2 fewer than before, once their jobs are done\n"
    # They finish their jobs, and then nobody takes their places.
    assert alive(queue) == [1, 2, 3]
    assert queue.run("worker", "scale", "2").out == "2 workers, 1 more than before\n"
    assert alive(queue) == [1, 2, 3, 4]
    queue.write("go", "x")
    wait_for_slots(queue, 1, 4)
    assert set(queue.states().values()) == {"completed"}
    assert len(queue.pids("supervisor")) == 1
    queue.run("worker", "stop")
    assert queue.pidfile() == []


def test_scale_zero_lets_all_leave(queue):
    queue.run("worker", "start", "--detach", "--count", "2")
    foreground = queue.start_workers(count=1)
    queue.wait_for_workers(3)
    hold(queue, 1)
    scaler = queue.start("worker", "scale", "0", "--wait")
    wait_until(lambda: len(alive(queue)) == 1, "the idle ones have left")
    assert scaler.poll() is None
    queue.write("go", "x")
    assert scaler.wait() == 0 and scaler.text() == "0 workers, 3 fewer than before\n"
    assert foreground.wait() == 0
    wait_until(lambda: queue.pidfile() == [], "their supervisors have left, too")


def test_a_queue_that_no_worker_serves_is_pointed_out(queue):
    queue.enqueue("--queue", "mial", "true")
    assert "No worker is running and 1 job waits" in queue.run("status").out
    queue.start_workers("--queue", "mail", "sms")
    wait_for_slots(queue, 1)
    assert queue.read("worker", "list")[0]["queues"] == queue.read("status")["workers"][0]["queues"] == ["mail", "sms"]
    assert " mail,sms " in queue.run("worker", "list").out
    assert "No worker serves the queue mial, where 1 job waits: queuectl worker start --queue mial\n" in queue.run("status").out


def test_without_workers_scale_says_how_to_start_some(queue):
    queue.enqueue("true")
    done = queue.run("worker", "scale", "2", code=1)
    assert "queuectl worker start --count 2" in done.err
    assert queue.run("worker", "scale", "0").out == "0 workers, as before\n"
    assert "1000" in queue.run("worker", "scale", "1001", code=2).err
    queue.run("worker", "scale", "some", code=2)
    queue.run("worker", "scale", code=2)


def test_stop_reaches_detached_workers_of_this_store_alone(queue):
    queue.run("worker", "start", "--detach", "--count", "2")
    queue.run("worker", "scale", "3")
    queue.run("worker", "start", "--detach", "--queue", "mail")
    queue.run("--store", "other", "worker", "start", "--detach")
    assert alive(queue) == [1, 2, 3, 4]
    queue.run("worker", "stop")
    assert queue.pidfile() == [] and alive(queue) == []
    assert len(json.loads(queue.run("--store", "other", "worker", "list", "--json").out)) == 1
    queue.run("--store", "other", "worker", "stop")


@pytest.mark.parametrize("spoil", ["removed", "garbled", "of others"])
def test_those_who_live_are_counted_and_stopped_whatever_became_of_their_lines(queue, spoil):
    queue.run(*CRONTAB)
    pids = queue.wait_for_workers(2)

    def lose():
        if spoil == "removed":
            os.unlink(os.path.join(queue.store, "workers.pid"))
        elif spoil == "garbled":
            queue.write(".queuectl/workers.pid", "no line\n{}\n")
        else:
            queue.write(".queuectl/workers.pid", "".join(json.dumps(dict(line, pid=1)) + "\n" for line in queue.pidfile()))
    lose()
    queue.run(*CRONTAB)
    assert sorted(worker["pid"] for worker in queue.read("worker", "list")) == sorted(pids)
    # Each writes its own line again: whoever finds the supervisor's need not wait for the others.
    wait_until(lambda: sorted(queue.pids("worker")) == sorted(pids), "the workers' lines are there again")
    assert len(queue.pids("supervisor")) == 1
    lose()
    assert "3 workers" in queue.run("worker", "scale", "3").out
    lose()
    assert queue.run("worker", "stop", "--timeout", "20s").err == ""
    wait_until(lambda: alive(queue) == [], "all have left")
