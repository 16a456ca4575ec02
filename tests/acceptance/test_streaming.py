"""Lines that are enqueued as they arrive: each is acknowledged when it is on disk, and none is lost or taken twice."""

import json
import os
import signal
import subprocess

import pytest

import support
from support import wait_until


class Feed:
    """A running `enqueue --stream`, and the pipe into it."""

    def __init__(self, queue, *words, env=None, out=None):
        self.queue = queue
        self.output = os.path.join(queue.top, "acknowledged-%d" % len(queue.started))
        with open(self.output, "wb") as output, open(self.output + ".err", "wb") as errors:
            self.process = subprocess.Popen(
                queue.program.words + ["enqueue", "--file", "-", "--stream"] + [str(word) for word in words],
                stdin=subprocess.PIPE, stdout=output if out is None else out, stderr=errors,
                env=queue.environment_with(env), cwd=queue.directory, start_new_session=True)
        self.pid = self.process.pid
        # So that the queue sees to its end.
        queue.started.append(self)

    def write(self, text):
        self.process.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.process.stdin.flush()

    def give(self, *ids):
        self.write(lines(*ids))

    def acknowledged(self):
        with open(self.output) as file:
            return file.read().split()

    def errors(self):
        with open(self.output + ".err", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def wait_for(self, *ids):
        wait_until(lambda: set(ids) <= set(self.acknowledged()), "%r are acknowledged" % (ids,))

    def wait_for_error(self, text):
        wait_until(lambda: text in self.errors(), "%r on standard error" % text)

    def end(self):
        """Close its input; its exit code."""
        self.close_input()
        return self.wait()

    def close_input(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def wait(self):
        return self.process.wait(support.DEADLINE)

    def poll(self):
        return self.process.poll()


def lines(*ids):
    return "".join('{"id": "%s", "command": "true"}\n' % id for id in ids)


def names(count, begin="j"):
    return ["%s%05d" % (begin, number) for number in range(count)]


@pytest.mark.short
def test_a_line_is_acknowledged_while_the_next_one_is_still_to_come(queue):
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    assert queue.states() == {"a": "pending"}
    feed.write('\n  \n{"command": "echo b"')
    feed.write(', "priority": 7}\n' + lines("c"))
    feed.wait_for("c")
    first, second, third = feed.acknowledged()
    assert (first, third) == ("a", "c") and queue.job(second)["priority"] == 7
    feed.write('{"id": "d", "command": "echo the last has no newline"}')
    assert feed.end() == 0
    assert feed.acknowledged() == [first, second, third, "d"]
    assert feed.errors() == ""


def test_ids_are_printed_in_the_order_of_the_input_however_many_come(queue):
    ids = names(5000)
    done = queue.run("enqueue", "--file", "-", "--stream", input=lines(*ids))
    assert done.out.split() == ids and done.err == ""
    assert len(queue.jobs()) == 5000


def test_options_are_defaults_for_every_line(queue):
    feed = Feed(queue, "--queue", "mail", "--delay", "1h", "--expires", "1d")
    feed.give("early")
    feed.wait_for("early")
    feed.write('{"id": "own", "command": "true", "queue": "other"}\n')
    feed.wait_for("own")
    queue.run("config", "set", "max-retries", "9")
    feed.give("late")
    assert feed.end() == 0
    early, own, late = (queue.job(id) for id in ("early", "own", "late"))
    assert (early["queue"], own["queue"], late["queue"]) == ("mail", "other", "mail")
    # Of the moment at which each came, by the settings that held then.
    assert early["run_at"] < late["run_at"] and early["expires_at"] < late["expires_at"]
    assert (early["max_retries"], late["max_retries"]) == (3, 9)


def test_with_if_absent_the_same_lines_can_be_given_again(queue):
    feed = Feed(queue, "--if-absent")
    feed.give("a", "b", "a")
    feed.wait_for("b")
    feed.give("b", "c")
    assert feed.end() == 0
    assert feed.acknowledged() == ["a", "b", "a", "b", "c"]
    assert sorted(job["id"] for job in queue.jobs()) == ["a", "b", "c"]
    assert feed.errors() == ""


def test_lines_come_from_a_fifo_too(queue):
    os.mkfifo(queue.path("fifo"))
    started = queue.start("enqueue", "--file", "fifo", "--stream")
    with open(queue.path("fifo"), "w") as fifo:
        fifo.write(lines("a"))
        fifo.flush()
        started.wait_for_text("a\n")
        fifo.write(lines("b"))
    assert started.wait() == 0
    assert started.text() == "a\nb\n"


def test_workers_are_woken_for_each_group(queue):
    queue.run("config", "set", "poll-interval", "3600")
    queue.start_workers()
    queue.wait_for_workers(1)
    feed = Feed(queue)
    for id in ("a", "b"):
        feed.give(id)
        feed.wait_for(id)
        queue.wait_for_state(id, "completed")
    assert feed.end() == 0


@pytest.mark.parametrize("words, told", [
    (["--stream", "true"], "--stream reads lines"), (["--stream"], "what is to be run?"),
    (["--stream", "--file", "-", "--id", "a"], "--id names one job"), (["--stream", "--file", "-", "--unique"], "--unique is for one job"),
    (["--stream", "--file", "-", "--wait"], "--wait waits for one job"), (["--stream", "--file", "absent"], "--file absent: No such file"),
])
def test_options_that_make_no_sense_are_refused(queue, words, told):
    assert told in queue.run("enqueue", *words, code=2, input="").err
