"""The token is made once, is a secret, and is nobody else's."""

import os
import threading

import pytest

from queuectl_lib.store import disk, store, token
from queuectl_lib.store.paths import Paths
from queuectl_lib.words.errors import DiskFull, StoreError, StorePlanted, StoreUnwritable
from tests.store.stores import Here, read, write
from tests.store.test_planted import for_a_group, for_all, given_away, no_waiting_for_ever, plant, victim


def mode_of(path):
    return os.stat(path).st_mode & 0o777


def test_it_is_made_once_and_stays(here):
    made = token.read_or_make(here.store.paths)
    assert len(made) == 48 and set(made) <= set("0123456789abcdef")
    assert token.read_or_make(here.opened().paths) == made
    assert read(here.store.paths.token) == made.encode() + b"\n"


def test_no_two_are_alike(here, tmp_path):
    assert token.read_or_make(here.store.paths) != token.read_or_make(Here(str(tmp_path / "other")).store.paths)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
def test_nobody_else_can_read_it_under_any_umask(here, umask):
    before = os.umask(umask)
    try:
        token.read_or_make(here.store.paths)
    finally:
        os.umask(before)
    assert mode_of(here.store.paths.token) == 0o600


@pytest.mark.parametrize("text", [b"", b"\n", b"abc\n", b"A" * 48 + b"\n", b"a" * 48, b"a" * 48 + b"\nx", b"a" * 49 + b"\n", b"\xff" * 49])
def test_what_is_no_token_is_replaced(here, text):
    write(here.store.paths.token, text)
    os.chmod(here.store.paths.token, 0o600)
    made = token.read_or_make(here.store.paths)
    assert len(made) == 48 and read(here.store.paths.token) == made.encode() + b"\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_one_that_others_could_read_is_a_secret_no_more_and_is_replaced(here, mode):
    known = token.read_or_make(here.store.paths)
    os.chmod(here.store.paths.token, mode)
    assert token.read_or_make(here.store.paths) != known
    assert mode_of(here.store.paths.token) == 0o600


@pytest.mark.parametrize("spoil", [given_away, for_all, for_a_group], ids=lambda spoil: spoil.__name__)
def test_one_that_others_wrote_or_could_is_refused(here, spoil):
    token.read_or_make(here.store.paths)
    spoil(here.store.paths.token)
    with pytest.raises(StoreUnwritable, match="token"):
        token.read_or_make(here.store.paths)


@pytest.mark.parametrize("kind", ["link", "FIFO", "folder"])
def test_what_is_no_file_is_refused_and_not_followed(here, kind, victim):
    write(victim, b"a" * 48 + b"\n")
    plant(kind, here.store.paths.token, victim)
    with pytest.raises(StorePlanted, match="token"):
        token.read_or_make(here.store.paths)
    assert read(victim) == b"a" * 48 + b"\n"


@pytest.mark.parametrize("kind", ["link", "hard link", "FIFO"])
def test_what_was_planted_where_it_is_written_is_taken_away_and_not_written(here, kind, victim):
    plant(kind, here.store.paths.token + ".new", victim)
    token.read_or_make(here.store.paths)
    assert read(victim) == b"precious"


def test_on_a_full_disk_none_is_made_and_none_is_lost(here, monkeypatch):
    def fail(fd, data):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(disk, "write_all", fail)
    with pytest.raises(DiskFull):
        token.read_or_make(here.store.paths)
    monkeypatch.undo()
    made = token.read_or_make(here.store.paths)
    monkeypatch.setattr(disk, "write_all", fail)
    assert token.read_or_make(here.store.paths) == made


def test_without_a_store_there_is_none(tmp_path):
    with pytest.raises(StoreError, match="no store at"):
        token.read_or_make(Paths(str(tmp_path / "not")))
    assert os.listdir(str(tmp_path)) == []


def test_many_that_start_at_once_have_the_same(here):
    together = threading.Barrier(8)
    told = []

    def start():
        together.wait()
        told.append(token.read_or_make(Paths(here.root)))
    for _ in range(20):
        disk.remove(here.store.paths.token)
        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(told)) == 1 and len(told) == 8
        del told[:]


def test_a_token_alone_is_not_what_is_left_of_a_store(tmp_path):
    root = str(tmp_path / "store")
    Here(root).add("a")
    made = token.read_or_make(Paths(root))
    for folder, _, names in os.walk(root):
        for name in names:
            if name != "token":
                os.unlink(os.path.join(folder, name))
    assert list(store.open_store(root).jobs()) == []
    Here(root).add("b")
    assert Here(root).ids() == ["b"] and token.read_or_make(Paths(root)) == made


def test_it_is_no_trouble_to_a_doctor_nor_to_a_purge(queue):
    queue.run("enqueue", "true", "--id", "a")
    queue.work()
    before = queue.run("doctor").out
    made = token.read_or_make(Paths(queue.store))
    after = queue.run("doctor").out
    assert after.count("\n") == before.count("\n") and "token" not in after
    queue.run("purge", "--yes")
    queue.run("doctor", "--repair", "--yes", code=None)
    assert queue.jobs() == [] and token.read_or_make(Paths(queue.store)) == made
