"""Rows: what one enqueue costs against bare Python, and a file of many jobs against a table in SQLite."""

import json
import os
import sqlite3
import statistics
import subprocess
import time

import ground

BARE = ground.PYTHON + ["-c", "import argparse, json"]


def rows(here):
    yield from started(here)
    yield bulk(here)


def started(here):
    store = here.fresh_store()
    here.call("enqueue", "true", store=store)
    sides = [BARE, here.program("tree") + ["enqueue", "true"], here.program("one file") + ["enqueue", "true"]]
    rounds = 60 if here.full else 30
    bare, tree, one_file = ground.interleaved(rounds, *[one_run(here, words, store) for words in sides])
    for name, taken, target in (("one enqueue, source tree", tree, 1.25), ("one enqueue, one file", one_file, 1.6)):
        times = ground.ratio(taken, bare)
        yield ground.Row(name + ", against python3 -c 'import argparse, json'", milliseconds(bare),
                         milliseconds(taken), times, "<= %.2f x" % target, times <= target)
    here.forget(store)


def one_run(here, words, store):
    return lambda: ground.seconds(subprocess.run, words, check=True, cwd=here.top, env=store,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def bulk(here):
    jobs, puts, rounds = (1000000, 50000, 3) if here.full else (60000, 10000, 3)
    theirs, ours = ground.interleaved(rounds, lambda: sqlite_rate(here, puts), lambda: bulk_rate(here, jobs))
    rate = statistics.median(ours)
    return ground.Row("enqueue --file, %d jobs, against one SQLite put a job" % jobs,
                      "%d/s" % statistics.median(theirs), "%d/s" % rate, ground.ratio(ours, theirs),
                      ">= 120000/s or 7 x", rate >= 120000 or ground.ratio(ours, theirs) >= 7)


def bulk_rate(here, jobs):
    store = here.fresh_store()
    path = here.job_file(jobs)
    with open(os.devnull, "wb") as nowhere:
        taken = ground.seconds(here.call, "enqueue", "--file", path, store=store, output=nowhere)
    here.forget(store)
    return jobs / taken


def sqlite_rate(here, puts):
    """A stand-in for litequeue's put: its table, indexes and settings (WAL, synchronous NORMAL), a transaction a job."""
    path = os.path.join(here.top, "puts.sqlite")
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA temp_store = 2", "PRAGMA synchronous = 1",
                      "CREATE TABLE queue (message TEXT NOT NULL, task_id TEXT, status INTEGER,"
                      " in_time INTEGER NOT NULL, lock_time INTEGER, done_time INTEGER)",
                      "CREATE INDEX by_task ON queue (task_id)", "CREATE INDEX by_status ON queue (status)"):
        connection.execute(statement)
    message = json.dumps({"command": "true"})
    begin = time.perf_counter()
    for _ in range(puts):
        connection.execute("INSERT INTO queue VALUES (?, lower(hex(randomblob(16))), 0, strftime('%s', 'now'),"
                           " NULL, NULL)", (message,))
    taken = time.perf_counter() - begin
    connection.close()
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    return puts / taken


def milliseconds(times):
    return "%.1f ms" % (1e3 * statistics.median(times))
