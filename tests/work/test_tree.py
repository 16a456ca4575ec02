"""Ending a job ends everything it started, and nothing else."""

import os
import signal
import subprocess
import sys

import pytest

from queuectl_lib.work import proc, tree
from tests.support import wait_until

CLAIM = "1.test%d/job/1" % os.getpid()


@pytest.fixture
def begin(tmp_path):
    """Start a shell command as a job is started; it must make the file `ready`."""
    leaders = []

    def start(command, claim=CLAIM):
        environment = dict(os.environ, QUEUECTL_CLAIM=claim)
        leader = subprocess.Popen(["sh", "-c", command], start_new_session=True, cwd=str(tmp_path), env=environment)
        leaders.append(leader)
        wait_until((tmp_path / "ready").exists, "the command is ready")
        return leader

    yield start
    for leader in leaders:
        tree.end(leader.pid, CLAIM, 0)
        leader.wait()


def pid_in(path):
    return int(wait_until(lambda: path.exists() and path.read_text().strip(), "%s holds a pid" % path))


def runs(pid):
    found = proc.process(pid)
    return found is not None and not found.gone


SHAPES = {
    "a pipeline": "sleep 600 | sh -c 'echo $$ > pid; exec sleep 600'",
    "a background child": "sh -c 'echo $$ > pid; exec sleep 600' & wait",
    "a child that ignores TERM": "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & wait",
    "a child with a session of its own": "setsid sh -c 'echo $$ > pid; exec sleep 600' & wait",
    "a grandchild with its own session and no parent": "(setsid sh -c 'echo $$ > pid; exec sleep 600' &); sleep 600",
    "a child in a group of its own": "bash -c 'set -m; sh -c \"echo \\$\\$ > pid; exec sleep 600\" & wait'",
    "a child with an empty environment": "setsid env -i /bin/sh -c 'echo $$ > pid; exec /bin/sleep 600' & wait",
    "one with an empty environment that ignores TERM":
        "setsid env -i /bin/sh -c 'trap \"\" TERM; echo $$ > pid; while :; do /bin/sleep 1; done' & wait",
    "one with an empty environment, no parent and its own group":
        "bash -c 'set -m; env -i /bin/sh -c \"echo \\$\\$ > pid; exec /bin/sleep 600\" &'; sleep 600",
    "a stopped child": "sh -c 'echo $$ > pid; kill -STOP $$; sleep 600' & wait",
}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_the_whole_tree_is_ended(begin, tmp_path, shape):
    leader = begin("touch ready; " + SHAPES[shape])
    child = pid_in(tmp_path / "pid")
    wait_until(lambda: runs(child), "the child runs")
    assert tree.end(leader.pid, CLAIM, 0.3) == []
    assert not runs(child)
    assert leader.wait() < 0


def test_without_its_leader_the_tree_is_found_by_its_mark(begin, tmp_path):
    leader = begin("touch ready; sh -c 'echo $$ > pid; exec sleep 600' & wait")
    child = pid_in(tmp_path / "pid")
    leader.kill()
    leader.wait()
    assert child in tree.marked(CLAIM)
    assert tree.end(None, CLAIM, 5) == []
    assert not runs(child)


def test_one_without_a_mark_is_found_by_the_session_of_one_with_it(begin, tmp_path):
    leader = begin("touch ready; env -i /bin/sh -c 'echo $$ > pid; exec /bin/sleep 600' & sleep 600")
    child = pid_in(tmp_path / "pid")
    wait_until(lambda: proc.environment(child) == b"" or CLAIM.encode() not in proc.environment(child), "no mark")
    assert child not in tree.marked(CLAIM)
    assert tree.end(None, CLAIM, 5) == []
    assert not runs(child)
    leader.wait()


def test_the_tree_may_clean_up_within_its_grace(begin, tmp_path):
    leader = begin("trap 'echo cleaned > told; exit 7' TERM; touch ready; while :; do sleep 0.05; done")
    assert tree.end(leader.pid, CLAIM, 60) == []
    assert leader.wait() == 7
    assert (tmp_path / "told").read_text() == "cleaned\n"


def test_a_stopped_process_goes_on_to_clean_up(begin, tmp_path):
    leader = begin("trap 'echo cleaned > told; exit 7' TERM; touch ready; kill -STOP $$; while :; do sleep 0.05; done")
    assert tree.end(leader.pid, CLAIM, 60) == []
    assert leader.wait() == 7


def test_a_process_is_told_to_end_once(begin, tmp_path, monkeypatch):
    """Some take a second TERM for: at once."""
    leader = begin("touch ready; setsid sh -c 'echo $$ > pid; exec sleep 600' & wait")
    child = pid_in(tmp_path / "pid")
    wait_until(lambda: proc.process(child).session == child, "the child has its own session")
    told = []
    monkeypatch.setattr(tree, "_signal_one", lambda pid, signum: told.append((pid, signum)))
    tree.Tree(leader.pid, CLAIM).signal(signal.SIGTERM)
    assert told == [(child, signal.SIGTERM)]
    assert leader.wait() == -signal.SIGTERM


def test_without_grace_it_is_killed_at_once(begin):
    leader = begin("trap 'exit 7' TERM; touch ready; while :; do sleep 0.05; done")
    assert tree.end(leader.pid, CLAIM, 0) == []
    assert leader.wait() == -signal.SIGKILL


def test_other_attempts_are_left_alone(begin):
    other = begin("touch ready; exec sleep 600", claim=CLAIM + "0")
    leader = begin("touch ready; exec sleep 600")
    assert tree.end(leader.pid, CLAIM, 5) == []
    assert runs(other.pid)
    assert tree.end(other.pid, CLAIM + "0", 5) == []


def test_who_ends_the_tree_is_not_ended_with_it(tmp_path):
    code = ("import os, sys; sys.path.insert(0, sys.argv[1])\n"
            "from queuectl_lib.work import tree\n"
            "print(tree.end(None, os.environ['QUEUECTL_CLAIM'], 1))")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = subprocess.run([sys.executable, "-c", code, root], env=dict(os.environ, QUEUECTL_CLAIM=CLAIM),
                          stdout=subprocess.PIPE, start_new_session=True)
    assert (done.returncode, done.stdout) == (0, b"[]\n")


@pytest.mark.parametrize("pid", [None, 0, 1, -1])
def test_nobody_is_signalled_for_a_pid_that_stands_for_many(monkeypatch, pid):
    sent = []
    monkeypatch.setattr(os, "kill", lambda *words: sent.append(words))
    monkeypatch.setattr(os, "killpg", lambda *words: sent.append(words))
    assert tree.end(pid, CLAIM, 0.1) == []
    assert sent == []


def test_a_process_that_cannot_be_ended_is_reported(begin, monkeypatch):
    leader = begin("touch ready; exec sleep 600")
    monkeypatch.setattr(tree, "_PATIENCE_AFTER_KILL", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", _refused)
        patch.setattr(os, "killpg", _refused)
        assert tree.end(leader.pid, CLAIM, 0.05) == [leader.pid]
    assert runs(leader.pid)


def _refused(*words):
    raise PermissionError(1, "Operation not permitted")


def test_without_proc_the_group_is_ended(begin, tmp_path, monkeypatch):
    leader = begin("touch ready; sh -c 'echo $$ > pid; exec sleep 600' & wait")
    child = pid_in(tmp_path / "pid")
    monkeypatch.setattr(tree, "_PATIENCE_AFTER_KILL", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(proc, "AVAILABLE", False)
        tree.end(leader.pid, CLAIM, 0.05)
    wait_until(lambda: not runs(child), "the child is gone")
    assert leader.wait() < 0
