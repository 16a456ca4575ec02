"""The ground the figures are measured on: a fresh copy of the program, fresh stores, fair comparisons.

The source tree is copied and its bytecode made in the copy, so that start-up is
what a user has after the first run, also where PYTHONDONTWRITEBYTECODE is set.
Both sides of every comparison run without site-packages (-S): what happens to
be installed in this Python would else slow down both and flatter the ratio.
"""

import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = [sys.executable, "-S"]

# yardstick and measured are texts with their units, ratio is a number or None;
# target is text such as "<= 1.25 x", met is True, False or None (no target).
Row = namedtuple("Row", "figure yardstick measured ratio target met")


class Ground:
    def __init__(self, full):
        self.full = full
        self.top = tempfile.mkdtemp(prefix="queuectl-bench-")
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("PYTHON", "QUEUECTL_"))}
        self.tree = self._copy_tree()
        self.one_file = os.path.join(self.top, "one-file", "queuectl.py")
        os.mkdir(os.path.dirname(self.one_file))
        self.call("bundle", self.one_file)
        self._stores = 0

    def _copy_tree(self):
        tree = os.path.join(self.top, "tree")
        os.mkdir(tree)
        shutil.copy(os.path.join(ROOT, "queuectl.py"), tree)
        shutil.copytree(os.path.join(ROOT, "queuectl_lib"), os.path.join(tree, "queuectl_lib"),
                        ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(tree, quiet=2)
        return os.path.join(tree, "queuectl.py")

    def program(self, form="tree"):
        return PYTHON + [self.tree if form == "tree" else self.one_file]

    def fresh_store(self):
        """The environment that names a store of its own."""
        self._stores += 1
        store = os.path.join(self.top, "store-%d" % self._stores)
        return dict(self.environment, QUEUECTL_STORE=store)

    def call(self, *words, store=None, form="tree", output=None):
        """Run one command of the program to its end and return what it printed, or send that to a file."""
        done = subprocess.run(self.program(form) + [str(word) for word in words], cwd=self.top, check=True,
                              env=store or self.environment, stdin=subprocess.DEVNULL,
                              stdout=output or subprocess.PIPE)
        return None if output else done.stdout.decode()

    def start(self, *words, store):
        with open(os.path.join(self.top, "workers.log"), "ab") as log:
            return subprocess.Popen(self.program() + [str(word) for word in words], cwd=self.top, env=store,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, workers, store):
        self.call("worker", "stop", store=store)
        workers.wait()

    def job_file(self, count, command="true"):
        """A file of so many jobs as JSON lines."""
        path = os.path.join(self.top, "jobs-%d.jsonl" % count)
        if not os.path.exists(path):
            line = '{"command": "%s"}\n' % command
            with open(path, "w") as file:
                for _ in range(count):
                    file.write(line)
        return path

    def fill(self, store, count):
        with open(os.devnull, "wb") as nowhere:
            self.call("enqueue", "--file", self.job_file(count), store=store, output=nowhere)

    def states(self, store):
        """{state: how many jobs}"""
        return json.loads(self.call("status", "--json", store=store))["states"]

    def wait_until_done(self, store):
        def done():
            states = self.states(store)
            return states["pending"] + states["processing"] == 0
        wait_until(done)

    def forget(self, store):
        shutil.rmtree(store["QUEUECTL_STORE"], ignore_errors=True)

    def close(self):
        shutil.rmtree(self.top, ignore_errors=True)


def seconds(function, *arguments, **options):
    begin = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - begin


def interleaved(rounds, *sides):
    """A list of results for every side, taken in turn (A B A B), so that a noisy moment hurts all alike."""
    results = [[] for _ in sides]
    for number in range(rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            results[index].append(sides[index]())
    return results


def ratio(measured, yardstick):
    """The median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(measured, yardstick))


def wait_until(condition, deadline=300):
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("bench: waited %d s in vain" % deadline)
        time.sleep(0.05)


def pids_in(store):
    """{kind: [pid]} of the pidfile."""
    found = {"supervisor": [], "worker": []}
    with open(os.path.join(store["QUEUECTL_STORE"], "workers.pid")) as file:
        for line in file:
            entry = json.loads(line)
            found[entry["kind"]].append(entry["pid"])
    return found


def wait_for_workers(store, count):
    def there():
        try:
            return len(pids_in(store)["worker"]) == count
        except (OSError, ValueError):
            return False
    wait_until(there)


def own_cpu(pid):
    """Seconds of CPU of a process itself, to the nanosecond."""
    with open("/proc/%d/schedstat" % pid) as file:
        return int(file.read().split()[0]) / 1e9


def cpu_with_children(pid):
    """Seconds of CPU of a process and of its children that have ended."""
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Bytes of memory in use by a process."""
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
