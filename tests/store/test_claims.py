"""Who gets which job, and when a result counts."""

import os
import resource
import shutil

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import config, disk, line
from queuectl_lib.words.errors import DiskFull, StoreError
from tests.store.stores import FAILURE, SUCCESS, in_child, job, kill_myself, many, read, write


@pytest.fixture(params=["in the journal", "in base segments", "some here and some there"])
def place(request, here):
    """Where the jobs of a test are when they are claimed: roll() as often as that takes."""
    return {
        "in the journal": lambda half: None,
        "in base segments": lambda half: here.roll() if not half else None,
        "some here and some there": lambda half: here.roll() if half else None,
    }[request.param]


def test_the_lowest_priority_value_runs_first_and_then_who_came_first(here, place):
    for id, priority in [("a", 5), ("b", 0), ("c", -5), ("d", 0)]:
        here.add(id, priority=priority)
    place(half=True)
    for id, priority in [("e", 5), ("f", -5), ("g", 0), ("h", -6)]:
        here.add(id, priority=priority)
    place(half=False)
    assert here.run_order() == ["h", "c", "f", "b", "d", "g", "a", "e"]


def test_a_delayed_job_takes_its_place_of_arrival_when_it_falls_due(here, place):
    here.add_in(60, "first")
    here.add("second")
    place(half=True)
    here.add_in(30, "third")
    here.add("fourth")
    place(half=False)
    here.pass_time(29)
    worker = here.worker()
    assert here.claim(worker).id == "second"
    here.pass_time(31)
    assert [here.claim(worker).id for _ in range(3)] == ["first", "third", "fourth"]


def test_a_job_is_not_taken_a_millisecond_before_it_is_due(here, place):
    here.add_in(60, "a")
    place(half=False)
    worker = here.worker()
    here.now += 59999
    assert here.claim(worker) is None
    here.now += 1
    assert here.claim(worker).id == "a"


def test_a_failed_job_is_taken_again_when_its_delay_is_over(here, place):
    here.add("a")
    here.add("b")
    worker = here.worker()
    here.finish(worker, here.claim(worker), FAILURE)
    place(half=False)
    assert worker.next_due(here.now) in (None, here.now + 2000)
    assert here.claim(worker).id == "b"
    assert worker.next_due(here.now) == here.now + 2000
    here.pass_time(2)
    assert here.claim(worker).id == "a"


def test_a_worker_serves_only_its_queues(here, place):
    here.add("a", queue="mail")
    here.add("b", queue="slow")
    place(half=True)
    here.add_in(5, "c", queue="mail")
    here.add("d", queue="other")
    place(half=False)
    here.pass_time(5)
    assert here.run_order(queues=["mail", "absent"]) == ["a", "c"]
    assert here.run_order(queues=["absent"]) == []
    assert here.run_order() == ["b", "d"]


def test_of_many_overdue_jobs_the_order_is_exact_within_the_window(here, monkeypatch):
    monkeypatch.setattr("queuectl_lib.store.view.OVERDUE_WINDOW", 4)
    # The later they came, the earlier they fell due.
    here.bulk([job("job-%d" % number, run_at=here.now / 1000 + 10 - number) for number in range(10)])
    here.pass_time(60)
    order = here.run_order()
    assert sorted(order) == ["job-%d" % number for number in range(10)]
    assert order[:4] == ["job-6", "job-5", "job-4", "job-3"]


def test_all_overdue_jobs_that_fit_the_window_are_in_exact_order(here):
    here.bulk([job("job-%03d" % number, run_at=here.now / 1000 + 500 - number) for number in range(500)])
    here.pass_time(600)
    assert here.run_order() == ["job-%03d" % number for number in range(500)]


def test_a_job_once_ready_stays_ready_though_the_clock_steps_back(here, place):
    here.add_in(60, "a")
    place(half=False)
    worker = here.worker()
    here.pass_time(60)
    assert worker.exchange(None, False, here.now) == (None, None)
    here.add("b", priority=-1)
    assert here.claim(worker).id == "b"
    here.pass_time(-3600)
    assert here.claim(worker).id == "a"


def test_two_workers_never_get_the_same_job(here, place):
    here.bulk(many(20, "old"))
    place(half=True)
    here.add(*("new-%02d" % number for number in range(20)))
    place(half=False)
    workers = [here.worker("%d.x" % number) for number in range(4)]
    taken = [here.claim(worker).id for _ in range(10) for worker in workers]
    assert len(set(taken)) == 40
    assert [here.claim(worker) for worker in workers] == [None] * 4


def test_processes_that_claim_at_once_share_the_jobs_out(here):
    here.bulk(many(100))
    log = os.open(os.path.join(here.root, "taken"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def take_all(name):
        desk = here.opened().claims(name)
        claimed = here.claim(desk)
        while claimed is not None:
            os.write(log, b"%s\n" % claimed.id.encode())
            here.finish(desk, claimed)
            claimed = here.claim(desk)
        os._exit(0)

    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            take_all("%d.x" % number)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    os.close(log)
    assert sorted(read(os.path.join(here.root, "taken")).split()) == [b"job-%03d" % number for number in range(100)]


def test_a_result_and_the_next_claim_are_one_write(here, monkeypatch):
    here.add("a")
    here.add("b")
    worker = here.worker()
    claimed = here.claim(worker)
    writes = []
    append = disk.append
    monkeypatch.setattr(disk, "append", lambda fd, data, path: writes.append(data) or append(fd, data, path))
    done = lifecycle.finish(claimed, SUCCESS, here.now, lifecycle.Policy(2, 10, 0), None)
    kept, following = worker.exchange((claimed, done), True, here.now)
    assert kept and following.id == "b"
    assert len(writes) == 1 and writes[0].count(b"\n") == 2


def test_a_claim_that_takes_nothing_writes_nothing(here):
    before = read(here.journal)
    worker = here.worker()
    assert here.claim(worker) is None
    assert worker.exchange(None, False, here.now) == (None, None)
    assert read(here.journal) == before


MEANWHILE = {
    "recovered as lost": lambda here, claimed: here.worker("2.b").settle(
        claimed, lifecycle.finish(claimed, lifecycle.WORKER_LOST, here.now, lifecycle.Policy(2, 10, 0), None)),
    "handed back": lambda here, claimed: here.worker("2.b").settle(claimed, lifecycle.hand_back(claimed, here.now)),
    "cancelled": lambda here, claimed: here.store.change([claimed.id], lambda old: old._replace(state="cancelled")),
    "removed": lambda here, claimed: here.store.remove([claimed.id]),
    "handed back and taken by another": lambda here, claimed: (
        here.worker("2.b").settle(claimed, lifecycle.hand_back(claimed, here.now)), here.claim(here.worker("3.c"))),
    "handed back and taken by myself": lambda here, claimed: (
        here.worker("2.b").settle(claimed, lifecycle.hand_back(claimed, here.now)), here.pass_time(1), here.claim(here.worker("1.a"))),
}


@pytest.mark.parametrize("meanwhile", sorted(MEANWHILE))
@pytest.mark.parametrize("rolled", [False, True])
def test_a_result_counts_only_while_the_claim_holds(here, meanwhile, rolled):
    here.add("a")
    worker = here.worker("1.a")
    claimed = here.claim(worker)
    assert worker.holds(claimed)
    MEANWHILE[meanwhile](here, claimed)
    if rolled:
        here.roll()
    before = here.states()
    assert not worker.holds(claimed)
    assert here.finish(worker, claimed) is False
    assert not here.worker("2.b").settle(claimed, lifecycle.hand_back(claimed, here.now))
    assert here.states() == before


@pytest.mark.parametrize("rolls", [1, 3])
def test_a_claim_holds_through_rolls(here, rolls):
    here.add("a", "b")
    worker = here.worker()
    claimed = here.claim(worker)
    for _ in range(rolls):
        here.roll()
    assert worker.holds(claimed)
    assert here.finish(worker, claimed)
    assert here.states() == {"a": "completed", "b": "pending"}


def test_a_worker_that_forgot_everything_can_still_record_its_result(here):
    here.add("a")
    claimed = here.claim(here.worker("1.a"))
    assert here.finish(here.worker("1.a"), claimed)


@pytest.mark.parametrize("rolled", [False, True])
def test_after_a_failed_write_the_same_call_succeeds(here, monkeypatch, rolled):
    here.add("a")
    here.add("b")
    if rolled:
        here.roll()
    worker = here.worker()
    first = here.claim(worker)
    done = lifecycle.finish(first, SUCCESS, here.now, lifecycle.Policy(2, 10, 0), None)
    before = read(here.journal)

    def full(fd, data, path):
        raise DiskFull("no room")
    with monkeypatch.context() as patch:
        patch.setattr(disk, "append", full)
        for _ in range(3):
            with pytest.raises(DiskFull):
                worker.exchange((first, done), True, here.now)
    assert read(here.journal) == before
    kept, following = worker.exchange((first, done), True, here.now)
    assert kept and following.id == "b"
    assert here.claim(worker) is None


def test_a_write_that_did_not_fit_the_disk_is_taken_back(here):
    here.add("a")
    before = read(here.journal)

    def claim_without_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, len(before) + 100))
        worker = here.worker()
        for _ in range(2):
            try:
                here.claim(worker)
                raise AssertionError("it fitted")
            except DiskFull:
                pass
    assert in_child(claim_without_room) == 0
    assert read(here.journal) == before
    assert here.run_order() == ["a"]


def test_an_overdue_job_that_could_not_be_claimed_stays_in_the_window(here, monkeypatch):
    monkeypatch.setattr("queuectl_lib.store.view.OVERDUE_WINDOW", 2)
    here.bulk([job("job-%d" % number, run_at=here.now / 1000 + 1) for number in range(6)])
    here.pass_time(60)
    worker = here.worker()

    def full(fd, data, path):
        raise DiskFull("no room")
    with monkeypatch.context() as patch:
        patch.setattr(disk, "append", full)
        for _ in range(5):
            with pytest.raises(DiskFull):
                here.claim(worker)
    assert [here.claim(worker).id for _ in range(6)] == ["job-%d" % number for number in range(6)]


def test_who_is_killed_under_the_lock_lets_go_of_it(here, monkeypatch):
    here.add("a")
    with monkeypatch.context() as patch:
        patch.setattr(line, "encode", kill_myself)
        assert in_child(lambda: here.claim(here.worker())) == -9
    assert here.run_order() == ["a"]


def test_running_jobs_are_known_to_every_worker(here):
    here.add("a", queue="mail")
    here.add("b")
    mine, others = here.worker("1.a", ["mail"]), here.worker("2.b")
    claimed = [here.claim(mine), here.claim(others)]
    here.roll()
    for desk in (mine, others, here.worker("3.c", ["absent"])):
        assert sorted(desk.running()) == sorted(claimed)
    here.finish(mine, claimed[0])
    assert others.running() == [claimed[1]]


def test_more_ready_tells_whether_another_worker_has_something_to_do(here):
    here.add("a", "b", "c")
    worker = here.worker()
    here.claim(worker)
    assert worker.more_ready()
    here.claim(worker)
    here.claim(worker)
    assert not worker.more_ready()


def test_the_next_moment_is_the_earliest_of_all_that_wait(here):
    worker = here.worker()
    assert worker.next_due(here.now) is None
    here.add_in(60, "a")
    here.bulk([job("b", run_at=here.now / 1000 + 50), job("c", run_at=here.now / 1000 + 40)])
    assert here.claim(worker) is None
    assert worker.next_due(here.now) == here.now + 40000
    here.pass_time(45)
    assert here.claim(worker).id == "c"
    assert worker.next_due(here.now) == here.now + 5000
    here.store.remove(["b"])
    assert here.claim(worker) is None
    assert worker.next_due(here.now) == here.now + 15000


@pytest.mark.parametrize("prepare, left", [
    (lambda here: None, False),
    (lambda here: here.add("a"), True),
    (lambda here: here.add_in(60, "a"), True),
    (lambda here: (here.add("a"), here.claim(here.worker("2.b"))), True),
    (lambda here: (here.add("a"), here.run("a", outcome=FAILURE)), True),
    (lambda here: (here.add("a"), here.run("a")), False),
    (lambda here: (here.add("a", max_retries=0), here.run("a", outcome=FAILURE)), False),
    (lambda here: here.add("a", queue="other"), False),
])
@pytest.mark.parametrize("rolled", [False, True])
def test_what_is_unfinished_in_a_workers_queues(here, prepare, left, rolled):
    prepare(here)
    if rolled:
        here.roll()
    worker = here.worker("1.a", ["default"])
    worker.exchange(None, False, here.now)
    assert worker.unfinished() is left


def test_results_are_brought_to_the_medium_within_a_tenth_of_a_second(here, monkeypatch):
    here.add("a")
    synced = []
    monkeypatch.setattr(disk, "sync", lambda fd, path: synced.append(path))
    worker = here.worker()
    assert worker.sync_due() is None
    here.claim(worker)
    assert 0 <= worker.sync_due() <= 0.1
    assert synced == []
    worker.sync()
    worker.sync()
    assert synced == [here.journal]
    assert worker.sync_due() is None


def test_with_durability_fast_nothing_waits_to_be_synced(here):
    config.set(here.store, "durability", "fast")
    here.add("a")
    worker = here.worker()
    here.claim(worker)
    assert worker.sync_due() is None


def test_a_store_that_was_removed_under_a_worker_is_an_error_that_says_so(here):
    here.add("a")
    worker = here.worker()
    shutil.rmtree(here.root)
    with pytest.raises(StoreError, match="not there any more"):
        here.claim(worker)


def test_nobody_waits_for_a_job_that_was_retried_and_has_ended(here):
    here.add("a")
    here.run("a", outcome=FAILURE)
    here.roll()
    worker = here.worker()
    assert here.claim(worker) is None and worker.unfinished()
    here.store.change(["a"], lambda job: lifecycle.retry(job, here.now))
    here.finish(worker, here.claim(worker))
    assert not worker.unfinished()


def counted_syncs(monkeypatch):
    """The paths that are synced from now on."""
    synced = []
    real = disk.sync
    monkeypatch.setattr(disk, "sync", lambda fd, path: (synced.append(path), real(fd, path)))
    return synced


def two_who_claimed(here):
    """Two workers, each with a claim that is not synced."""
    here.add("a", "b")
    workers = here.worker("1.a"), here.worker("2.b")
    for worker in workers:
        here.claim(worker)
    return workers


def test_one_sync_serves_all_who_wrote_before_it(here, monkeypatch):
    mine, others = two_who_claimed(here)
    synced = counted_syncs(monkeypatch)
    mine.sync()
    others.sync()
    assert others.sync_due() is None and synced == [here.journal]


def test_what_was_written_after_a_sync_needs_one_of_its_own(here, monkeypatch):
    here.add("a", "b")
    mine, others = here.worker("1.a"), here.worker("2.b")
    synced = counted_syncs(monkeypatch)
    here.claim(mine)
    mine.sync()
    here.claim(others)
    others.sync()
    assert synced == [here.journal] * 2


def test_a_half_written_mark_of_a_sync_counts_for_nothing(here, monkeypatch):
    mine, others = two_who_claimed(here)
    synced = counted_syncs(monkeypatch)
    mine.sync()
    with open(here.store.paths.lock, "r+b") as file:
        file.seek(15)
        file.write(b"\xff")
    others.sync()
    assert synced == [here.journal] * 2


def test_a_mark_of_a_sync_that_came_along_with_a_copy_counts_for_nothing(here, monkeypatch):
    """Its journal was copied first and its lock file last, while somebody worked."""
    here.add("a", "b", "c")
    first = here.worker("1.a")
    copied = read(here.journal)
    here.claim(first)
    here.claim(first)
    first.sync()
    write(here.journal + ".copy", copied)
    os.replace(here.journal + ".copy", here.journal)
    synced = counted_syncs(monkeypatch)
    desk = here.worker("2.b")
    here.claim(desk)
    desk.sync()
    assert synced == [here.journal]


def test_with_durability_full_every_change_is_synced_at_once(here, monkeypatch):
    here.add("a")
    config.set(here.store, "durability", "full")
    worker = here.worker()
    synced = counted_syncs(monkeypatch)
    claimed = here.claim(worker)
    here.finish(worker, claimed)
    assert synced == [here.journal] * 2


def test_a_claim_whose_sync_failed_is_known_to_its_worker(here, monkeypatch):
    here.add("a", "b")
    config.set(here.store, "durability", "full")
    worker = here.worker()

    def broken(fd, path):
        raise StoreError("no medium")

    monkeypatch.setattr(disk, "sync", broken)
    claimed = here.claim(worker)
    assert claimed.id == "a" and worker.holds(claimed)
    assert worker.sync_due() == 0
    with pytest.raises(StoreError):
        worker.sync()


def test_an_older_claim_of_a_job_is_not_taken_for_a_desks_own_of_it(here):
    here.add("a")
    dead = here.worker("1.dead")
    old = here.claim(dead)
    here.store.change(["a"], lambda job: lifecycle.cancel(job, here.now))
    here.store.retry(["a"], here.now)
    here.pass_time(1)
    desk = here.worker("2.b")
    mine = here.claim(desk)
    assert not desk.settle(old, lifecycle.finish(old, lifecycle.WORKER_LOST, here.now, lifecycle.Policy(2, 10, 0), None))
    assert here.find("a").state == "processing" and desk.holds(mine)


def test_the_lock_of_a_store_that_was_moved_is_none_of_the_one_that_came_in_its_place(here):
    here.add("old")
    desk = here.worker()
    assert here.claim(desk).id == "old"
    os.rename(here.root, here.root + ".moved")
    here.store = here.opened()
    here.add("new")
    for _ in range(2):
        with pytest.raises(StoreError, match="is another store by now"):
            here.claim(desk)
    assert here.states() == {"new": "pending"}
