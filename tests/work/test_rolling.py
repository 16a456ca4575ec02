"""A supervisor has a long journal rolled, and waits for nothing."""

import multiprocessing
import os
import shutil
import signal

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import config, journal, store as stores
from queuectl_lib.words import clock
from queuectl_lib.work import rolling
from support import DEADLINE, wait_until


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
    wait_until(lambda: one.look() and one.roller is None, "the roller was reaped")
    assert where.counts() == {"default": {"pending": 100}}


def test_a_short_one_is_left_alone(where):
    fill(where, 2)
    one = rolling.Rolling(where, fork=True)
    one.look()
    assert one.roller is None


def test_it_is_looked_at_more_often_while_much_is_written(where):
    one = rolling.Rolling(where, fork=True)
    one.look()
    idle = one.look()
    fill(where, 2)
    assert one.look() < idle


def test_the_roller_holds_nothing_whose_end_tells_others_that_its_supervisor_is_dead(where):
    fill(where)
    reader, writer = multiprocessing.Pipe(duplex=False)
    one = rolling.Rolling(where, fork=True, copies=lambda: [writer])
    with where.lock():
        # It cannot end before this is over.
        one.look()
        writer.close()
        assert reader.poll(DEADLINE)
    wait_until(lambda: one.look() and one.roller is None, "the roller was reaped")


def test_the_roller_waits_for_a_lock_that_its_supervisor_holds(where):
    """What it inherits must not be the lock of both."""
    fill(where)
    one = rolling.Rolling(where, fork=True)
    held = where.lock()
    with held:
        one.look()
        done, _ = os.waitpid(one.roller, os.WNOHANG)
        assert not done and generation(where) == 1
    wait_until(lambda: generation(where) == 2, "the journal was rolled")
    os.waitpid(one.roller, 0)


def test_nothing_of_the_supervisors_runs_in_the_roller(where, capfd):
    fill(where)
    print("not yet written", end="")
    one = rolling.Rolling(where, fork=True)
    one.look()
    os.waitpid(one.roller, 0)
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
    os.waitpid(one.roller, 0)
    assert generation(where) == 2


def test_a_roller_that_somebody_else_reaped_is_not_the_last_one(where):
    fill(where)
    one = rolling.Rolling(where, fork=True)
    one.look()
    os.waitpid(one.roller, 0)
    fill(where)
    one.look()
    os.waitpid(one.roller, 0)
    assert generation(where) == 3


def test_the_roller_can_still_give_up_a_wait_for_the_lock(where, monkeypatch):
    """The supervisor blocks all signals for the fork: the alarm, too."""
    blocked = str(where.paths.root) + "/blocked"

    def tell(store):
        with open(blocked, "w") as file:
            file.write("%d" % len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    monkeypatch.setattr(rolling.keeping, "roll_and_keep_house", tell)
    fill(where)
    one = rolling.Rolling(where, fork=True)
    one.look()
    os.waitpid(one.roller, 0)
    with open(blocked) as file:
        assert file.read() == "0"


def kept_for(where, seconds, fork=True):
    """A store with this retention and one job that ended two days ago; its Rolling."""
    fill(where, 1)
    (job,) = where.jobs()
    before = clock.now() - 2 * 86400000
    where.change([job.id], lambda each: lifecycle.cancel(each, before))
    config.set(where, "retention", str(seconds))
    return rolling.Rolling(where, fork)


def test_what_retention_no_longer_keeps_is_purged_though_nothing_is_rolled(where):
    one = kept_for(where, 86400)
    one.look()
    wait_until(lambda: where.counts() == {}, "the job has gone")
    os.waitpid(one.roller, 0)


def test_a_retention_that_is_set_later_is_heeded_at_once(where):
    one = kept_for(where, 10 * 86400)
    one.look()
    os.waitpid(one.roller, 0)
    assert where.counts() == {"default": {"cancelled": 1}}
    config.set(where, "retention", "3")
    wait_until(lambda: one.look() and where.counts() == {}, "the job has gone")
    wait_until(lambda: one.look() and one.roller is None, "the roller was reaped")


def test_old_jobs_are_looked_for_once_an_hour_and_not_at_every_look(where, monkeypatch):
    one = kept_for(where, 10 * 86400)
    started = []
    hours = [0.0]
    monkeypatch.setattr(rolling.Rolling, "_started", lambda self: started.append(hours[0]))
    monkeypatch.setattr(rolling.time, "monotonic", lambda: hours[0] * 3600)
    for _ in range(100):
        one.look()
        hours[0] += 0.0625
    assert started == [0, 1, 2, 3, 4, 5, 6]


def test_without_retention_nobody_is_started_for_that(where):
    one = kept_for(where, 86400)
    config.unset(where, "retention")
    one.look()
    assert one.roller is None
