"""The one file is replaced by another version's, by a move and by a copy over it, while it is at work."""

import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import support
from queuectl_lib.faces import bundle
from support import DEADLINE, PYTHON, ROOT, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a file that runs cannot be replaced")

# What is loaded before it goes on for long, as the command itself does it.
LONG = {
    "worker start": "from queuectl_lib.faces.cli import worker_start; from queuectl_lib.work import supervisor; stores.load_all()",
    "up": "from queuectl_lib.faces.cli import up; from queuectl_lib.faces.web import serving; serving.load_all()",
    "run": "from queuectl_lib.faces.cli import run; from queuectl_lib.work import single; stores.load_all()",
    "logs -f": "from queuectl_lib.faces import patience; from queuectl_lib.faces.cli import logs; patience.Patience().rest(True)",
    "events -f": "from queuectl_lib.faces import patience; from queuectl_lib.faces.cli import events; patience.Patience().rest(True)",
    "wait": "from queuectl_lib.faces import patience; from queuectl_lib.faces.cli import wait; patience.Patience().rest(True)",
    "enqueue --stream": "from queuectl_lib.faces import lasting; from queuectl_lib.faces.cli import enqueue;"
                        "from queuectl_lib.faces import batch, streaming; lasting.load_all()",
    "status --watch": "from queuectl_lib.faces import lasting; from queuectl_lib.faces.cli import status; from queuectl_lib.faces import screen; lasting.load_all()"}
# Of Windows, which does not replace a file that is open; of Python's own callers; and what a command does before it goes on.
NEVER = {"work.win32", "work.job_object", "store.positioned", "store.handles", "work.quoting", "work.detach",
         "faces.screen", "faces.lasting", "faces.about"}
# What only another use of the same command comes to; a job that is run here is this process's own: nobody asks why it waits.
ELSEWHERE = {"run": {"work.cancel"}, "enqueue --stream": {"faces.reasons", "faces.following", "faces.foreground"}}


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Two files of one program: in the second every module is some lines longer."""
    folder = tmp_path_factory.mktemp("versions")
    files = bundle.sources()
    # The launcher seldom changes: Python itself reads it, before anything can be done about it.
    longer = [(name, data + b"\nANOTHER_VERSION = True\n" if name.endswith(".py") and "/" in name else data) for name, data in files]
    for name, content in (("first", files), ("second", longer)):
        (folder / name).write_bytes(bundle.build(content))
    return str(folder / "first"), str(folder / "second")


def move(source, target):
    shutil.copy(source, target + ".new")
    os.replace(target + ".new", target)


def copy(source, target):
    """As cp does it: into the file that is there."""
    with open(source, "rb") as file:
        content = file.read()
    with open(target, "r+b") as file:
        file.truncate()
        file.write(content)


def is_at_rest(pid):
    """Whether it uses no time of a processor any more."""
    before = support._proc(pid, "stat").split()[13:15]
    time.sleep(0.2)
    return before == support._proc(pid, "stat").split()[13:15]


@pytest.mark.parametrize("command", LONG)
def test_nothing_is_left_to_be_imported_when_it_goes_on(command):
    code = "import sys; from queuectl_lib.faces.cli import main\n" \
           "from queuectl_lib.store import store as stores\n%s\n" \
           "print('\\n'.join(name for name in sys.modules if name.startswith('queuectl_lib')))" % LONG[command]
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    loaded = set(done.stdout.decode().split())
    wanted = set()
    for name in loaded:
        wanted.update(own_modules_in(name))
    missing = {name[len("queuectl_lib."):] for name in wanted - loaded}
    assert missing <= NEVER | ELSEWHERE.get(command, set())


def own_modules_in(name):
    """Every module of the program that this one imports somewhere."""
    path = os.path.join(ROOT, *name.split("."))
    with open(path + ".py" if os.path.exists(path + ".py") else os.path.join(path, "__init__.py")) as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("queuectl_lib"):
            for full in [node.module] + [node.module + "." + each.name for each in node.names]:
                if os.path.exists(os.path.join(ROOT, *full.split(".")) + ".py"):
                    yield full


@pytest.mark.parametrize("replace", [move, copy])
def test_workers_and_those_who_watch_go_on(queue, versions, replace):
    mine = shutil.copy(versions[0], queue.path("mine.py"))
    queue.program.words = [queue.program.python, "-S", mine]
    queue.run("config", "set", "backoff_max", "100ms")
    queue.run("config", "set", "on_dead", "echo $QUEUECTL_JOB_ID >> dead.txt")
    going = [queue.start_workers(count=2), queue.start("events", "-f", "--jsonl"), queue.start("dashboard", "--port", "0")]
    queue.wait_for_workers(2)
    wait_until(going[2].text, "the dashboard serves")
    queue.enqueue("--id", "last", "--hold", "echo the last")
    waiting = [queue.start("wait", "last"), queue.start("logs", "-f", "last")]
    for each in going + waiting:
        wait_until(lambda: is_at_rest(each.pid), "all of them have begun")
    ids = ["%03d" % number for number in range(150)]
    commands = ["true", "sleep 0.01", "exit 3", "echo x; exit 75", "sleep 60"]
    jobs = [{"id": id, "command": commands[int(id) % 4 if int(id) % 50 else 4], "max_retries": 1, "timeout": 0.2} for id in ids]
    for job in jobs:
        # Put back once and again it would never end.
        if "exit 75" in job["command"]:
            job["command"] = "test -e %s || { touch %s; exit 75; }" % (job["id"], job["id"])
    queue.run("enqueue", "--file", "-", input=json.dumps(jobs))
    replace(versions[1], mine)
    os.kill(queue.pids("worker")[0], signal.SIGKILL)
    queue.run("worker", "scale", "3")
    wait_until(lambda: queue.job("100")["state"] in ("dead", "completed"), "half of them have ended")
    replace(versions[0], mine)
    queue.run("release", "last")
    for each in waiting:
        assert each.wait() == 0
        assert "Traceback" not in each.errors(), each.errors()
    assert waiting[1].text() == "the last\n"
    queue.run("wait", code=1)
    expected = {job["id"]: "dead" if job["command"] in ("exit 3", "sleep 60") else "completed" for job in jobs}
    assert queue.states() == dict(expected, last="completed")
    queue.run("worker", "stop")
    assert going[0].wait() == 0
    for each in going:
        assert "Traceback" not in each.text() + each.errors(), each.text() + each.errors()
    assert sorted(queue.text("dead.txt").split()) == sorted(id for id, state in expected.items() if state == "dead")
    going[1].press_ctrl_c()
    going[2].press_ctrl_c()
    assert (going[1].wait(), going[2].wait()) == (130, 0)


def test_a_command_that_is_just_starting_when_the_file_is_moved_there_does_its_work(queue, versions):
    """Each sees one replacement at the most; without beginning anew a third of them would end with an ImportError."""
    mine = shutil.copy(versions[0], queue.path("mine.py"))
    queue.program.words = [queue.program.python, "-S", mine]
    queue.enqueue("--hold", "--id", "first", "true")
    chance = random.Random(1)
    expected = {"first"}
    for turn in range(30):
        started = []
        for number in range(3):
            expected.add("%d-%d" % (turn, number))
            started.append(queue.start("enqueue", "--hold", "--id", "%d-%d" % (turn, number), "true"))
            time.sleep(chance.random() * 0.02)
        move(versions[(turn + 1) % 2], mine)
        for each in started:
            assert each.wait() == 0, each.errors()
    assert set(queue.states()) == expected


def test_a_file_that_is_broken_is_begun_anew_once(tmp_path):
    mine = tmp_path / "queuectl.py"
    broken = [(name, b"raise ValueError('broken')\n" if name.endswith("cli/main.py") else data) for name, data in bundle.sources()]
    mine.write_bytes(bundle.build(broken))
    done = subprocess.run([PYTHON, "-S", str(mine), "status"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    assert done.returncode == 1 and done.stderr.count(b"ValueError: broken") == 1


def test_a_bug_in_a_command_is_not_run_twice(tmp_path):
    """From when on it is at work."""
    mine = tmp_path / "queuectl.py"
    files = [(name, data.replace(b"def run(args, out):\n", b"def run(args, out):\n    print('at work', flush=True)\n    raise ImportError('a bug')\n")
              if name.endswith("cli/status.py") else data) for name, data in bundle.sources()]
    mine.write_bytes(bundle.build(files))
    done = subprocess.run([PYTHON, "-S", str(mine), "status"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    assert done.returncode == 1 and done.stdout == b"at work\n"
