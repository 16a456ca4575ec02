"""Cancelling what runs: the store first, then the processes, and nobody's but the job's."""

import os
import signal
import subprocess
import sys

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import config, store
from queuectl_lib.words import clock
from queuectl_lib.work import cancel, slots, tree
from support import is_running, wait_until

STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.02; done")


class House:
    """A store with jobs that run, claimed by this process's workers."""

    def __init__(self, root):
        self.store = store.open_store(root, create=True, write=True)
        config.set(self.store, "kill_grace", "100ms")
        self.processes = []
        self.refused = {}

    def running(self, dead=False):
        """A running job, and its worker's slot."""
        with self.store.lock():
            slot = slots.take(self.store.paths)
        self.store.add([record.create({"command": "true"}, clock.now(), record.Defaults(cwd="/"))])
        job = self.store.claims(slot.name).exchange()[1]
        if dead:
            slot.leave()
        return job, slot

    def runs(self, job, words=("sleep", "1000"), environment=None, **options):
        """A process of that job's attempt."""
        marked = {tree.VARIABLE: tree.claim_marker(job.worker, job.id, job.attempts, tree.place_of(self.store.root))}
        process = subprocess.Popen(words, env=dict(os.environ, **marked) if environment is None else environment,
                                   start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options)
        self.processes.append(process)
        return process

    def cancel(self, *ids):
        return cancel.cancel(store.open_store(self.store.root, write=True), list(ids), clock.now(),
                             lambda id, error: self.refused.update({id: str(error)}))

    def state(self, job):
        return self.store.find(job.id).state


@pytest.fixture
def house(tmp_path):
    house = House(str(tmp_path / "store"))
    yield house
    for process in house.processes:
        process.kill()
        process.communicate()


def test_a_waiting_job_is_cancelled_and_nobody_is_nudged(house, monkeypatch):
    [job] = house.store.add([record.create({"command": "true"}, clock.now(), record.Defaults(cwd="/"))])
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("nobody is to be signalled"))
    assert house.cancel(job.id).running == []
    assert house.state(job) == "cancelled"


def test_of_a_running_job_the_store_is_written_before_the_worker_is_nudged(house, monkeypatch):
    job, _ = house.running()
    nudges = []
    monkeypatch.setattr(os, "kill", lambda pid, signum: nudges.append((pid, signum, house.state(job))))
    done = house.cancel(job.id)
    assert nudges == [(os.getpid(), signal.SIGUSR1, "cancelled")]
    assert [one.id for one in done.running] == [job.id]


def test_what_cannot_be_cancelled_is_told_and_the_others_are(house):
    job, _ = house.running(dead=True)
    [other] = house.store.add([record.create({"command": "true"}, clock.now(), record.Defaults(cwd="/"))])
    assert [one.id for one in house.cancel(other.id).jobs] == [other.id]
    assert [one.id for one in house.cancel(other.id, "unknown", job.id).jobs] == [job.id]
    assert "nothing to cancel" in house.refused[other.id] and "no job has the id" in house.refused["unknown"]


@pytest.mark.skipif(sys.platform != "linux", reason="marks are read in /proc")
def test_of_a_dead_workers_job_the_processes_are_ended_before_the_store_is_written(house, monkeypatch):
    job, _ = house.running(dead=True)
    process = house.runs(job, STUBBORN)
    process.stdout.readline()
    bystander = house.runs(job._replace(attempts=7))
    change = store.Store.change
    gone = []
    monkeypatch.setattr(store.Store, "change", lambda *args: gone.append(not is_running(process.pid)) or change(*args))
    assert house.cancel(job.id).running == []
    assert gone == [True]
    assert house.state(job) == "cancelled"
    assert is_running(bystander.pid)
    with house.store.lock():
        assert slots.take(house.store.paths).number == 1


@pytest.mark.skipif(sys.platform != "linux", reason="marks are read in /proc")
def test_what_else_a_dead_worker_left_is_ended_by_who_takes_its_slot_afterwards(house):
    job, slot = house.running(dead=True)
    house.cancel(job.id)
    with house.store.lock():
        assert slots.take(house.store.paths).killed == slot.name


def test_a_worker_that_dies_in_between_leaves_its_job_to_us(house, monkeypatch):
    job, slot = house.running()
    process = house.runs(job)
    change = store.Store.change

    def die_and_change(*args):
        slot.leave()
        return change(*args)

    monkeypatch.setattr(store.Store, "change", die_and_change)
    assert house.cancel(job.id).running == []
    assert house.state(job) == "cancelled" and not is_running(process.pid)


def test_a_dead_workers_job_whose_processes_will_not_end_stays(house, monkeypatch):
    job, _ = house.running(dead=True)
    monkeypatch.setattr(tree, "end", lambda *_, **__: [4711])
    assert house.cancel(job.id).jobs == []
    assert "4711" in house.refused[job.id]
    assert house.state(job) == "processing"


def test_what_a_finished_job_left_behind_is_not_ended(house, monkeypatch):
    job, slot = house.running()
    process = house.runs(job)
    stale = list(house.store.jobs(["processing"]))
    desk = house.store.claims(slot.name)
    desk.settle(job, lifecycle.finish(job, lifecycle.Outcome(0, None, None, 0.1, None, None), clock.now(), None, None))
    slot.leave()
    monkeypatch.setattr(store.Store, "jobs", lambda *_: stale)
    house.cancel(job.id)
    assert is_running(process.pid) and house.state(job) == "completed"


@pytest.mark.skipif(sys.platform != "linux", reason="marks are read in /proc")
def test_waiting_lasts_until_the_processes_are_gone(house, monkeypatch):
    monkeypatch.setattr(os, "kill", lambda *_: None)
    job, _ = house.running()
    process = house.runs(job, ("sleep", "0.3"))
    done = house.cancel(job.id)
    assert cancel.await_end(house.store, done.running) == []
    wait_until(lambda: process.poll() is not None, "it has ended by itself")
    assert not is_running(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="marks are read in /proc")
def test_who_waits_ends_what_a_worker_leaves_that_dies_meanwhile(house, monkeypatch):
    job, slot = house.running()
    process = house.runs(job)
    nudge = os.kill
    monkeypatch.setattr(os, "kill", lambda pid, signum: pid == os.getpid() or nudge(pid, signum))
    done = house.cancel(job.id)
    slot.leave()
    assert cancel.await_end(house.store, done.running) == []
    assert not is_running(process.pid)
