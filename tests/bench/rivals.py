"""Rows: other ways to run many commands, beside queuectl on the same no-op jobs, two at a time.

Those that are installed; nothing is asked for. xargs and GNU parallel are timed
as whole commands. Those with a queue get their jobs before, behind one that
holds the queue until a file is there, and then only the draining is timed:
adding a job costs them a process each, which is not what is compared here.
"""

import os
import shutil

import drain
import rows
import timing

# nq and task-spooler keep a process for every job that waits: not many more fit.
JOBS = 600


def measurements(here):
    installed = [rival for rival in RIVALS if shutil.which(rival[0])]
    if not installed:
        return []
    return [rows.Measurement("other tools", lambda: beside(here, installed))]


def beside(here, installed):
    sides = [lambda: JOBS / drain.our_drain(here, 2, JOBS).seconds]
    sides += [lambda rate=rate: rate(here) for _, _, rate in installed]
    ours, *others = timing.interleaved(3 if here.full else 1, *sides)
    for (_, name, _), rates in zip(installed, others):
        yield rows.compared("drain %d no-op jobs, two at a time, beside %s" % (JOBS, name), rows.per_second,
                            rates, ours)


def xargs(here):
    return JOBS / here.run(["sh", "-c", "seq %d | xargs -P 2 -I{} sh -c true" % JOBS]).seconds


def parallel(here):
    # It keeps the output of each job, in files of its own in TMPDIR.
    return JOBS / here.run(["sh", "-c", "seq %d | parallel --will-cite -j 2 -n 0 true" % JOBS]).seconds


def task_spooler(here):
    name = shutil.which("tsp") or shutil.which("ts")
    environment = dict(here.environment, TS_SOCKET=here.path("spooler"), TS_MAXCONN="1000", TS_SLOTS="2")
    rate = queued(here, environment, "%s sh -c true >&2" % name, "%s sh -c" % name, "%s -w" % name)
    here.run([name, "-K"], environment)
    return rate


def nq(here):
    # One queue runs its jobs one after another: two at a time are two queues.
    for number in (0, 1):
        os.makedirs(here.path("nq-%d" % number))
    add = "NQDIR=nq-$((i % 2)) nq -q sh -c true"
    rate = queued(here, here.environment, add, "NQDIR=nq-$h nq -q sh -c", "for h in 0 1; do NQDIR=nq-$h nq -w; done")
    for number in (0, 1):
        shutil.rmtree(here.path("nq-%d" % number))
    return rate


def queued(here, environment, add, hold, wait):
    """Jobs a second, from the moment the queue is let go until its last job has ended."""
    gate = here.path("gate")
    here.run(["sh", "-c", "for h in 0 1; do %s 'until [ -e %s ]; do sleep 0.01; done' >&2; done; "
              "i=0; while [ $i -lt %d ]; do %s; i=$((i+1)); done" % (hold, gate, JOBS, add)], environment)
    rate = JOBS / here.run(["sh", "-c", "touch %s; %s" % (gate, wait)], environment).seconds
    os.unlink(gate)
    return rate


# (what has to be installed, its name, its rate)
RIVALS = (("xargs", "xargs -P", xargs), ("parallel", "GNU parallel", parallel),
          ("tsp", "task-spooler", task_spooler), ("nq", "nq", nq))
