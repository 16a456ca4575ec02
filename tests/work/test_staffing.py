"""How many workers there are to be: who joins, who leaves, and what `worker scale` changes."""

import pytest

from queuectl_lib.store import store
from queuectl_lib.work import identity, pidfile, slots, staffing


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


def add(here, *entries):
    for entry in entries:
        with here.lock():
            pidfile.add(here.paths, entry)


def team(here, hired, workers):
    """A supervisor's entry that keeps so many, and the entries of that many living workers of it."""
    boss = supervisor()._replace(hired=hired)
    add(here, boss)
    return boss, [join(here, boss) for _ in range(workers)]


def join(here, boss):
    _, entry = worker(here)
    entry = entry._replace(supervisor=boss.pid)
    with here.lock():
        return entry if staffing.join(here.paths, entry) else None


def scale(here, count):
    with here.lock():
        return staffing.request_scale(here.paths, count)


def kept(here):
    return staffing.keeping(here.paths, None)


def test_no_more_workers_join_than_their_supervisor_keeps(here):
    boss, joined = team(here, hired=2, workers=3)
    assert [entry is not None for entry in joined] == [True, True, False]
    assert staffing.staff(here.paths, boss) == joined[:2]


def test_one_that_joins_is_told_what_its_supervisor_was_told(here):
    boss, _ = team(here, hired=2, workers=1)
    with here.lock():
        pidfile.tell(here.paths, boss, pidfile.NOW)
    assert pidfile.find(here.paths, join(here, boss)).stop == pidfile.NOW
    assert kept(here) == 0


def test_who_leaves_for_good_is_not_kept_any_more(here):
    _, [one, two] = team(here, hired=2, workers=2)
    with here.lock():
        staffing.leave(here.paths, one, for_good=False)
    assert kept(here) == 2
    with here.lock():
        staffing.leave(here.paths, two, for_good=True)
    assert kept(here) == 1


def test_who_was_told_to_leave_is_counted_once(here):
    _, [one, two] = team(here, hired=2, workers=2)
    before, told = scale(here, 1)
    assert (before, [entry.slot for entry in told]) == (2, [2])
    assert kept(here) == 1
    with here.lock():
        staffing.leave(here.paths, two, for_good=True)
    assert kept(here) == 1


def test_the_workers_of_the_highest_slots_leave_first(here):
    _, joined = team(here, hired=4, workers=4)
    assert {entry.slot for entry in scale(here, 1)[1]} == {2, 3, 4}
    assert [entry.stop for entry in pidfile.read(here.paths)] == [None, None, "drain", "drain", "drain"]
    assert scale(here, 1) == (1, [])


def test_more_are_asked_of_a_supervisor(here):
    boss, _ = team(here, hired=2, workers=2)
    before, [told] = scale(here, 5)
    assert (before, told.pid) == (2, boss.pid)
    orders = pidfile.Orders(here.paths, boss)
    assert orders.read() is None and orders.hired == 5
    assert kept(here) == 5


def test_fewer_and_then_more_starts_as_many_as_are_leaving(here):
    boss, _ = team(here, hired=3, workers=3)
    scale(here, 1)
    scale(here, 3)
    assert pidfile.find(here.paths, boss).hired == 5
    assert kept(here) == 3
    assert join(here, boss) and join(here, boss) and not join(here, boss)


def test_a_worker_that_has_just_died_may_be_one_too_many(here):
    boss, [one] = team(here, hired=3, workers=1)
    assert [entry.slot for entry in scale(here, 0)[1]] == [1]
    assert kept(here) == 0
    assert join(here, boss) is None


def test_without_a_supervisor_nobody_is_asked(here):
    _, entry = worker(here)
    add(here, entry)
    assert scale(here, 2) == (0, [])
    add(here, supervisor()._replace(hired=2, start="1"))
    assert scale(here, 2) == (0, [])
    add(here, supervisor()._replace(hired=2, stop="drain"))
    assert scale(here, 2) == (0, [])


def test_workers_of_the_same_queues_are_counted_in_whatever_order(here):
    add(here, supervisor()._replace(hired=2, queues=["mail", "video"]))
    assert staffing.keeping(here.paths, ["video", "mail"]) == 2
    assert staffing.keeping(here.paths, ["mail"]) == staffing.keeping(here.paths, None) == 0
