"""Locks exclude, are let go of by whoever dies, and look alike on POSIX and Windows."""

import builtins
import errno
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import types

import pytest

from queuectl_lib.store import locking
from queuectl_lib.words.errors import StoreLocked
from tests.support import ROOT, wait_until


class Files:
    """Opens one file again and again: every descriptor its own, as several processes would have it."""

    def __init__(self, path):
        self.path = path
        self.opened = []

    def open(self):
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self.opened.append(fd)
        return fd

    def close(self):
        for fd in self.opened:
            try:
                os.close(fd)
            except OSError:
                # The test closed it itself.
                pass


@pytest.fixture
def files(tmp_path):
    made = Files(str(tmp_path / "lock"))
    yield made
    made.close()


class Msvcrt(types.ModuleType):
    """msvcrt.locking as Microsoft documents it, over the descriptors of one process.

    It locks a range from the file's current position on, which may lie behind
    the end of the file. LK_NBLCK fails at once, with EACCES or EDEADLK, where
    any part of it is locked, by the same process too. LK_UNLCK must name exactly
    a range that was locked through this descriptor.
    """

    LK_UNLCK, LK_LOCK, LK_NBLCK, LK_RLCK, LK_NBRLCK = range(5)

    def __init__(self, error=errno.EACCES):
        super().__init__("msvcrt")
        self.error = error
        self.ranges = {}

    def locking(self, fd, mode, count):
        start = os.lseek(fd, 0, os.SEEK_CUR)
        wanted = (os.fstat(fd).st_ino, start, start + count)
        if mode == self.LK_UNLCK:
            if self.ranges.get(wanted) != fd:
                raise OSError(errno.EACCES, "Permission denied")
            del self.ranges[wanted]
        elif mode != self.LK_NBLCK:
            raise AssertionError("this would wait for ten seconds and then fail")
        elif any(_overlap(wanted, held) for held in self.ranges):
            raise OSError(self.error, os.strerror(self.error))
        else:
            self.ranges[wanted] = fd

    def may_read(self, fd, start, end):
        """Locks are mandatory: nobody else may read what is locked."""
        return not any(_overlap((os.fstat(fd).st_ino, start, end), held) for held in self.ranges)


def _overlap(one, other):
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def on_windows(monkeypatch, msvcrt):
    """locking.py as it loads where there is no fcntl."""
    real_import = builtins.__import__

    def without_fcntl(name, *args, **named):
        if name == "fcntl":
            raise ImportError("No module named 'fcntl'")
        return real_import(name, *args, **named)
    monkeypatch.setattr(builtins, "__import__", without_fcntl)
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)
    spec = importlib.util.spec_from_file_location("locking_on_windows", locking.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(builtins, "__import__", real_import)
    assert module.fcntl is None
    return module


@pytest.fixture(params=["fcntl", "msvcrt"])
def side(request, monkeypatch):
    """The lock shim on POSIX and on Windows."""
    return locking if request.param == "fcntl" else on_windows(monkeypatch, Msvcrt())


def test_what_one_holds_another_does_not_get(side, files):
    one, other = files.open(), files.open()
    assert side.try_lock(one)
    assert not side.try_lock(other)
    assert not side.try_shared(other)
    side.unlock(one)
    assert side.try_lock(other)
    assert not side.try_lock(one)


def test_a_lock_can_be_taken_again_and_again(side, files):
    one = files.open()
    for _ in range(3):
        assert side.try_lock(one)
        side.unlock(one)


def test_locks_on_different_files_have_nothing_to_do_with_each_other(side, files, tmp_path):
    others = Files(str(tmp_path / "other"))
    assert side.try_lock(files.open())
    assert side.try_lock(others.open())
    others.close()


def test_a_lock_does_not_depend_on_where_the_file_was_read(side, files):
    one, other = files.open(), files.open()
    os.write(one, b"its owner writes into the file")
    assert side.try_lock(one)
    os.lseek(one, 3, os.SEEK_SET)
    os.lseek(other, 100, os.SEEK_SET)
    assert not side.try_lock(other)
    side.unlock(one)
    assert side.try_lock(other)


def test_who_waits_in_the_kernel_gets_it_when_it_is_let_go(files):
    one, other = files.open(), files.open()
    locking.try_lock(one)
    helper = threading.Timer(0.05, lambda: locking.unlock(one))
    helper.start()
    locking.lock(other, 30, files.path)
    helper.join()
    assert not locking.try_lock(one)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_who_tries_again_and_again_gets_it_when_it_is_let_go(side, files, monkeypatch):
    one, other = files.open(), files.open()
    side.try_lock(one)
    pauses = []
    monkeypatch.setattr(side, "_waited", side._try_again_and_again)
    monkeypatch.setattr(side.time, "sleep", lambda seconds: (pauses.append(seconds), len(pauses) == 5 and side.unlock(one)))
    side.lock(other, 30, files.path)
    assert len(pauses) == 5 and max(pauses) < 0.01
    assert not side.try_lock(one)


def test_who_has_waited_too_long_is_told_which_file_and_how_long(side, files):
    one, other = files.open(), files.open()
    side.try_lock(one)
    with pytest.raises(StoreLocked, match="%s has been locked for 0.01 s" % files.path):
        side.lock(other, 0.01, files.path)


def test_a_broken_descriptor_is_not_taken_for_a_held_lock(side, files):
    one = files.open()
    os.close(one)
    with pytest.raises(OSError):
        side.try_lock(one)
    with pytest.raises(OSError):
        side.try_shared(one)


def test_a_closed_descriptor_lets_go(files):
    one, other = files.open(), files.open()
    locking.try_lock(one)
    os.close(one)
    assert locking.try_lock(other)


def test_closing_another_descriptor_of_the_file_keeps_the_lock(files):
    one, other, third = files.open(), files.open(), files.open()
    locking.try_lock(one)
    os.close(other)
    assert not locking.try_lock(third)


def test_several_may_share_and_keep_an_owner_out(side, files):
    one, other, third = files.open(), files.open(), files.open()
    assert side.try_shared(one) and side.try_shared(other)
    assert not side.try_lock(third)
    side.unlock(one)
    assert not side.try_lock(third)
    side.unlock(other)
    assert side.try_lock(third) and not side.try_shared(one)


def test_a_child_that_inherited_a_lock_keeps_it(files):
    one, other = files.open(), files.open()
    locking.try_lock(one)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(one,))
    os.close(one)
    assert not locking.try_lock(other)
    child.communicate()
    assert locking.try_lock(other)


HOLD = ("import os, sys; from queuectl_lib.store import locking; fd = os.open(sys.argv[1], os.O_RDWR); "
        "print(locking.try_lock(fd), flush=True); sys.stdin.read()")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, None])
def test_another_process_holds_it_until_it_dies_however_that_is(files, ending):
    one = files.open()
    holder = subprocess.Popen([sys.executable, "-S", "-c", HOLD, files.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(os.environ, PYTHONPATH=ROOT))
    assert holder.stdout.readline() == b"True\n"
    assert not locking.try_lock(one)
    if ending is not None:
        holder.send_signal(ending)
    holder.communicate()
    assert locking.try_lock(one)


def test_a_stopped_process_keeps_it(files):
    one = files.open()
    holder = subprocess.Popen([sys.executable, "-S", "-c", HOLD, files.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(os.environ, PYTHONPATH=ROOT))
    assert holder.stdout.readline() == b"True\n"
    holder.send_signal(signal.SIGSTOP)
    assert not locking.try_lock(one)
    holder.kill()
    holder.communicate()
    wait_until(lambda: locking.try_lock(one), "the lock of a dead process is free")


@pytest.mark.parametrize("error", [errno.EACCES, errno.EDEADLK])
def test_either_error_of_windows_means_that_it_is_held(files, monkeypatch, error):
    side = on_windows(monkeypatch, Msvcrt(error))
    one, other = files.open(), files.open()
    assert side.try_lock(one)
    assert not side.try_lock(other)


def test_on_windows_the_file_can_be_read_and_written_while_it_is_locked(files, monkeypatch):
    msvcrt = Msvcrt()
    side = on_windows(monkeypatch, msvcrt)
    one, other = files.open(), files.open()
    side.try_lock(one)
    assert msvcrt.may_read(other, 0, 1 << 30)
    assert os.fstat(one).st_size == 0


def test_on_windows_another_error_is_not_taken_for_a_held_lock(files, monkeypatch):
    side = on_windows(monkeypatch, Msvcrt(errno.EINVAL))
    one, other = files.open(), files.open()
    side.try_lock(one)
    with pytest.raises(OSError):
        side.try_lock(other)


def test_the_stand_in_refuses_what_windows_refuses(files):
    msvcrt = Msvcrt()
    one = files.open()
    msvcrt.locking(one, msvcrt.LK_NBLCK, 1)
    os.lseek(one, 1, os.SEEK_SET)
    with pytest.raises(OSError):
        msvcrt.locking(one, msvcrt.LK_UNLCK, 1)
    os.lseek(one, 0, os.SEEK_SET)
    with pytest.raises(OSError):
        msvcrt.locking(one, msvcrt.LK_UNLCK, 2)
    msvcrt.locking(one, msvcrt.LK_UNLCK, 1)


def test_it_is_let_go_however_the_work_under_it_ends(side, files):
    one, other = files.open(), files.open()
    with pytest.raises(ZeroDivisionError):
        with side.Held(one, 1, files.path, None):
            assert not side.try_lock(other)
            1 / 0
    assert side.try_lock(other)


@pytest.mark.parametrize("let_go", [True, False])
def test_a_wait_leaves_no_alarm_behind(files, let_go):
    one, other = files.open(), files.open()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    locking.try_lock(one)
    helper = threading.Timer(0.05, lambda: let_go and locking.unlock(one))
    helper.start()
    try:
        locking.lock(other, 30 if let_go else 0.01, files.path)
    except StoreLocked:
        assert not let_go
    helper.join()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.signal(signal.SIGALRM, signal.SIG_DFL) == signal.SIG_IGN


def test_who_owns_the_alarm_waits_as_long_and_no_longer(files, monkeypatch):
    monkeypatch.setattr(locking, "_owns_alarm", False)
    before = signal.getsignal(signal.SIGALRM)
    one, other = files.open(), files.open()
    try:
        locking.own_alarm()
        locking.try_lock(one)
        for _ in range(2):
            with pytest.raises(StoreLocked):
                locking.lock(other, 0.02, files.path)
        handler = signal.getsignal(signal.SIGALRM)
        locking.unlock(one)
        locking.lock(other, 30, files.path)
        assert signal.getsignal(signal.SIGALRM) is handler and signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        # One that anybody sends while nobody waits is nothing to it.
        os.kill(os.getpid(), signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)
