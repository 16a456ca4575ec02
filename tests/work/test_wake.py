"""Idle workers are woken at once, by a byte that blocks nobody."""

import os
import select
import threading

import pytest

from queuectl_lib.store.paths import Paths
from queuectl_lib.work import wake

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")


@pytest.fixture
def paths(tmp_path):
    paths = Paths(str(tmp_path))
    os.mkdir(paths.wake)
    return paths


def rings(bell):
    """Whether a worker sleeping on this bell would be awake now."""
    return bool(select.select([bell.fd], [], [], 0)[0])


def test_a_sleeper_wakes_when_work_arrives(paths):
    bell = wake.Bell(paths)
    assert not rings(bell)
    wake.wake(paths)
    assert rings(bell)
    assert bell.emptied()
    assert not rings(bell)
    assert not bell.emptied()


def test_a_byte_written_before_the_worker_sleeps_is_not_lost(paths):
    bell = wake.Bell(paths)
    bell.emptied()
    wake.wake(paths)
    assert select.select([bell.fd], [], [], 5)[0]


def test_a_thousand_wakes_are_emptied_at_once(paths):
    bell = wake.Bell(paths)
    for _ in range(1000):
        wake.wake(paths)
    assert bell.emptied()
    assert not rings(bell)


def test_a_full_fifo_blocks_nobody(paths):
    bell = wake.Bell(paths)
    while True:
        try:
            os.write(bell.fd, b"x" * 65536)
        except BlockingIOError:
            break
    thread = threading.Thread(target=wake.wake, args=(paths,), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert rings(bell)


def test_a_fifo_nobody_sleeps_on_blocks_nobody(paths):
    os.mkfifo(paths.wake_fifo("all"))
    thread = threading.Thread(target=wake.wake, args=(paths,), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_only_workers_that_want_the_queue_wake(paths):
    mail, video, every = wake.Bell(paths, ["mail", "news"]), wake.Bell(paths, ["video"]), wake.Bell(paths)
    wake.wake(paths, ["news"])
    assert rings(mail) and rings(every)
    assert not rings(video)


def test_workers_of_one_set_share_one_fifo_whatever_the_order(paths):
    wake.Bell(paths, ["b", "a"])
    wake.Bell(paths, ["a", "b", "a"])
    assert os.listdir(paths.wake) == ["+a+b"]


def test_a_set_too_long_for_a_name_is_still_woken(paths):
    bell = wake.Bell(paths, ["queue-number-%d" % number for number in range(50)])
    wake.wake(paths, ["queue-number-7"])
    assert rings(bell)


def test_one_byte_back_wakes_one_more(paths):
    first, second = wake.Bell(paths), wake.Bell(paths)
    wake.wake(paths)
    assert first.emptied()
    assert not rings(second)
    first.pass_on()
    assert second.emptied()


def test_waking_a_store_without_the_directory_is_no_error(tmp_path):
    wake.wake(Paths(str(tmp_path / "nowhere")))


def test_without_the_directory_a_bell_never_rings(tmp_path):
    bell = wake.Bell(Paths(str(tmp_path / "nowhere")))
    bell.pass_on()
    assert bell.fd is None
    assert not bell.emptied()


def test_a_file_in_place_of_the_fifo_means_polling(paths):
    open(paths.wake_fifo("all"), "w").close()
    assert wake.Bell(paths).fd is None


def test_a_link_in_place_of_the_fifo_is_not_followed(paths, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"")
    os.symlink(str(target), paths.wake_fifo("all"))
    wake.wake(paths)
    assert target.read_bytes() == b""


def test_a_file_under_another_name_in_place_of_the_fifo_is_not_written(paths, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    os.link(str(target), paths.wake_fifo("all"))
    wake.wake(paths)
    assert target.read_bytes() == b"precious"


def test_a_fifo_is_of_use_under_any_umask(paths):
    before = os.umask(0o777)
    try:
        bell = wake.Bell(paths)
    finally:
        os.umask(before)
    assert os.stat(paths.wake_fifo("all")).st_mode & 0o777 == 0o600
    bell.close()
