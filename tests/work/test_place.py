"""Moving in: a slot is used only when nothing of its former owner's job runs any more."""

import fcntl
import os
import time

import pytest

from queuectl_lib.job import record
from queuectl_lib.store import config, store
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DiskFull, StoreError
from queuectl_lib.work import identity, pidfile, place, recovery, slots, staffing
from queuectl_lib.work.orphans import NoOrphans
from queuectl_lib.work.output import Spools
from queuectl_lib.work.worker import Options


class Hand:
    """The control, the settings and the voice of a worker that moves in."""

    def __init__(self):
        self.order = None
        self.waiter = None
        self.current = config.DEFAULTS._replace(kill_grace=0)
        self.naps = 0
        self.lines = []

    def now(self):
        return self.current

    lately = now

    def nap(self, seconds):
        self.naps += 1
        time.sleep(min(seconds, 0.05))
        return self.order is None

    def follow(self, orders):
        self.orders = orders

    def name(self, slot):
        pass

    def say(self, text):
        self.lines.append(text)

    say_once = say


@pytest.fixture
def where(tmp_path):
    return store.open_store(str(tmp_path / "store"), create=True, write=True)


def move_in(where, hand, supervisor=pidfile.Entry(), **options):
    return place.take(where, Options(**options), hand, hand, hand, supervisor, NoOrphans())


def a_boss(**fields):
    me = identity.current()
    return pidfile.Entry(kind=pidfile.SUPERVISOR, pid=me.pid, boot=me.boot, start=me.start, **fields)


def lose_a_job(where):
    """A job whose worker is dead, and the number of its slot."""
    with where.lock():
        dead = slots.take(where.paths)
    where.add([record.create({"command": "true"}, clock.now(), record.Defaults(cwd="/"))])
    job = where.claims(dead.name).exchange()[1]
    dead.leave()
    return job, dead.number


def test_a_worker_that_moved_in_is_alive_and_in_the_pidfile(where):
    taken = move_in(where, Hand(), queues=("mail",))
    [entry] = pidfile.living(where.paths)
    assert (entry.kind, entry.slot, entry.queues) == ("worker", 1, ["mail"])
    assert taken.slot.number == 1


def test_it_first_recovers_what_the_slots_former_owner_left(where):
    job, number = lose_a_job(where)
    taken = move_in(where, Hand())
    assert taken.slot.number == number
    assert where.find(job.id).error == "worker lost"


def test_a_slot_that_cannot_be_cleared_is_left_for_the_next_one(where, monkeypatch):
    monkeypatch.setattr(recovery, "_PATIENCE_AFTER_KILL", 0.05)
    job, number = lose_a_job(where)
    # This process is not one that recovery in this process would end.
    fd = os.open(where.paths.slot_job(number), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    taken = move_in(where, Hand())
    assert (number, taken.slot.number) == (1, 2)
    assert where.find(job.id).state == "processing"
    assert slots.holder(where.paths, 1) is None
    os.close(fd)


def test_an_order_its_supervisor_had_before_is_its_own(where):
    boss = a_boss(hired=1)
    hand = Hand()
    with where.lock():
        pidfile.write(where.paths, [boss._replace(stop=pidfile.NOW)])
    move_in(where, hand, boss)
    assert hand.orders.read() == pidfile.NOW


def test_without_a_need_for_it_a_worker_has_no_place(where):
    boss = a_boss(hired=3, left=2)
    with where.lock():
        pidfile.add(where.paths, boss)
    first = move_in(where, Hand(), boss)
    assert move_in(where, Hand(), boss) is None
    assert [worker.slot for worker in slots.living(where.paths)] == [1]
    first.slot.leave()
    # kill -9: the line is there, its worker is not.
    assert move_in(where, Hand(), boss).slot.number == 1


def test_a_disk_that_is_full_is_waited_out(where, monkeypatch):
    hand = Hand()
    join, failures = staffing.join, [DiskFull("no room")] * 5

    def sometimes(paths, entry):
        if failures:
            raise failures.pop()
        return join(paths, entry)
    monkeypatch.setattr(staffing, "join", sometimes)
    assert move_in(where, hand).slot.number == 1
    assert hand.naps == 5


def test_who_does_not_stay_leaves_no_descriptor_and_a_killed_owner_to_be_looked_after(where, monkeypatch):
    with where.lock():
        killed = slots.take(where.paths)
    killed.leave()
    taken, before = slots.take, len(os.listdir("/dev/fd"))
    found, failures, open_job = [], [DiskFull("no room")] * 3, Spools._open_job

    def take(*arguments):
        slot = taken(*arguments)
        found.append((slot.killed, len(os.listdir("/dev/fd")) - before))
        return slot

    def sometimes(spools):
        if failures:
            raise failures.pop()
        open_job(spools)
    monkeypatch.setattr(slots, "take", take)
    monkeypatch.setattr(Spools, "_open_job", sometimes)
    move_in(where, Hand())
    monkeypatch.setattr(staffing, "join", lambda *_: False)
    assert move_in(where, Hand()) is None
    assert len({descriptors for _, descriptors in found[:4]}) == 1
    assert [name for name, _ in found] == [killed.name] * 4 + [None]


def test_but_not_for_long_by_one_that_drains(where, monkeypatch):
    def never(paths, entry):
        raise DiskFull("no room")
    monkeypatch.setattr(staffing, "join", never)
    with pytest.raises(DiskFull):
        move_in(where, Hand(), drain=True)
    assert slots.living(where.paths) == []


def test_a_store_that_is_gone_has_no_place(where):
    os.rename(where.root, where.root + "-away")
    with pytest.raises(StoreError):
        move_in(where, Hand())


def test_a_line_taken_out_leaves_the_others(where):
    one, two = move_in(where, Hand()), move_in(where, Hand())
    one.leave(for_good=True)
    assert [entry.slot for entry in pidfile.read(where.paths)] == [2]
    assert two.slot.stands()
