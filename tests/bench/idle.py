"""Rows: waiting workers: how fast they start a job, what they use while nothing happens."""

import os
import select
import statistics
import subprocess
import time

import ground
import processes
import rows
import timing


def measurements(here):
    found = [rows.Measurement("from enqueue acknowledged to command started", lambda: latency(here))]
    if processes.SUPPORTED:
        found.append(rows.Measurement("CPU of idle workers", lambda: idle_cpu(here)))
        found.append(rows.Measurement("memory of a worker", lambda: memory(here)))
    return found


def latency(here):
    """Both moments are seen from outside: the id arriving on a pipe, the command's first word arriving on another."""
    store = here.fresh_store()
    with Ear(here) as ear:
        here.start("--count", 1, store=store)
        here.wait_for_workers(store, 1)
        waits = [one_wait(here, store, ear) for _ in range(60 if here.full else 25)]
    yield rows.alone("from enqueue acknowledged to command started, idle worker (median)", "%.1f ms",
                     1e3 * statistics.median(waits), at_most=5, note=" (worst %.1f)" % (1e3 * max(waits)))


class Ear:
    """A FIFO that a job's command writes a word into as soon as it has started."""

    def __init__(self, here):
        self.path = here.path("ear")
        self.command = "echo > '%s'" % self.path

    def __enter__(self):
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        return self

    def __exit__(self, *exception):
        os.close(self.fd)
        os.unlink(self.path)

    def heard(self, *others):
        """Which of these files, and of the FIFO, have something to read: {fd: moment}."""
        ready = select.select([self.fd] + list(others), [], [], 60)[0]
        now = time.perf_counter()
        for fd in ready:
            os.read(fd, 100)
        return dict.fromkeys(ready, now)


def one_wait(here, store, ear):
    enqueue = here.begin(ground.PYTHON + [here.tree, "enqueue", ear.command], store, stdout=subprocess.PIPE)
    printed = enqueue.stdout.fileno()
    moments = {}
    while len(moments) < 2:
        for fd, moment in ear.heard(printed).items():
            moments.setdefault(fd, moment)
    here.ended(enqueue)
    return max(0.0, moments[ear.fd] - moments[printed])


def idle_cpu(here):
    store = here.fresh_store()
    here.start("--count", 4, store=store)
    here.wait_for_workers(store, 4)
    time.sleep(2)
    pids = sum(processes.pids_in(store["QUEUECTL_STORE"]).values(), [])
    span = 60 if here.full else 10
    before = sum(map(processes.own_cpu, pids))
    time.sleep(span)
    share = 100 * (sum(map(processes.own_cpu, pids)) - before) / span
    yield rows.alone("CPU of 4 idle workers and their supervisor, of one core", "%.2f %%", share, at_most=0.2)


def memory(here):
    yield rows.alone("memory of a worker (peak), after 150 jobs", "%.1f MB", most_of_worker(here, here.fresh_store()),
                     at_most=20)


def most_of_worker(here, store, jobs=150):
    """Megabytes (10**6): the most that a worker had resident, which has come into this store and done so many jobs."""
    here.fill(store, jobs)
    wanted = here.states(store)["completed"] + jobs
    running = here.start("--count", 1, store=store)
    worker, = here.wait_for_workers(store, 1)
    timing.wait_until(lambda: here.states(store)["completed"] >= wanted)
    most = processes.peak_memory(worker) / 1e6
    here.stop(running, store)
    return most
