"""What the store promises to a person with grep, to a second copy, and after a crash."""

import json
import os
import stat
import subprocess

import pytest


def grep(queue, command):
    done = subprocess.run(["/bin/sh", "-c", command], cwd=queue.directory, stdout=subprocess.PIPE,
                          env=queue.environment)
    return json.loads(done.stdout.decode())


def grep_recent(queue, id):
    return grep(queue, "grep '\"%s\"' .queuectl/jobs.jsonl | tail -1" % id)


def grep_always(queue, id):
    return grep(queue, "grep -h '\"%s\"' .queuectl/archive/* .queuectl/base/* .queuectl/jobs.jsonl"
                       " 2>/dev/null | tail -1" % id)


def fields(job):
    return {name: job.get(name) for name in ("id", "state", "attempts", "command", "exit_code", "stdout", "updated_at")}


def assert_grep_finds(queue, id):
    shown = fields(queue.job(id))
    found = grep_always(queue, id)
    assert {name: found.get(name, shown[name] if shown[name] in (None, "") else None) for name in shown} == shown


@pytest.mark.short
def test_the_last_line_of_an_id_is_the_job_as_it_stands(queue):
    queue.enqueue("--id", "nightly", "echo backup done")
    assert grep_recent(queue, "nightly")["state"] == "pending"
    queue.work(count=1)
    found = grep_recent(queue, "nightly")
    assert (found["state"], found["attempts"], found["stdout"]) == ("completed", 1, "backup done\n")


def test_it_is_so_after_many_rolls(queue):
    """Thousands of jobs go by; the waiting ones move to base/, the finished ones to archive/."""
    queue.run("config", "set", "max_retries", "0")
    queue.run("config", "set", "durability", "fast")
    queue.enqueue("--id", "nightly", "echo done")
    queue.enqueue("--id", "monthly", "--delay", "30d", "echo done")
    queue.enqueue("--id", "broken", "echo no; exit 4")
    for burst in range(2):
        lines = "".join('{"id": "job-%d-%d", "command": "exit %d"}\n' % (burst, number, number % 50 == 0)
                        for number in range(1500))
        queue.run("enqueue", "--file", "-", input=lines)
        assert queue.start_workers("--drain", count=2).wait() == 0
    assert os.path.getsize(queue.journal()) < 3000000, "nothing was rolled"
    for id in ("nightly", "monthly", "broken", "job-0-1", "job-1-1499", "job-0-50"):
        assert_grep_finds(queue, id)
    assert grep_always(queue, "nightly")["state"] == "completed"
    assert grep_always(queue, "monthly")["state"] == "pending"
    assert grep_always(queue, "broken")["state"] == "dead"
    queue.run("dlq", "retry", "broken")
    assert grep_always(queue, "broken")["state"] == "pending"
    counts = {}
    for job in queue.jobs():
        counts[job["state"]] = counts.get(job["state"], 0) + 1
    assert counts == {"completed": 1 + 2 * 1470, "pending": 2, "dead": 2 * 30}


def test_everything_in_it_is_private(queue):
    old = os.umask(0)
    try:
        queue.enqueue("head -c 100000 /dev/zero")
        queue.work(count=1)
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(queue.store).st_mode) == 0o700
    for folder, folders, names in os.walk(queue.store):
        for name in folders:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o700, name
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600, name


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_line_torn_by_a_kill_costs_only_itself(queue, cut):
    queue.enqueue("--id", "first", "true")
    queue.enqueue("--id", "second", "true")
    queue.cut_tail(cut)
    assert [job["id"] for job in queue.jobs()][0] == "first"
    queue.enqueue("--id", "third", "true")
    there = {job["id"] for job in queue.jobs()}
    # Only the newline was lost: then the line itself is whole and good.
    assert there == ({"first", "second", "third"} if cut == 1 else {"first", "third"})


def test_half_a_line_at_the_end_is_cut_by_the_next_writer(queue):
    queue.enqueue("--id", "first", "true")
    queue.append_garbage(b'{"id":"half","sta')
    assert queue.states() == {"first": "pending"}
    queue.enqueue("--id", "second", "true")
    assert queue.states() == {"first": "pending", "second": "pending"}


def test_readers_change_nothing(queue):
    assert queue.jobs() == [] and not os.path.exists(queue.store)
    id = queue.enqueue("true")
    before = queue.snapshot()
    for words in (["status"], ["list"], ["show", id], ["dlq", "list"], ["worker", "list"], ["config", "list"]):
        queue.run(*words)
    assert queue.snapshot() == before


def test_a_copied_store_is_a_store(queue):
    queue.enqueue("--id", "mine", "echo here")
    queue.work(count=1)
    subprocess.run(["cp", "-r", ".queuectl", "copy"], cwd=queue.directory, check=True)
    os.chmod(queue.path("copy"), 0o700)
    assert json.loads(queue.run("--store", "copy", "show", "mine", "--json").out)["state"] == "completed"


def test_what_list_prints_can_be_enqueued_again(queue):
    queue.enqueue("--id", "mine", "--priority", 3, "--env", "A=1", "echo $A")
    queue.work(count=1)
    printed = queue.run("list", "--jsonl").out
    line = "".join(open(queue.journal(), encoding="ascii").readlines()[-1:])
    for store, text in (("other", printed), ("third", line)):
        queue.run("--store", store, "enqueue", "--file", "-", input=text)
        [job] = json.loads(queue.run("--store", store, "list", "--json").out)
        assert (job["id"], job["state"], job["attempts"], job["priority"]) == ("mine", "pending", 0, 3)


def test_demo_shows_success_retry_timeout_and_the_dlq(queue):
    out = queue.run("demo").out
    for word in ("completed", "retry", "timed out", "dead"):
        assert word in out
    assert not os.path.exists(queue.store)
