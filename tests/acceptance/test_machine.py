"""What a machine does to running workers: stops and continues them, boots anew, gives their pids to others, sets its clock."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

from support import is_running, send, wait_until

HELD = "echo $QUEUECTL_ATTEMPT >> runs; while [ ! -e go ]; do sleep 0.02; done"
BOOT = "7e0b5a3c-0000-4000-8000-000000000000"


@pytest.fixture
def innocent():
    """A process that has nothing to do with the queue."""
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    yield process
    assert process.poll() is None
    process.kill()
    process.wait()


def kill_all(queue, *pids):
    pids = queue.pids("supervisor") + queue.pids("worker") + list(pids)
    for pid in pids:
        send(pid, signal.SIGKILL)
    wait_until(lambda: not [pid for pid in pids if is_running(pid)], "all are dead")


def now_of(queue, pid, **others):
    """Let the files of those who ran say that they had this pid."""
    names = [name for name in os.listdir(os.path.join(queue.store, "workers")) if name.endswith((".lock", ".job"))]
    for name in ["workers.pid"] + ["workers/" + name for name in names]:
        lines = [dict(json.loads(line), pid=pid, **others) for line in queue.text(".queuectl", name).splitlines()]
        assert lines
        queue.write(os.path.join(".queuectl", name), "".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.short
@pytest.mark.parametrize("others", [{"boot": BOOT}, {"start": "7"}], ids=["after a reboot", "pids used again"])
def test_whose_pids_are_somebody_elses_now_is_dead_and_nobody_else_is_ended(queue, innocent, others):
    queue.run("config", "set", "backoff_max", "50ms")
    queue.run("config", "set", "kill_grace", "1h")
    id = queue.enqueue("echo $$ > leader; " + HELD)
    queue.start_workers(count=1)
    leader = int(queue.wait_for_file("leader"))
    wait_until(lambda: queue.text(".queuectl", "workers", "1.job"), "who leads the job is noted")
    kill_all(queue, leader)
    start = queue.pidfile()[0]["start"]
    now_of(queue, innocent.pid, **others)
    assert start != "7"
    assert "worker lost" in queue.run("show", id).out
    assert queue.read("worker", "list") == []
    queue.run("worker", "stop")
    queue.write("go", "x")
    queue.work(count=1)
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("completed", 2)
    assert [entry["error"] for entry in job["history"] if entry["state"] == "failed"] == ["worker lost"]
    assert queue.text("runs").split() == ["1", "2"]


def test_while_the_supervisor_is_stopped_its_workers_go_on_and_then_it_does(queue):
    workers = queue.start_workers(count=2)
    first = queue.wait_for_workers(2)
    send(workers.pid, signal.SIGSTOP)
    ids = [queue.enqueue("true") for _ in range(5)]
    for id in ids:
        queue.wait_for_state(id, "completed")
    send(first[0], signal.SIGKILL)
    stopped = queue.run("worker", "stop", "--timeout", "300ms", code=1)
    assert str(workers.pid) in stopped.err
    send(workers.pid, signal.SIGCONT)
    queue.run("worker", "stop")
    assert workers.wait() == 0


def test_a_stopped_worker_is_not_dead_and_its_jobs_time_limit_is_kept_when_it_goes_on(queue):
    queue.run("config", "set", "kill_grace", "200ms")
    id = queue.enqueue("--timeout", "500ms", "--max-retries", 0, "echo $$ > leader; " + HELD)
    queue.start_workers(count=1)
    leader = int(queue.wait_for_file("leader"))
    [worker] = queue.wait_for_workers(1)
    send(worker, signal.SIGSTOP)
    # Somebody who looks after dead workers' jobs at its start and every second.
    queue.enqueue("--id", "other", "sleep 0.7")
    queue.run("worker", "start", "--drain")
    assert queue.states() == {id: "processing", "other": "completed"} and is_running(leader)
    assert "worker lost" not in queue.run("show", id).out
    send(worker, signal.SIGCONT)
    job = queue.wait_for_state(id, "dead")
    assert job["error"] == "timed out after 0.5 s" and queue.text("runs").split() == ["1"]
    assert not is_running(leader)


def test_what_ended_while_its_worker_was_stopped_has_ended_by_itself(queue):
    id = queue.enqueue("--timeout", "1s", "echo $$ > leader; " + HELD)
    queue.start_workers(count=1)
    leader = int(queue.wait_for_file("leader"))
    [worker] = queue.wait_for_workers(1)
    send(worker, signal.SIGSTOP)
    queue.write("go", "x")
    wait_until(lambda: not is_running(leader), "the job is over")
    time.sleep(1.1)
    send(worker, signal.SIGCONT)
    assert queue.wait_for_state(id, "completed", "failed")["state"] == "completed"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="nobody's limits can be set from outside")
def test_a_worker_without_memory_dies_and_another_comes_in_its_place(queue):
    workers = queue.start_workers(count=1)
    [worker] = queue.wait_for_workers(1)
    with open("/proc/%d/statm" % worker) as file:
        size = int(file.read().split()[0]) * resource.getpagesize() + 500000
    resource.prlimit(worker, resource.RLIMIT_AS, (size, size))
    # More than there is room for in one look at the journal.
    variables = ", ".join('"V%d": "%s"' % (number, "x" * 100000) for number in range(8))
    line = '{"command": "true", "max_retries": 0, "env": {%s}}\n' % variables
    for id in queue.run("enqueue", "--file", queue.write("jobs", line * 3)).out.split():
        queue.wait_for_state(id, "completed")
    assert "worker with pid %d died (exit 1): starting another" % worker in workers.text()
    assert len(queue.pids("worker")) == 1


# --- the clock

WRAPPER = """\
import runpy, sys, time
real = time.time
def shifted():
    with open(%r) as file:
        return real() + float(file.read())
time.time = shifted
sys.argv = sys.argv[1:]
sys.path[0] = __import__("os").path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
HOUR = 3600
DAY = 24 * HOUR
LOOKS = (["status"], ["list"], ["worker", "list"], ["stats"], ["events"], ["show", "done"], ["show", "delayed"], ["show", "held"],
         ["list", "--state", "completed"], ["dlq", "list"])


class Clock:
    """The wall clock that the program sees; the monotonic one goes on."""

    def __init__(self, queue):
        self._queue = queue
        self._path = queue.path("..", "clock")
        self.set(0)
        words = queue.program.words
        wrapper = queue.write("../wrapper.py", WRAPPER % self._path)
        queue.program.words = words[:-1] + [wrapper, words[-1]]

    def set(self, seconds):
        self._queue.write("../clock.new", str(seconds))
        os.rename(self._path + ".new", self._path)


@pytest.fixture
def clock(queue):
    return Clock(queue)


def cpu(pid):
    """Seconds of CPU it has used."""
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def looks(queue):
    return "".join(queue.run(*words).out for words in LOOKS)


def assert_no_time_is_negative(text):
    assert not re.search(r"-\d+(\.\d+)? ?(ms|s|min|h|d|w)\b", text), text


def test_the_clock_is_set_back_an_hour(queue, clock):
    queue.enqueue("--id", "done", "true")
    queue.enqueue("--id", "fails", "--max-retries", 1, "exit 3")
    queue.enqueue("--id", "delayed", "--delay", "3s", "echo x > ran")
    queue.enqueue("--id", "held", "--hold", "true")
    running = queue.enqueue("--timeout", "1h", "--id", "running", HELD)
    queue.start_workers(count=2)
    queue.wait_for_state("done", "completed")
    queue.wait_for_state("fails", "failed")
    queue.wait_for_file("runs")
    workers = queue.wait_for_workers(2)
    clock.set(-HOUR)
    before = [cpu(pid) for pid in workers]
    time.sleep(1)
    assert max(cpu(pid) - one for pid, one in zip(workers, before)) < 0.5
    assert_no_time_is_negative(looks(queue))
    ids = [queue.enqueue("true") for _ in range(5)]
    assert len(set(ids)) == 5
    for id in ids:
        queue.wait_for_state(id, "completed")
    # Moments are moments: they come an hour later.
    assert not os.path.exists(queue.path("ran"))
    queue.run("purge", "--older-than", "1s", "--yes")
    assert queue.states()["done"] == "completed"
    assert queue.run("retry", "fails").code == 0
    queue.write("go", "x")
    queue.wait_for_state(running, "completed")
    shown = queue.run("show", "running").out
    assert "clock set back" in shown
    assert_no_time_is_negative(looks(queue) + shown)
    clock.set(0)
    queue.wait_for_state("delayed", "completed")
    assert 0 <= queue.job("running")["duration"] < 60


def test_the_clock_is_set_forward_a_day(queue, clock):
    queue.enqueue("--id", "done", "true")
    queue.enqueue("--id", "delayed", "--delay", "23h", "true")
    queue.enqueue("--id", "held", "--hold", "true")
    queue.enqueue("--id", "dead", "--max-retries", 0, "false")
    queue.enqueue("--id", "running", "--timeout", "1h", HELD)
    queue.start_workers(count=2)
    queue.wait_for_file("runs")
    queue.wait_for_state("done", "completed")
    clock.set(DAY)
    queue.wait_for_state("delayed", "completed")
    assert queue.states()["running"] == "processing"
    assert_no_time_is_negative(queue.run("status").out + queue.run("worker", "list").out)
    queue.write("go", "x")
    job = queue.wait_for_state("running", "completed")
    assert job["duration"] < 60 and job["attempts"] == 1
    # Only what ended before is old now; what waits or died is not purged by age unless asked for.
    queue.run("purge", "--older-than", "1h", "--yes")
    assert queue.states() == {"delayed": "completed", "held": "pending", "dead": "dead", "running": "completed"}


def test_directories_that_a_backup_left_out_are_made_anew_by_who_runs(queue):
    for id, words in (("a", ["worker", "start", "--drain"]), ("b", ["run", "b"]), ("c", ["worker", "start", "--ensure", "--detach"])):
        queue.enqueue("--id", id, "true")
        for name in ("workers", "wake", "output"):
            shutil.rmtree(os.path.join(queue.store, name))
        assert queue.run(*words).err == ""
        assert queue.wait_for_state(id, "completed")
        assert os.stat(os.path.join(queue.store, "workers")).st_mode & 0o777 == 0o700


def test_who_loses_the_file_of_its_slot_leaves_and_names_it(queue):
    queue.enqueue("true")
    workers = queue.start_workers(count=1)
    queue.wait_for_workers(1)
    os.unlink(os.path.join(queue.store, "workers", "1.lock"))
    assert workers.wait() == 3
    assert "worker leaves: %s was removed" % os.path.join(queue.store, "workers", "1.lock") in workers.text()


@pytest.mark.parametrize("files", [12, 30])
def test_with_too_few_open_files_for_a_worker_none_is_started(queue, files):
    id = queue.enqueue("true")
    for words in (["worker", "start", "--drain", "--count", "8"], ["run", id], ["worker", "start", "--detach"]):
        done = subprocess.run(["/bin/sh", "-c", "ulimit -n %d; exec \"$@\"" % files, "sh"] + queue.program.words + words,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=queue.environment, cwd=queue.directory, timeout=30)
        assert (done.returncode, done.stdout) == (3, b"")
        assert done.stderr.count(b"\n") == 1 and done.stderr.count(b"queuectl: ") == 1 and b"a worker needs 64" in done.stderr
    assert queue.job(id)["attempts"] == 0


@pytest.mark.parametrize("words", [["list"], ["enqueue", "true"], ["status"]], ids=" ".join)
def test_in_a_directory_that_is_gone_every_command_says_so(queue, words):
    done = subprocess.run(["/bin/sh", "-c", "mkdir gone; cd gone; rmdir ../gone; exec \"$@\"", "sh"] + queue.program.words + words,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=queue.environment, cwd=queue.directory, timeout=30)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"queuectl: the current directory is gone: cd somewhere")


def test_who_waits_for_a_stopped_worker_is_told_and_so_is_who_asks_doctor(queue):
    queue.start_workers(count=2)
    first, second = queue.wait_for_workers(2)
    id = queue.enqueue(HELD)
    queue.wait_for_file("runs")
    [busy] = [worker["pid"] for worker in queue.read("worker", "list") if worker["job"] == id]
    idle = second if busy == first else first
    send(idle, signal.SIGSTOP)
    found = [one for one in json.loads(queue.run("doctor", "--json", code=1).out) if one["subject"] == "workers"]
    assert [one["level"] for one in found] == ["warning"] and str(idle) in found[0]["text"]
    stopping = queue.start("worker", "stop")
    wait_until(stopping.errors, "it says for whom it waits")
    assert "pid %d, which is stopped (SIGSTOP): kill -CONT %d" % (idle, idle) in stopping.errors()
    assert "pid %d, which runs job %s" % (busy, id) in stopping.errors()
    queue.write("go", "x")
    queue.wait_for_state(id, "completed")
    send(idle, signal.SIGCONT)
    assert stopping.wait() == 0 and stopping.errors().count("\n") == 1


def test_who_has_no_file_left_for_another_worker_waits_with_that_and_goes_on_with_those_there_are(queue):
    ids = [queue.enqueue("while [ ! -e go ]; do sleep 0.02; done") for _ in range(2)]
    done = subprocess.Popen(["/bin/sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"] + queue.program.words
                            + ["worker", "start", "--drain", "--count", "40"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=queue.environment, cwd=queue.directory)
    for id in ids:
        queue.wait_for_state(id, "processing")
    queue.write("go", "x")
    said = done.communicate(timeout=50)[0].decode()
    assert done.returncode == 0 and "Traceback" not in said
    assert "cannot start a worker (Too many open files)" in said
    assert set(queue.states().values()) == {"completed"}
