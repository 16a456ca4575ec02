"""Real work: every module of the standard library is compressed and summed while workers are killed at random."""

import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sysconfig
import time

import pytest

import support

SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 10 ** 6)
# Written aside and renamed: a job killed in the middle must leave no half result.
COMMAND = ("echo $QUEUECTL_ATTEMPT >> starts/$QUEUECTL_JOB_ID; gzip -nc %s | cksum > sums/$QUEUECTL_JOB_ID.$$ && "
           "mv sums/$QUEUECTL_JOB_ID.$$ sums/$QUEUECTL_JOB_ID")


def library():
    """About 1,600 files: the standard library without what is installed beside it."""
    top = sysconfig.get_paths()["stdlib"]
    found = glob.glob(os.path.join(glob.escape(top), "**", "*.py"), recursive=True)
    inside = [path for path in found if "site-packages" not in path and " " not in path and "'" not in path]
    return sorted(inside)[:1600]


def serial_sums(files):
    sums = {}
    for number, path in enumerate(files):
        done = subprocess.run("gzip -nc '%s' | cksum" % path, shell=True, stdout=subprocess.PIPE, check=True)
        sums["file-%d" % number] = done.stdout.decode()
    return sums


def kill_workers_while_they_work(queue, workers, dice):
    """At most a dozen: the supervisor takes its time over workers that die again and again."""
    kills = 0
    while workers.poll() is None:
        time.sleep(dice.uniform(0.2, 0.8))
        alive = queue.pids("worker")
        if alive and kills < 12:
            support.send(dice.choice(alive), signal.SIGKILL)
            kills += 1
    return kills


@pytest.mark.skipif(not shutil.which("gzip"), reason="needs gzip")
def test_the_standard_library_is_summed_right_though_workers_are_killed(queue):
    print("SEED=%d" % SEED)
    files = library()
    assert len(files) > 500
    for name in ("starts", "sums"):
        os.mkdir(queue.path(name))
    queue.run("config", "set", "max_retries", "50")
    queue.run("config", "set", "backoff_max", "20ms")
    jobs = [{"id": "file-%d" % number, "command": COMMAND % path} for number, path in enumerate(files)]
    queue.run("enqueue", "--file", "-", input="\n".join(map(json.dumps, jobs)))
    workers = queue.start_workers("--drain-all", count=4)
    kills = kill_workers_while_they_work(queue, workers, random.Random(SEED))
    assert workers.wait() == 0 and kills > 3
    expected = serial_sums(files)
    assert {id: queue.text("sums", id) for id in expected} == expected
    finished = queue.jobs()
    assert [job["id"] for job in finished if job["state"] != "completed"] == []
    assert len(finished) == len(files)
    for job in finished:
        starts = [int(line) for line in queue.text("starts", job["id"]).split()]
        # A kill may fall between the claim and the command's first word, never let an attempt run twice.
        assert starts == sorted(set(starts)) and starts[-1] == job["attempts"], job["id"]
    assert queue.read("status")["states"]["dead"] == 0
