"""A person who feeds in many jobs sees how far they have come; a pipe sees nothing but ids."""

import os
import pty
import signal
import subprocess
import threading

import pytest

from tests.support import wait_until

JOB = b'{"command": "true"}\n'


class Terminal:
    """A terminal that standard error goes to: all that was written, and what its lines show now."""

    def __init__(self):
        self._ours, self.end = pty.openpty()
        self.written = ""
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self):
        os.close(self.end)
        self._reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self._ours, 4096)
            except OSError:
                return
            if not data:
                return
            self.written += data.decode()

    def lines(self):
        """What is left to see once everybody has closed it."""
        self._reader.join(30)
        shown = []
        for line in self.written.split("\n"):
            seen = ""
            for piece in line.split("\r"):
                seen = piece + seen[len(piece):]
            shown.append(seen.rstrip())
        return [line for line in shown if line]


@pytest.fixture
def enqueue(queue):
    """An `enqueue --file -` that reads from a pipe, and the terminal that it complains to; it has begun to show."""
    terminal = Terminal()
    process = subprocess.Popen(queue.program.words + ["enqueue", "--file", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=terminal.end, start_new_session=True,
                               env=queue.environment_with({"COLUMNS": "80"}), cwd=queue.directory)
    terminal.start()

    def shows():
        process.stdin.write(JOB)
        process.stdin.flush()
        return " jobs, " in terminal.written
    wait_until(shows, "the terminal shows how many jobs were read")
    yield process, terminal
    process.kill()
    process.communicate()


def test_on_a_terminal_it_is_shown_how_far_it_has_come_and_nothing_stays(enqueue, queue):
    process, terminal = enqueue
    ids = process.communicate()[0].decode().split()
    assert process.returncode == 0
    assert ids == [job["id"] for job in queue.jobs()]
    assert terminal.lines() == []


def test_a_fault_is_told_on_a_line_of_its_own(enqueue, queue):
    process, terminal = enqueue
    ids = process.communicate(b'{"comand": "true"}\n')[0]
    assert process.returncode == 2 and ids == b""
    (line,) = terminal.lines()
    assert line.startswith("queuectl: standard input, line ") and line.endswith("nothing was enqueued")
    assert queue.jobs() == []


def test_ctrl_c_leaves_the_terminal_clean_and_stores_nothing(enqueue, queue):
    process, terminal = enqueue
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    assert terminal.lines() == []
    assert queue.jobs() == []


def test_in_a_pipe_it_is_silent(queue):
    assert queue.run("enqueue", "--file", "-", input=JOB * 50000).err == ""
