"""Lines that were no jobs are kept as they came, each on a line of its own."""

import os

import pytest

from queuectl_lib.store import disk, refused
from queuectl_lib.words.errors import DiskFull, StorePlanted
from tests.store.stores import read, write


def test_they_are_kept_in_order(here):
    refused.keep(here.store, [b"one", b"caf\xe9"])
    refused.keep(here.store, [b"two"])
    assert read(here.store.paths.refused) == b"one\ncaf\xe9\ntwo\n"
    assert refused.count(here.store.paths) == 3


def test_what_a_killed_one_tore_does_not_swallow_the_next_line(here):
    write(here.store.paths.refused, b"one\ntor")
    refused.keep(here.store, [b"two"])
    assert read(here.store.paths.refused) == b"one\ntor\ntwo\n"


def test_they_are_synced(here, monkeypatch):
    synced = []
    monkeypatch.setattr(disk, "_data_sync", lambda fd: synced.append(os.path.basename(disk.name_of(fd))))
    monkeypatch.setattr(disk, "sync_directory", synced.append)
    refused.keep(here.store, [b"one"])
    assert synced == ["refused.jsonl", here.root]


def test_without_room_none_is_kept(here, monkeypatch):
    refused.keep(here.store, [b"one"])
    real = os.write
    monkeypatch.setattr(disk.os, "write", lambda fd, data: real(fd, bytes(data)[:4]) if len(data) > 4 else fail())

    def fail():
        raise OSError(28, "full")
    with pytest.raises(DiskFull):
        refused.keep(here.store, [b"two", b"three"])
    assert read(here.store.paths.refused) == b"one\n"


def test_no_link_is_followed(here, tmp_path):
    write(str(tmp_path / "other"), b"")
    os.symlink(str(tmp_path / "other"), here.store.paths.refused)
    with pytest.raises(StorePlanted):
        refused.keep(here.store, [b"one"])
