"""A command runs to an outcome, whatever it does; nothing of the worker leaks into it, nothing of it stays."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple

import pytest

from queuectl_lib.store.paths import Paths
from queuectl_lib.work import output, proc, progress, runner, spawn, tree
from queuectl_lib.work.waiting import Waiter
from tests.support import ROOT, wait_until

Job = namedtuple("Job", ("id", "attempts", "command", "cwd", "env", "timeout", "nice"))
Job.__new__.__defaults__ = (None,)
LIMIT = 100000


class Rig:
    """A runner with all it needs, in a directory of its own."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.paths = Paths(str(directory / "store"))
        for path in (self.paths.root, self.paths.workers, self.paths.output):
            os.mkdir(path)
        self.waiter = Waiter()
        self.spools = output.Spools(self.paths, 1)
        self.spools.open()
        self.runner = runner.Runner(self.waiter, self.spools, self.paths.root, "1.abcdef")

    def run(self, command, timeout=None, grace=5, limit=LIMIT, duties=None, cwd=None, env=None, nice=None):
        job = Job("a-job", 2, command, cwd or self.directory, env, timeout, nice)
        return self.runner.run(job, grace, limit, duties or runner.NoDuties())

    def text(self, name):
        with open(os.path.join(self.directory, name)) as file:
            return file.read()

    def has(self, name):
        return os.path.exists(os.path.join(self.directory, name))

    def close(self):
        self.spools.close()
        self.waiter.close()


@pytest.fixture(params=["posix_spawn", "subprocess"])
def rig(request, tmp_path, monkeypatch):
    """Both ways to start a command."""
    if request.param == "subprocess":
        monkeypatch.delattr(os, "posix_spawn")
    one = Rig(tmp_path)
    yield one
    one.close()


class Duties:
    """What a worker would do meanwhile, written down."""

    def __init__(self, every=None, order=None):
        self.every = every
        self.order = order
        self.next = time.monotonic()
        self.seen = []

    def due(self):
        return None if self.every is None else self.next - time.monotonic()

    def attend(self, woken):
        self.seen.append(woken)
        if self.every is not None:
            self.next = time.monotonic() + self.every
        return self.order(woken) if self.order else None


def runs(pid):
    found = proc.process(pid)
    return found is not None and not found.gone


ENDS = {
    "true": (0, None), "exit 3": (3, None), "exit 255": (255, None), "kill -9 $$": (None, 9), "kill -TERM $$": (None, 15),
    "sh -c 'kill -9 $$'; exit 4": (4, None), "no-such-command-here": (127, None), "": (0, None), "# nothing": (0, None),
    "-x": (127, None), "false | true": (0, None), "exec sh -c 'exit 5'": (5, None), "if": (2, None),
}


@pytest.mark.parametrize("command", sorted(ENDS))
def test_how_a_command_ended_is_told(rig, command):
    ended = rig.run(command)
    assert ended.order is None
    assert (ended.outcome.exit_code, ended.outcome.signal) == ENDS[command]
    assert ended.outcome.error is None and ended.outcome.duration >= 0


def test_its_output_comes_with_it(rig):
    outcome = rig.run("echo out; echo err >&2").outcome
    assert (outcome.stdout.text, outcome.stderr.text) == ("out\n", "err\n")


def test_odd_bytes_in_command_environment_and_directory_arrive(rig):
    os.mkdir(os.fsencode(rig.directory) + b"/d\xff")
    outcome = rig.run("printf '%s|' '\udcfe' \"$ODD\"; pwd", cwd=rig.directory + "/d\udcff", env={"ODD": "\udcfd\u20ac"}).outcome
    assert outcome.stdout.text == "\udcfe|\udcfd\u20ac|%s/d\udcff\n" % rig.directory


NOT_STARTED = {
    "too long": (dict(command="x" * 3000000), "cannot be started: Argument list too long"),
    "a NUL": (dict(command="echo \0"), "cannot be started: embedded null byte"),
    "no directory": (dict(command="true", cwd="/no/such"), "cannot be started: directory /no/such does not exist"),
    "a file for a directory": (dict(command="true", cwd="/dev/null"), "cannot be started: directory /dev/null: Not a directory"),
    "no text": (dict(command="echo \ud800"), "surrogates not allowed"),
    "a name with =": (dict(command="true", env={"A=B": "c"}), "illegal environment variable name"),
}


@pytest.mark.parametrize("case", sorted(NOT_STARTED))
def test_a_command_that_cannot_be_started_is_an_outcome_that_says_why(rig, case):
    words, error = NOT_STARTED[case]
    ended = rig.run(**words)
    assert error in ended.outcome.error and ended.outcome.error.startswith("cannot be started: ")
    assert (ended.outcome.exit_code, ended.outcome.signal, ended.order) == (None, None, None)
    assert rig.run("echo next").outcome.stdout.text == "next\n"


def test_the_directory_is_looked_up_at_each_start(rig):
    for name in ("one", "two"):
        os.mkdir(os.path.join(rig.directory, name))
        link = os.path.join(rig.directory, "current")
        if os.path.islink(link):
            os.unlink(link)
        os.symlink(name, link)
        assert rig.run("pwd -P", cwd=link).outcome.stdout.text == "%s/%s\n" % (rig.directory, name)


def test_a_job_without_a_directory_runs_in_the_workers_own(tmp_path):
    home = os.getcwd()
    rig = Rig(tmp_path)
    try:
        rig.run("true")
        ended = rig.runner.run(Job("j", 1, "pwd -P", None, None, None), 1, LIMIT, runner.NoDuties())
        assert ended.outcome.stdout.text == os.path.realpath(home) + "\n"
    finally:
        rig.close()
        os.chdir(home)


def test_its_environment_is_the_workers_the_jobs_and_what_names_the_attempt(rig, monkeypatch):
    ended = rig.run("echo $PATH; echo $MINE; env | grep ^QUEUECTL_ | sort", env={"MINE": "yes", "QUEUECTL_JOB_ID": "forged"})
    assert ended.outcome.stdout.text.splitlines() == [
        os.environ["PATH"], "yes", "QUEUECTL_ATTEMPT=2", "QUEUECTL_CLAIM=1.abcdef/a-job/2/" + tree.place_of(rig.paths.root), "QUEUECTL_JOB_ID=a-job",
        "QUEUECTL_PROGRESS=" + rig.paths.slot_progress(1), "QUEUECTL_STORE=" + rig.paths.root]
    assert rig.run("echo =$MINE=").outcome.stdout.text == "==\n"


def test_it_leads_a_session_of_its_own(rig):
    leader, group, session = rig.run("ps -o pid=,pgid=,sid= -p $$").outcome.stdout.text.split()
    assert leader == group == session


def test_it_has_no_descriptor_but_the_standard_ones_and_the_lock(tmp_path, monkeypatch):
    left = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(left, True)
    rig = Rig(tmp_path)
    try:
        text = rig.run("readlink /proc/$$/fd/*; ls /proc/$$/fd").outcome.stdout.text
    finally:
        rig.close()
        os.close(left)
    lines = text.splitlines()
    assert lines[4:] == ["0", "1", "2", str(spawn.LOCK_FD)]
    assert lines[:4] == ["/dev/null", rig.paths.slot_out(1), rig.paths.slot_err(1), rig.paths.slot_job(1)]


WORKER = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
if sys.argv[3] == "subprocess":
    del os.posix_spawn
from tests.work.test_runner import Rig
rig = Rig(pathlib.Path(sys.argv[2]))
"""


def worker(code, directory, way="posix_spawn", before=("env",)):
    """A process of its own with a rig in it; `before` is a command that starts it."""
    return list(before) + [sys.executable, "-c", WORKER + code, ROOT, str(directory), way]


@pytest.mark.parametrize("way", ["posix_spawn", "subprocess"])
def test_a_job_whose_worker_was_killed_holds_its_lock_whatever_it_redirects(tmp_path, way):
    command = "exec >/dev/null 2>&1; mkfifo go; echo ready > ready; read word < go"
    killed = subprocess.Popen(worker("rig.run(%r)" % command, tmp_path, way))
    wait_until((tmp_path / "ready").exists, "the job runs")
    killed.kill()
    killed.wait()
    paths = Paths(str(tmp_path / "store"))
    assert output.held(paths, 1)
    (tmp_path / "go").write_text("go\n")
    wait_until(lambda: not output.held(paths, 1), "the job has ended")


@pytest.mark.parametrize("way", ["posix_spawn", "subprocess"])
def test_it_reads_nothing_from_the_workers_standard_input(tmp_path, way):
    code = "print(rig.run('cat; echo end').outcome.stdout.text, sys.stdin.read())"
    done = subprocess.run(worker(code, tmp_path, way), input=b"for the worker", stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"end\n for the worker\n"


def test_it_writes_where_its_files_are_now(rig):
    assert rig.run("echo first").outcome.stdout.text == "first\n"
    rig.spools.close()
    taken = os.open("/dev/null", os.O_RDONLY)
    rig.spools.open()
    try:
        outcome = rig.run("echo second; echo err >&2").outcome
        assert (outcome.stdout.text, outcome.stderr.text) == ("second\n", "err\n")
    finally:
        os.close(taken)


@pytest.mark.parametrize("way", ["posix_spawn", "subprocess"])
def test_a_worker_that_was_started_ignoring_signals_starts_commands_that_do_not(tmp_path, way):
    code = "print(rig.run('grep SigIgn: /proc/self/status').outcome.stdout.text)"
    ignoring = ("sh", "-c", "trap '' INT QUIT HUP PIPE TERM; exec \"$@\"", "sh")
    done = subprocess.run(worker(code, tmp_path, way, ignoring), stdout=subprocess.PIPE, check=True)
    # Signals 32 and 33 belong to the C library.
    assert int(done.stdout.split()[1], 16) & ~(3 << 31) == 0


def test_a_command_over_its_time_is_ended_with_its_whole_tree(rig):
    command = ("trap '' TERM; sh -c 'echo $$ > plain; exec sleep 600' &"
               "setsid sh -c 'trap \"\" TERM; echo $$ > escaped; while :; do sleep 600; done' &"
               "(setsid sh -c 'echo $$ > orphan; exec sleep 600' &);"
               "(env -i setsid /bin/sh -c 'echo $$ > hidden; exec /bin/sleep 600' &); while :; do sleep 600; done")
    ended = rig.run(command, timeout=1, grace=0.2)
    assert ended.order is None
    assert ended.outcome[:3] == (None, None, "timed out after 1 s")
    assert not any(runs(int(rig.text(name))) for name in ("plain", "escaped", "orphan", "hidden"))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_output_before_the_time_limit_is_kept(rig):
    assert rig.run("echo before; exec sleep 600", timeout=0.2).outcome.stdout.text == "before\n"


def test_a_command_may_clean_up_within_its_grace_and_has_failed_even_with_exit_0(rig):
    ended = rig.run("trap 'echo cleaned; exit 0' TERM; while :; do sleep 0.02; done", timeout=0.2, grace=60)
    assert ended.outcome[:3] == (None, None, "timed out after 0.2 s")
    assert ended.outcome.stdout.text == "cleaned\n"


def test_a_command_within_its_time_is_not_disturbed(rig):
    assert rig.run("sleep 0.1; echo done", timeout=60).outcome[:3] == (0, None, None)


def test_children_left_behind_do_not_hold_the_worker_up_nor_are_they_ended(rig):
    ended = rig.run("mkfifo go; sh -c 'echo $$ > pid; read word < go; echo late; echo done > told' & "
                    "while [ ! -s pid ]; do sleep 0.01; done; echo first")
    assert ended.outcome.exit_code == 0
    pid = int(rig.text("pid"))
    try:
        assert ended.outcome.stdout.text == "first\n"
        following = rig.run("echo go > go; while [ ! -s told ]; do sleep 0.01; done; echo second")
        assert following.outcome.stdout.text == "second\n"
    finally:
        wait_until(lambda: not runs(pid), "the child has ended")


def test_an_order_ends_the_command_and_is_handed_back(rig):
    duties = Duties(every=0.02, order=lambda woken: "cancelled" if rig.has("pid") else None)
    ended = rig.run("sh -c 'echo $$ > pid.new; mv pid.new pid; exec sleep 600' & wait", duties=duties)
    assert (ended.order, ended.outcome.error, ended.outcome.exit_code) == ("cancelled", "cancelled", None)
    assert not runs(int(rig.text("pid")))


def test_a_command_that_ended_before_the_order_came_has_ended_by_itself(rig):
    def order(woken):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        return "cancelled"

    ended = rig.run("exit 3", duties=Duties(every=60, order=order))
    assert (ended.order, ended.outcome[:3]) == (None, (3, None, None))


def test_a_signal_reaches_the_duties_at_once(rig):
    rig.waiter.heed(signal.SIGUSR1)
    duties = Duties(order=lambda woken: "stopped" if signal.SIGUSR1 in woken.signals else None)
    ended = rig.run("kill -USR1 %d; exec sleep 600" % os.getpid(), duties=duties)
    assert ended.order == "stopped"
    assert [woken.signals for woken in duties.seen if woken.signals] == [(signal.SIGUSR1,)]


def test_a_signal_that_comes_with_the_end_of_the_command_is_not_lost(rig):
    rig.waiter.heed(signal.SIGUSR1)
    duties = Duties()
    for _ in range(20):
        duties.seen = []
        ended = rig.run("kill -USR1 %d" % os.getpid(), duties=duties)
        assert (ended.outcome.exit_code, ended.order) == (0, None)
        woken = [one for one in duties.seen if one.signals] or [rig.waiter.wait(0)]
        assert woken[0].signals == (signal.SIGUSR1,)


def test_duties_are_done_before_a_command_is_waited_for_and_while_it_is_ended(rig):
    duties = Duties(every=0.02)
    rig.run("true", duties=duties)
    assert len(duties.seen) >= 1
    rig.run("trap '' TERM; while :; do sleep 600; done", timeout=0.05, grace=0.3, duties=duties)
    assert len(duties.seen) >= 4


def test_a_duty_that_stays_due_does_not_make_the_worker_spin(rig):
    duties = Duties()
    duties.due = lambda: 0.0
    rig.run("sleep 0.3", duties=duties)
    assert 1 <= len(duties.seen) < 40


def test_who_leads_is_noted_for_those_who_may_have_to_end_it(rig):
    claim = tree.claim_marker("1.abcdef", "a-job", 2, tree.place_of(rig.paths.root))
    noted = []

    def look(woken):
        leader = output.leader_of(rig.paths, 1, claim)
        if leader is not None:
            noted.append(leader)
            open(os.path.join(rig.directory, "enough"), "w").close()

    ended = rig.run("while [ ! -e enough ]; do sleep 0.02; done; echo $$", duties=Duties(every=0.02, order=look))
    assert str(noted[0]) == ended.outcome.stdout.text.strip()


def test_output_without_end_is_bounded_while_the_command_runs_and_while_it_is_ended(rig):
    sizes = []
    duties = Duties(every=0.02, order=lambda woken: sizes.append(os.stat(rig.paths.slot_out(1)).st_blocks * 512))
    ended = rig.run("trap '' TERM; while :; do echo a line that is written again and again; done",
                    timeout=0.3, grace=1.5, limit=20000, duties=duties)
    assert ended.outcome.stdout.size > 20 * 20000 > 0
    # What comes between two looks is not bounded, it depends on the machine.
    assert max(sizes) < ended.outcome.stdout.size / 2
    assert os.path.getsize(rig.paths.output_file("a-job", 2, "out")) < 20100


def test_a_process_that_cannot_be_ended_is_named_and_reaped_later(rig, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tree, "_PATIENCE_AFTER_KILL", 0.05)
        patch.setattr(os, "kill", _refused)
        patch.setattr(os, "killpg", _refused)
        ended = rig.run("echo $$ > pid; read word < /dev/zero; exec sleep 600", timeout=0.2, grace=0.05)
    pid = int(rig.text("pid"))
    assert ended.outcome.error == "timed out after 0.2 s (could not be ended: process %d)" % pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not runs(pid), "it has ended")
    assert rig.run("echo next").outcome.stdout.text == "next\n"
    assert proc.process(pid) is None


def _refused(*words):
    raise PermissionError(1, "Operation not permitted")


def test_a_nice_command_and_all_it_starts_run_at_that_niceness_from_the_first_moment(rig):
    mine = os.nice(0)
    command = "cut -d' ' -f19 /proc/self/stat & setsid cut -d' ' -f19 /proc/self/stat; wait; nice"
    assert rig.run(command, nice=7).outcome.stdout.text.split() == [str(min(19, mine + 7))] * 3
    assert rig.run(command).outcome.stdout.text.split() == [str(mine)] * 3
    assert os.nice(0) == mine


def test_a_nice_command_is_an_ordinary_one_otherwise(rig):
    ended = rig.run("echo $$ $0; ps -o pid=,pgid=,sid= -p $$; exit 3", nice=19)
    assert ended.outcome.exit_code == 3
    first, *numbers = ended.outcome.stdout.text.split()
    assert set(numbers[1:]) == {first}


def test_without_the_program_nice_a_nice_command_cannot_be_started_and_says_so(rig, monkeypatch):
    monkeypatch.setenv("PATH", rig.directory)
    ended = rig.run("true", nice=5, env={"PATH": rig.directory})
    assert ended.outcome.error == "cannot be started: nice: No such file or directory"


# --- progress

SAID = {
    "nothing": ("true", None),
    "overwritten": ("echo 10% > $QUEUECTL_PROGRESS; echo 50% > $QUEUECTL_PROGRESS", "50%"),
    "appended": ("for i in 1 2 3; do echo step $i >> $QUEUECTL_PROGRESS; done", "step 3"),
    "no newline": ("printf 'half way' > $QUEUECTL_PROGRESS", "half way"),
    "a bar": (r"printf '10%%\r20%%\r30%%  ' > $QUEUECTL_PROGRESS", "30%"),
    "blank lines at the end": (r"printf 'said\n\n  \n' > $QUEUECTL_PROGRESS", "said"),
    "emptied": ("echo x > $QUEUECTL_PROGRESS; : > $QUEUECTL_PROGRESS", None),
    "removed": ("echo x > $QUEUECTL_PROGRESS; rm $QUEUECTL_PROGRESS", None),
    "removed and made again": ("rm $QUEUECTL_PROGRESS; echo again > $QUEUECTL_PROGRESS", "again"),
    "another put in its place": ("echo whole > new; mv new $QUEUECTL_PROGRESS", "whole"),
    "moved away": ("mv $QUEUECTL_PROGRESS old; echo new > $QUEUECTL_PROGRESS", "new"),
    "a directory": ("rm $QUEUECTL_PROGRESS; mkdir $QUEUECTL_PROGRESS", None),
    "a FIFO": ("rm $QUEUECTL_PROGRESS; mkfifo $QUEUECTL_PROGRESS", None),
    "a link": ("echo secret > other; ln -sf $PWD/other $QUEUECTL_PROGRESS", None),
    "forbidden": ("echo x > $QUEUECTL_PROGRESS; chmod 000 $QUEUECTL_PROGRESS", ("x", None)),
    "binary": (r"printf '\377\033[31m\000\001' > $QUEUECTL_PROGRESS", "\udcff\x1b[31m\0\x01"),
    "a long line": ("head -c 3000 /dev/zero | tr '\\0' x > $QUEUECTL_PROGRESS", "x" * progress.LONGEST),
    "a gigabyte": ("truncate -s 1G $QUEUECTL_PROGRESS; echo the end >> $QUEUECTL_PROGRESS", "the end"),
    "by a writer that keeps it open": ("exec 5> $QUEUECTL_PROGRESS; echo one >&5; : > $QUEUECTL_PROGRESS; echo two >&5", "two"),
}


@pytest.mark.parametrize("how", sorted(SAID))
def test_what_a_job_last_said_of_its_progress_is_kept_whatever_it_does_to_the_file(rig, how):
    command, said = SAID[how]
    found = rig.run(command).outcome
    assert found.exit_code == 0
    # Root may read what others may not.
    assert found.progress in said if isinstance(said, tuple) else found.progress == said
    if how == "a directory":
        os.rmdir(rig.paths.slot_progress(1))
        rig.run("true")
    again = rig.run("cat $QUEUECTL_PROGRESS; stat -c %a $QUEUECTL_PROGRESS; echo mine > $QUEUECTL_PROGRESS").outcome
    assert (again.stdout.text, again.progress) == ("600\n", "mine")
    assert rig.run("true").outcome.progress is None


def test_progress_is_kept_of_a_command_that_had_to_be_ended(rig):
    ended = rig.run("echo far > $QUEUECTL_PROGRESS; exec sleep 600", timeout=0.3)
    assert (ended.outcome.error, ended.outcome.progress) == ("timed out after 0.3 s", "far")


def test_what_a_child_left_behind_still_writes_is_not_the_next_jobs_progress(rig):
    rig.run("exec 5>> $QUEUECTL_PROGRESS; (while [ ! -e go ]; do sleep 0.01; done; echo late >&5; touch done) & echo early >&5")
    ended = rig.run("touch go; while [ ! -e done ]; do sleep 0.01; done; echo mine >> $QUEUECTL_PROGRESS; cat $QUEUECTL_PROGRESS")
    assert (ended.outcome.stdout.text, ended.outcome.progress) == ("mine\n", "mine")


@pytest.mark.parametrize("holes", [True, False])
def test_progress_without_end_takes_little_room(rig, monkeypatch, holes):
    if not holes:
        monkeypatch.setattr(progress, "make_hole", _refused)
    rooms = []

    def look(woken):
        rooms.append(os.stat(rig.paths.slot_progress(1)).st_blocks * 512)
        if len(rooms) > 5 and rooms[-1] < max(rooms):
            open(os.path.join(rig.directory, "enough"), "w").close()

    found = rig.run("head -c 3000000 /dev/zero >> $QUEUECTL_PROGRESS; while [ ! -e enough ]; do sleep 0.01; done; "
                    "echo the end >> $QUEUECTL_PROGRESS", duties=Duties(every=0.02, order=look)).outcome
    assert max(rooms) > 1000000 > rooms[-1]
    assert found.progress == "the end"


class Crowded:
    """The machine's refusal to start a process, so many times."""

    def __init__(self, rig, monkeypatch, times, number=errno.EAGAIN):
        self.left = times
        self._number = number
        self._spawn = rig.runner._spawner._spawn
        monkeypatch.setattr(rig.runner._spawner, "_spawn", self)
        monkeypatch.setattr(runner, "_AGAIN", 0.01)

    def __call__(self, *words):
        if self.left:
            self.left -= 1
            raise OSError(self._number, os.strerror(self._number))
        return self._spawn(*words)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
def test_a_machine_without_room_for_another_process_is_waited_for(rig, monkeypatch, number):
    crowded = Crowded(rig, monkeypatch, 3, number)
    duties = Duties(every=0.001)
    ended = rig.run("echo there", timeout=5, duties=duties)
    assert (ended.order, ended.outcome.exit_code, ended.outcome.stdout.text, crowded.left) == (None, 0, "there\n", 0)
    assert len(duties.seen) >= 3


def test_but_not_for_ever(rig, monkeypatch):
    monkeypatch.setattr(runner, "_ROOM_SECONDS", 0.05)
    Crowded(rig, monkeypatch, 1000)
    assert rig.run("true").outcome[:4] == (None, None, "cannot be started: Resource temporarily unavailable", 0.0)


def test_who_waits_for_room_hears_orders(rig, monkeypatch):
    crowded = Crowded(rig, monkeypatch, 1000)
    ended = rig.run("true", duties=Duties(order=lambda woken: "stopped" if crowded.left < 998 else None))
    assert (ended.order, ended.outcome.error) == ("stopped", "stopped")


def test_what_is_wrong_with_a_command_itself_is_not_waited_out(rig, monkeypatch):
    crowded = Crowded(rig, monkeypatch, 1000, errno.E2BIG)
    assert rig.run("true").outcome.error == "cannot be started: Argument list too long" and crowded.left == 999
