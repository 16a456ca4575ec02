"""worker.log: a long one is renamed, everybody goes on in the new one, and no line is lost."""

import os
import subprocess
import sys

import pytest

from queuectl_lib.store import store
from queuectl_lib.work import log
from support import ROOT, wait_until

WRITER = """
import sys, time
from queuectl_lib.store import store
from queuectl_lib.work import events, log
here = store.open_store(sys.argv[1], write=True)
log.LARGEST = 30000
assert log.is_output(here.paths)
voice = events.Voice(here.paths)
for number in range(1000):
    voice.say("%s says %d" % (sys.argv[2], number))
    if number % 50 == 0:
        if sys.argv[3] == "turns" and number == 500:
            log.turn(here)
        voice.follow_log()
    time.sleep(0.0002)
sys.stderr.write("%s is done\\n" % sys.argv[2])
"""


@pytest.fixture
def here(tmp_path):
    return store.open_store(str(tmp_path / "store"), create=True, write=True)


def start(here, name, what):
    fd = log.opened(here.paths)
    process = subprocess.Popen([sys.executable, "-c", WRITER, here.root, name, what], stdout=fd, stderr=fd,
                               env=dict(os.environ, PYTHONPATH=ROOT))
    os.close(fd)
    return process


def text(path):
    with open(path) as file:
        return file.read()


def test_no_line_of_several_writers_is_lost(here):
    writers = [start(here, "a", "turns"), start(here, "b", "turns"), start(here, "c", "writes")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    old, new = text(here.paths.old_log), text(here.paths.log)
    lines = [line.split(" ", 2)[2] for line in (old + new).splitlines() if "says" in line]
    assert sorted(lines) == sorted("%s says %d" % (name, number) for name in "abc" for number in range(1000))
    for name in "abc":
        assert "%s says 999\n" % name in new and "%s is done\n" % name in new


def test_a_short_one_stays(here, monkeypatch):
    os.close(log.opened(here.paths))
    log.turn(here)
    assert not os.path.exists(here.paths.old_log)
    monkeypatch.setattr(log, "LARGEST", 10)
    with open(here.paths.log, "w") as file:
        file.write("x" * 11)
    log.turn(here)
    assert (text(here.paths.old_log), text(here.paths.log)) == ("x" * 11, "")
    log.turn(here)
    assert text(here.paths.old_log) == "x" * 11


def test_two_that_turn_it_at_once_turn_it_once(here, monkeypatch):
    monkeypatch.setattr(log, "LARGEST", 10)
    with open(here.paths.log, "w") as file:
        file.write("x" * 11)

    class Lock:
        def __enter__(self):
            os.replace(here.paths.log, here.paths.old_log)
            os.close(log.opened(here.paths))

        def __exit__(self, *exception):
            pass
    monkeypatch.setattr(here, "lock", Lock)
    log.turn(here)
    assert text(here.paths.old_log) == "x" * 11


def test_nobody_else_may_read_it(here):
    os.close(log.opened(here.paths))
    assert os.stat(here.paths.log).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["a link", "a directory", "no store"])
def test_where_it_cannot_be_opened_everybody_goes_on_in_the_one_before(here, damage):
    before = os.fstat(1)
    if damage == "a link":
        os.symlink("elsewhere", here.paths.log)
    elif damage == "a directory":
        os.mkdir(here.paths.log)
    else:
        os.rename(here.root, here.root + ".gone")
    log.follow(here.paths)
    assert os.path.samestat(before, os.fstat(1))


def test_another_output_is_no_log(here):
    os.close(log.opened(here.paths))
    assert not log.is_output(here.paths)


def test_a_running_team_turns_its_log(here, tmp_path):
    script = tmp_path / "team.py"
    script.write_text("import sys\nfrom queuectl_lib.store import store\nfrom queuectl_lib.work import log, supervisor\n"
                      "log.LARGEST = 2000\n"
                      "sys.exit(supervisor.start(store.open_store(sys.argv[1], write=True), count=2, start_method='fork'))")
    with open(here.paths.log, "w") as file:
        file.write("x" * 2000 + "\n")
    fd = log.opened(here.paths)
    process = subprocess.Popen([sys.executable, str(script), here.root], stdout=fd, stderr=fd,
                               env=dict(os.environ, PYTHONPATH=ROOT))
    os.close(fd)
    try:
        wait_until(lambda: os.path.exists(here.paths.old_log), "the log is turned")
        wait_until(lambda: all(os.path.samefile("/proc/%d/fd/%d" % (pid, number), here.paths.log)
                               for pid in children(process.pid) + [process.pid] for number in (1, 2)),
                   "all of them print into the new one")
        assert "2 workers; queuectl worker stop" in text(here.paths.old_log)
    finally:
        process.terminate()
        assert process.wait() == 0
    assert "no job is running: leaving" in text(here.paths.log)


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]
