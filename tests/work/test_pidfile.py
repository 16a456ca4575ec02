"""workers.pid: who is in it, who is dropped from it, and what they are told."""

import json
import os
import subprocess
import sys

import pytest

from queuectl_lib.store import store
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import identity, pidfile, slots


@pytest.fixture
def here(tmp_path):
    return store.open_store(str(tmp_path / "store"), create=True, write=True)


def supervisor():
    me = identity.current()
    return pidfile.Entry(kind=pidfile.SUPERVISOR, pid=me.pid, boot=me.boot, start=me.start, since="2026-01-01")


def worker(here):
    """(slot, entry) of a worker that lives as long as the slot is not left."""
    with here.lock():
        slot = slots.take(here.paths)
    return slot, pidfile.Entry(kind=pidfile.WORKER, queues=["mail"], **slot.who())


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = identity.of(process.pid)
    process.communicate(b"\n")
    return found


def add(here, *entries):
    for entry in entries:
        with here.lock():
            pidfile.add(here.paths, entry)


def test_a_store_nobody_ran_in_has_no_entries(here):
    assert pidfile.read(here.paths) == []


def test_what_is_added_is_read(here):
    slot, entry = worker(here)
    add(here, supervisor(), entry)
    assert pidfile.read(here.paths) == [supervisor(), entry]
    assert (pidfile.read(here.paths)[1].slot, pidfile.read(here.paths)[1].queues) == (slot.number, ["mail"])


def test_it_is_lines_a_person_can_grep(here):
    add(here, supervisor())
    with open(here.paths.pidfile) as file:
        [line] = [json.loads(line) for line in file]
    assert line["kind"] == "supervisor" and line["pid"] == os.getpid() and "slot" not in line


def test_adding_twice_leaves_one_line(here):
    add(here, supervisor(), supervisor())
    assert len(pidfile.read(here.paths)) == 1


def test_removing_takes_only_that_line(here):
    _, entry = worker(here)
    add(here, supervisor(), entry)
    with here.lock():
        pidfile.remove(here.paths, supervisor())
    assert pidfile.read(here.paths) == [entry]


def test_a_worker_without_its_slot_is_dead(here):
    slot, entry = worker(here)
    add(here, entry)
    assert pidfile.alive(here.paths, entry)
    slot.leave()
    assert not pidfile.alive(here.paths, entry)


def test_a_worker_whose_slot_has_a_new_owner_is_dead(here):
    slot, entry = worker(here)
    slot.leave()
    _, successor = worker(here)
    assert not pidfile.alive(here.paths, entry)
    assert pidfile.alive(here.paths, successor)


def test_a_supervisor_whose_pid_is_somebody_elses_is_dead(here):
    assert pidfile.alive(here.paths, supervisor())
    assert not pidfile.alive(here.paths, supervisor()._replace(start="1"))
    assert not pidfile.alive(here.paths, supervisor()._replace(boot="another"))


def test_the_lines_of_the_dead_are_dropped_by_who_writes_next(here):
    gone = dead_process()
    slot, dead = worker(here)
    add(here, dead, pidfile.Entry(kind=pidfile.SUPERVISOR, pid=gone.pid, boot=gone.boot, start=gone.start))
    slot.leave()
    assert len(pidfile.read(here.paths)) >= 1
    add(here, supervisor())
    assert pidfile.read(here.paths) == [supervisor()]


def test_lines_that_are_none_are_passed_over(here):
    add(here, supervisor())
    with open(here.paths.pidfile, "ab") as file:
        file.write(b'[' * 100000 + b'\ngarbage\n[1]\n{"kind":"worker"}\n{"kind":"cook","pid":3}\n\xff\n{"kind":"worker","pid":')
    assert pidfile.read(here.paths) == [supervisor()]


@pytest.mark.parametrize("damage", [
    {"hired": "2"}, {"left": [1]}, {"pid": "1"}, {"queues": "mail"}, {"start": 7}, {"slot": "x"}, {"stop": 1}])
def test_lines_with_something_else_in_a_field_are_passed_over(here, damage):
    add(here, supervisor()._replace(hired=2, left=1, queues=["mail"]))
    assert len(pidfile.read(here.paths)) == 1
    with open(here.paths.pidfile) as file:
        fields = json.load(file)
    with open(here.paths.pidfile, "w") as file:
        json.dump(dict(fields, **damage), file)
    assert pidfile.read(here.paths) == []


def test_stop_reaches_everybody_who_lives(here):
    _, entry = worker(here)
    add(here, supervisor(), entry)
    with here.lock():
        told = pidfile.request_stop(here.paths, pidfile.DRAIN)
    assert [one.stop for one in told] == ["drain", "drain"]
    assert pidfile.find(here.paths, entry).stop == pidfile.DRAIN
    assert pidfile.find(here.paths, supervisor()).stop == pidfile.DRAIN


def test_asking_twice_to_stop_does_not_mean_now(here):
    add(here, supervisor())
    for _ in range(2):
        with here.lock():
            pidfile.request_stop(here.paths, pidfile.DRAIN)
    assert pidfile.find(here.paths, supervisor()).stop == pidfile.DRAIN


def test_now_is_not_taken_back(here):
    add(here, supervisor())
    for what in (pidfile.NOW, pidfile.DRAIN):
        with here.lock():
            pidfile.request_stop(here.paths, what)
    assert pidfile.find(here.paths, supervisor()).stop == pidfile.NOW


def test_with_nobody_there_stop_writes_nothing(here):
    with here.lock():
        assert pidfile.request_stop(here.paths, pidfile.DRAIN) == []
    assert not os.path.exists(here.paths.pidfile)


def test_stop_reaches_a_worker_whose_line_was_lost(here):
    _, entry = worker(here)
    with here.lock():
        [told] = pidfile.request_stop(here.paths, pidfile.NOW)
    assert told.incarnation == entry.incarnation
    assert pidfile.find(here.paths, entry).stop == pidfile.NOW


def test_orders_are_noticed_when_the_file_changes(here):
    add(here, supervisor())
    orders = pidfile.Orders(here.paths, supervisor())
    assert orders.read() is None
    with here.lock():
        pidfile.request_stop(here.paths, pidfile.DRAIN)
    assert orders.read() == pidfile.DRAIN


def test_an_order_outlives_the_file(here):
    add(here, supervisor())
    orders = pidfile.Orders(here.paths, supervisor())
    with here.lock():
        pidfile.request_stop(here.paths, pidfile.DRAIN)
    assert orders.read() == pidfile.DRAIN
    with here.lock():
        pidfile.remove(here.paths, supervisor())
    assert orders.read() == pidfile.DRAIN
    os.unlink(here.paths.pidfile)
    assert orders.read() == pidfile.DRAIN


@pytest.mark.parametrize("file", ["workers.pid", "workers/1.lock"])
def test_whatever_bit_is_flipped_those_who_live_can_be_told(here, file):
    """A line that is damaged may be passed over; what it says is never taken for what it cannot be."""
    slot, entry = worker(here)
    add(here, supervisor()._replace(hired=2, since=entry.since), entry)
    path = os.path.join(here.root, file)
    with open(path, "rb") as opened:
        data = opened.read()
    for place in range(len(data)):
        with open(path, "r+b") as opened:
            opened.write(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1:])
        for each in pidfile.living(here.paths) + slots.living(here.paths):
            assert each.since is None or clock.parse_moment(each.since) > 0
        pidfile.serving(here.paths)
    slot.leave()


def test_who_was_told_to_stop_is_leaving_and_those_whose_supervisor_was():
    boss = supervisor()
    mine, other, told = (pidfile.Entry(kind=pidfile.WORKER, slot=slot, incarnation="a", pid=slot, **fields)
                         for slot, fields in ((1, {"supervisor": boss.pid, "boot": boss.boot}), (2, {}), (3, {"stop": pidfile.NOW})))
    assert pidfile.leaving([boss, mine, other, told]) == {"3.a"}
    assert pidfile.leaving([boss._replace(stop=pidfile.DRAIN), mine, other, told]) == {"1.a", "3.a"}


def test_a_folder_in_its_place_is_told_and_changes_no_order(here):
    slot, entry = worker(here)
    add(here, entry)
    orders = pidfile.Orders(here.paths, entry)
    with here.lock():
        pidfile.tell(here.paths, entry, pidfile.DRAIN)
    assert orders.read() == pidfile.DRAIN
    os.unlink(here.paths.pidfile)
    os.mkdir(here.paths.pidfile)
    with pytest.raises(StoreError, match="workers.pid"):
        pidfile.read(here.paths)
    assert orders.read() == pidfile.DRAIN
    slot.leave()


def test_a_supervisor_in_another_container_lives_while_one_of_its_workers_does(here):
    slot, entry = worker(here)
    boss = supervisor()._replace(boot="elsewhere", pid=1, start="1")
    mine = entry._replace(boot="elsewhere", supervisor=1)
    add(here, mine, boss, supervisor())
    assert boss in pidfile.living(here.paths) and pidfile.alive(here.paths, boss)
    # Nor is it a worker of one here that has the same number.
    assert pidfile.works_for(mine, boss) and not pidfile.works_for(mine, supervisor()._replace(pid=1))
    slot.leave()
    assert pidfile.living(here.paths) == [supervisor()] and not pidfile.alive(here.paths, boss)
