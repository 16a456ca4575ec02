"""A disk that is really full: results are recorded, nothing else is begun, and all go on by themselves when there is room."""

import os
import signal
import subprocess

import pytest

from queuectl_lib.store import ballast
from feeding import Feed, lines
from support import Queue

FULL = "no room on the disk"
LONG = "LONG=" + "x" * 9000
NOTHING_STARTS = FULL + ": workers start nothing before 1 MB is free"
AGAIN = "there is room on the disk again: going on"


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    place = str(tmp_path / "disk")
    os.mkdir(place)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip("no disk can be mounted here: %s" % done.stderr.decode())
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def queue(program, disk):
    here = Queue(program, os.path.join(disk, "top"))
    yield here
    empty(here)
    here.close()


def filler(queue):
    return os.path.join(queue.top, "filler")


def fill(queue):
    """To the last byte."""
    with open(filler(queue), "ab", 0) as file:
        for size in (65536, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def empty(queue):
    if os.path.exists(filler(queue)):
        os.remove(filler(queue))


def size_of_ballast(queue):
    return os.path.getsize(os.path.join(queue.store, "ballast"))


@pytest.mark.short
def test_results_are_recorded_and_the_workers_go_on_when_there_is_room(queue):
    # Its lines are long, so that they do not fit into what is left of the journal's last page.
    queue.enqueue("--id", "runs", "--max-retries", "0", "--env", LONG, "while [ ! -e go ]; do sleep 0.02; done; exit 3")
    queue.enqueue("--id", "waits", "--env", LONG, "true")
    assert size_of_ballast(queue) == ballast.SIZE
    workers = queue.start_workers()
    queue.wait_for_state("runs", "processing")
    os.mkdir(queue.path("go.dir"))
    fill(queue)
    refused = queue.run("enqueue", "--env", LONG, "true", code=3)
    assert refused.err.startswith("queuectl: %s: no room on the disk" % queue.journal())
    assert size_of_ballast(queue) == ballast.SIZE
    os.rename(queue.path("go.dir"), queue.path("go"))
    assert queue.wait_for_state("runs", "dead")["exit_code"] == 3
    assert 0 < size_of_ballast(queue) < ballast.SIZE
    workers.wait_for_text(FULL)
    assert "the disk was full when this ended" in queue.job("runs")["stderr"]
    assert queue.states()["waits"] == "pending"
    assert NOTHING_STARTS in queue.run("show", "waits").out
    assert NOTHING_STARTS[1:] in queue.run("status").out
    assert NOTHING_STARTS in queue.run("worker", "list").err
    assert queue.run("wait", "waits", "--timeout", "1500ms", code=1).err.count(NOTHING_STARTS) == 1
    empty(queue)
    workers.wait_for_text(AGAIN)
    queue.wait_for_state("waits", "completed")
    assert size_of_ballast(queue) == ballast.SIZE
    workers.press_ctrl_c()
    assert workers.wait() == 0
    assert workers.text().count(FULL) == workers.text().count(AGAIN) == 1


def test_a_drain_does_not_wait_for_room_for_ever(queue):
    queue.enqueue("--id", "waits", "--env", LONG, "true")
    fill(queue)
    done = queue.run("worker", "start", "--drain", code=3)
    assert FULL in done.out + done.err
    assert queue.states()["waits"] == "pending"
    empty(queue)
    os.remove(os.path.join(queue.store, "ballast"))
    queue.run("worker", "start", "--drain")
    assert queue.states()["waits"] == "completed"
    assert size_of_ballast(queue) == ballast.SIZE


def test_a_purge_makes_room_on_a_full_disk(queue):
    queue.run("enqueue", "--file", "-", input="\n".join(
        '{"command": "true", "max_retries": 0, "queue": "q%d", "env": {"LONG": "%s"}}' % (number % 2, "x" * 2000)
        for number in range(300)))
    queue.run("worker", "start", "--drain", "--count", "2")
    queue.run("roll")
    queue.enqueue("--id", "waits", "true")
    fill(queue)
    before = os.statvfs(queue.store).f_bavail
    done = queue.run("purge", "--queue", "q0", "--yes")
    assert done.out == "removed 150 jobs: 150 completed\n"
    assert queue.run("purge", "--yes").out == "removed 150 jobs: 150 completed\n"
    assert os.statvfs(queue.store).f_bavail > before + 50
    assert queue.states() == {"waits": "pending"}


def test_a_stream_waits_for_room_and_loses_nothing(queue, tmp_path):
    feed = Feed(queue, "--if-absent", "--env", LONG, place=str(tmp_path))
    feed.give("before")
    feed.wait_for("before")
    fill(queue)
    feed.write(lines("a") + "no job\n" + lines("b"))
    feed.wait_for_error(FULL)
    assert feed.acknowledged() == ["before"] and "line 3" not in feed.errors()
    empty(queue)
    feed.wait_for("b")
    assert feed.end() == 1
    assert feed.acknowledged() == ["before", "a", "b"]
    assert queue.states() == {"before": "pending", "a": "pending", "b": "pending"}
    waiting, again, refused = feed.errors().splitlines()
    assert "waiting for that" in waiting and "going on" in again and "line 3" in refused
    assert queue.text(".queuectl", "refused.jsonl") == "no job\n"


def test_a_stream_that_is_asked_to_leave_says_what_found_no_room(queue, tmp_path):
    feed = Feed(queue, "--env", LONG, place=str(tmp_path))
    feed.give("before")
    feed.wait_for("before")
    fill(queue)
    feed.give("a", "b")
    feed.wait_for_error(FULL)
    os.kill(feed.pid, signal.SIGTERM)
    os.kill(feed.pid, signal.SIGINT)
    assert feed.wait() in (130, 143)
    assert feed.errors().endswith("left at once: 2 lines read and not stored\n")
