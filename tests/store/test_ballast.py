"""The ballast: given up for results alone, and made anew when there is ample room."""

import os
import random

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import ballast, disk, keeping, usage
from queuectl_lib.store.segment import Reader
from queuectl_lib.store.view import View
from queuectl_lib.words.errors import DiskFull, StoreDamaged, StoreError
from tests.store.stores import POLICY, START, SUCCESS, job, read, write


@pytest.fixture
def paths(here):
    return here.store.paths


@pytest.fixture
def full_disk(here, paths, monkeypatch):
    """The journal takes only what was given up, byte for byte."""
    real = disk.append
    room = [0]
    sizes = [ballast.SIZE]

    def append(fd, data, path):
        if path == paths.jobs:
            size = os.path.getsize(paths.ballast)
            room[0] += sizes[0] - size - len(data)
            sizes[0] = size
            if room[0] < 0:
                room[0] += len(data)
                raise DiskFull("%s: no room" % path)
        return real(fd, data, path)
    monkeypatch.setattr(disk, "append", append)
    monkeypatch.setattr(usage, "free", lambda directory: room[0])


def test_a_store_is_founded_with_it(paths):
    assert os.path.getsize(paths.ballast) == ballast.SIZE
    assert os.stat(paths.ballast).st_mode & 0o777 == 0o600
    # Some disks keep no room for what can be compressed.
    assert len(set(read(paths.ballast))) == 256


def test_it_is_given_up_in_slices(paths):
    assert ballast.give_up(paths, 1000)
    assert ballast.SIZE - 20000 < os.path.getsize(paths.ballast) <= ballast.SIZE - 1000
    assert ballast.give_up(paths, 10 * ballast.SIZE)
    assert os.path.getsize(paths.ballast) == 0
    assert not ballast.give_up(paths, 1)
    os.remove(paths.ballast)
    assert not ballast.give_up(paths, 1)


@pytest.mark.parametrize("left", [None, 0, 5000])
def test_it_is_made_whole_only_where_there_is_ample_room(paths, monkeypatch, left):
    os.remove(paths.ballast)
    if left is not None:
        write(paths.ballast, b"x" * left)
    with monkeypatch.context() as patch:
        patch.setattr(usage, "free", lambda directory: 3 * ballast.SIZE)
        assert not ballast.make(paths)
        assert os.path.getsize(paths.ballast) == (left or 0)
    assert ballast.make(paths)
    assert os.path.getsize(paths.ballast) == ballast.SIZE


def test_what_does_not_fit_is_taken_back(paths, monkeypatch):
    os.remove(paths.ballast)
    real = os.write

    def half(fd, data):
        if len(data) < 1000:
            raise OSError(28, "No space left on device")
        return real(fd, bytes(data)[:len(data) // 2])
    monkeypatch.setattr(os, "write", half)
    assert not ballast.make(paths)
    assert os.path.getsize(paths.ballast) == 0


def test_a_result_is_recorded_on_a_full_disk_and_nothing_is_claimed_until_it_is_whole_again(here, paths, request):
    here.add("a", "b")
    desk = here.worker()
    job = here.claim(desk)
    request.getfixturevalue("full_disk")
    with pytest.raises(DiskFull):
        here.add("c")
    assert os.path.getsize(paths.ballast) == ballast.SIZE
    after = job._replace(state="completed")
    assert desk.exchange((job, after), True, START) == (True, None)
    assert here.states() == {"a": "completed", "b": "pending"}
    with pytest.raises(DiskFull):
        desk.exchange(None, True, START)
    assert here.states()["b"] == "pending"
    request.getfixturevalue("monkeypatch").undo()
    assert desk.exchange(None, True, START)[1].id == "b"
    assert os.path.getsize(paths.ballast) == ballast.SIZE


def test_a_lost_job_is_settled_on_a_full_disk(here, request):
    here.add("a")
    desk = here.worker()
    job = here.claim(desk)
    request.getfixturevalue("full_disk")
    assert desk.settle(job, job._replace(state="failed"))
    assert here.states() == {"a": "failed"}


def test_a_worker_whose_sync_failed_builds_new_files_and_syncs_no_more(here, paths, monkeypatch):
    here.add("a")
    desk = here.worker()
    here.claim(desk)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_data_sync", refuse)
        with pytest.raises(StoreError, match="may have been stored or not"):
            desk.sync()
        assert os.path.exists(paths.suspect)
        # As long as that fails, too, it is due.
        with pytest.raises(StoreError):
            desk.sync()
        assert desk.sync_due() is not None
    before = os.stat(paths.jobs).st_ino
    desk.sync()
    assert desk.sync_due() is None
    assert os.stat(paths.jobs).st_ino != before
    assert not os.path.exists(paths.suspect)


def refuse(fd):
    raise OSError(5, "Input/output error")


def test_new_files_whose_rename_may_be_taken_back_are_built_once_more(here, paths, monkeypatch):
    here.add("a")
    desk = here.worker()
    here.claim(desk)
    directory = disk.sync_directory
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_data_sync", refuse)
        with pytest.raises(StoreError):
            desk.sync()
    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync_directory", lambda path: refuse_job() if path == here.root else directory(path))
        with pytest.raises(StoreError):
            desk.sync()
        with pytest.raises(StoreError):
            desk.sync()
    desk.sync()
    assert desk.sync_due() is None and not os.path.exists(paths.suspect)


def test_that_others_cannot_be_told_of_a_sync_is_no_failure(here, monkeypatch):
    here.add("a")
    desk = here.worker()
    here.claim(desk)

    def fail(*_):
        raise DiskFull("no room")
    monkeypatch.setattr(disk, "write_at", fail)
    desk.sync()
    assert desk.sync_due() is None


def test_a_worker_that_could_not_read_begins_anew(here, monkeypatch):
    here.add("a", "b")
    here.roll()
    desk = here.worker()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", lambda *_: refuse(0))
        with pytest.raises(StoreError, match=here.root):
            here.claim(desk)
    assert here.claim(desk).id == "a"
    with monkeypatch.context() as patch:
        patch.setattr(type(desk), "_taken", lambda *_: refuse_job())
        with pytest.raises(StoreError):
            here.claim(desk)
    assert here.claim(desk).id == "b"


def test_a_worker_that_could_take_in_only_half_begins_anew(here, monkeypatch):
    here.add("a", "b", "c")
    desk = here.worker()
    here.claim(desk)
    here.add(*("more-%d" % number for number in range(9)), queue="other")
    here.roll()
    here.add("last", priority=5)
    with monkeypatch.context() as patch:
        patch.setattr(View, "_add_segment", lambda *_: refuse_job())
        with pytest.raises(StoreError):
            here.claim(desk)
    assert [here.claim(desk).id for _ in range(2)] == ["b", "c"]


def test_who_could_not_read_what_falls_due_next_begins_anew(here, monkeypatch):
    here.add_in(5, "first")
    here.add_in(9, "second", "third")
    here.roll()
    desk = here.worker()
    assert here.claim(desk) is None
    here.pass_time(10)
    assert here.claim(here.worker("2.b")).id == "first"
    desk.holds(job("nobody"))
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "head", lambda *_: refuse_job())
        with pytest.raises(StoreError):
            desk.next_due(here.now)
    assert [here.claim(desk).id for _ in range(2)] == ["second", "third"]


@pytest.mark.parametrize("best, ran", [
    (lambda take, now: take(now) and refuse_job(), ["x", "y"]),
    (lambda take, now: take(now) and damaged_job(), ["y"]),
])
def test_what_goes_wrong_behind_a_recorded_result_is_told_once(here, monkeypatch, best, ran):
    here.add("a")
    here.add("child", after=["a"], priority=9)
    here.add("x", "y")
    here.roll()
    desk = here.worker()
    claimed = here.claim(desk)
    take = desk._view.best
    with monkeypatch.context() as patch:
        patch.setattr(desk._view, "best", lambda now: best(take, now))
        after = lifecycle.finish(claimed, SUCCESS, here.now, POLICY, random)
        assert desk.exchange((claimed, after), True, here.now) == (True, None)
    with pytest.raises(StoreError):
        here.claim(desk)
    assert [here.claim(desk).id for _ in range(len(ran) + 1)] == ran + ["child"]


def damaged_job():
    raise StoreDamaged("a line")


def test_whoever_rolls_in_the_background_makes_it_whole(here, paths):
    os.remove(paths.ballast)
    keeping.roll_and_keep_house(here.store)
    assert os.path.getsize(paths.ballast) == ballast.SIZE


def refuse_job():
    raise StoreError("unreadable")
