"""The words the store's tests are written in: a real store, its clock, workers at their desks, damage by name."""

import os
import random
import signal
import traceback

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import journal, roll, store
from queuectl_lib.store.snapshot import Snapshot
from queuectl_lib.words import clock

START = 1795317000000
SECOND = 1000
POLICY = lifecycle.Policy(2, 3600, 0)
SUCCESS = lifecycle.Outcome(0, None, None, 0.1, None, None)
FAILURE = lifecycle.Outcome(3, None, None, 0.1, None, None)
ODD = b"caf\xe9 \x01\x7f".decode("utf-8", "surrogateescape") + ' "\\ \u2028 日本語 🎉\n\t'


def job(id=None, now=START, **fields):
    """A new job, not stored yet."""
    defaults = record.Defaults(cwd="/srv")
    return record.create(dict({"command": "true"}, **fields), now, defaults, id=id)


def many(count, prefix="job", **fields):
    """So many new jobs: job-000, job-001, …"""
    model = job(**fields)
    for number in range(count):
        yield model._replace(id="%s-%03d" % (prefix, number))


def in_child(function):
    """Run something in a process of its own: its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            function()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def kill_myself(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


class Here:
    """One store in a directory of its own, at a time that a test sets."""

    def __init__(self, root):
        self.root = root
        self.now = START
        self.desks = []
        self.store = self.opened()

    def opened(self):
        """The store as another process would open it."""
        return store.open_store(self.root, create=True, write=True)

    # --- putting jobs in

    def add(self, *ids, **fields):
        """Store a job for each id; the stored jobs."""
        return self.store.add([job(id, self.now, **fields) for id in ids])

    def add_in(self, seconds, *ids, **fields):
        """The same for jobs that must wait so long."""
        return self.add(*ids, run_at=(self.now + seconds * SECOND) / 1000, **fields)

    def bulk(self, jobs):
        """Store jobs as one segment, however few; their ids in the order they are told."""
        before, store.LARGEST_BATCH = store.LARGEST_BATCH, 1
        try:
            count, ids = self.store.add_many(jobs)
        finally:
            store.LARGEST_BATCH = before
        ids = list(ids)
        assert count == len(ids)
        return ids

    # --- working on them

    def worker(self, name="1.a", queues=None):
        """A worker's desk (store.Claims)."""
        desk = self.opened().claims(name, queues)
        self.desks.append(desk)
        return desk

    def claim(self, desk):
        """The next job, or None."""
        return desk.exchange(None, True, self.now)[1]

    def finish(self, desk, claimed, outcome=SUCCESS):
        """Record how an attempt ended, and take nothing new; did it count?"""
        after = lifecycle.finish(claimed, outcome, self.now, POLICY, random)
        return desk.exchange((claimed, after), False, self.now)[0]

    def run(self, *ids, outcome=SUCCESS):
        """Run these jobs, which must be the next ones."""
        desk = self.worker()
        for id in ids:
            claimed = self.claim(desk)
            assert claimed.id == id
            assert self.finish(desk, claimed, outcome)

    def run_order(self, queues=None):
        """The ids in the order in which a worker that comes now would take them; they all end."""
        desk = self.worker("9.z", queues)
        order = []
        claimed = self.claim(desk)
        while claimed is not None:
            order.append(claimed.id)
            self.finish(desk, claimed)
            claimed = self.claim(desk)
        return order

    def pass_time(self, seconds):
        self.now += int(seconds * SECOND)

    def roll(self):
        assert roll.roll(self.store, needless=True)

    # --- looking at them

    def find(self, id):
        return self.opened().find(id)

    def ids(self, *states, **others):
        """Ids as a list shows them."""
        return [each.id for each in self.opened().jobs(set(states) or None, **others)]

    def states(self):
        return {each.id: each.state for each in self.opened().jobs()}

    def segments(self, kind=None):
        """The segments that are in force."""
        live = journal.Journal(self.store.paths.jobs, writable=False)
        found = Snapshot(self.store.paths, live).segments()
        live.close()
        return [each for each in found if kind in (None, each.kind)]

    def files(self, *names):
        """Names of the files in a directory of the store, its indexes left out."""
        return sorted(name for name in os.listdir(os.path.join(self.root, *names)) if not name.endswith((".index", ".awaited")))

    def indexes(self):
        return [os.path.join(folder, name) for folder in (self.store.paths.base, self.store.paths.archive)
                for name in os.listdir(folder) if name.endswith(".index")]

    def segment_files(self):
        return [self.store.paths.segment(each.name) for each in self.segments()]

    @property
    def journal(self):
        return self.store.paths.jobs

    # --- damaging them

    def cut(self, count):
        """Take bytes off the journal's end, as a kill in mid-write does."""
        os.truncate(self.journal, os.path.getsize(self.journal) - count)

    def append(self, data):
        with open(self.journal, "ab") as file:
            file.write(data)

    def flip(self, path, place, bit=0):
        """Flip one bit, as a bad disk does; a negative place counts from the end."""
        data = bytearray(read(path))
        data[place] ^= 1 << bit
        write(path, data)

    def close(self):
        for desk in self.desks:
            desk.close()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def lines_of(path):
    """The lines of a journal or segment without its header line, newlines left out."""
    lines = read(path).split(b"\n")
    return [line for line in lines if line and not line.startswith(b'{"queuectl"')]


def stop_the_clock(monkeypatch, here):
    monkeypatch.setattr(clock, "now", lambda: here.now)
