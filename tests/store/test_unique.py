"""Adding a job unless its command is waiting or running already, wherever in the store that one is."""

import os

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import store, unique
from tests.store.stores import ODD, SECOND, in_child, job, lines_of, many

BACKUP = "backup.sh /srv"


def add(here, command=BACKUP, **fields):
    """(id, whether it was added)"""
    found, added = unique.add(here.opened(), job(now=here.now, command=command, **fields))
    return found.id, added


def change(here, id, function):
    here.store.change([id], function)


def test_the_first_is_added_and_the_second_is_told_of_it(here):
    assert add(here, id="a") == ("a", True)
    assert add(here, id="b") == ("a", False)
    assert here.states() == {"a": "pending"}


def test_another_command_another_queue_and_a_longer_command_are_others(here):
    add(here, id="a")
    assert add(here, "backup.sh", id="b") == ("b", True)
    assert add(here, id="c", queue="nightly") == ("c", True)
    assert add(here, BACKUP + "/home", id="d") == ("d", True)
    assert add(here, id="e") == ("a", False)


def test_a_variable_of_that_name_is_no_command(here):
    here.add("a", command="true", env={"A": "1", "command": BACKUP})
    here.roll()
    here.add("b", command="true", env={"A": "1", "command": BACKUP})
    assert add(here, id="c") == ("c", True)


def test_a_running_one_and_one_that_waits_for_its_retry_count_but_no_ended_one(here):
    desk = here.worker()
    add(here, id="a")
    claimed = here.claim(desk)
    assert add(here) == ("a", False)
    here.roll()
    assert add(here) == ("a", False)
    here.finish(desk, claimed, lifecycle.Outcome(3, None, None, 0.1, None, None))
    assert here.find("a").state == "failed"
    assert add(here) == ("a", False)
    here.roll()
    assert add(here) == ("a", False)
    change(here, "a", lambda job: lifecycle.cancel(job, here.now))
    assert add(here, id="b") == ("b", True)
    here.roll()
    assert add(here, id="c") == ("b", False)


@pytest.mark.parametrize("fields", [{}, {"held": True}, {"run_at": 1895317000}])
def test_it_is_found_in_every_section_of_a_segment(here, fields):
    here.add(*["other-%d" % number for number in range(50)], command="true")
    here.add("a", command=BACKUP, **fields)
    here.roll()
    assert add(here) == ("a", False)


def test_what_the_journal_overrides_does_not_count(here):
    here.add("front", command="true")
    here.add("a", "z", command=BACKUP)
    here.roll()
    here.store.remove(["a"])
    assert add(here) == ("z", False)
    change(here, "z", lambda job: lifecycle.edit(job, {"command": "true"}, here.now))
    assert add(here, id="b") == ("b", True)
    here.store.remove(["b"])
    assert add(here, id="c") == ("c", True)
    change(here, "c", lambda job: lifecycle.edit(job, {"command": "true"}, here.now))
    assert add(here, id="d") == ("d", True)


def test_what_a_roll_calls_gone_does_not_count(here):
    here.bulk(list(many(20)) + [job("a", command=BACKUP)] + list(many(20, "other")))
    change(here, "a", lambda job: lifecycle.cancel(job, here.now))
    here.roll()
    assert any(b'{"gone":' in line for line in lines_of(here.journal))
    assert add(here, id="b") == ("b", True)


def test_an_edited_and_a_retried_one_count_from_then_on(here):
    here.add("a", command="true")
    change(here, "a", lambda job: lifecycle.edit(job, {"command": BACKUP}, here.now))
    assert add(here) == ("a", False)
    here.run("a")
    here.roll()
    assert add(here, id="b") == ("b", True)
    here.run("b")
    here.store.retry(["a"], here.now)
    assert add(here) == ("a", False)


def test_one_that_expired_waits_for_nothing_any_more(here):
    here.add("a", command=BACKUP, expires_at=(here.now + 5 * SECOND) / 1000)
    assert add(here) == ("a", False)
    here.pass_time(6)
    assert add(here, id="b") == ("b", True)


def test_odd_commands_are_found_by_their_bytes(here):
    here.add("a", command="echo " + ODD)
    assert add(here, "echo " + ODD) == ("a", False)
    here.roll()
    assert add(here, "echo " + ODD) == ("a", False)


def test_lines_longer_than_a_piece_that_is_read_are_found(here, monkeypatch):
    monkeypatch.setattr(unique, "_CHUNK", 100)
    here.add("a", "b", command="true")
    here.add("c", command=BACKUP)
    here.add("d", command="true")
    here.roll()
    assert add(here) == ("c", False)


def came_meanwhile(monkeypatch, here, *events):
    """Let things happen between the look without the lock and the lock, one after each look."""
    events = list(events)
    look = unique._Search.look

    def look_and_wait(self):
        found = look(self)
        if events:
            events.pop(0)()
        return found

    monkeypatch.setattr(unique._Search, "look", look_and_wait)


def test_one_that_comes_between_the_look_and_the_lock_is_seen(here, monkeypatch):
    came_meanwhile(monkeypatch, here, lambda: here.add("a", command=BACKUP))
    assert add(here, id="b") == ("a", False)
    assert here.ids() == ["a"]


def test_one_that_comes_and_is_rolled_away_is_seen(here, monkeypatch):
    came_meanwhile(monkeypatch, here, lambda: (here.add("a", command=BACKUP), here.roll()))
    assert add(here, id="b") == ("a", False)


def test_one_that_comes_in_a_big_batch_is_seen(here, monkeypatch):
    came_meanwhile(monkeypatch, here, lambda: here.bulk(list(many(3, "job")) + [job("a", command=BACKUP)]))
    assert add(here, id="b") == ("a", False)


def test_one_that_comes_and_ends_leaves_room(here, monkeypatch):
    came_meanwhile(monkeypatch, here, lambda: (here.add("a", command=BACKUP), here.run("a")), here.roll)
    assert add(here, id="b") == ("b", True)


def test_of_many_at_once_one_is_added(here):
    here.add("other")

    def add_some():
        one = store.open_store(here.root, write=True)
        for _ in range(20):
            unique.add(one, job(command=BACKUP))

    children = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            os._exit(in_child(add_some))
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert len(here.ids()) == 2
