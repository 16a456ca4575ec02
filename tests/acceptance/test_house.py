"""Keeping house: what has ended leaves the store when somebody asks for it, or by itself, and takes its files along."""

import json
import os
import pty
import subprocess

import pytest

from tests.support import wait_until


@pytest.fixture
def done(queue):
    """Three completed jobs, one of them with much output, a cancelled one's worth of others: dead, waiting."""
    for number in range(2):
        queue.enqueue("--id", "done-%d" % number, "true")
    queue.enqueue("--id", "big", "--queue", "mail", "head -c 300000 /dev/zero | tr '\\0' x")
    queue.enqueue("--id", "dead", "--max-retries", "0", "false")
    queue.enqueue("--id", "later", "--delay", "1h", "true")
    assert queue.start_workers("--drain").wait() == 0
    return queue


def output_files(queue):
    return os.listdir(os.path.join(queue.store, "output"))


def answered(queue, answer, *words):
    """(exit code, what was shown) of a command at a terminal where somebody types an answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(queue.program.words + list(words), stdin=theirs, stdout=theirs, stderr=theirs,
                               env=queue.environment, cwd=queue.directory, start_new_session=True)
    os.close(theirs)
    os.write(ours, answer)
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)
    return process.wait(), shown.decode()


@pytest.mark.short
def test_what_has_ended_goes_with_its_output_and_the_rest_stays(done):
    assert output_files(done) == ["big.1.out"]
    assert done.run("purge", "--dry-run").out == "would remove 3 jobs: 3 completed\n"
    assert done.run("purge", "--older-than", "7d").out == "removed no jobs\n"
    assert len(done.jobs()) == 5
    assert json.loads(done.run("purge", "--json").out) == {"dry_run": False, "removed": 3, "states": {"completed": 3}}
    assert done.states() == {"dead": "dead", "later": "pending"}
    assert output_files(done) == []
    assert done.run("purge", "--state", "dead").out == "removed 1 job: 1 dead\n"
    assert done.enqueue("--id", "done-0", "true") == "done-0"


def test_one_queues_jobs_can_go_alone(done):
    assert done.run("purge", "--queue", "mail").out == "removed 1 job: 1 completed\n"
    assert sorted(done.states()) == ["dead", "done-0", "done-1", "later"]


def test_purge_all_empties_the_store_but_only_when_somebody_says_yes(done):
    assert "needs --yes" in done.run("purge", "--all", code=2).err
    code, shown = answered(done, b"n\n", "purge", "--all")
    assert code == 1 and "Remove 5 jobs: 1 pending, 3 completed, 1 dead for good?" in shown and "nothing was removed" in shown
    assert len(done.jobs()) == 5
    code, shown = answered(done, b"y\n", "purge", "--all")
    assert code == 0 and "removed 5 jobs" in shown
    assert done.jobs() == [] and output_files(done) == []


def test_purge_all_leaves_what_runs(queue):
    queue.enqueue("--id", "runs", "while [ ! -e enough ]; do sleep 0.05; done")
    queue.enqueue("--id", "waits", "true")
    queue.start_workers()
    queue.wait_for_state("runs", "processing")
    left = queue.run("purge", "--all", "--yes")
    assert left.out == "removed 1 job: 1 pending\n" and "1 running job was left" in left.err
    queue.write("enough", "")
    queue.wait_for_state("runs", "completed")
    assert queue.run("purge", "--all", "--yes").out == "removed 1 job: 1 completed\n"


def test_jobs_that_wait_are_not_purged_by_name(done):
    assert "cancel them first" in done.run("purge", "--state", "pending", code=2).err
    assert "unknown state" in done.run("purge", "--state", "compelted", code=2).err
    assert "not both" in done.run("purge", "--state", "dead", "--all", "--yes", code=2).err
    assert "there is no store" in done.run("--store", "nowhere", "purge", code=3).err


def test_workers_and_enqueues_go_on_while_the_store_is_purged_again_and_again(queue):
    queue.run("config", "set", "durability", "fast")
    queue.start_workers(count=2)
    kept = []
    gone = 0
    for burst in range(6):
        queue.run("enqueue", "--file", "-", input='{"command": "true"}\n' * 150)
        kept.append(queue.enqueue("--delay", "1h", "true"))
        gone += json.loads(queue.run("purge", "--json").out)["removed"]
    wait_until(lambda: not any(state in ("pending", "processing") for id, state in queue.states().items() if id not in kept),
               "all of them have run")
    gone += json.loads(queue.run("purge", "--json").out)["removed"]
    assert gone == 6 * 150
    assert sorted(queue.states()) == sorted(kept)
    assert queue.read("status")["states"]["completed"] == 0


@pytest.mark.short
def test_what_is_older_than_retention_goes_by_itself_while_workers_live(done):
    done.run("config", "set", "retention", "2s")
    done.start_workers()
    wait_until(lambda: done.states() == {"dead": "dead", "later": "pending"}, "the completed ones have gone")
    wait_until(lambda: output_files(done) == [], "their output has gone")
