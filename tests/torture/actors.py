"""Processes of the real program: started as forks or with a Python of their own, killed, and what they printed."""

import importlib
import os
import select
import signal
import subprocess
import sys
import time
import traceback

from queuectl_lib.faces.cli import main as command_line
from queuectl_lib.faces.cli import registry


def load_all():
    """Import every command, so that a fork has nothing left to import."""
    for name in registry.names() + list(registry.INTERNAL):
        importlib.import_module("queuectl_lib.faces.cli." + name.replace(" ", "_"))
    from queuectl_lib.store import store
    store.load_all()


class Actor:
    """One running command; its output comes through pipes, or goes to a file that is shared."""

    def __init__(self, act, words, launcher, log=None):
        self.act = act
        self.words = words
        self.printed = bytearray()
        self.complained = bytearray()
        self.code = None
        self.begin = time.monotonic()
        self.end = None
        self._pipes = {}
        out, err = (log, log) if log is not None else (self._pipe("printed"), self._pipe("complained"))
        self.pid = _spawned(launcher, words, out, err) if act.fresh else _forked(words, out, err)
        if log is None:
            os.close(out)
            os.close(err)

    def _pipe(self, name):
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._pipes[reader] = name
        return writer

    @property
    def fds(self):
        return list(self._pipes)

    def read(self, fd):
        """Take in what is there."""
        try:
            data = os.read(fd, 1 << 20)
        except BlockingIOError:
            return
        getattr(self, self._pipes[fd]).extend(data)
        if not data:
            del self._pipes[fd]
            os.close(fd)

    def has_ended(self):
        """Reap it, if it has ended; what it printed until then is read."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if not pid:
                return False
            self.code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            self.end = time.monotonic()
            for fd in self.fds:
                self.read(fd)
                # A roller or a worker that it left behind may have them for long.
                if fd in self._pipes:
                    del self._pipes[fd]
                    os.close(fd)
        return True

    def kill(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)

    @property
    def was_killed(self):
        return self.code == -signal.SIGKILL

    def ids(self):
        """The ids that were acknowledged: whole lines alone."""
        return self.printed.decode().split("\n")[:-1]


def attend(actors, seconds):
    """Read what comes within so much time; those that have ended by then."""
    poll = select.poll()
    owners = {}
    for actor in actors:
        for fd in actor.fds:
            poll.register(fd, select.POLLIN)
            owners[fd] = actor
    for fd, _ in poll.poll(max(0, seconds) * 1000):
        owners[fd].read(fd)
    return [actor for actor in actors if actor.has_ended()]


def _spawned(launcher, words, out, err):
    process = subprocess.Popen([sys.executable, "-S", launcher] + words, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                               start_new_session=True)
    # Reaped by its Actor.
    process.returncode = 0
    return process.pid


def _forked(words, out, err):
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.closerange(3, 1024)
        # The parent's are files perhaps, which have a place to seek.
        sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)
        code = command_line.main(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
