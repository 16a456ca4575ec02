"""Waiting for jobs and watching them: exit codes, output as it comes, and terminals left clean."""

import os
import pty
import re
import signal
import subprocess
import threading

import pytest

from tests.support import send, wait_until


class Terminal:
    """A terminal for the streams of one command: all that was written to it."""

    def __init__(self, queue, *words, errors_only=False):
        ours, end = pty.openpty()
        self._ours = ours
        self.written = ""
        self.process = subprocess.Popen(
            queue.program.words + list(words), stdin=end, stdout=subprocess.DEVNULL if errors_only else end, stderr=end,
            start_new_session=True, env=queue.environment_with({"COLUMNS": "100", "TERM": "xterm"}), cwd=queue.directory)
        os.close(end)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            if not data:
                return
            self.written += data.decode()

    def wait_for(self, text):
        wait_until(lambda: text in self.written, "%r on the terminal, where there is %r" % (text, self.written[-2000:]))

    def end(self):
        """The exit code, once all that was written is read."""
        code = self.process.wait(60)
        self._reader.join(30)
        return code


@pytest.fixture
def terminal(queue):
    started = []

    def start(*words, **how):
        started.append(Terminal(queue, *words, **how))
        return started[-1]
    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


# --- wait

ENDS = {"completed": ("true", 0), "its own code": ("exit 7", 7), "a signal": ("kill -9 $$", 137), "no code": ("sleep 60", 1)}


@pytest.mark.short
def test_of_one_job_wait_ends_with_its_exit_code(queue):
    for id, (command, _) in ENDS.items():
        queue.enqueue("--id", id.replace(" ", "-"), "--max-retries", "0", "--timeout", "1s", command)
    queue.start_workers(count=4)
    for id, (_, code) in ENDS.items():
        waited = queue.run("wait", id.replace(" ", "-"), code=code)
        assert waited.out == "" and (id == "completed") == (waited.err == "")
    assert "1 of 2 jobs" in queue.run("wait", "completed", "no-code", code=1).err
    queue.run("wait", "completed", "completed", code=0)


def test_retries_and_the_jobs_that_come_meanwhile_are_waited_for(queue):
    queue.run("config", "set", "backoff_max", "1s")
    queue.enqueue("--id", "flaky", "--max-retries", "1", "[ $QUEUECTL_ATTEMPT = 2 ]")
    waiting = queue.start("wait")
    queue.enqueue("--id", "later", "--delay", "1s", "true")
    queue.start_workers()
    assert waiting.wait() == 0
    assert queue.states() == {"flaky": "completed", "later": "completed"}
    assert queue.run("wait", "flaky", "later").err == ""


def test_of_all_jobs_the_dead_ones_are_told(queue):
    queue.run("wait")
    queue.enqueue("--max-retries", "0", "exit 3")
    queue.work(count=1)
    assert "1 dead" in queue.run("wait", code=1).err


def test_time_that_is_up_and_ids_that_are_not_there_are_1_and_told_apart(queue):
    queue.enqueue("--id", "a", "true")
    assert "1 job is left (1 pending)" in queue.run("wait", "a", "--timeout", "0", code=1).err
    assert "1 job is left (1 pending)" in queue.run("wait", "--timeout", "50ms", code=1).err
    assert "no job has the id b" in queue.run("wait", "a", "b", code=1).err


@pytest.mark.parametrize("words, ids, said", [
    ([], [], "no worker is running"), (["--queue", "mail"], ["a"], "no worker that serves the queue mail is running"),
    (["--hold"], ["a"], "job a is held: release it with: queuectl release a"), (["--hold"], [], "job a is held"),
    (["--after", "held"], ["a"], "job a comes after held, and job held is held")], ids=str)
def test_what_will_never_happen_is_said_once(queue, words, ids, said):
    if "--after" in words:
        queue.enqueue("--id", "held", "--hold", "true")
    queue.enqueue("--id", "a", *words, "true")
    if "--hold" in words or "--after" in words:
        queue.start_workers()
    waiting = queue.start("wait", *ids)
    wait_until(lambda: said in waiting.errors(), "it is said that %s" % said)
    waiting.press_ctrl_c()
    assert waiting.wait() == 130
    assert waiting.errors().count("queuectl:") == 1


def test_the_bar_shows_how_far_they_are_and_is_gone_at_the_end(queue, terminal):
    for number in range(4):
        queue.enqueue("--id", str(number), "while [ ! -e go%d ]; do sleep 0.05; done" % number)
    queue.start_workers(count=4)
    screen = terminal("wait", errors_only=True)
    queue.write("go1", "x")
    screen.wait_for("1 jobs")
    screen.wait_for("25 %")
    screen.wait_for(" left")
    for number in range(4):
        queue.write("go%d" % number, "x")
    assert screen.end() == 0
    assert screen.written.endswith("\r") and "\x1b" not in screen.written
    assert screen.written.split("\r")[-2].strip() == ""


# --- enqueue --wait

@pytest.mark.short
def test_enqueue_wait_is_the_command_as_if_it_ran_here(queue):
    queue.start_workers()
    command = "echo out; echo err >&2; printf '\\377\\n'; exit 3"
    done = queue.run("enqueue", "--wait", "--id", "a", "--max-retries", "0", command, code=3)
    assert done.out == "out\n\udcff\n"
    assert done.err == "err\nqueuectl: job a is dead (exit 3)\n"
    assert queue.run("enqueue", "--wait", "--if-absent", "--id", "a", "true", code=3).out == done.out


def test_its_output_is_shown_as_it_comes_through_all_attempts(queue):
    queue.run("config", "set", "backoff_max", "1s")
    queue.start_workers()
    waiting = queue.start("enqueue", "--wait", "echo begun $QUEUECTL_ATTEMPT; while [ ! -e go ]; do sleep 0.05; done;"
                          "echo end; [ $QUEUECTL_ATTEMPT = 2 ]")
    waiting.wait_for_text("begun 1\n")
    assert "end" not in waiting.text()
    queue.write("go", "x")
    assert waiting.wait() == 0
    assert waiting.text() == "begun 1\nend\nbegun 2\nend\n"
    assert "retry 1/3 in 1 s" in waiting.errors()


def test_ctrl_c_leaves_the_job_and_says_what_can_be_done(queue):
    queue.start_workers()
    waiting = queue.start("enqueue", "--wait", "--id", "a", "echo begun; sleep 60")
    waiting.wait_for_text("begun")
    waiting.press_ctrl_c()
    assert waiting.wait() == 130
    assert "queuectl logs -f a" in waiting.errors() and "queuectl cancel a" in waiting.errors()
    assert queue.job("a")["state"] == "processing"


def test_it_waits_for_one_job_and_for_no_file(queue):
    for words in (["--file", "-"], ['[{"command": "a"}, {"command": "b"}]']):
        assert "--wait" in queue.run("enqueue", "--wait", *words, input="", code=2).err
    assert queue.jobs() == []
