"""The words the tests are written in: a queue in a real directory, driven by the real program.

Tests wait for conditions, never for times: `wait_until` has a deadline so
generous that only a fault reaches it, and says what it waited for.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAUNCHER = os.path.join(ROOT, "queuectl.py")
PYTHON = os.environ.get("QUEUECTL_TEST_PYTHON", sys.executable)
FORMS = ["tree", "onefile"]
# Every test that drives the program runs on these then: QUEUECTL_TEST_FORMS=tree,onefile.
ASKED_FORMS = [form for form in FORMS if form in os.environ.get("QUEUECTL_TEST_FORMS", "").split(",")]
DEADLINE = 60
MARK = "MARK_OF_THIS_TEST"

Result = namedtuple("Result", "code out err")


def wait_until(condition, what, deadline=DEADLINE):
    """The first true value of `condition()`."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %d s in vain: %s" % (deadline, what))
        time.sleep(0.01)


def build_one_file(path):
    """Always by the Python that runs the tests: the others must run what it built."""
    subprocess.run([sys.executable, "-S", LAUNCHER, "bundle", path], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)


class Program:
    """One form of the program under one Python."""

    def __init__(self, python, path, bytecode):
        self.python = python
        self.path = path
        # Without site-packages: the program has to do with the standard library alone.
        self.words = [python, "-S", path]
        self.environment = {"PYTHONPYCACHEPREFIX": bytecode}


class Queue:
    """A working directory with its store, in an environment that holds nothing of the machine's."""

    def __init__(self, program, top):
        self.program = program
        self.top = top
        self.directory = os.path.join(top, "here")
        self.store = os.path.join(self.directory, ".queuectl")
        self.started = []
        home = os.path.join(top, "home")
        os.makedirs(self.directory)
        os.makedirs(home)
        self.environment = dict(program.environment, PATH=os.environ["PATH"], HOME=home, LANG="C.UTF-8")
        self.environment[MARK] = top

    # --- running it

    def run(self, *words, code=0, input=None, env=None, cwd=None):
        """Run one command to its end; `code` is the exit code it must have (None: any)."""
        done = subprocess.run(self.program.words + [str(word) for word in words], input=_bytes(input),
                              stdin=subprocess.DEVNULL if input is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment_with(env), cwd=cwd or self.directory, timeout=2 * DEADLINE)
        result = Result(done.returncode, _text(done.stdout), _text(done.stderr))
        if code is not None and result.code != code:
            raise AssertionError("%r ended with %d, not %d\n%s%s"
                                 % (words, result.code, code, result.out[-2000:], result.err[-4000:]))
        return result

    def start(self, *words, env=None):
        """Start one command in a session of its own, as a terminal would; stopped at the end of the test."""
        started = Started(self, words, env)
        self.started.append(started)
        return started

    def start_workers(self, *words, count=1, env=None):
        return self.start("worker", "start", "--count", count, *words, env=env)

    def work(self, *words, count=2, env=None):
        """Run workers until nothing is left to do, retries and delayed jobs included."""
        started = self.start_workers("--drain-all", *words, count=count, env=env)
        code = started.wait(deadline=2 * DEADLINE)
        assert code == 0, started.text() + started.errors()
        return started.text()

    def enqueue(self, *words, **options):
        """Enqueue one job and return its id."""
        return self.run("enqueue", *words, **options).out.strip()

    def environment_with(self, changes):
        environment = dict(self.environment)
        for name, value in (changes or {}).items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        return environment

    # --- looking at it

    def read(self, *words):
        """What a command prints with --json."""
        return json.loads(self.run(*words, "--json").out)

    def job(self, id):
        return self.read("show", id)

    def jobs(self, *words):
        return self.read("list", *words)

    def states(self):
        return {job["id"]: job["state"] for job in self.jobs()}

    def wait_for_state(self, id, *states):
        return wait_until(lambda: self._job_in(id, states), "job %s is %s" % (id, " or ".join(states)))

    def _job_in(self, id, states):
        job = self.job(id)
        return job if job["state"] in states else None

    def wait_for_file(self, name):
        path = self.path(name)
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path), "the file %s is there" % name)
        return self.text(name)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def text(self, *names):
        with open(self.path(*names), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(_bytes(content))
        return self.path(name)

    def pidfile(self):
        """The lines of workers.pid."""
        try:
            with open(os.path.join(self.store, "workers.pid")) as file:
                return [json.loads(line) for line in file]
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return []

    def pids(self, kind):
        """Pids of the living "supervisor" or "worker" processes that the pidfile names."""
        return [line["pid"] for line in self.pidfile() if line["kind"] == kind and is_running(line["pid"])]

    def wait_for_workers(self, count):
        return wait_until(lambda: len(self.pids("worker")) == count and self.pids("worker"),
                          "%d workers are in the pidfile" % count)

    def snapshot(self):
        """Every file of the store with its bytes, for "nothing was changed"."""
        found = {}
        for folder, _, names in os.walk(self.store):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, self.store)] = file.read()
        return found

    # --- damaging it

    def journal(self):
        return os.path.join(self.store, "jobs.jsonl")

    def cut_tail(self, count):
        """As a kill in the middle of a write leaves it."""
        os.truncate(self.journal(), os.path.getsize(self.journal()) - count)

    def append_garbage(self, data=b"\x00garbage\xff"):
        with open(self.journal(), "ab") as file:
            file.write(data)

    def flip_bit(self, offset):
        """As a bad disk does it; a negative offset counts from the end."""
        with open(self.journal(), "r+b") as file:
            file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))

    # --- leaving

    def close(self):
        """Stop what the test started, and fail if anything is still running after that."""
        running = [started for started in self.started if started.poll() is None]
        # Those in the background are nobody's child.
        if (running and os.path.isdir(self.store)) or self.pids("supervisor"):
            self.run("worker", "stop", "--now", "--timeout", "20", code=None)
        for started in running:
            started.end()
        try:
            wait_until(lambda: not leftovers(self.top), "no process of this test is left", deadline=15)
        except AssertionError:
            left = leftovers(self.top)
            for pid in left:
                send(pid, signal.SIGKILL)
            raise AssertionError("left behind: %s" % left)


class Started:
    """A command that is running; all it prints goes to a file."""

    def __init__(self, queue, words, env):
        self.words = words
        self.output = os.path.join(queue.top, "started-%d.log" % len(queue.started))
        with open(self.output, "wb") as output, open(self.output + ".err", "wb") as errors:
            self.process = subprocess.Popen(
                queue.program.words + [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=output,
                stderr=errors, env=queue.environment_with(env), cwd=queue.directory,
                start_new_session=True)
        self.pid = self.process.pid

    def text(self):
        return _read(self.output)

    def errors(self):
        return _read(self.output + ".err")

    def wait_for_text(self, text):
        wait_until(lambda: text in self.text(), "%r in the output of %r" % (text, self.words))

    def poll(self):
        return self.process.poll()

    def wait(self, deadline=DEADLINE):
        """Its exit code."""
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError("%r is still running after %d s:\n%s" % (self.words, deadline, (self.text() + self.errors())[-4000:]))

    def press_ctrl_c(self):
        """What a terminal does: SIGINT to the whole group."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def is_running(pid):
    """Zombies do not count."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        if os.path.isdir("/proc/self"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def parent(pid):
    """The pid of a process's parent; None where the process is gone."""
    fields = _proc(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else None


def leftovers(top):
    """{pid: command line} of every process that was started by the test of this directory."""
    mark = ("%s=%s" % (MARK, top)).encode()
    found = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit() and int(name) != os.getpid() and mark in environment_of(name):
            found[int(name)] = _proc(name, "cmdline").replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def environment_of(pid):
    """What a process was started with, as [b"NAME=value"]; nothing where there is none."""
    return _proc(pid, "environ").split(b"\0")


def _proc(pid, name):
    try:
        with open("/proc/%s/%s" % (pid, name), "rb") as file:
            return file.read()
    except OSError:
        return b""


def _read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _bytes(value):
    if value is None or isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogateescape")


def _text(data):
    return data.decode("utf-8", "surrogateescape")
