"""Bytes that arrive in a pipe are read when they are asked for, and not before."""

import fcntl
import os
import signal
import struct
import termios
import threading

import pytest

from queuectl_lib.faces.arriving import CHUNK, Arrivals
from support import wait_until


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with open(read, "rb") as file, open(write, "wb", buffering=0) as end:
        arrivals = Arrivals(file)
        yield arrivals, end
        end.close()
        dismiss(arrivals)


def dismiss(arrivals):
    """Let its thread end, which a program never does."""
    arrivals._orders.put(False)


def lying_in(end):
    return struct.unpack("i", fcntl.ioctl(end, termios.FIONREAD, bytes(4)))[0]


def test_what_has_come_is_handed_over_at_once(pipe):
    arrivals, end = pipe
    end.write(b"half a li")
    assert arrivals.next() == b"half a li"
    end.write(b"ne\n")
    assert arrivals.next() == b"ne\n"
    end.close()
    assert arrivals.next() == b"" and arrivals.next() == b""


def test_who_waited_in_vain_gets_it_later_and_no_more_is_read_meanwhile(pipe):
    arrivals, end = pipe
    assert arrivals.next(0.01) is None
    end.write(b"x" * CHUNK)
    wait_until(lambda: not lying_in(end), "the thread has read it")
    end.write(b"y")
    assert arrivals.rest(5) == b"x" * CHUNK
    assert arrivals.rest(0.05) is None and lying_in(end) == 1
    assert arrivals.next() == b"y"


def test_who_waits_can_be_woken(pipe):
    arrivals, _ = pipe
    threading.Timer(0.05, arrivals.nudge).start()
    assert arrivals.next() is None


def test_a_signals_handler_wakes_it_too(pipe):
    arrivals, _ = pipe
    before = signal.signal(signal.SIGUSR1, lambda number, frame: arrivals.nudge())
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert arrivals.next() is None
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_cannot_be_read_is_an_error(tmp_path):
    with open(str(tmp_path / "file"), "wb") as file:
        arrivals = Arrivals(file)
        with pytest.raises(OSError):
            arrivals.next()
        dismiss(arrivals)


def test_what_is_set_not_to_wait_is_waited_for_all_the_same(pipe):
    arrivals, end = pipe
    os.set_blocking(arrivals._file.fileno(), False)
    assert arrivals.next(0.01) is None
    end.write(b"x")
    assert arrivals.rest(5) == b"x"
