"""The ground the figures are measured on: a fresh copy of the program, fresh stores, nothing left behind.

The source tree is copied and its bytecode made in the copy, so that start-up is
what a user has after the first run, also where PYTHONDONTWRITEBYTECODE is set.
Both sides of every comparison run without site-packages (-S): what happens to
be installed in this Python would else slow down both and flatter the ratio.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

import processes
import timing

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PYTHON = [sys.executable, "-S"]

# What a command took from before its start to its end: wall clock; CPU with that
# of all children it waited for; and what it printed.
Ended = namedtuple("Ended", "seconds cpu printed")

# Processes that a worker has started get so long to end by themselves after a row.
_PATIENCE = 10


class Ground:
    """A directory for everything; stores live until the row that made them is done, or are kept."""

    def __init__(self, full):
        self.full = full
        self.top = tempfile.mkdtemp(prefix="queuectl-bench-")
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("PYTHON", "QUEUECTL_"))}
        self.environment.update({processes.MARK: self.top, "TMPDIR": self.top, "HOME": self.top})
        self.log = self.path("log")
        self._started = []
        self._stores = 0
        self._kept = set()
        self.tree = self._copy_tree("tree", os.path.join(ROOT, "queuectl.py"))
        # The same program, begun by a script that notes what its locks and rolls cost.
        self.watched = self._copy_tree("watched", script("watched.py"))
        self.one_file = self.path("one-file", "queuectl.py")
        os.mkdir(os.path.dirname(self.one_file))
        self.call("bundle", self.one_file)

    def _copy_tree(self, name, launcher):
        tree = self.path(name)
        os.mkdir(tree)
        shutil.copy(launcher, os.path.join(tree, "queuectl.py"))
        shutil.copytree(os.path.join(ROOT, "queuectl_lib"), os.path.join(tree, "queuectl_lib"),
                        ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(tree, quiet=2)
        return os.path.join(tree, "queuectl.py")

    def path(self, *names):
        return os.path.join(self.top, *names)

    def fresh_store(self):
        """The environment that names a store of its own."""
        self._stores += 1
        return self.named_store("store-%d" % self._stores)

    def named_store(self, name):
        return dict(self.environment, QUEUECTL_STORE=self.path(name))

    def keep(self, store):
        """Let a store outlive its row."""
        self._kept.add(store["QUEUECTL_STORE"])
        return store

    def begin(self, words, environment=None, **files):
        """Start any command; it is ended with the row at the latest."""
        process = subprocess.Popen([str(word) for word in words], cwd=self.top, env=environment or self.environment,
                                   start_new_session=True, **dict({"stdin": subprocess.DEVNULL}, **files))
        self._started.append(process)
        return process

    def run(self, words, environment=None, output=None):
        """Run any command to its end: Ended. Its output is read, or sent to a file; CalledProcessError."""
        with open(self.log, "ab") as log:
            begin = time.perf_counter()
            process = self.begin(words, environment, stdout=output or subprocess.PIPE, stderr=log)
            printed = b"" if output else process.stdout.read()
            usage = self.ended(process)
            taken = time.perf_counter() - begin
        if process.returncode != 0:
            raise RuntimeError("exit %d of: %s: %s" % (process.returncode, " ".join(map(str, words))[-100:],
                                                       self._last_words()))
        return Ended(taken, usage.ru_utime + usage.ru_stime, printed.decode())

    def ended(self, process):
        """Wait for the end of what was begun: its use of the system, as os.wait4 tells it."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        self._started.remove(process)
        if process.stdout:
            process.stdout.close()
        return usage

    def _last_words(self):
        with open(self.log, "rb") as log:
            lines = log.read()[-300:].decode("utf-8", "replace").split("\n")
        return lines[-2] if len(lines) > 1 else ""

    def call(self, *words, store=None, program=None, output=None):
        """Run one command of the program to its end: Ended."""
        return self.run(PYTHON + [program or self.tree] + list(words), store, output)

    def start(self, *words, store, program=None):
        """Start workers."""
        with open(self.log, "ab") as log:
            return self.begin(PYTHON + [program or self.tree, "worker", "start"] + list(words), store,
                              stdout=log, stderr=log)

    def stop(self, workers, store):
        self.call("worker", "stop", store=store)
        self.ended(workers)

    def job_file(self, count):
        """A file of so many no-op jobs as JSON lines."""
        path = self.path("jobs-%d.jsonl" % count)
        if not os.path.exists(path):
            with open(path, "w") as file:
                for _ in range(count):
                    file.write('{"command": "true"}\n')
        return path

    def fill(self, store, count, *options):
        """Enqueue so many no-op jobs from a file: Ended."""
        with open(os.devnull, "wb") as nowhere:
            return self.call("enqueue", *options, "--file", self.job_file(count), store=store, output=nowhere)

    def states(self, store):
        """{state: how many jobs}"""
        return json.loads(self.call("status", "--json", store=store).printed)["states"]

    def wait_until_done(self, store):
        def done():
            states = self.states(store)
            return states["pending"] + states["processing"] == 0
        timing.wait_until(done)

    def check_all_done(self, store, jobs):
        """A drain that did not run everything is no figure."""
        done = self.states(store)["completed"]
        if done != jobs:
            raise RuntimeError("%d of %d jobs completed" % (done, jobs))

    def wait_for_workers(self, store, count):
        """The pids of so many workers, once they are there."""
        def there():
            try:
                return len(processes.pids_in(store["QUEUECTL_STORE"])["worker"]) == count
            except (OSError, ValueError):
                return False
        timing.wait_until(there)
        return processes.pids_in(store["QUEUECTL_STORE"])["worker"]

    def forget(self, store):
        self._kept.discard(store["QUEUECTL_STORE"])
        shutil.rmtree(store["QUEUECTL_STORE"], ignore_errors=True)

    def clear(self, patience=_PATIENCE):
        """End what a row has left running, and remove its stores."""
        for process in self._started:
            process.kill()
            process.wait()
        self._started.clear()
        processes.end_marked(self.top, patience)
        for name in os.listdir(self.top):
            if name.startswith("store-") and self.path(name) not in self._kept:
                shutil.rmtree(self.path(name), ignore_errors=True)

    def close(self):
        self.clear(patience=0)
        shutil.rmtree(self.top, ignore_errors=True)


def script(name):
    """The path of a script that is run as a process of its own."""
    return os.path.join(HERE, "scripts", name)
