"""A plain terminal, 80 columns wide: what a person sees who types commands into it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

# One that draws nothing and has no colours.
PLAIN = {"TERM": "dumb", "COLUMNS": "80"}


class Screen:
    """Open until it is closed, as a person's is: what one command leaves in the background stays on it."""

    def __init__(self, directory, environment):
        self._directory = directory
        self._environment = dict(environment, **PLAIN)
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def typed(self, command, seconds=60):
        """(exit code, all it printed) of a command that ends by itself; one that does not is killed."""
        line = self.start(command)
        line.read(line.has_ended, seconds)
        return line.end(), line.text()

    def start(self, command):
        # A group of its own, but no session: with its leader the terminal would go, and what is in the background with it.
        process = subprocess.Popen(["/bin/bash", "-c", command], cwd=self._directory, env=self._environment,
                                   stdin=self._theirs, stdout=self._theirs, stderr=self._theirs, preexec_fn=os.setpgrp)
        return Line(process, self._ours)

    def close(self):
        os.close(self._ours)
        os.close(self._theirs)


class Line:
    """A command that was typed."""

    def __init__(self, process, terminal):
        self._process = process
        self._terminal = terminal
        self._printed = b""

    def text(self):
        return self._printed.decode("utf-8", "replace").replace("\r\n", "\n")

    def read(self, until, seconds):
        """Take in what is printed until a condition holds; whether it came to hold in so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # Asked first: what has ended by then has printed all it had to.
            holds = until()
            if select.select([self._terminal], [], [], 0 if holds else 0.02)[0]:
                self._printed += os.read(self._terminal, 65536)
            elif holds:
                return True
        return False

    def has_ended(self):
        return self._process.poll() is not None

    def press_ctrl_c(self):
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self):
        """The exit code; what has not ended is killed."""
        if not self.has_ended():
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()
