"""Logs: logrotate itself, on the documented file while workers write, and on the workers' own log."""

import gzip
import os
import re
import subprocess

import pytest

import readme
from recipes import programs
from support import wait_until

pytestmark = [programs.needs("logrotate"),
              pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="the documented file names another user to be")]

SECTION = "Logs, metrics and mail"
# It prints a line per job, and goes on until it is told to.
LONG = "touch begun.%d; while [ ! -e go.%d ]; do sleep 0.02; done"


def rotate(queue, text):
    """A day's run of logrotate with this file alone; -f: the week is over."""
    path = queue.write("logrotate.conf", text)
    os.chmod(path, 0o644)
    done = subprocess.run([programs.found("logrotate"), "-f", "-s", os.path.join(queue.top, "status"), path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=queue.top)
    assert (done.stdout, done.returncode) == (b"", 0)


def documented(queue):
    [block] = readme.blocks("logrotate", SECTION)
    return readme.put(readme.put(block.text, "/srv/app", queue.directory), "su app app", "su root root")


def the_line(queue):
    """The command of the line with --drain."""
    [line] = [line for block in readme.blocks("crontab", "From cron") for line in block.text.splitlines() if " --drain " in line]
    line = readme.put(readme.put(line, "/srv/app", queue.directory), "python3 /usr/local/lib/queuectl.py",
                      " ".join(queue.program.words))
    return readme.put(line, "* * * * * ", "")


def minute(queue):
    return subprocess.Popen(["/bin/sh", "-c", the_line(queue)], env=queue.environment, stdin=subprocess.DEVNULL)


def completed(queue):
    """The ids whose end some file tells, each as often as it does."""
    text = ""
    for name in os.listdir(queue.directory):
        if name.startswith("queuectl.log"):
            opened = gzip.open if name.endswith(".gz") else open
            with opened(queue.path(name), "rb") as file:
                text += file.read().decode()
    return sorted(re.findall(r" completed (\S+)", text))


def test_no_line_of_a_rotated_log_is_lost_while_workers_write(queue):
    ids = []
    for week in range(4):
        long = LONG % (week, week)
        ids += [queue.enqueue("--priority", "-1", "true"), queue.enqueue(long), queue.enqueue("true")]
        # Of the minute before the rotation one is still at it, and another begins behind it.
        before = minute(queue)
        wait_until(lambda: os.path.exists(queue.path("begun.%d" % week)), "the long job has begun")
        rotate(queue, documented(queue))
        ids += [queue.enqueue("--priority", "-2", "true")]
        after = minute(queue)
        wait_until(lambda: set(ids[-2:]) <= set(completed(queue)), "the other one has worked")
        queue.write("go.%d" % week, "")
        assert (before.wait(), after.wait()) == (0, 0)
    assert completed(queue) == sorted(ids)
    names = sorted(name for name in os.listdir(queue.directory) if name.startswith("queuectl.log"))
    assert names == ["queuectl.log", "queuectl.log.1", "queuectl.log.2.gz", "queuectl.log.3.gz", "queuectl.log.4.gz"]


@pytest.mark.parametrize("how", ["create", "create 0640", "nocreate", "copytruncate"])
def test_workers_go_on_in_their_own_log_when_logrotate_takes_it(queue, how):
    queue.run("worker", "start", "--detach", "--count", "2")
    first = queue.enqueue("true")
    log = lambda name: queue.text(".queuectl", name)
    wait_until(lambda: "completed " + first in log("worker.log"), "the log tells of the first job")
    rotate(queue, "%s/worker.log {\n    %s\n    rotate 3\n}\n" % (queue.store, how))
    assert "completed " + first in log("worker.log.1")

    def told():
        id = queue.enqueue("true")
        queue.wait_for_state(id, "completed")
        return os.path.exists(queue.path(".queuectl", "worker.log")) and " completed " in log("worker.log")

    wait_until(told, "the new log tells of new jobs")
    assert queue.pids("supervisor") and len(queue.pids("worker")) == 2
