"""Whom a strike may hit: the pids of one run's processes, by what they are."""

import json
import os
import time

import support

_LOOKS_FOR_A_WRITER = 100
_LONGEST_TRANSACTION = 0.002


def of_kind(kind, top, store, actors):
    """The pids of those that live and are a "worker", "supervisor", "roller", "shell" (of a job), "writer" or "any".

    top: whose run; actors: the pids of those whose deaths are planned.
    """
    if kind == "writer":
        return _writers(top, store)
    marked = support.leftovers(top)
    if kind == "any":
        return list(marked)
    posts = dict(_posts(store))
    if kind in ("worker", "supervisor"):
        return [pid for pid in marked if posts.get(pid) == kind]
    of_jobs = {pid for pid in marked if _runs_a_job(pid)}
    if kind == "shell":
        return list(of_jobs)
    return [pid for pid in marked if pid not in posts and pid not in of_jobs and pid not in actors]


def _posts(store):
    try:
        with open(os.path.join(store, "workers.pid")) as file:
            for line in file:
                entry = json.loads(line)
                yield entry["pid"], entry["kind"]
    except FileNotFoundError:
        return


def _runs_a_job(pid):
    return any(each.startswith(b"QUEUECTL_JOB_ID=") for each in support.environment_of(pid))


def _writers(top, store):
    """Who holds the store lock, as soon as the journal grows: in the middle of a long write, perhaps."""
    lock = b":%d " % os.stat(os.path.join(store, "lock")).st_ino
    mark = ("%s=%s" % (support.MARK, top)).encode()
    for _ in range(_LOOKS_FOR_A_WRITER):
        with open("/proc/locks", "rb", 0) as file:
            found = [line.split()[4] for line in file.read().split(b"\n") if lock in line and b"->" not in line]
        for pid in map(int, found):
            if pid != os.getpid() and mark in support.environment_of(pid):
                _await_growth(os.path.join(store, "jobs.jsonl"))
                return [pid]
    return []


def _await_growth(journal):
    before = os.stat(journal).st_size
    end = time.monotonic() + _LONGEST_TRANSACTION
    while os.stat(journal).st_size == before and time.monotonic() < end:
        pass
