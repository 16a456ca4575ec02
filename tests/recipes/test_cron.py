"""The crontabs of README.md, run by a real cron daemon: put in by crontab(1), with cron's bare environment.

One daemon runs all lines for two minutes. What is changed of them: the paths, and the minute and
hour of what runs once a night.
"""

import datetime
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import namedtuple

import pytest

import readme
import support
from recipes import crond, programs
from support import is_running, send, wait_until

pytestmark = [programs.needs("cron", "crontab", "unshare", "mount"),
              pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can run a cron daemon")]

SAID = "grüße ✓"

# What was seen after the first minute, then of what had been killed, then after the second; each by test.
Night = namedtuple("Night", "cron here other ill first killed second")


@pytest.fixture(scope="module")
def place():
    """A directory in which other users may look; /tmp's own, since pytest's is closed to them."""
    path = tempfile.mkdtemp(prefix="queuectl-cron-")
    crond.may_be_read_by_all(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def bin(place):
    """The Python under test as `python3`."""
    path = os.path.join(place, "bin")
    os.mkdir(path)
    os.symlink(support.PYTHON, os.path.join(path, "python3"))
    return path


@pytest.fixture(scope="module")
def server(place, one_file):
    """Where the one file was copied to."""
    return shutil.copy(one_file, os.path.join(place, "queuectl.py"))


@pytest.fixture(scope="module")
def night(place, bin, server, one_file, bytecode):
    """Two minutes of cron: the documented lines for three stores, and a kill of everything in between."""
    program = support.Program(support.PYTHON, one_file, bytecode)
    here, other, ill = [support.Queue(program, os.path.join(place, name)) for name in ("here", "other", "ill")]
    cron = crond.Cron(_new(place, "crond"))
    try:
        for queue in (here, other):
            nightly(queue)
        ill.enqueue("true")
        os.chmod(ill.store, 0o755)
        cron.install("root", "".join(lines_of(place, bin, server, here, other, ill)))
        cron.install("nobody", foreign_line(server, here))
        cron.start()
        cron.wait_for_minute(1)
        here.wait_for_file("nightly.txt")
        first = Seen(here, cron)
        killed = kill_all(here)
        cron.wait_for_minute(2)
        yield Night(cron, here, other, ill, first, killed, Seen(here, cron))
    finally:
        cron.stop()
        for queue in (here, other, ill):
            queue.close()


class Seen:
    """What there was at the end of a minute."""

    def __init__(self, here, cron):
        self.workers = [worker["pid"] for worker in here.read("worker", "list")]
        self.mails = cron.mails()
        self.doctor = here.text("doctor.txt")


def _new(place, name):
    path = os.path.join(place, name)
    os.mkdir(path)
    crond.may_be_read_by_all(path)
    return path


def lines_of(place, bin, server, here, other, ill):
    """root's crontab: the blocks of README.md, and a line that prints."""
    workers, drained = [at(block.text, bin, server) for block in readme.blocks("crontab", "From cron")]
    metrics, digest = [at(block.text, None, server) for block in readme.blocks("crontab", "Logs, metrics and mail")]
    yield crond.every_minute(in_(workers, here), "30 2", "0 4")
    # Beside the other line, as many have it.
    yield re.search(r"^\* \* \* \* \*( .*--ensure .*\n)", in_(workers, here), re.MULTILINE).expand(r"@reboot\1")
    yield in_(readme.put(metrics, "/var/lib/node_exporter", here.top), here)
    yield crond.every_minute("\n" + in_(digest, here), "0 7")
    yield crond.every_minute(in_(drained, other), "30 2")
    yield ("* * * * * cd %s && python3 %s enqueue --id greeting --if-absent \"echo '%s'\" 2> /dev/null; python3 %s list --search greet\n"
           % (other.directory, server, SAID, server))
    yield crond.every_minute("\n" + in_(re.search(r"^.* doctor .*\n", workers, re.MULTILINE).group(), ill), "0 4")


def at(text, bin, server):
    text = readme.put(text, "/usr/local/lib/queuectl.py", server)
    return readme.put(text, "PATH=/usr/local/bin:", "PATH=%s:" % bin) if bin else text


def in_(text, queue):
    return readme.put(text, "/srv/app", queue.directory)


def foreign_line(server, queue):
    """The line of a user whose store it is not, by the first Python that this user can run."""
    for python in (support.PYTHON, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", "pass"], preexec_fn=programs.become_nobody, check=True)
        except OSError:
            continue
        return "* * * * * cd %s && %s %s worker start --ensure --detach\n" % (queue.directory, python, server)
    return ""


def nightly(queue):
    path = queue.write("nightly.sh", "#!/bin/sh\necho '%s'\necho $PATH >> nightly.txt\n" % SAID)
    os.chmod(path, 0o755)


def kill_all(queue):
    """As a power cut does it."""
    pids = queue.pids("supervisor") + queue.pids("worker")
    for pid in pids:
        send(pid, signal.SIGKILL)
    wait_until(lambda: not [pid for pid in pids if is_running(pid)], "all of them are dead")
    return pids


def test_lines_that_overlap_while_the_store_is_locked_wait_and_say_nothing(queue, bin, server):
    line = re.search(r"^\* \* \* \* \*(.*--ensure .*)\n", in_(at(readme.blocks("crontab", "From cron")[0].text, bin, server), queue), re.MULTILINE)
    queue.enqueue("true")
    lock = subprocess.Popen(["flock", os.path.join(queue.store, "lock"), "sh", "-c", "echo held; exec sleep 1.5"], stdout=subprocess.PIPE)
    assert lock.stdout.readline() == b"held\n"
    bare = {"PATH": bin + ":/usr/bin:/bin", "HOME": queue.top, support.MARK: queue.top}
    lines = [subprocess.Popen(["/bin/sh", "-c", line.group(1)], env=bare, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) for _ in range(3)]
    assert lock.wait() == 0 and lock.stdout.close() is None
    assert [(each.communicate()[0], each.returncode) for each in lines] == [(b"", 0)] * 3
    assert len(queue.wait_for_workers(2)) == 2


# --- what the night was like

def test_the_line_with_ensure_starts_as_many_workers_as_it_says(night):
    assert len(night.first.workers) == 2


def test_it_brings_them_back_within_a_minute_of_a_kill_of_everything(night):
    assert len(night.killed) == 3 and set(night.first.workers) < set(night.killed)
    assert len(night.second.workers) == 2 and not set(night.second.workers) & set(night.killed)


def test_cron_does_not_wait_for_the_workers_it_started(night):
    assert night.second.workers and night.cron.children() == []


def test_the_nightly_job_is_enqueued_and_run_with_the_path_of_the_crontab(night, bin):
    [job] = night.here.jobs("--state", "completed", "--limit", "1")
    assert job["command"] == "./nightly.sh" and job["cwd"] == night.here.directory and job["stdout"] == SAID + "\n"
    assert night.here.text("nightly.txt").split("\n")[0] == bin + ":/usr/bin:/bin"


def test_while_all_is_well_nothing_is_mailed(night):
    assert [mail for mail in night.first.mails if night.here.directory in mail.subject and mail.to == "root"] == []


def test_doctor_mails_what_is_wrong_and_nothing_else(night):
    mails = [mail for mail in night.first.mails if night.ill.directory in mail.subject]
    assert len(mails) == 1 and "others may read it" in mails[0].text and "chmod -R go-rwx" in mails[0].text
    assert "All is well." in night.first.doctor


def test_a_job_named_by_its_day_is_stored_once_and_drained(night):
    jobs = [job for job in night.other.jobs() if job["id"] != "greeting"]
    days = {str(datetime.date.today() - datetime.timedelta(days=days)) for days in (0, 1)}
    assert {job["id"] for job in jobs} <= {"nightly-" + day for day in days} and jobs[0]["state"] == "completed"
    assert "completed %s" % jobs[0]["id"] in night.other.text("queuectl.log")


def test_what_is_not_ascii_is_taken_run_and_mailed_as_it_is(night):
    mails = [mail for mail in night.second.mails if mail.subject.endswith(" list --search greet")]
    assert len(mails) == 2 and all("echo '%s'" % SAID in mail.text for mail in mails)
    assert night.other.job("greeting")["stdout"] == SAID + "\n"


def test_a_line_of_another_user_is_told_whose_the_store_is(night):
    mails = [mail for mail in night.first.mails if mail.to == "nobody"]
    if not foreign_line("", night.here):
        pytest.skip("there is no Python here that another user can run")
    assert [mail.text for mail in mails] == [
        "queuectl: %s belongs to user 0, not to you: its commands are theirs; use your own with --store DIR\n" % night.here.store]


def test_the_metrics_line_writes_what_others_may_read(night):
    path = os.path.join(night.here.top, "queuectl.prom")
    with open(path) as file:
        assert "queuectl_workers{" in file.read()
    assert os.stat(path).st_mode & 0o777 == 0o644
