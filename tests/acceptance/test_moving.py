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


# --- a copy that was made while the store was in use

def test_a_torn_end_of_a_copy_is_passed_over_and_cut_by_who_writes_to_it(full):
    copy = copied(full)
    os.chmod(copy, 0o700)
    journal = os.path.join(copy, "jobs.jsonl")
    with open(journal, "ab") as file:
        file.write(b'{"id":"half-a-line","state":"pend')
    before = everything_in(copy)
    assert not any("half-a-line" in text for text in looked_at(full, copy))
    assert everything_in(copy) == before
    full.run("--store", copy, "enqueue", "--id", "fresh", "true")
    assert json.loads(full.run("--store", copy, "show", "fresh", "--json").out)["state"] == "pending"


def test_a_copy_whose_journal_is_older_than_its_segments_is_the_store_of_that_moment(full):
    copy = copied(full)
    os.chmod(copy, 0o700)
    before = looked_at(full, copy)[2]
    journal = os.path.join(copy, "jobs.jsonl")
    with open(journal, "rb") as file:
        old = file.read()
    full.run("--store", copy, "enqueue", "--file", "-", input='{"command": "true"}\n' * 2000)
    full.run("--store", copy, "purge", "--older-than", "5000w")
    if not all(os.path.exists(place) for place in segments_named(copy, old)):
        pytest.fail("the roll removed what it had not merged")
    with open(journal, "wb") as file:
        file.write(old)
    assert looked_at(full, copy)[2] == before
    # Whoever rolls removes what nobody names.
    full.run("--store", copy, "purge", "--older-than", "5000w")
    assert json.loads(full.run("--store", copy, "list", "--json").out) == json.loads(before)


def segments_named(store, journal):
    """Where the segments lie that a journal's header names."""
    names = [each["name"] for each in json.loads(journal.split(b"\n")[0].decode())["segments"]]
    assert names
    places = [[os.path.join(store, folder, name + ".jsonl") for folder in ("base", "archive")] for name in names]
    return [next((place for place in pair if os.path.exists(place)), pair[0]) for pair in places]


def test_a_copy_that_misses_a_segment_says_what_to_do(full):
    copy = copied(full)
    os.chmod(copy, 0o700)
    with open(os.path.join(copy, "jobs.jsonl"), "rb") as file:
        os.unlink(segments_named(copy, file.read())[0])
    for words in (["list"], ["show", "nix"], ["purge"], ["retry", "nix"]):
        err = full.run("--store", copy, *words, code=3).err
        assert "is missing" in err and "copy it again" in err and err.count("\n") == 1
    # While nothing is rolled a copy is whole.
    shutil.rmtree(copy)
    subprocess.run(["flock", full.store + "/roll.lock", "cp", "-r", full.store, copy], check=True)
    looked_at(full, copy)


# --- feeding jobs in anew

def test_what_was_printed_or_grepped_can_be_fed_back(full):
    full.run("worker", "stop", "--now")
    grepped = subprocess.run("cat .queuectl/archive/* .queuectl/base/* .queuectl/jobs.jsonl 2>/dev/null", shell=True,
                             cwd=full.directory, stdout=subprocess.PIPE).stdout
    newest = {}
    for text in grepped.split(b"\n"):
        if text.startswith(b'{"id"'):
            newest[text.split(b'"')[3]] = text
    forms = {
        "json": full.run("list", "--json").out,
        "jsonl": full.run("list", "--jsonl").out,
        "grepped": b"\n".join(newest.values()),
    }
    for name, text in sorted(forms.items()):
        full.run("--store", name, "enqueue", "--file", "-", input=text)
    given = ("id", "command", "queue", "priority", "max_retries", "timeout", "run_at", "after", "held", "slots", "nice",
             "cwd", "env")
    original = {job["id"]: [job[key] for key in given] for job in full.jobs()}
    for name in forms:
        fed = json.loads(full.run("--store", name, "list", "--json").out)
        assert {job["id"]: [job[key] for key in given] for job in fed} == original
        assert {job["state"] for job in fed} == {"pending"} and not any(job["attempts"] for job in fed)


def test_one_grepped_line_is_a_job(full):
    for id in ("done", "dead", "held", "runs", "later-0007", "many-07"):
        command = "grep -hs '\"id\":\"%s\"' .queuectl/archive/* .queuectl/base/* .queuectl/jobs.jsonl | tail -1" % id
        line = subprocess.run(command, shell=True, cwd=full.directory, stdout=subprocess.PIPE).stdout
        assert full.run("--store", "other", "enqueue", "--file", "-", input=line).out == id + "\n"
