"""Alive is who holds a slot's lock."""

import json
import os
import subprocess
import sys
import threading

import pytest

from queuectl_lib.store import locking, store
from queuectl_lib.words.errors import StoreError
from queuectl_lib.work import slots
from support import ROOT

HOLDS_A_SLOT = """
import sys
from queuectl_lib.store import store
from queuectl_lib.work import slots
here = store.open_store(sys.argv[1], write=True)
with here.lock():
    slot = slots.take(here.paths)
print(slot.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path):
    return store.open_store(str(tmp_path / "store"), create=True, write=True)


def take(here, **options):
    with here.lock():
        return slots.take(here.paths, **options)


@pytest.fixture
def other_process(here):
    process = subprocess.Popen([sys.executable, "-c", HOLDS_A_SLOT, here.root], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=ROOT))
    name = process.stdout.readline().decode().strip()
    yield process, name
    process.kill()
    process.communicate()


def test_the_lowest_free_slot_is_taken(here):
    first, second, third = take(here), take(here), take(here)
    assert [slot.number for slot in (first, second, third)] == [1, 2, 3]
    second.leave()
    assert take(here).number == 2


def test_unwanted_slots_are_passed_over(here):
    assert take(here, skip={1, 2}).number == 3


def test_the_living_are_who_holds_a_slot(here):
    one, two = take(here), take(here)
    assert [worker.slot for worker in slots.living(here.paths)] == [1, 2]
    [alone] = [worker for worker in slots.living(here.paths) if worker.slot == 2]
    assert (alone.pid, alone.incarnation, alone.done, alone.job) == (os.getpid(), two.incarnation, 0, None)
    one.leave()
    assert [worker.slot for worker in slots.living(here.paths)] == [2]


def test_kill_9_frees_the_slot(here, other_process):
    process, name = other_process
    number, incarnation = slots.parts(name)
    assert slots.lives(here.paths, number, incarnation)
    assert take(here).number == 2
    process.kill()
    process.wait()
    assert not slots.lives(here.paths, number, incarnation)
    assert slots.holder(here.paths, number) is None
    again = take(here)
    assert again.number == 1 and again.incarnation != incarnation


def test_a_new_owner_is_not_the_old_one(here):
    old = take(here)
    old.leave()
    new = take(here)
    assert old.number == new.number
    assert not slots.lives(here.paths, old.number, old.incarnation)
    assert slots.lives(here.paths, new.number, new.incarnation)


def test_a_beat_tells_the_job_and_the_moment(here):
    slot = take(here)
    os.utime(here.paths.slot_lock(1), (1000, 1000))
    slot.done = 7
    slot.beat("a-job-with-a-rather-long-id")
    slot.beat("x")
    [worker] = slots.living(here.paths)
    assert (worker.done, worker.job) == (7, "x")
    assert worker.heartbeat > 1000000
    with open(here.paths.slot_lock(1)) as file:
        assert [json.loads(line)["job"] for line in file] == ["x"]


def test_a_beat_without_news_still_beats(here):
    slot = take(here)
    slot.beat("x")
    os.utime(here.paths.slot_lock(1), (1000, 1000))
    slot.beat("x")
    assert slots.living(here.paths)[0].heartbeat > 1000000


def test_a_reader_does_not_keep_a_worker_from_its_slot(here, monkeypatch):
    take(here).leave()
    reader = os.open(here.paths.slot_lock(1), os.O_RDONLY)
    assert locking.try_shared(reader)
    monkeypatch.setattr(slots.time, "sleep", lambda seconds: locking.unlock(reader))
    assert take(here).number == 1
    os.close(reader)


def test_many_readers_at_once_do_not_either(here):
    take(here).leave()
    stop = threading.Event()
    readers = [threading.Thread(target=lambda: [slots.living(here.paths) for _ in iter(stop.is_set, True)])
               for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(100):
            slot = take(here)
            assert slot.number == 1
            slot.leave()
    finally:
        stop.set()
        for reader in readers:
            reader.join()


def test_one_reader_does_not_look_like_a_worker_to_another(here):
    take(here).leave()
    fd = os.open(here.paths.slot_lock(1), os.O_RDONLY)
    assert locking.try_shared(fd)
    assert slots.living(here.paths) == []
    os.close(fd)


def test_looking_writes_nothing(here):
    slot = take(here)
    before = os.stat(here.paths.slot_lock(1)).st_mtime_ns, sorted(os.listdir(here.paths.workers))
    slots.living(here.paths)
    slots.holder(here.paths, 1)
    slots.holder(here.paths, 9)
    assert (os.stat(here.paths.slot_lock(1)).st_mtime_ns, sorted(os.listdir(here.paths.workers))) == before
    slot.leave()


def test_a_slot_held_only_to_clear_it_up_is_nobody(here):
    slot = take(here)
    slot.leave()
    with here.lock():
        fd = slots.seize(here.paths, 1)
    slots.forget(fd)
    assert slots.living(here.paths) == []
    assert not slots.lives(here.paths, 1, slot.incarnation)
    assert take(here).number == 2
    os.close(fd)


def test_a_slot_falls_with_its_store(here):
    slot = take(here)
    assert slot.stands()
    os.rename(here.root, here.root + "-gone")
    assert not slot.stands()


def test_a_slot_does_not_stand_in_a_store_made_anew(here):
    slot = take(here)
    os.unlink(here.paths.slot_lock(1))
    assert take(here).number == 1
    assert not slot.stands()


def test_names_that_are_no_workers_have_no_slot():
    assert slots.parts("12.9f3c1a") == (12, "9f3c1a")
    for name in (None, "", "x", "0.a", "-1.a", ".a", "7"):
        assert slots.parts(name) == (None, None)


def test_where_it_cannot_be_told_a_worker_counts_as_alive(here, monkeypatch):
    take(here)
    monkeypatch.setattr(slots, "_probed", lambda path: (_ for _ in ()).throw(PermissionError()))
    assert slots.lives(here.paths, 1, "abc")


def test_a_content_read_while_it_is_rewritten_is_read_again(here, monkeypatch):
    slot = take(here)
    path = here.paths.slot_lock(1)
    with open(path, "rb") as file:
        whole = file.read()
    with open(path, "r+b") as file:
        file.truncate(20)

    def finish_writing(seconds):
        with open(path, "r+b") as file:
            file.write(whole)
    monkeypatch.setattr(slots.time, "sleep", finish_writing)
    assert slots.lives(here.paths, 1, slot.incarnation)


def test_whether_every_slot_is_held(here):
    assert slots.all_held(here.paths)
    first, second = take(here), take(here)
    assert slots.all_held(here.paths)
    first.leave()
    assert not slots.all_held(here.paths)
    assert take(here).number == 1 and slots.all_held(here.paths)
    second.leave()
    assert not slots.all_held(here.paths)


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)], ids=["FIFO", "folder", "link"])
def test_what_is_no_file_holds_up_nobody_who_looks_and_is_no_slot(here, plant):
    plant(here.paths.slot_lock(1))
    assert slots.living(here.paths) == []
    with here.lock(), pytest.raises(StoreError, match="1.lock"):
        slots.take(here.paths)


def test_nor_does_a_file_that_a_job_wrote_make_one(here):
    with here.lock():
        slot = slots.take(here.paths)
    for said in (b"[" * 4000, b"[]", b"{}", b"\xff\0"):
        with open(here.paths.slot_lock(1), "wb") as file:
            file.write(said)
        assert slots.living(here.paths) == []
    slot.leave()
