"""A supervisor has a long journal rolled, and waits for nothing."""

import os
import shutil
import signal

import pytest

from queuectl_lib.job import record
from queuectl_lib.store import journal, store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import rolling
from support import wait_until


@pytest.fixture
def where(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "BOUND", 10000)
    # Else the enqueue that passes the bound starts one itself.
    monkeypatch.setattr(stores.Store, "start_roller", lambda self: None)
    return stores.open_store(str(tmp_path / "store"), create=True, write=True)


def fill(where, jobs=100):
    where.add([record.create({"command": "true"}, clock.now(), record.Defaults(cwd="/")) for _ in range(jobs)])


def generation(where):
    live = journal.Journal(where.paths.jobs, writable=False)
    live.refresh()
    return live.header.generation


def test_a_long_journal_is_rolled_by_a_process_that_is_reaped(where):
    fill(where)
    one = rolling.Rolling(where, fork=True)
    one.look()
    wait_until(lambda: generation(where) == 2, "the journal was rolled")
    wait_until(lambda: one.look() and one._roller is None, "the roller was reaped")
    assert where.counts() == {"default": {"pending": 100}}


def test_a_short_one_is_left_alone(where):
    fill(where, 2)
    one = rolling.Rolling(where, fork=True)
    one.look()
    assert one._roller is None


def test_it_is_looked_at_more_often_while_much_is_written(where):
    one = rolling.Rolling(where, fork=True)
    one.look()
    idle = one.look()
    fill(where, 2)
    assert one.look() < idle


def test_the_roller_waits_for_a_lock_that_its_supervisor_holds(where):
    """What it inherits must not be the lock of both."""
    fill(where)
    one = rolling.Rolling(where, fork=True)
    held = where.lock()
    with held:
        one.look()
        done, _ = os.waitpid(one._roller, os.WNOHANG)
        assert not done and generation(where) == 1
    wait_until(lambda: generation(where) == 2, "the journal was rolled")
    os.waitpid(one._roller, 0)


def test_nothing_of_the_supervisors_runs_in_the_roller(where, capfd):
    fill(where)
    print("not yet written", end="")
    one = rolling.Rolling(where, fork=True)
    one.look()
    os.waitpid(one._roller, 0)
    assert capfd.readouterr().out == "not yet written"


def test_where_nothing_may_be_forked_a_roller_is_spawned(where, monkeypatch):
    started = []
    monkeypatch.setattr(stores.Store, "start_roller", lambda self: started.append(self.root))
    fill(where)
    del started[:]
    rolling.Rolling(where, fork=False).look()
    assert started == [where.root]


def test_a_store_that_is_gone_is_somebody_elses_trouble(where):
    one = rolling.Rolling(where, fork=True)
    shutil.rmtree(where.root)
    assert one.look() > 0


def test_a_fork_that_fails_leaves_the_signals_as_they_were_and_is_tried_again(where, monkeypatch):
    def no_room():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    fill(where)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    one = rolling.Rolling(where, fork=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", no_room)
        one.look()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    one.look()
    os.waitpid(one._roller, 0)
    assert generation(where) == 2


def test_a_roller_that_somebody_else_reaped_is_not_the_last_one(where):
    fill(where)
    one = rolling.Rolling(where, fork=True)
    one.look()
    os.waitpid(one._roller, 0)
    fill(where)
    one.look()
    os.waitpid(one._roller, 0)
    assert generation(where) == 3


def test_the_roller_can_still_give_up_a_wait_for_the_lock(where, monkeypatch):
    """The supervisor blocks all signals for the fork: the alarm, too."""
    blocked = str(where.paths.root) + "/blocked"

    def tell(store):
        with open(blocked, "w") as file:
            file.write("%d" % len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    monkeypatch.setattr(rolling.roll, "roll", tell)
    fill(where)
    one = rolling.Rolling(where, fork=True)
    one.look()
    os.waitpid(one._roller, 0)
    with open(blocked) as file:
        assert file.read() == "0"
