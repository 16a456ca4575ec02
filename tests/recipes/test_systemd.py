"""The units that README.md shows: verified, and run by a real `systemd --user` (manager.py)."""

import contextlib
import os
import re
import socket
import subprocess
import urllib.request

import pytest

import readme
import support
from recipes import manager
from recipes.programs import found, needs

SECTION = "From systemd"
FOLDER = "# ~/.config/systemd/user/"
HELD = "echo $QUEUECTL_ATTEMPT >> runs; while [ ! -e go ]; do sleep 0.02; done"

pytestmark = needs("systemd-analyze", "systemctl", "journalctl", "unshare", "nsenter")


def units():
    """{name: text} of the section's units."""
    texts = {}
    for block in readme.blocks("systemd", SECTION):
        first, _, rest = block.text.partition("\n")
        assert first.startswith(FOLDER)
        texts[first[len(FOLDER):]] = rest
    return texts


def written(texts, home, program):
    """The units in a user's home, whose Python and program are where they are here."""
    folder = os.path.join(home, ".config/systemd/user")
    os.makedirs(folder)
    for name, text in texts.items():
        if name.endswith(".service"):
            text = readme.put(text, "/usr/bin/python3 /usr/local/lib/queuectl.py", "%s %s" % (support.PYTHON, program))
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return folder


def test_there_are_units_for_workers_a_night_and_the_dashboard():
    assert list(units()) == ["queuectl.service", "queuectl-nightly.service", "queuectl-nightly.timer", "queuectl-dashboard.service"]


def test_every_unit_is_verified(tmp_path, one_file):
    folder = written(units(), str(tmp_path), one_file)
    done = subprocess.run([found("systemd-analyze"), "verify", "--user"] + [os.path.join(folder, name) for name in units()],
                          env=dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path), HOME=str(tmp_path)),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout.decode()) == (0, "")


def test_the_moment_is_that_of_the_text(tmp_path):
    [moment] = re.findall(r"systemd-analyze calendar '(.*)'`", readme.text())
    assert "OnCalendar=%s\n" % moment in units()["queuectl-nightly.timer"]
    out = subprocess.run([found("systemd-analyze"), "calendar", moment], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "Normalized form: *-*-* 02:30:00" in out


def test_as_units_of_the_system_they_are_verified_too(tmp_path, one_file):
    text = units()["queuectl.service"].replace("%h/", "/srv/")
    text = readme.put(readme.put(text, "[Service]\n", "[Service]\nUser=app\n"), "default.target", "multi-user.target")
    assert "`User=app` in `[Service]`, `WantedBy=multi-user.target` in `[Install]`" in readme.text()
    folder = written({"queuectl.service": text}, str(tmp_path), one_file)
    done = subprocess.run([found("systemd-analyze"), "verify", os.path.join(folder, "queuectl.service")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and "queuectl.service" not in done.stdout.decode(), done.stdout.decode()


@pytest.fixture
def here(queue, one_file):
    """A home with the units, and ~/app with the store, under a running manager."""
    home = os.path.join(queue.top, "home")
    queue.directory = os.path.join(home, "app")
    queue.store = os.path.join(queue.directory, ".queuectl")
    os.mkdir(queue.directory)
    texts = units()
    # A night is too long for a test.
    texts["queuectl-nightly.timer"] = readme.put(texts["queuectl-nightly.timer"], "OnCalendar=*-*-* 02:30", "OnCalendar=*-*-* *:*:*\nAccuracySec=1ms")
    written(texts, home, one_file)
    try:
        running = manager.Manager(home, queue.environment)
    except AssertionError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip("no manager can run here: %s" % error)
    with contextlib.closing(running):
        queue.manager = running
        yield queue


def start(here, *names):
    here.manager.do("systemctl", "--user", "start", *(names or ("queuectl.service",)))


def started(here):
    start(here)
    workers(here, 2)


def workers(here, count):
    support.wait_until(lambda: len(here.read("worker", "list")) == count, "%d workers are there" % count)


def state(here, unit="queuectl.service"):
    return here.manager.show(unit, "ActiveState")


def journal(here):
    [line] = [line for line in readme.blocks("sh", SECTION)[0].text.splitlines() if line.startswith("journalctl")]
    words = readme.put(line.partition("#")[0], "--user --follow", "--no-pager --output cat")
    return here.manager.do(*words.split())


def test_the_commands_do_what_they_say(here, one_file):
    [block] = readme.blocks("sh", SECTION)
    # Nobody is logged in here, and the night may be far.
    bin = os.path.join(here.top, "bin")
    os.mkdir(bin)
    with open(os.path.join(bin, "loginctl"), "w") as file:
        file.write("#!/bin/sh\necho \"$@\" > %s\n" % here.path("lingers"))
    os.chmod(file.name, 0o755)
    lines = readme.put(block.text, "python3 /usr/local/lib/queuectl.py", "%s %s" % (support.PYTHON, one_file)).splitlines()
    for line in lines:
        if line.startswith("journalctl"):
            workers(here, 2)
            here.enqueue("--id", "long", HELD)
            here.wait_for_file("runs")
            assert "started long" in journal(here)
        else:
            here.manager.do("sh", "-c", "PATH=%s:$PATH; %s" % (bin, line))
    assert here.text("lingers") == "enable-linger\n"
    assert here.job("long")["attempts"] == 0 and state(here, "queuectl-nightly.timer") == "active"


def test_a_stop_finishes_the_running_job_and_starts_no_other(here):
    started(here)
    here.enqueue("--id", "server", "setsid sleep 1000 & true")
    here.wait_for_state("server", "completed")
    here.enqueue("--id", "long", HELD)
    here.enqueue("--id", "other", "--after", "long", "true")
    here.wait_for_file("runs")
    here.manager.do("systemctl", "--user", "stop", "--no-block", "queuectl.service")
    support.wait_until(lambda: state(here) == "deactivating", "it is being stopped")
    support.wait_until(lambda: "finishing 1 running job" in journal(here), "the supervisor alone has had the signal")
    assert "sleep 1000" in "".join(support.leftovers(here.top).values())
    here.write("go", "x")
    support.wait_until(lambda: state(here) == "inactive", "it has stopped")
    assert "sleep 1000" not in "".join(support.leftovers(here.top).values())
    assert here.manager.show("queuectl.service", "Result") == "success"
    assert here.states() == {"server": "completed", "long": "completed", "other": "pending"}
    # And the journal has the time of each line by itself.
    said = journal(here).splitlines()
    assert any(re.match(r"\[\d\] completed long in ", line) for line in said), said
    assert not [line for line in said if re.match(r"\d\d:\d\d", line)]


def test_a_stop_that_takes_too_long_loses_an_attempt_and_no_job(here):
    here.run("config", "set", "backoff_max", "50ms")
    edit(here, "queuectl.service", "TimeoutStopSec=10min", "TimeoutStopSec=300ms")
    started(here)
    here.enqueue("--id", "long", "[ $QUEUECTL_ATTEMPT -gt 1 ] || { %s; }" % HELD)
    here.wait_for_file("runs")
    here.manager.do("systemctl", "--user", "stop", "queuectl.service")
    assert here.manager.show("queuectl.service", "Result") == "timeout"
    started(here)
    here.wait_for_state("long", "completed")
    assert [entry.get("error") for entry in here.job("long")["history"]].count("worker lost") == 1


def edit(here, unit, place, there):
    path = os.path.join(here.top, "home/.config/systemd/user", unit)
    with open(path) as file:
        text = readme.put(file.read(), place, there)
    with open(path, "w") as file:
        file.write(text)
    here.manager.do("systemctl", "--user", "daemon-reload")


def test_a_killed_supervisor_is_started_again_and_its_job_retried(here):
    here.run("config", "set", "backoff_max", "50ms")
    edit(here, "queuectl.service", "RestartSec=3", "RestartSec=100ms")
    started(here)
    here.enqueue("--id", "long", "[ $QUEUECTL_ATTEMPT -gt 1 ] || { %s; }" % HELD)
    here.wait_for_file("runs")
    before = here.manager.show("queuectl.service", "MainPID")
    here.manager.do("kill", "-9", before)
    here.wait_for_state("long", "completed")
    assert here.job("long")["attempts"] == 2 and here.text("runs") == "1\n"
    support.wait_until(lambda: state(here) == "active", "it runs again")
    assert here.manager.show("queuectl.service", "MainPID") not in (before, "0")


def test_workers_that_were_told_to_stop_stay_stopped(here):
    edit(here, "queuectl.service", "RestartSec=3", "RestartSec=0")
    started(here)
    here.run("worker", "stop")
    support.wait_until(lambda: state(here) == "inactive", "the unit has stopped")
    assert here.manager.show("queuectl.service", "NRestarts") == "0"


def test_a_command_line_that_is_wrong_is_not_started_again(here):
    edit(here, "queuectl.service", "--count 2", "--cuont 2")
    here.manager.do("systemctl", "--user", "start", "queuectl.service", code=None)
    support.wait_until(lambda: state(here) == "failed", "it is given up")
    assert here.manager.show("queuectl.service", "NRestarts") == "0"


def test_the_jobs_have_the_units_environment_and_directory(here):
    started(here)
    here.enqueue("--id", "where", "--cwd", here.directory, "echo $PATH; pwd")
    here.wait_for_state("where", "completed")
    home = os.path.join(here.top, "home")
    assert here.run("logs", "where").out == "%s/.local/bin:/usr/local/bin:/usr/bin:/bin\n%s/app\n" % (home, home)


def test_the_timer_enqueues_and_never_twice(here):
    start(here, "queuectl-nightly.timer")
    support.wait_until(lambda: len(here.jobs()) == 1 and journal(here).count("nothing was enqueued") >= 1, "it came twice")
    [job] = here.jobs()
    assert (job["command"], job["cwd"], job["state"]) == ("./nightly.sh", here.directory, "pending")
    assert here.manager.show("queuectl-nightly.service", "Result") == "success"


def answers(port):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=support.DEADLINE).status == 200


def test_the_dashboard_keeps_its_token_out_of_the_journal(here):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    edit(here, "queuectl-dashboard.service", "--port 8000", "--port %d" % port)
    here.run("enqueue", "true")
    start(here, "queuectl-dashboard.service")
    support.wait_until(lambda: answers(port), "it answers")
    here.manager.do("systemctl", "--user", "stop", "queuectl-dashboard.service")
    assert here.manager.show("queuectl-dashboard.service", "Result") == "success"
    here.manager.do("journalctl", "--sync")
    assert here.text(".queuectl/token").strip() not in here.manager.do("journalctl", "--no-pager")
