"""Every test of the store gets one of its own, with a clock it sets and no roller that starts by itself."""

import pytest

from queuectl_lib.store import disk, store
from tests.store import stores


@pytest.fixture(autouse=True)
def rollers(monkeypatch):
    """Whoever would have started a roller, in order."""
    started = []
    monkeypatch.setattr(store.Store, "start_roller", lambda self: started.append(self.root))
    return started


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty store."""
    one = stores.Here(str(tmp_path / "store"))
    stores.stop_the_clock(monkeypatch, one)
    yield one
    one.close()


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch):
    """Nobody pulls the plug here, so nothing need reach the medium; the disk's own tests say otherwise."""
    monkeypatch.setattr(disk, "_data_sync", lambda fd: None)
    monkeypatch.setattr(disk, "sync_directory", lambda path: None)
