"""A worker sleeps in one place and learns what woke it."""

import multiprocessing.connection
import os
import select
import signal
import subprocess
import time

import pytest

from queuectl_lib.work import children, waiting
from queuectl_lib.work.waiting import CHILD, NOTHING, Waiter

LONG = 60


@pytest.fixture(params=["poll", "select"])
def waiter(request, monkeypatch):
    if request.param == "select":
        monkeypatch.delattr(select, "poll")
    one = Waiter()
    yield one
    one.close()


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    if writer is not None:
        os.close(writer)


def test_it_wakes_when_a_child_ends(waiter):
    child = subprocess.Popen(["sleep", "0.05"])
    assert waiter.wait(LONG) == CHILD
    assert child.wait() == 0


def test_a_child_that_ended_before_the_sleep_still_ends_it(waiter):
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert waiter.wait(LONG) == CHILD
    child.wait()


def test_a_signal_it_heeds_comes_with_its_number(waiter):
    waiter.heed(signal.SIGUSR1, signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGTERM)
    woken = waiter.wait(LONG)
    assert sorted(woken.signals) == sorted([signal.SIGUSR1, signal.SIGTERM])
    assert not woken.child and not woken.fds


def test_a_signal_blocked_by_whoever_started_the_worker_is_heard(waiter):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    waiter.heed(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert waiter.wait(LONG).signals == (signal.SIGUSR1,)


def test_a_child_and_a_signal_at_once_are_told_apart(waiter):
    waiter.heed(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGCHLD)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert waiter.wait(LONG) == (True, (signal.SIGUSR1,), ())


def test_a_byte_on_a_watched_descriptor_wakes_until_it_is_read_or_forgotten(waiter, pipe):
    reader, writer = pipe
    waiter.watch(reader)
    os.write(writer, b"x")
    assert waiter.wait(LONG).fds == (reader,)
    assert waiter.wait(LONG).fds == (reader,)
    waiter.forget(reader)
    assert waiter.wait(0.01) == NOTHING


def test_the_end_of_a_watched_pipe_wakes(waiter):
    reader, writer = os.pipe()
    waiter.watch(reader)
    os.close(writer)
    assert waiter.wait(LONG).fds == (reader,)
    waiter.forget(reader)
    os.close(reader)


def test_time_is_up_at_last_and_never_early(waiter):
    begin = time.monotonic()
    assert waiter.wait(0.05) == NOTHING
    assert time.monotonic() - begin >= 0.05
    assert waiter.wait(0) == NOTHING
    assert waiter.wait(-1) == NOTHING


@pytest.mark.parametrize("seconds", [None, 1e12, float("inf")])
def test_a_sleep_without_or_with_a_far_limit_ends_when_something_happens(waiter, seconds):
    child = subprocess.Popen(["sleep", "0.05"])
    assert waiter.wait(seconds) == CHILD
    child.wait()


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="signals are not held here")
class TestHeld:
    """Who waits for a child keeps its signals back, and takes them from the kernel one by one."""

    @pytest.fixture(autouse=True)
    def held(self, waiter):
        waiter.heed(signal.SIGUSR1)
        waiter.hold()
        return waiter

    @pytest.fixture
    def quick(self):
        """A child that starts with no signal blocked, as the commands do."""
        return lambda command: os.posix_spawn("/bin/sh", ["sh", "-c", command], os.environ, setsigmask=())

    def test_a_childs_end_wakes(self, waiter, quick):
        pid = quick("sleep 0.05")
        assert waiter.wait_for_child(LONG) == CHILD
        assert os.waitpid(pid, os.WNOHANG)[0] == pid

    def test_a_child_that_ended_before_is_not_missed(self, waiter, quick):
        pid = quick("exit 0")
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert waiter.wait_for_child(LONG) == CHILD
        os.waitpid(pid, 0)

    def test_a_signal_is_handed_over_before_the_child(self, waiter, quick):
        pid = quick("kill -USR1 %d" % os.getpid())
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert waiter.wait_for_child(LONG) == (False, (signal.SIGUSR1,), ())
        assert waiter.wait_for_child(LONG) == CHILD
        os.waitpid(pid, 0)

    def test_time_is_up(self, waiter):
        assert waiter.wait_for_child(0.01) == NOTHING
        assert waiter.wait_for_child(-1) == NOTHING

    def test_what_came_while_nobody_waited_ends_the_next_sleep_of_either_kind(self, waiter):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert waiter.wait(LONG).signals == (signal.SIGUSR1,)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert waiter.wait_for_child(LONG).signals == (signal.SIGUSR1,)

    def test_between_two_sleeps_signals_wait(self, waiter):
        waiter.wait(0)
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    @pytest.mark.parametrize("kind", ["wait", "wait_for_child"])
    def test_what_came_just_before_they_were_kept_back_ends_the_next_sleep(self, kind):
        one = Waiter()
        one.heed(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        one.hold()
        assert getattr(one, kind)(LONG) == (False, (signal.SIGUSR1,), ())
        assert getattr(one, kind)(0) == NOTHING
        one.close()

    def test_nor_is_lost_what_comes_as_a_sleep_ends(self, waiter, monkeypatch):
        def ends(seconds):
            os.kill(os.getpid(), signal.SIGUSR1)
            return NOTHING
        with monkeypatch.context() as patch:
            patch.setattr(waiter, "_wait", ends)
            assert waiter.wait(0) == NOTHING
        assert waiter.wait_for_child(LONG) == (False, (signal.SIGUSR1,), ())

    def test_the_end_of_an_earlier_child_is_not_told_before_a_signal_and_told_all_the_same(self):
        one = Waiter()
        one.heed(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGCHLD)
        one.hold()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert one.wait_for_child(LONG) == (False, (signal.SIGUSR1,), ())
        assert one.wait(LONG) == CHILD
        one.close()

    def test_closing_lets_them_through_again(self):
        one = Waiter()
        one.hold()
        one.close()
        assert signal.SIGCHLD not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_closing_gives_the_signals_back(pipe):
    def handler(signum, frame):
        pass

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        one = waiting.Waiter()
        one.heed(signal.SIGUSR1)
        one.close()
        assert signal.getsignal(signal.SIGUSR1) is handler
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, before)


class Command:
    """A command of Windows: its handle is a pipe here, that ends with it."""

    def __init__(self):
        self._handle, self._end = os.pipe()
        self.pid = self._handle

    def end(self):
        os.close(self._end)


@pytest.fixture
def handles(monkeypatch):
    """The waiter of Windows; it waits for what multiprocessing can wait for, which here are descriptors."""
    monkeypatch.setattr(children, "_children", {})
    one = waiting._HandleWaiter()
    yield one
    one.close()


def test_of_a_command_that_ended_it_is_told_once(handles):
    commands = [Command(), Command()]
    for command in commands:
        children.keep(command, None)
    assert handles.wait(0) == NOTHING
    commands[0].end()
    assert handles.wait(LONG) == CHILD
    assert handles.wait(0) == NOTHING
    commands[1].end()
    assert handles.wait_for_child(LONG) == CHILD
    assert [handles.wait(0), children.running()] == [NOTHING, []]


def test_pipes_end_its_waits_until_they_are_forgotten(handles):
    reader, writer = multiprocessing.Pipe(duplex=False)
    handles.watch(reader)
    assert handles.wait(0) == NOTHING
    writer.send_bytes(b"drain")
    assert handles.wait(LONG).fds == handles.wait_for_child(LONG).fds == (reader.fileno(),)
    handles.forget(reader)
    assert handles.wait(0) == NOTHING


def test_signals_between_its_short_waits_are_all_told(handles):
    before = signal.getsignal(signal.SIGTERM)
    handles.heed(signal.SIGTERM, signal.SIGINT)
    handles.heed(signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert sorted(handles.wait(LONG).signals) == sorted([signal.SIGTERM, signal.SIGINT])
    assert handles.wait(0) == NOTHING
    handles.close()
    assert signal.getsignal(signal.SIGTERM) == before


def test_it_waits_for_more_handles_than_windows_does_at_once(handles, monkeypatch):
    asked = []
    wait = multiprocessing.connection.wait
    monkeypatch.setattr("multiprocessing.connection.wait", lambda objects, seconds: asked.append(len(objects)) or wait(objects, seconds))
    commands = [Command() for _ in range(130)]
    for command in commands:
        handles.watch(command.pid)
    assert handles.wait(0) == NOTHING
    commands[-1].end()
    assert handles.wait(LONG).fds == (commands[-1].pid,)
    assert max(asked) < 64
