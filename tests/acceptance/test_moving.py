"""A store, and what is in it, goes elsewhere: copied while it is in use, looked at by others, fed in anew."""

import ctypes
import json
import os
import shutil
import subprocess

import pytest

from tests.support import is_running

_PR_CAPBSET_DROP = 24
LOOKS = (["status"], ["list"], ["list", "--json"], ["show", "done"], ["logs", "done"], ["logs", "big"], ["dlq", "list"],
         ["dlq", "show", "dead"], ["worker", "list"], ["config", "list"], ["purge", "--dry-run"])


@pytest.fixture
def full(queue):
    """A store with a job in every state, some of them in segments, one of them running, with a worker."""
    queue.run("config", "set", "durability", "fast")
    queue.run("enqueue", "--file", "-", input="".join(
        '{"id": "many-%02d", "command": "true"}\n' % number for number in range(30)))
    queue.enqueue("--id", "done", "echo done")
    queue.enqueue("--id", "big", "head -c 300000 /dev/zero | tr '\\0' x")
    queue.enqueue("--id", "dead", "--max-retries", "0", "echo odd \xfc; exit 3")
    queue.enqueue("--id", "failed", "--max-retries", "1", "exit 1")
    queue.run("config", "set", "backoff_base", "1000")
    assert queue.start_workers("--drain", count=2).wait() == 0
    # Nothing is that old, but the journal is rolled.
    queue.run("purge", "--older-than", "5000w")
    queue.run("enqueue", "--file", "-", input="".join(
        '{"id": "later-%04d", "command": "true", "run_at": 4000000000}\n' % number for number in range(1200)))
    queue.enqueue("--id", "held", "--hold", "true")
    queue.enqueue("--id", "after", "--after", "held", "true")
    queue.enqueue("--id", "runs", "echo $$ > started; exec sleep 1000")
    queue.start_workers(count=1)
    queue.wait_for_file("started")
    return queue


def copied(queue, name="copy"):
    subprocess.run(["cp", "-r", ".queuectl", name], cwd=queue.directory, check=True, stderr=subprocess.DEVNULL)
    return queue.path(name)


def everything_in(store):
    """{path: (size, bytes, moment of the last change)}"""
    found = {}
    for folder, folders, names in os.walk(store):
        for name in folders + names + ["."]:
            path = os.path.join(folder, name)
            status = os.stat(path)
            data = None
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
            found[path] = (data, status.st_mtime_ns, status.st_mode)
    return found


def looked_at(queue, store):
    """What all the commands that look print of a store."""
    return [queue.run("--store", store, *words).out for words in LOOKS]


@pytest.mark.short
def test_a_copy_shows_what_the_original_does_and_nothing_is_written_to_it(full):
    copy = copied(full)
    before = everything_in(copy)
    jobs = [dict(job, note=None) for job in json.loads(looked_at(full, copy)[2])]
    assert everything_in(copy) == before
    assert jobs == [dict(job, note=None) for job in full.jobs()]


def test_a_copy_without_its_lock_files_and_of_another_mode_can_be_looked_at(full):
    copy = copied(full)
    for name in ("lock", "roll.lock", "workers.pid"):
        os.unlink(os.path.join(copy, name))
    shutil.rmtree(os.path.join(copy, "workers"))
    shutil.rmtree(os.path.join(copy, "wake"))
    subprocess.run(["chmod", "-R", "a-w,a+rX", copy], check=True)
    before = everything_in(copy)
    looked_at(full, copy)
    assert everything_in(copy) == before


def powerless():
    """In the child: root for whom the mode of a file counts (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER)."""
    if os.geteuid() == 0:
        for capability in (1, 2, 3):
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def run_powerless(queue, store, words):
    command = queue.program.words + ["--store", store] + words
    return subprocess.run(command, cwd=queue.directory, env=queue.environment, preexec_fn=powerless,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def guarded(full):
    """A copy whose modes forbid writing, to the tests too."""
    store = copied(full)
    subprocess.run(["chmod", "-R", "a-w", store], check=True)
    probe = subprocess.run(["touch", store + "/probe"], preexec_fn=powerless, stderr=subprocess.DEVNULL)
    if probe.returncode == 0:
        pytest.skip("nobody is kept from writing here: root cannot give up its power over files")
    yield store
    subprocess.run(["chmod", "-R", "u+w", store], check=True)


WRITES = (["enqueue", "true"], ["worker", "start", "--drain"], ["purge"], ["retry", "dead"], ["dlq", "purge", "--all", "--yes"],
          ["config", "set", "max-retries", "1"])


@pytest.mark.parametrize("owner", ["me", "another"])
def test_who_may_not_write_may_look(full, guarded, owner):
    if owner == "another":
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        subprocess.run(["chown", "-R", "65534", guarded], check=True)
        subprocess.run(["chmod", "-R", "a+rX", guarded], check=True)
    own = looked_at(full, guarded)
    before = everything_in(guarded)
    for words, out in zip(LOOKS, own):
        done = run_powerless(full, guarded, words)
        assert done.returncode == 0 and not done.stderr.count(b"Traceback"), (words, done.stderr)
    for words in WRITES:
        done = run_powerless(full, guarded, words)
        assert done.returncode == 3 and done.stderr.count(b"\n") == 1, (words, done.stderr)
    assert everything_in(guarded) == before


def test_workers_on_a_copy_leave_the_originals_running_job_alone(full):
    copy = copied(full)
    os.chmod(copy, 0o700)
    pid = int(full.text("started"))
    full.run("--store", copy, "config", "set", "kill_grace", "0")
    lost = full.start("--store", copy, "worker", "start")
    lost.wait_for_text("runs")
    lost.press_ctrl_c()
    lost.wait()
    assert is_running(pid)
    assert full.job("runs")["state"] == "processing"
