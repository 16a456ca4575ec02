"""Several stores, several names of one store, a store that goes away, and versions of the program that do not match."""

import os
import shutil
import signal
import subprocess

import pytest

from queuectl_lib.store import header
from support import is_running, send, wait_until

HELD = "echo $QUEUECTL_ATTEMPT >> runs; while [ ! -e go ]; do sleep 0.02; done"


def test_workers_of_two_stores_know_nothing_of_each_other(queue):
    stores = {"one": "first/.queuectl", "two": "second"}
    os.mkdir(queue.path("first"))
    for store in stores.values():
        queue.run("--store", store, "config", "set", "poll_interval", "100ms")
    started = {name: queue.start("--store", store, "worker", "start", "--count", 2) for name, store in stores.items()}
    for number in range(10):
        for name, store in stores.items():
            queue.run("--store", store, "enqueue", "--id", "same-%d" % number, "echo $QUEUECTL_STORE >> ran-by-%s" % name)
    for name, store in stores.items():
        ran = queue.path("ran-by-" + name)
        wait_until(lambda: os.path.exists(ran) and len(queue.text("ran-by-" + name).split()) == 10, "all have run")
        assert set(queue.text("ran-by-" + name).split()) == {queue.path(store)}
    queue.run("--store", stores["one"], "worker", "stop")
    assert started["one"].wait() == 0 and started["two"].poll() is None
    queue.run("--store", stores["two"], "enqueue", "--id", "later", "true")
    queue.run("--store", stores["two"], "wait", "later")
    queue.run("--store", stores["two"], "worker", "stop")
    assert started["two"].wait() == 0


def test_by_whatever_name_it_is_one_store(queue):
    queue.enqueue("--id", "first", "true")
    os.symlink(queue.directory, queue.path("..", "link"))
    names = [".queuectl", "../here/.queuectl", os.path.join(queue.top, "link", ".queuectl"), queue.store + "/"]
    queue.run("config", "set", "kill_grace", "100ms")
    queue.run("config", "set", "backoff_max", "50ms")
    workers = [queue.start("--store", name, "worker", "start") for name in names]
    queue.wait_for_workers(len(names))
    id = queue.run("--store", names[2], "enqueue", "trap '' TERM; [ $QUEUECTL_ATTEMPT -gt 1 ] || echo $$ > leader; " + HELD).out.strip()
    leader = int(queue.wait_for_file("leader"))
    # Whoever takes it up came by another name.
    [busy] = [line["pid"] for line in queue.read("worker", "list") if line["slot"] == int(queue.job(id)["worker"].split(".")[0])]
    send(busy, signal.SIGKILL)
    wait_until(lambda: not is_running(leader), "what the dead worker left is ended")
    queue.write("go", "x")
    assert queue.wait_for_state(id, "completed")["attempts"] == 2
    queue.run("--store", names[1], "worker", "stop")
    assert [one.wait() for one in workers] == [0] * len(names)


def bind(queue, *words):
    """A command that runs where another directory is this one too."""
    other = os.path.join(queue.top, "bound")
    os.makedirs(other, exist_ok=True)
    script = 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"'
    return ["unshare", "-m", "sh", "-c", script, "sh", queue.directory, other] + queue.program.words + list(words)


def test_through_a_mount_of_its_own_a_worker_is_in_the_same_store(queue):
    queue.run("config", "set", "kill_grace", "100ms")
    queue.run("config", "set", "backoff_max", "50ms")
    if subprocess.run(bind(queue, "status"), env=queue.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mounts for this user")
    # One that hides from its tree: only its hold on the job's files gives it away.
    hide = "[ $QUEUECTL_ATTEMPT -gt 1 ] || { (setsid env -i /bin/sh -c 'echo $$ > hidden; exec sleep 1000' &); sleep 1000; }"
    id = queue.enqueue("cd %s; %s" % (queue.directory, hide))
    workers = subprocess.Popen(bind(queue, "worker", "start"), env=queue.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    hidden = int(queue.wait_for_file("hidden"))
    for pid in queue.pids("supervisor") + queue.pids("worker"):
        send(pid, signal.SIGKILL)
    workers.wait()
    queue.work(count=1)
    assert (queue.job(id)["state"], queue.job(id)["attempts"]) == ("completed", 2)
    assert not is_running(hidden)


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_a_store_that_goes_away_takes_its_workers_with_it(queue, how):
    id = queue.enqueue("echo $$ > leader; " + HELD)
    workers = queue.start_workers(count=2)
    leader = int(queue.wait_for_file("leader"))
    queue.wait_for_workers(2)
    if how == "removed":
        shutil.rmtree(queue.store)
    else:
        os.rename(queue.store, queue.path("moved"))
    if how == "replaced":
        other = queue.enqueue("--queue", "nobodys", "true")
    assert workers.wait() == 3
    assert "was removed" in workers.text() + workers.errors()
    assert "Traceback" not in workers.text() + workers.errors()
    assert not is_running(leader)
    if how == "replaced":
        # Served by all queues' workers, were they still there.
        assert queue.states() == {other: "pending"}
    if how != "removed":
        queue.write("go", "x")
        queue.run("--store", "moved", "config", "set", "backoff_max", "50ms")
        queue.run("--store", "moved", "worker", "start", "--drain-all")
        job = queue.run("--store", "moved", "show", id, "--json")
        assert '"state": "completed"' in job.out or '"state":"completed"' in job.out


# --- versions


def make_newer(queue):
    """As a queuectl of the next format leaves a store: a new first line, by rename."""
    with open(queue.journal(), "rb") as file:
        first, newline, rest = file.read().partition(b"\n")
    head = header.decode(first + newline, "")
    header.FORMAT += 1
    try:
        data = header.encode(head, len(first) + 1)
    finally:
        header.FORMAT -= 1
    queue.write("new", data + rest)
    os.rename(queue.path("new"), queue.journal())


COMMANDS = (
    ["enqueue", "true"], ["enqueue", "--wait", "true"], ["list"], ["status"], ["show", "a"], ["logs", "a"], ["events"], ["stats"],
    ["metrics"], ["wait", "a"], ["run", "b"], ["worker", "start", "--drain"], ["worker", "start", "--detach"], ["worker", "stop"],
    ["worker", "scale", "3"], ["worker", "list"], ["config", "get", "timeout"], ["config", "set", "timeout", "3s"], ["config", "list"],
    ["config", "unset", "timeout"], ["dlq", "list"], ["dlq", "show", "a"], ["dlq", "retry", "a"], ["dlq", "purge", "--all", "--yes"],
    ["retry", "a"], ["cancel", "b"], ["hold", "b"], ["release", "b"], ["edit", "b", "--priority", "3"], ["pause"], ["resume"],
    ["purge", "--yes"])


def test_a_store_of_a_newer_format_is_refused_by_every_command_and_not_touched(queue):
    queue.enqueue("--id", "a", "--max-retries", 0, "false")
    queue.work(count=1)
    queue.enqueue("--id", "b", "--delay", "1h", "true")
    make_newer(queue)
    before = queue.snapshot()
    for words in COMMANDS:
        done = queue.run(*words, code=3)
        assert done.err.endswith("is of format 2, this queuectl knows 1: use the newer queuectl\n"), (words, done.err)
        assert done.err.count("\n") == 1 and not done.out, (words, done)
    after = queue.snapshot()
    after.pop("worker.log", None)
    assert after == before


def unslotted(queue):
    """What is in the store beside what the workers write into their own slots, and how far they have synced."""
    return {name: data for name, data in queue.snapshot().items() if name != "lock" and not name.startswith("workers/")}


@pytest.mark.short
def test_running_workers_leave_a_store_that_a_newer_queuectl_took_over(queue):
    queue.enqueue("--id", "runs", HELD)
    workers = queue.start_workers(count=2)
    queue.wait_for_file("runs")
    queue.wait_for_workers(2)
    make_newer(queue)
    before = unslotted(queue)
    wait_until(lambda: len(queue.pids("worker")) == 1, "the idle one has left")
    queue.write("go", "x")
    assert workers.wait() == 3
    assert workers.text().count("is of format 2, this queuectl knows 1: use the newer queuectl") >= 2
    assert "Traceback" not in workers.text() + workers.errors()
    assert unslotted(queue) == before
