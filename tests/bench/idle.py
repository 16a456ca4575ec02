"""Rows: waiting workers: how fast they start, what they use while nothing happens."""

import os
import select
import statistics
import subprocess
import time

import ground


def rows(here):
    yield latency(here)
    if os.path.exists("/proc/self/schedstat"):
        yield idle_cpu(here)
        yield memory(here)
    yield storm(here)


def latency(here):
    """Both moments are seen from outside: the id arriving on a pipe, the command's first word arriving on another."""
    store = here.fresh_store()
    fifo = os.path.join(here.top, "fifo")
    os.mkfifo(fifo)
    heard = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    running = here.start("worker", "start", "--count", 1, store=store)
    ground.wait_for_workers(store, 1)
    waits = [one_wait(here, store, fifo, heard) for _ in range(60 if here.full else 25)]
    here.stop(running, store)
    os.close(heard)
    here.forget(store)
    median = 1e3 * statistics.median(waits)
    return ground.Row("from enqueue acknowledged to command started, idle worker", "",
                      "%.1f ms (worst %.1f)" % (median, 1e3 * max(waits)), None, "<= 5 ms", median <= 5)


def one_wait(here, store, fifo, heard):
    words = here.program() + ["enqueue", "echo > '%s'" % fifo]
    with subprocess.Popen(words, cwd=here.top, env=store, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as enqueue:
        moments = {}
        while len(moments) < 2:
            for file in select.select([enqueue.stdout, heard], [], [], 60)[0]:
                name = "begun" if file is heard else "acknowledged"
                moments.setdefault(name, time.perf_counter())
                os.read(heard if file is heard else enqueue.stdout.fileno(), 100)
    return max(0.0, moments["begun"] - moments["acknowledged"])


def idle_cpu(here):
    store = here.fresh_store()
    running = here.start("worker", "start", "--count", 4, store=store)
    ground.wait_for_workers(store, 4)
    time.sleep(2)
    pids = sum(ground.pids_in(store).values(), [])
    span = 60 if here.full else 10
    before = sum(map(ground.own_cpu, pids))
    time.sleep(span)
    share = 100 * (sum(map(ground.own_cpu, pids)) - before) / span
    here.stop(running, store)
    here.forget(store)
    return ground.Row("CPU of 4 idle workers and their supervisor, of one core", "", "%.2f %%" % share, None,
                      "<= 0.20 %", share <= 0.2)


def memory(here):
    store = here.fresh_store()
    here.fill(store, 500)
    running = here.start("worker", "start", "--count", 2, store=store)
    ground.wait_for_workers(store, 2)
    here.wait_until_done(store)
    most = max(map(ground.resident, ground.pids_in(store)["worker"])) / 1e6
    here.stop(running, store)
    here.forget(store)
    return ground.Row("memory of a worker after 250 jobs", "", "%.1f MB" % most, None, "<= 20 MB", most <= 20)


def storm(here):
    """50 processes enqueue 20 jobs each, one after another, while 8 workers drain."""
    writers, each = (50, 20) if here.full else (50, 2)
    store = here.fresh_store()
    running = here.start("worker", "start", "--count", 8, store=store)
    ground.wait_for_workers(store, 8)
    script = "i=0; while [ $i -lt %d ]; do \"$@\" enqueue true || exit 1; i=$((i+1)); done" % each
    begin = time.perf_counter()
    several = [subprocess.Popen(["sh", "-c", script, "sh"] + here.program(), cwd=here.top, env=store,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(writers)]
    failed = sum(process.wait() != 0 for process in several)
    taken = time.perf_counter() - begin
    here.wait_until_done(store)
    once = here.states(store)["completed"] == writers * each and failed == 0
    here.stop(running, store)
    here.forget(store)
    return ground.Row("storm: %d processes enqueue %d jobs each while 8 workers drain" % (writers, each), "",
                      "%d/s, %d failed" % (writers * each / taken, failed), None, "0 failed", once)
