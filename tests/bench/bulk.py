"""Rows: a file of many jobs: how fast it goes in, and how much memory a job takes."""

import json
import os
import sqlite3
import time

import ground
import rows
import timing


def measurements(here):
    return [rows.Measurement("enqueue --file, jobs a second", lambda: rate(here)),
            rows.Measurement("enqueue --file, memory a job", lambda: memory(here))]


def rate(here):
    """The whole command, start-up included, against putting alone, table made before."""
    jobs, puts, rounds = (1000000, 50000, 3) if here.full else (200000, 20000, 3)
    theirs, ours = timing.interleaved(rounds, lambda: sqlite_rate(here, puts), lambda: bulk_rate(here, jobs))
    yield rows.compared("enqueue --file, %d jobs, against one SQLite put a job" % jobs, rows.per_second,
                        theirs, ours, at_least=7, also=120000)


def bulk_rate(here, jobs):
    store = here.fresh_store()
    here.job_file(jobs)
    taken = here.fill(store, jobs).seconds
    here.forget(store)
    return jobs / taken


def sqlite_rate(here, puts):
    """A stand-in for litequeue's put: its table, indexes, settings (WAL, synchronous NORMAL), a transaction a job."""
    path = here.path("puts.sqlite")
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


def memory(here):
    """What the peak of a large file exceeds that of a small one by, a job: Python itself falls out of it."""
    few, many = (100000, 1000000) if here.full else (20000, 300000)
    each = (peak(here, many) - peak(here, few)) / (many - few)
    yield rows.alone("enqueue --file, memory a job (%d against %d)" % (many, few), "%.1f bytes", each, at_most=16)


def peak(here, jobs):
    """Bytes: the most that an enqueue of so many jobs had resident."""
    store = here.fresh_store()
    words = ground.PYTHON + [ground.script("peak.py")] + ground.PYTHON + [
        here.tree, "enqueue", "--file", here.job_file(jobs)]
    most = int(here.run(words, store).printed)
    here.forget(store)
    return most
