"""Hooks: told everything of the job that ended, bounded in number and time, never in the way of the worker."""

import json
import os
import time

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import config
from queuectl_lib.work import hooks, pidfile
from queuectl_lib.work.orphans import NoOrphans
from tests.support import is_running, wait_until

NOW = 1795317000123


class Lines(list):
    say = list.append


class Given:
    """Settings as they are now."""

    def __init__(self, **values):
        self.current = config.DEFAULTS._replace(**values)

    def lately(self):
        return self.current


class Rig:
    """The hooks of one worker, in a directory of its own."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.lines = Lines()

    def set(self, **values):
        self.hooks = hooks.Hooks(self.directory + "/store", Given(**dict({"kill_grace": 0.1}, **values)), self.lines, NoOrphans())
        return self.hooks

    def tend(self):
        self.hooks.tend(time.monotonic())
        return self

    def tend_until(self, condition, what):
        wait_until(lambda: self.tend() and condition(), what)

    def finish(self):
        self.tend_until(lambda: not self.hooks.busy, "the hooks have ended")

    def text(self, name):
        with open(os.path.join(self.directory, name)) as file:
            return file.read()

    def has(self, name):
        return os.path.exists(os.path.join(self.directory, name))


@pytest.fixture(params=["posix_spawn", "subprocess"])
def rig(request, tmp_path, monkeypatch):
    """Both ways to start one."""
    if request.param == "subprocess":
        monkeypatch.delattr(os, "posix_spawn")
    home = os.getcwd()
    yield Rig(tmp_path)
    os.chdir(home)


def ended(state="completed", id="nightly", **fields):
    job = record.create({"id": id, "command": "true"}, NOW, record.Defaults(cwd="/srv"))
    return lifecycle.claim(job, "1.a", NOW)._replace(state=state, **fields)


DEAD = ended("dead", exit_code=3, duration=1.5, queue="mail")


@pytest.mark.parametrize("state, hook", [
    ("dead", "on_dead"), ("completed", "on_complete"), ("failed", ""), ("pending", ""), ("cancelled", "")])
def test_each_end_has_its_hook(rig, state, hook):
    rig.set(on_dead="echo $QUEUECTL_HOOK $QUEUECTL_JOB_STATE > ran", on_complete="echo $QUEUECTL_HOOK $QUEUECTL_JOB_STATE > ran")
    rig.hooks.ended(ended(state))
    assert rig.hooks.busy == bool(hook)
    rig.finish()
    assert (rig.text("ran") if rig.has("ran") else "") == (hook and "%s %s\n" % (hook, state))


def test_with_none_set_nothing_is_ever_due(rig):
    rig.set().ended(DEAD)
    assert not rig.hooks.busy and rig.hooks.next == float("inf")


def test_it_reads_the_whole_job_as_one_json_document(rig):
    rig.set(on_dead="cat > document").ended(DEAD)
    rig.finish()
    assert json.loads(rig.text("document")) == json.loads(json.dumps(record.public(DEAD)))


def test_the_main_fields_are_in_its_environment_beside_the_workers(rig, monkeypatch):
    monkeypatch.setenv("OF_THE_WORKER", "yes")
    rig.set(on_dead="env | sort > all").ended(DEAD._replace(env={"OF_THE_JOB": "yes"}))
    rig.finish()
    found = dict(line.split("=", 1) for line in rig.text("all").splitlines())
    told = {name[len("QUEUECTL_"):]: value for name, value in found.items() if name.startswith("QUEUECTL_JOB_")}
    assert told == {"JOB_ID": "nightly", "JOB_STATE": "dead", "JOB_QUEUE": "mail", "JOB_COMMAND": "true", "JOB_ATTEMPTS": "1",
                    "JOB_EXIT_CODE": "3", "JOB_SIGNAL": "", "JOB_ERROR": "", "JOB_DURATION": "1.5"}
    assert (found["QUEUECTL_STORE"], found["OF_THE_WORKER"]) == (rig.directory + "/store", "yes")
    assert "OF_THE_JOB" not in found


def test_nothing_of_a_job_is_run(rig):
    nasty = '"; touch nasty; $(touch nasty) `touch nasty` \' \udcff'
    rig.set(on_dead='printf %s "$QUEUECTL_JOB_COMMAND" > said').ended(DEAD._replace(command=nasty))
    rig.finish()
    with open(os.path.join(rig.directory, "said"), "rb") as file:
        assert file.read() == nasty.encode("utf-8", "surrogateescape")
    assert not rig.has("nasty")


@pytest.mark.parametrize("place", ["in memory", "in a file"])
def test_a_job_of_a_megabyte_reaches_it_whole_and_waits_for_nobody_who_does_not_read(rig, monkeypatch, place):
    if place == "in a file":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    big = DEAD._replace(command="x" * 131071, env={"A": "y" * 1000000})
    rig.set(on_dead="exec sleep 1000").ended(big)
    rig.tend()
    rig.hooks.stop(time.monotonic())
    rig.finish()
    rig.set(on_dead="wc -c > count").ended(big)
    rig.finish()
    assert int(rig.text("count")) == len(json.dumps(record.public(big))) + 1
    assert rig.lines == ["hook on_dead of nightly: stopped with its worker"]


def test_it_leads_a_session_of_its_own_beside_the_store(rig):
    rig.set(on_complete="pwd > where; ps -o pid=,pgid=,sid= -p $$ >> where").ended(ended())
    rig.finish()
    place, numbers = rig.text("where").splitlines()
    assert place == os.path.realpath(rig.directory)
    assert len(set(numbers.split())) == 1


def test_it_prints_where_the_worker_prints(rig, capfd):
    rig.set(on_complete="echo said; echo complained >&2").ended(ended())
    rig.finish()
    assert capfd.readouterr() == ("said\n", "complained\n")


@pytest.mark.parametrize("command, said", [
    ("true", []), ("exit 3", ["exit 3"]), ("kill -9 $$", ["ended by signal 9"]), ("no-such-command-here 2>&-", ["exit 127"])])
def test_its_failure_is_one_line(rig, command, said):
    rig.set(on_complete=command).ended(ended())
    rig.finish()
    assert rig.lines == ["hook on_complete of nightly: " + text for text in said]


def test_one_that_cannot_be_started_is_said(rig):
    rig.directory += "/gone"
    rig.set(on_complete="true").ended(ended())
    rig.finish()
    assert rig.lines == ["hook on_complete of nightly: cannot be started: No such file or directory"]


def test_one_that_takes_too_long_is_ended_with_all_it_started(rig):
    rig.set(on_complete="trap '' TERM; (trap '' TERM; echo $$ > a; exec sleep 600) & setsid sh -c 'echo $$ > b; exec sleep 600' &"
                        "while :; do sleep 600; done", hook_timeout=0.5).ended(ended())
    rig.tend_until(lambda: rig.has("b") and rig.text("b"), "all of it runs")
    rig.finish()
    assert rig.lines == ["hook on_complete of nightly: timed out after 0.5 s"]
    assert not is_running(int(rig.text("b")))


def test_few_run_at_once_and_the_others_get_their_turn(rig):
    rig.set(on_complete="echo x >> started; while [ ! -e go ]; do sleep 0.01; done; echo x >> done")
    for number in range(hooks.AT_ONCE + 3):
        rig.hooks.ended(ended(id="job-%d" % number))
    rig.tend_until(lambda: rig.has("started") and len(rig.text("started").split()) == hooks.AT_ONCE, "the first have started")
    rig.tend().tend()
    assert len(rig.text("started").split()) == hooks.AT_ONCE
    open(rig.directory + "/go", "w").close()
    rig.finish()
    assert len(rig.text("done").split()) == hooks.AT_ONCE + 3


def test_when_too_many_wait_the_rest_is_dropped_and_that_is_said(rig, monkeypatch):
    monkeypatch.setattr(hooks, "MOST_WAITING", 3)
    rig.set(on_complete="echo $QUEUECTL_JOB_ID >> ran")
    for number in range(6):
        rig.hooks.ended(ended(id="job-%d" % number))
    rig.finish()
    assert sorted(rig.text("ran").split()) == ["job-0", "job-1", "job-2"]
    assert rig.lines == ["hooks are too slow: 3 wait, and on_complete of job-3 is not run, nor are the next",
                         "3 hooks were not run"]


def test_told_to_stop_those_that_run_are_ended_and_those_that_wait_are_dropped(rig):
    rig.set(on_complete="exec sleep 600")
    for number in range(hooks.AT_ONCE + 2):
        rig.hooks.ended(ended(id="job-%d" % number))
    rig.tend()
    rig.hooks.stop(time.monotonic())
    rig.finish()
    assert sorted(rig.lines) == ["2 hooks were not run"] + [
        "hook on_complete of job-%d: stopped with its worker" % number for number in range(hooks.AT_ONCE)]


class Leaving:
    """A worker that leaves: its control and its duties."""

    def __init__(self, hooks, order=None, gone=False):
        self.waiter = self
        self.hooks = hooks
        self.order = order
        self.gone = gone

    def due(self):
        return self.hooks.next - time.monotonic()

    def wait(self, seconds):
        time.sleep(min(seconds, 0.01))

    def attend(self, woken):
        self.hooks.tend(time.monotonic())


def test_a_worker_that_leaves_waits_for_those_that_run_and_for_those_that_wait(rig):
    rig.set(on_complete="sleep 0.1; echo x >> ran")
    for number in range(hooks.AT_ONCE + 2):
        rig.hooks.ended(ended(id="job-%d" % number))
    leaving = Leaving(rig.hooks, order=pidfile.DRAIN)
    rig.hooks.see_off(leaving, leaving)
    assert len(rig.text("ran").split()) == hooks.AT_ONCE + 2 and rig.lines == []


@pytest.mark.parametrize("told", [{"order": pidfile.NOW}, {"gone": True}])
def test_a_worker_that_has_to_leave_now_ends_them(rig, told):
    rig.set(on_complete="exec sleep 600").ended(ended())
    rig.tend()
    leaving = Leaving(rig.hooks, **told)
    rig.hooks.see_off(leaving, leaving)
    assert rig.lines == ["hook on_complete of nightly: stopped with its worker"]


def test_when_its_worker_leaves_those_that_wait_have_the_time_of_one_hook(rig, monkeypatch):
    monkeypatch.setattr(hooks, "AT_ONCE", 1)
    rig.set(on_complete="exec sleep 600", hook_timeout=0.3)
    for number in range(20):
        rig.hooks.ended(ended(id="job-%d" % number))
    leaving = Leaving(rig.hooks)
    rig.hooks.see_off(leaving, leaving)
    [dropped] = [line for line in rig.lines if line.endswith(" hooks were not run")]
    # Of twenty, one after the other would have taken twenty times as long.
    assert len(rig.lines) - 1 == 20 - int(dropped.split()[0]) <= 3
