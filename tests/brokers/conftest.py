"""Brokers that live as long as a test, and hosts that take their work from them."""

import os
import random
import signal
import stat
import subprocess
import sys

import pytest

import support
from tests import readme

SECTION = "Beyond one machine"
MOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mock_kafka.py")

# The mock deals partitions out anew once this is over (ms); a real broker need not wait for it.
SESSION = 4000


def block(kind, holds):
    """The one block of the section that holds this text."""
    [found] = [block.text for block in readme.blocks(kind, SECTION) if holds in block.text]
    return found


class Kafka:
    """A cluster of one broker; `address` is where kcat finds it."""

    def __init__(self, *topics):
        self.process = subprocess.Popen([sys.executable, MOCK] + list(topics), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.address = self.process.stdout.readline().decode().strip()

    def send(self, topic, partition, messages):
        """Returns when the broker has them."""
        subprocess.run(["kcat", "-P", "-b", self.address, "-t", topic, "-p", str(partition)], check=True,
                       input=b"".join(message.encode() + b"\n" for message in messages), stderr=subprocess.DEVNULL)

    def send_null(self, topic, partition):
        """What removes a key from a compacted topic."""
        subprocess.run(["kcat", "-P", "-Z", "-K", ":", "-b", self.address, "-t", topic, "-p", str(partition)], check=True,
                       input=b"key:", stderr=subprocess.DEVNULL)

    def messages(self, topic):
        done = subprocess.run(["kcat", "-C", "-e", "-q", "-b", self.address, "-t", topic], check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE)
        return done.stdout.decode().splitlines()

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Redis:
    """A server that nobody else sees, and that keeps nothing on disk."""

    def __init__(self, directory):
        self.socket = os.path.join(directory, "socket")
        self.process = None
        self.directory = directory

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self.directory],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        support.wait_until(lambda: os.path.exists(self.socket) and self.ask("PING") == ["PONG"], "redis answers")
        return self

    def ask(self, *words):
        """The lines of a reply."""
        done = subprocess.run(["redis-cli", "-s", self.socket] + [str(word) for word in words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.decode().splitlines()

    def length(self, name):
        return int(self.ask("LLEN", name)[0])

    def send(self, name, messages):
        for at in range(0, len(messages), 500):
            self.ask("RPUSH", name, *messages[at:at + 500])

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Host(support.Queue):
    """One machine: its own store, the recipes as scripts, `queuectl` on its path."""

    def __init__(self, program, top):
        super().__init__(program, top)
        self.script("../bin/queuectl", 'exec %s "$@"\n' % " ".join(program.words))
        self.script("thumb", 'printf "%s\\n" "$1" >> ran\n')
        self.environment["PATH"] = os.path.join(top, "bin") + os.pathsep + self.environment["PATH"]

    def script(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text if text.startswith("#!") else "#!/bin/sh\n" + text)
        os.chmod(path, stat.S_IRWXU)

    def command(self, text):
        """What a shell line prints, run to its end."""
        done = subprocess.run(["/bin/sh", "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment, cwd=self.directory)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def shell(self, text):
        """Start a pipeline in the background, in a process group of its own, as cron or systemd does."""
        started = Pipeline(self, text)
        self.started.append(started)
        return started

    def kill_all(self, chance=random):
        """kill -9 of everything that was ever started here, in any order."""
        for _ in range(100):
            left = list(support.leftovers(self.top))
            chance.shuffle(left)
            for pid in left:
                support.send(pid, signal.SIGKILL)
            if not left:
                return
        raise AssertionError("there is always something left: %s" % support.leftovers(self.top))

    def lines(self, name):
        return self.text(name).splitlines() if os.path.exists(self.path(name)) else []


class Pipeline(support.Started):
    """A shell line that runs in the background."""

    def __init__(self, host, text):
        self.words = [text]
        self.top = host.top
        self.output = os.path.join(host.top, "pipeline-%d.log" % len(host.started))
        with open(self.output, "wb") as output, open(self.output + ".err", "wb") as errors:
            self.process = subprocess.Popen(["/bin/sh", "-c", text], stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                            env=host.environment, cwd=host.directory, start_new_session=True)
        self.pid = self.process.pid

    def stop(self):
        """What systemd and a terminal do: a signal to all of it, and it ends by itself."""
        os.killpg(self.pid, signal.SIGTERM)
        self.wait()
        # The shell goes first: until the others have gone as well no second one can start.
        support.wait_until(lambda: not self.members(), "all of it has ended")

    def members(self):
        """The pids of what lives of it."""
        return [pid for pid in support.leftovers(self.top) if _group(pid) == self.pid]

    def end(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def _group(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


@pytest.fixture
def hosts(program, tmp_path):
    """hosts("a", "b"): machines by their names; nothing of them may still run when the test is over."""
    made = []

    def make(*names):
        for name in names:
            made.append(Host(program, str(tmp_path / name)))
        return made[-len(names):]

    yield make
    for host in made:
        for started in host.started:
            if isinstance(started, Pipeline):
                started.end()
        host.close()


@pytest.fixture
def kafka(tmp_path):
    """A cluster with the topics jobs, of two partitions, and results."""
    cluster = Kafka("jobs:2", "results:1")
    yield cluster
    cluster.close()


@pytest.fixture
def redis(tmp_path):
    directory = tmp_path / "redis"
    directory.mkdir()
    server = Redis(str(directory))
    try:
        yield server.start()
    finally:
        server.close()
