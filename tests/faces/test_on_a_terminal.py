"""What people see on a terminal and no pipe does: moments in local time, workers that leave."""

import os
import pty
import re
import subprocess
import time

import pytest

from queuectl_lib.faces import moments
from queuectl_lib.words import clock

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


class Terminal:
    tty = True


class Pipe:
    tty = False


@pytest.fixture
def zone(monkeypatch):
    """Sets the local time zone of a test."""
    def change(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()
    yield change
    monkeypatch.undo()
    time.tzset()


def on_terminal(queue, *words, zone):
    """What a command shows on a terminal 80 columns wide, in lines."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(queue.program.words + list(words), stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
                            cwd=queue.directory, env=queue.environment_with({"TZ": zone, "COLUMNS": "80", "NO_COLOR": "1"}))
    os.close(theirs)
    shown = b""
    try:
        while True:
            data = os.read(ours, 65536)
            if not data:
                break
            shown += data
    except OSError:
        # All ends of it are closed.
        pass
    os.close(ours)
    assert done.wait() == 0
    return shown.decode().splitlines()


def test_the_zone_is_said_with_the_first_moment_and_where_it_changes(zone):
    zone(BERLIN)
    shown = moments.Moments(Terminal()).shown
    assert [shown(text) for text in ("2026-10-25T00:10:00.999Z", "2026-10-25T00:20:00.000Z", "2026-10-25T01:20:00.000Z", "2026-10-25T03:00:00.000Z")] == [
        "2026-10-25 02:10:00 +02:00", "2026-10-25 02:20:00", "2026-10-25 02:20:00 +01:00", "2026-10-25 04:00:00"]


@pytest.mark.parametrize("name, text", [
    ("UTC", "2026-11-25 04:12:07 +00:00"), ("XYZ-5:30", "2026-11-25 09:42:07 +05:30"), ("XYZ3:30", "2026-11-25 00:42:07 -03:30")])
def test_what_is_shown_can_be_given_again(zone, name, text):
    zone(name)
    shown = moments.Moments(Terminal()).shown("2026-11-25T04:12:07.000Z")
    assert (shown, clock.moment(clock.parse_moment(shown))) == (text, "2026-11-25T04:12:07.000Z")


def test_a_pipe_gets_what_is_stored(zone):
    zone(BERLIN)
    shown = moments.Moments(Pipe())
    assert (shown.shown("2026-11-25T04:12:07.123Z"), shown.said("2026-11-25T04:12:07.123Z")) == ("2026-11-25T04:12:07.123Z", None)


@pytest.fixture
def worked(queue):
    """A queue with a job that failed for good."""
    queue.enqueue("--id", "a", "--max-retries", "0", "--run-at", "2026-07-01T12:00:00Z", "exit 3")
    queue.work(count=1)
    return queue


@pytest.mark.parametrize("words", [("show", "a"), ("dlq", "show", "a"), ("list", "--verbose"), ("dlq", "list", "--verbose"), ("events",), ("events", "a")])
def test_moments_are_local_on_a_terminal_and_the_zone_is_said_once(worked, words):
    lines = on_terminal(worked, *words, zone="XYZ-5:30")
    shown = [match for line in lines for match in re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)]
    job = worked.job("a")
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(clock.parse_moment(job["started_at"]) // 1000 + 19800))
    assert moment in shown and "Z" not in "".join(lines)
    assert "\n".join(lines).count("+05:30") == 1 and "+05:30" in next(line for line in lines if "+05:30" in line or re.search(r"\d:\d\d:\d\d", line))
    assert max(map(len, lines)) <= 80 or words[0] != "events"


def test_a_worker_that_has_to_leave_when_its_job_is_done_is_seen_to(queue):
    for id in ("a", "b"):
        queue.enqueue("--id", id, "sleep 60")
    queue.start_workers(count=2)
    queue.wait_for_state("b", "processing")
    queue.wait_for_state("a", "processing")
    assert not any("leaving" in line for line in on_terminal(queue, "worker", "list", zone="UTC"))
    queue.run("worker", "scale", "1")
    lines = on_terminal(queue, "worker", "list", zone="UTC")
    assert [line for line in lines if " leaving " in line and " sleep 60" in line] == [line for line in lines if "leaving" in line] != []


@pytest.mark.parametrize("words", [("show", "a"), ("list", "--verbose"), ("events",)])
def test_a_pipe_and_a_program_get_utc_whatever_the_zone(worked, words):
    def told(*more):
        return [worked.run(*words, *more, env={"TZ": name}).out for name in ("UTC", "XYZ-5:30")]

    for more in [()] if words[0] == "show" else [(), ("--json",), ("--jsonl",)]:
        here, there = (re.findall(r"\d{4}-\d\d-\d\d\S*", text) for text in told(*more))
        assert any(worked.job("a")["started_at"] in moment for moment in here) and here == there
    on_a_terminal = "\n".join(on_terminal(worked, *words, "--json", zone="XYZ-5:30"))
    assert worked.job("a")["started_at"] in on_a_terminal and "+05:30" not in on_a_terminal
