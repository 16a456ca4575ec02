"""A big batch is stored as a whole or not at all, in order, whatever it mixes."""

import os
import random

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import disk, duplicates, locking, store
from queuectl_lib.words.errors import BadInput, DiskFull, DuplicateJob
from tests.store.stores import FAILURE, in_child, job, kill_myself, many, read


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """What is more than three jobs becomes a segment."""
    monkeypatch.setattr(store, "LARGEST_BATCH", 3)


def add_many(here, jobs):
    count, ids = here.store.add_many(jobs)
    ids = list(ids)
    assert len(ids) == count
    return ids


def raising_after(count, error):
    for one in many(count):
        yield one
    raise error


@pytest.mark.parametrize("count, segments", [(0, 0), (1, 0), (3, 0), (4, 1), (5, 1), (2000, 1)])
def test_any_number_of_jobs_is_stored(here, count, segments):
    ids = add_many(here, many(count))
    assert ids == ["job-%03d" % number for number in range(count)]
    assert here.ids() == ids
    assert len(here.segments()) == segments


@pytest.mark.parametrize("count", [0, 1, 3, 4, 50])
def test_when_the_nth_job_is_bad_nothing_is_stored(here, count):
    here.add("old")
    before = read(here.journal)
    with pytest.raises(BadInput, match="line 51"):
        add_many(here, raising_after(count, BadInput("line 51")))
    assert read(here.journal) == before
    assert here.files("base") == []
    assert here.ids() == ["old"]


def test_ids_are_made_up_where_none_are_given(here):
    ids = add_many(here, [job() for _ in range(10)])
    assert ids == sorted(set(ids)) == here.ids()


def test_a_batch_comes_after_what_was_there_and_before_what_comes_later(here):
    here.add("first")
    add_many(here, many(5))
    here.add("last")
    assert here.run_order() == ["first"] + ["job-%03d" % number for number in range(5)] + ["last"]


MIXTURES = {
    "one queue": [("default", 0, None)],
    "one delay": [("default", 0, 9)],
    "priorities": [("default", 3, None), ("default", -2, None), ("default", 0, None)],
    "queues": [("b", 0, None), ("a", 0, None), ("default", 0, None)],
    "delays": [("default", 0, 9), ("default", 0, None), ("default", 0, 5), ("default", -1, 9)],
    "everything": [(queue, priority, delay) for queue in ("b", "a") for priority in (1, -1, 0) for delay in (None, 7, 3)],
}


@pytest.mark.parametrize("mixture", sorted(MIXTURES))
def test_whatever_is_mixed_it_runs_in_order(here, mixture):
    kinds = random.Random(7).choices(MIXTURES[mixture], k=60)
    jobs = [job("job-%02d" % number, queue=queue, priority=priority, run_at=delay and here.now / 1000 + delay)
            for number, (queue, priority, delay) in enumerate(kinds)]
    add_many(here, jobs)

    def expected(wanted):
        return [each.id for each in sorted(wanted, key=lambda each: (each.priority, each.id))]
    now = [each for each in jobs if each.run_at is None]
    later = [each for each in jobs if each.run_at is not None]
    assert here.ids()[:len(now)] == expected(now)
    assert here.ids()[len(now):] == [each.id for each in sorted(later, key=lambda each: (each.run_at, each.id))]
    here.pass_time(60)
    assert here.run_order() == expected(jobs)


@pytest.mark.parametrize("mixture", sorted(MIXTURES))
def test_its_counts_and_every_job_of_it_are_known(here, mixture):
    kinds = random.Random(7).choices(MIXTURES[mixture], k=60)
    jobs = [job("job-%02d" % number, queue=queue, priority=priority, run_at=delay and here.now / 1000 + delay)
            for number, (queue, priority, delay) in enumerate(kinds)]
    add_many(here, jobs)
    assert here.store.counts() == {queue: {"pending": sum(1 for each in jobs if each.queue == queue)} for queue in {each.queue for each in jobs}}
    for each in jobs:
        assert here.find(each.id)._replace(order=None) == each


def test_ids_are_told_in_the_order_the_jobs_came(here):
    kinds = random.Random(7).choices(MIXTURES["everything"], k=60)
    jobs = [job("job-%02d" % number, queue=queue, priority=priority, run_at=delay and here.now / 1000 + delay)
            for number, (queue, priority, delay) in enumerate(kinds)]
    assert add_many(here, iter(jobs)) == [each.id for each in jobs]


PLACES = {
    "journal": lambda here: here.add("twin"),
    "base segment": lambda here: (here.add("twin"), here.roll()),
    "batch before": lambda here: add_many(here, [job("twin")] + list(many(5, "old"))),
    "archive": lambda here: (here.add("twin"), here.run("twin"), here.roll()),
    "journal, running": lambda here: (here.add("twin"), here.claim(here.worker())),
    "journal over a segment": lambda here: (here.add("twin"), here.roll(), here.run("twin")),
}


@pytest.mark.parametrize("place", sorted(PLACES))
@pytest.mark.parametrize("count", [2, 20])
def test_an_id_that_is_there_is_refused_wherever_it_is(here, place, count):
    PLACES[place](here)
    before, segments = read(here.journal), here.files("base")
    with pytest.raises(DuplicateJob, match="twin"):
        add_many(here, list(many(count)) + [job("twin")])
    assert read(here.journal) == before
    assert here.files("base") == segments


@pytest.mark.parametrize("count", [1, 20])
def test_an_id_that_stands_twice_in_a_batch_is_refused(here, count):
    with pytest.raises(DuplicateJob, match="twin"):
        add_many(here, [job("twin")] + list(many(count)) + [job("twin")])
    assert here.ids() == []
    assert here.files("base") == []


def test_the_id_of_a_removed_job_may_be_given_again(here):
    add_many(here, many(5))
    here.run(*("job-%03d" % number for number in range(5)))
    here.store.remove(["job-003"])
    add_many(here, [job("job-003")] + list(many(5, "new")))
    assert here.find("job-003").state == "pending"


@pytest.fixture
def looks(here, monkeypatch):
    """Each look at what is stored is counted; what is put into its `then` happens behind the first, before the lock."""
    class Looks:
        count = 0

        def then(self):
            pass

    looks = Looks()
    look = duplicates.Duplicates.look

    def counted(self):
        assert not is_held(here.store.paths.lock)
        look(self)
        looks.count += 1
        if looks.count == 1:
            looks.then()
    monkeypatch.setattr(duplicates.Duplicates, "look", counted)
    return looks


def is_held(path):
    fd = os.open(path, os.O_RDWR)
    try:
        return not locking.try_lock(fd)
    finally:
        os.close(fd)


OTHERS = {
    "one job": lambda here, id: here.add(id),
    "a batch": lambda here, id: here.bulk([job(id)] + list(many(5, "other"))),
    "one job and a roll": lambda here, id: (here.add(id), here.roll()),
    "a job that ended": lambda here, id: (here.add(id, priority=-1), here.run(id)),
}


@pytest.mark.parametrize("others", sorted(OTHERS))
def test_an_id_stored_by_others_while_the_batch_was_written_is_refused(here, looks, others):
    looks.then = lambda: OTHERS[others](here, "twin")
    with pytest.raises(DuplicateJob, match="twin"):
        add_many(here, list(many(5)) + [job("twin")])
    assert here.find("twin").id == "twin"
    assert "job-000" not in here.ids()


@pytest.mark.parametrize("others", sorted(OTHERS))
def test_other_ids_stored_while_the_batch_was_written_harm_nobody(here, looks, others):
    looks.then = lambda: OTHERS[others](here, "another")
    assert add_many(here, many(5)) == ["job-%03d" % number for number in range(5)]
    assert here.find("another").id == "another"


def test_under_the_lock_only_little_is_looked_at(here, looks, monkeypatch):
    looks.then = lambda: here.add("another")
    add_many(here, many(5))
    assert looks.count == 1
    monkeypatch.setattr(duplicates, "_LITTLE", 100)
    looks.count = 0
    looks.then = lambda: here.add("more", "than", "little")
    add_many(here, many(5, "new"))
    assert looks.count == 2


def test_what_was_compared_is_not_compared_again(here, looks, monkeypatch):
    compared = []
    compare = duplicates.Duplicates._compare

    def noted(self, snapshot, brought, reader):
        compared.append(reader.name)
        compare(self, snapshot, brought, reader)
    monkeypatch.setattr(duplicates.Duplicates, "_compare", noted)
    here.bulk([job() for _ in range(5)])
    looks.then = lambda: here.bulk([job() for _ in range(5)])
    add_many(here, many(5))
    assert compared == [entry.name for entry in here.segments()[:2]]


def test_places_of_arrival_stay_in_order_when_others_store_meanwhile(here):
    def jobs():
        yield job("batch-0")
        for number in range(1, 6):
            here.add("other-%d" % number)
            yield job("batch-%d" % number)
    add_many(here, jobs())
    here.add("late")
    assert [id for id in here.ids() if id.startswith("batch")] == ["batch-%d" % number for number in range(6)]
    assert [id for id in here.ids() if id.startswith("other")] == ["other-%d" % number for number in range(1, 6)]
    assert here.ids()[-1] == "late"


STEPS = [("queuectl_lib.store.new_segment.Writer", "add"), ("queuectl_lib.store.new_segment.Writer", "flush"),
         ("queuectl_lib.store.disk", "sync"), ("queuectl_lib.store.index.Builder", "write"), ("queuectl_lib.store.disk", "replace"),
         ("queuectl_lib.store.disk", "sync_directory"), ("queuectl_lib.store.disk", "append")]


@pytest.mark.parametrize("owner, step", STEPS)
def test_who_is_killed_at_any_step_has_stored_nothing_and_blocks_nobody(here, monkeypatch, owner, step):
    here.add("old")
    with monkeypatch.context() as patch:
        patch.setattr("%s.%s" % (owner, step), kill_myself)
        assert in_child(lambda: add_many(here, many(20))) == -9
    assert here.ids() == ["old"]
    assert add_many(here, many(20)) == here.ids()[1:]
    here.roll()
    assert len(here.ids()) == 21


def test_the_next_roll_removes_what_a_killed_batch_left(here, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("queuectl_lib.store.disk.append", kill_myself)
        in_child(lambda: add_many(here, many(20)))
        patch.setattr("queuectl_lib.store.new_segment.Writer.flush", kill_myself)
        in_child(lambda: add_many(here, many(20)))
    with monkeypatch.context() as patch:
        # Between the rename of the index and that of its segment.
        replace = disk.replace
        patch.setattr("queuectl_lib.store.disk.replace", lambda source, target: (replace(source, target), kill_myself()))
        in_child(lambda: add_many(here, many(20)))
    assert len(here.files("base")) == 3
    for name in os.listdir(here.store.paths.base):
        os.utime(os.path.join(here.store.paths.base, name), (1, 1))
    here.roll()
    assert os.listdir(here.store.paths.base) == []


def test_a_roll_leaves_alone_what_a_living_batch_is_writing(here):
    def jobs():
        for number, one in enumerate(many(20)):
            if number == 10:
                for name in os.listdir(here.store.paths.base):
                    os.utime(os.path.join(here.store.paths.base, name), (1, 1))
                here.roll()
            yield one
    add_many(here, jobs())
    assert len(here.ids()) == 20


def test_a_full_disk_stores_nothing_and_leaves_no_file(here, monkeypatch):
    def full(fd, data):
        raise OSError(28, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr("queuectl_lib.store.disk.write_all", full)
        with pytest.raises(DiskFull):
            add_many(here, many(20))
    assert os.listdir(here.store.paths.base) == []
    assert here.ids() == []


def test_an_id_removed_by_others_while_the_batch_was_written_may_be_given(here, looks):
    def others():
        here.add("twin", max_retries=0, priority=-1)
        here.run("twin", outcome=FAILURE)
        here.store.remove(["twin"])
    looks.then = others
    ids = add_many(here, list(many(5)) + [job("twin")])
    assert here.ids() == ids
    assert here.find("twin").state == "pending"


@pytest.mark.parametrize("mixture", ["one queue", "everything"])
def test_a_batch_whose_line_does_not_fit_the_disk_is_as_if_it_never_was(here, monkeypatch, mixture):
    def full(fd, data, path):
        raise DiskFull("no room")
    kinds = MIXTURES[mixture] * 10
    with monkeypatch.context() as patch:
        patch.setattr("queuectl_lib.store.disk.append", full)
        with pytest.raises(DiskFull):
            add_many(here, [job(queue=queue, priority=priority) for queue, priority, _ in kinds])
    assert here.ids() == []
    here.roll()
    assert here.files("base") == []


def test_held_jobs_and_heavy_ones_stand_beside_others_in_a_batch(here):
    here.bulk([job("a"), job("held", held=True), job("heavy", slots=3), job("b"), job("late", run_at=(here.now + 60000) / 1000, held=True)])
    assert [here.find(id).slots for id in ("a", "heavy", "b")] == [None, 3, None]
    assert here.run_order() == ["a", "heavy", "b"]
    here.store.change(["held", "late"], lambda each: lifecycle.release(each, here.now))
    assert here.run_order() == ["held"]
