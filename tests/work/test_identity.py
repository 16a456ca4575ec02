"""A process is who it says by boot, pid and start; a pid alone proves nothing."""

import json
import os
import subprocess

import pytest

from queuectl_lib.work import identity, proc
from queuectl_lib.work.identity import Identity


@pytest.fixture
def sleeper():
    child = subprocess.Popen(["sleep", "600"])
    yield child
    child.kill()
    child.wait()


@pytest.fixture(params=["/proc", "ps"])
def source(request, monkeypatch):
    if request.param == "ps":
        monkeypatch.setattr(proc, "AVAILABLE", False)


def test_this_process_and_another_one_are_alive(source, sleeper):
    assert identity.alive(identity.current())
    assert identity.current().pid == os.getpid()
    assert identity.alive(identity.of(sleeper.pid))


def test_the_identity_of_a_process_stays_the_same(source, sleeper):
    assert identity.of(sleeper.pid) == identity.of(sleeper.pid)


def test_of_another_boot_or_start_is_somebody_else(source, sleeper):
    who = identity.of(sleeper.pid)
    assert not identity.alive(who._replace(boot="another"))
    assert not identity.alive(who._replace(start="1"))
    assert not identity.alive(who._replace(start=None))
    assert not identity.alive(None)


def test_one_that_ended_is_not_alive_even_before_it_is_reaped(source):
    child = subprocess.Popen(["true"])
    who = identity.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.alive(who)
    child.wait()
    assert not identity.alive(who)
    assert identity.of(child.pid) is None
    assert identity.start_of(child.pid) is None


def test_a_process_with_brackets_in_its_name_is_read_right(tmp_path):
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(program), "600"])
    try:
        found = proc.process(child.pid)
        assert (found.parent, found.gone) == (os.getpid(), False)
        assert int(found.start) > 0
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("pid", [0, -1, 1])
def test_nobody_has_a_pid_that_stands_for_many_or_for_the_system(pid):
    assert identity.of(pid) is None


def test_what_was_written_and_read_again_is_still_the_same_process(sleeper):
    who = Identity(*json.loads(json.dumps(identity.of(sleeper.pid))))
    assert identity.alive(who)
