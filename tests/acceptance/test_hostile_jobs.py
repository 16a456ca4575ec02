"""Jobs that do what no job should: whatever it is, it is one attempt of that one job, and the queue goes on."""

import os
import signal
import time

import pytest

from support import is_running, wait_until

# The next attempt looks whether anything of the one before is still alive: a zombie is not.
LOOK = ("for pid in $(cat pids); do case \"$(ps -o stat= -p $pid)\" in ''|Z*) ;; *) echo $pid >> overlap;; esac; done; "
        "echo $$ >> pids; ")
DEAF = "trap '' TERM HUP INT; "


def quick(queue):
    queue.run("config", "set", "backoff_max", "50ms")
    queue.run("config", "set", "kill_grace", "200ms")


def output(job):
    return (job["stdout"] or "").encode("utf-8", "surrogateescape")


SHAPES = {
    # name: (command, state, exit code, signal, output)
    "closes-its-output": ("echo a; exec >&- 2>&-; sleep 0.1; exit 0", "completed", 0, None, b"a\n"),
    "redirects-it": ("echo a; exec > elsewhere 2>&1; echo b", "completed", 0, None, b"a\n"),
    "closes-all": ("echo a; exec >&- 2>&- <&-; exec python3 -Sc 'import os; os.closerange(0, 100)'", "completed", 0, None, b"a\n"),
    "forks": ("(echo b) & wait; echo a", "completed", 0, None, b"b\na\n"),
    "a-session": ("setsid -w sh -c 'echo a; exit 4'", "dead", 4, None, b"a\n"),
    "kills-itself": ("echo a; kill -9 $$", "dead", None, 9, b"a\n"),
    "kills-its-group": ("echo a; sleep 1000 & kill -9 0", "dead", None, 9, b"a\n"),
    "truncates-it": ("echo a; : > /proc/self/fd/1; echo b", "completed", 0, None, b"b\n"),
    "removes-its-files": ("echo a; rm -f $QUEUECTL_STORE/workers/*.out $QUEUECTL_STORE/workers/*.job; echo b",
                          "completed", 0, None, b"a\nb\n"),
    "nul-and-half-a-letter": ("printf 'a\\000\\377\\303'", "completed", 0, None, b"a\0\xff\xc3"),
}


@pytest.mark.short
def test_each_is_one_attempt_with_its_own_output(queue):
    for id, (command, *_) in SHAPES.items():
        queue.enqueue("--id", id, "--max-retries", 0, command)
    queue.work(count=1)
    for id, (_, state, code, signum, wanted) in SHAPES.items():
        job = queue.job(id)
        assert (id, job["state"], job["exit_code"], job["signal"], output(job)) == (id, state, code, signum, wanted)
        assert job["attempts"] == 1


LEAVES = {
    "a child": "(%s) &",
    "a session": "setsid sh -c '%s' &",
    "no parent": "(setsid sh -c '%s' &);",
    "deaf": DEAF + "(%s) &",
}


def test_children_that_write_on_write_into_no_later_job(queue):
    late = "echo x >> up; while [ ! -e go ]; do sleep 0.02; done; echo late; echo late >&2; echo x >> written"
    queue.write("up", "")
    queue.write("written", "")
    for number, shape in enumerate(LEAVES):
        queue.enqueue("--id", "leaves-%d" % number, LEAVES[shape] % late + " echo first")
    all_up = "while [ $(wc -l < up) -lt %d ]; do sleep 0.02; done; " % len(LEAVES)
    queue.enqueue("--id", "next", all_up + "touch go; while [ $(wc -l < written) -lt %d ]; do sleep 0.02; done; echo next"
                  % len(LEAVES))
    queue.enqueue("--id", "after", "echo after")
    queue.work(count=1)
    for number in range(len(LEAVES)):
        assert output(queue.job("leaves-%d" % number)) == b"first\n"
    assert [output(queue.job(id)) for id in ("next", "after")] == [b"next\n", b"after\n"]
    assert not queue.job("next")["stderr"]


STUBBORN = {
    "deaf": DEAF + "echo $$ >> pids; while :; do sleep 0.05; done",
    "stopped": "echo $$ >> pids; kill -STOP $$; sleep 1000",
    "double fork": "(setsid sh -c '%secho $$ >> pids; while :; do sleep 0.05; done' &); echo $$ >> pids; sleep 1000" % DEAF,
    "a tree": DEAF + "sh -c 'echo $$ >> pids; sh -c \"echo \\$\\$ >> pids; sleep 1000 & wait\" & wait' & echo $$ >> pids; wait",
}


def test_a_time_limit_ends_them_all(queue):
    quick(queue)
    for shape in STUBBORN:
        queue.enqueue("--id", shape.replace(" ", "-"), "--timeout", "400ms", "--max-retries", 0, STUBBORN[shape])
    queue.work(count=len(STUBBORN))
    for job in queue.jobs():
        assert (job["state"], job["error"]) == ("dead", "timed out after 0.4 s"), job
    pids = [int(pid) for pid in queue.text("pids").split()]
    assert len(pids) == 7 and not [pid for pid in pids if is_running(pid)]


@pytest.mark.short
def test_one_that_kills_its_worker_ends_in_the_dlq_and_the_others_are_run(queue):
    quick(queue)
    queue.write("pids", "")
    poison = queue.enqueue("--priority", -1, "--max-retries", 1, DEAF + LOOK + "kill -9 $PPID; while :; do sleep 0.05; done")
    others = [queue.enqueue("true") for _ in range(20)]
    queue.work(count=1)
    job = queue.job(poison)
    assert (job["state"], job["attempts"], job["error"]) == ("dead", 2, "worker lost")
    assert not os.path.exists(queue.path("overlap")) and len(queue.text("pids").split()) == 2
    assert {queue.states()[id] for id in others} == {"completed"}
    assert not [pid for pid in queue.text("pids").split() if is_running(int(pid))]


def test_whatever_signal_a_job_sends_to_its_worker_the_others_are_run(queue):
    """TERM alone means something there: that it is to leave when the job is over."""
    quick(queue)
    signals = ("HUP", "INT", "USR1", "PIPE", "CHLD", "ALRM", "QUIT")
    for name in signals:
        queue.enqueue("--id", name, "--max-retries", 0, "kill -%s $PPID; sleep 0.05" % name)
    after = queue.enqueue("true")
    queue.start_workers(count=1)
    queue.wait_for_state(after, "completed")
    ends = {name: queue.job(name)["error"] or queue.job(name)["state"] for name in signals}
    assert ends == dict(dict.fromkeys(signals, "completed"), QUIT="worker lost")
    queue.run("worker", "stop")


def test_one_that_kills_its_workers_supervisor_is_recorded_and_the_next_start_goes_on(queue):
    id = queue.enqueue("--priority", -1, "kill -9 $(ps -o ppid= -p $PPID); echo done")
    queue.enqueue("--id", "next", "true")
    assert queue.start_workers(count=1).wait() == -signal.SIGKILL
    wait_until(lambda: queue.pids("worker") == [], "its worker has left")
    assert (queue.job(id)["state"], output(queue.job(id))) == ("completed", b"done\n")
    queue.work(count=1)
    assert queue.states()["next"] == "completed"


def test_a_gigabyte_of_output_takes_little_room(queue):
    size = 1024 ** 3
    queue.run("config", "set", "output_limit", "1MB")
    id = queue.enqueue("head -c %d /dev/zero" % size)
    started = queue.start_workers("--drain", count=1)
    spool = queue.path(".queuectl", "workers", "1.out")
    largest = 0
    while started.poll() is None:
        largest = max(largest, os.stat(spool).st_blocks * 512 if os.path.exists(spool) else 0)
        time.sleep(0.01)
    job = queue.job(id)
    assert (job["state"], job["stdout_size"]) == ("completed", size)
    # It is cut twenty times a second while it grows fast.
    assert 0 < largest < size / 4
    assert os.path.getsize(os.path.join(queue.store, job["stdout_file"])) < 1024 ** 2 + 100
