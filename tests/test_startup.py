"""What a command loads before it does anything: nearly all of what an enqueue costs, and easily grown by one import."""

import subprocess
import sys

import pytest

from support import LAUNCHER, PYTHON

# One more here wants a reason in the commit that adds it: each costs every enqueue
# some 0.05 ms, one that brings others along 1 to 10 ms.
OWN = {
    "words", "words.text", "words.errors", "words.clock",
    "job", "job.identifiers", "job.checks", "job.history", "job.record",
    "store", "store.store", "store.paths", "store.defaults", "store.disk", "store.in_use", "store.ownership", "store.locking",
    "store.journal", "store.header", "store.line",
    "work", "work.wake",
    "faces", "faces.terminal", "faces.input",
    "faces.cli", "faces.cli.main", "faces.cli.registry", "faces.cli.options", "faces.cli.enqueue"}
# Beside what argparse brings.
STANDARD = {"gc", "errno", "fcntl", "zlib", "_json"}


def imported(*words, queue):
    """The names of all modules that a Python with these words imports, as it tells them itself."""
    done = subprocess.run([PYTHON, "-S", "-X", "importtime"] + [str(word) for word in words], cwd=queue.directory,
                          env=queue.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.skipif(sys.platform == "win32", reason="locks are another module's there")
def test_an_enqueue_imports_these_modules_and_no_others(queue):
    queue.enqueue("true")
    found = imported(LAUNCHER, "enqueue", "true", queue=queue)
    own = {name for name in found if name.startswith("queuectl_lib")}
    assert own == {"queuectl_lib"} | {"queuectl_lib." + name for name in OWN}
    brought = imported("-c", "import argparse", queue=queue)
    assert found - own - brought <= STANDARD


def test_garbage_is_looked_for_while_a_command_runs(tmp_path):
    """But not among what is there before it begins, and not while that is being loaded."""
    code = """if True:
        import gc, runpy, sys
        from queuectl_lib.faces.cli import show, main
        def run(args, out):
            print(gc.isenabled(), gc.get_freeze_count() > 1000)
        show.run = run
        load = main._load
        def _load(name):
            print(gc.isenabled())
            return load(name)
        main._load = _load
        sys.argv[1:] = ["show", "x"]
        runpy.run_path(%r, run_name="__main__")
        """ % LAUNCHER
    done = subprocess.run([PYTHON, "-S", "-c", code], env={"PYTHONPATH": LAUNCHER.rpartition("/")[0]},
                          cwd=str(tmp_path), stdout=subprocess.PIPE)
    assert done.stdout.split() == [b"False", b"True", b"True"]
