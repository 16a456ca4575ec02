"""One process uses a store from several threads, each of which opens it anew."""

import os
import sys
import threading
import time

import pytest

from queuectl_lib.job import identifiers
from queuectl_lib.store import disk, locking, paging, roll, roller, store
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreLocked
from tests.store.stores import Here, job


@pytest.fixture(autouse=True)
def hardly_any_peace():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(*functions):
    """Run functions in threads of their own, which begin together; what each returned, and the first thing any raised."""
    together = threading.Barrier(len(functions))
    results = [None] * len(functions)
    raised = []

    def run(number, function):
        together.wait()
        try:
            results[number] = function()
        except BaseException as error:
            raised.append(error)
    threads = [threading.Thread(target=run, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return results


def give_way_at_each_line(frame, event, argument):
    """For sys.settrace: some Pythons let another thread go on between any two lines, others only at a call."""
    time.sleep(0)
    return give_way_at_each_line


def test_each_moment_has_its_own_text():
    def texts(second):
        sys.settrace(give_way_at_each_line)
        return {clock.moment(1000 * second) for _ in range(300)}
    seconds = (100, 200, 300)
    found = at_once(*[lambda second=second: texts(second) for second in seconds])
    assert found == [{clock.moment(1000 * second)} for second in seconds]


def test_rollers_are_left_and_reaped_by_all(monkeypatch):
    """Of a child that one thread has reaped the number may be another child's by the time another one asks."""
    asked = []

    def ended(child):
        asked.append(child)
        time.sleep(0)
        return True
    monkeypatch.setattr(roller, "ended", ended)

    def leave(first):
        for child in range(first, first + 2000):
            roller.leave_alone(child)
    at_once(*[lambda first=first: leave(first) for first in range(0, 8000, 2000)])
    roller.leave_alone(None)
    assert sorted(asked) == list(range(8000))


def test_a_roller_inherits_the_lock_whatever_number_it_has_here(here, monkeypatch):
    """In a server that has many files open."""
    number = roller._LOCK_FD
    kept = os.dup(number) if is_open(number) else None
    open_private = disk.open_private

    def opened(path, flags, mine=False):
        fd = open_private(path, flags, mine)
        if path != here.store.paths.roll_lock or fd == number:
            return fd
        os.dup2(fd, number, inheritable=False)
        os.close(fd)
        return number
    monkeypatch.setattr(disk, "open_private", opened)
    # What it does with the lock of a parent that lets go of it: it holds it.
    monkeypatch.setattr(roller.program, "command", lambda: ["/bin/sh", "-c", "kill -STOP $$"])
    asked = []
    spawn = os.posix_spawn
    monkeypatch.setattr(os, "posix_spawn", lambda *words, **more: asked.append(more["file_actions"]) or spawn(*words, **more))
    pid = roller.start_roller(here.store.paths)
    try:
        source, target = asked[0][-1][1:]
        assert source == number != target
        os.waitpid(pid, os.WUNTRACED)
        monkeypatch.setattr(disk, "open_private", open_private)
        fd = disk.open_private(here.store.paths.roll_lock, os.O_RDWR)
        assert not locking.try_lock(fd)
        os.close(fd)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        if kept is not None:
            os.dup2(kept, number)
            os.close(kept)


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_made_up_ids_of_all_threads_are_different():
    def ids():
        return [next(identifiers.new_ids()) for _ in range(300)]
    found = sum(at_once(*[ids] * 4), [])
    assert len(set(found)) == len(found)


def test_threads_add_change_list_and_roll_without_harm(tmp_path):
    """One of them lists while the others write; nobody sees half of anything."""
    here = Here(str(tmp_path / "store"))
    prefixes = "abc"
    done = []

    def write(prefix):
        try:
            for number in range(60):
                one = store.open_store(here.root, write=True)
                one.add([job("%s-%d" % (prefix, number)), job("%s-%d-too" % (prefix, number))])
                one.change(["%s-%d" % (prefix, number)], lambda old: old._replace(state="cancelled"))
        finally:
            done.append(prefix)

    def turn():
        while len(done) < len(prefixes):
            roll.roll(store.open_store(here.root, write=True), needless=True)

    def look():
        while len(done) < len(prefixes):
            one = store.open_store(here.root)
            seen = [each.id for each in one.jobs()]
            assert len(set(seen)) == len(seen)
            page = paging.page(one, {"cancelled"}, limit=500)
            assert len(page.jobs) == page.total
    at_once(*[lambda prefix=prefix: write(prefix) for prefix in prefixes], turn, look, look)
    assert here.store.counts() == {"default": {"cancelled": 180, "pending": 180}}
    assert len(here.ids()) == 360


def test_a_thread_waits_for_the_lock_and_gives_up_like_anybody(here):
    """Without the alarm, which the main thread alone can have."""
    fds = [disk.open_private(here.store.paths.lock, os.O_RDWR) for _ in range(2)]
    try:
        locking.lock(fds[0], 1, "here")
        with pytest.raises(StoreLocked, match="there has been locked"):
            at_once(lambda: locking.lock(fds[1], 0.05, "there"))
        waited = threading.Thread(target=locking.lock, args=(fds[1], 60, "there"))
        waited.start()
        locking.unlock(fds[0])
        waited.join()
        assert not locking.try_lock(fds[0])
    finally:
        for fd in fds:
            os.close(fd)
