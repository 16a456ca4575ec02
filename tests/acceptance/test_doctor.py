"""`doctor` after real kills: what they left is found, `--repair` sees to it, and a second one finds nothing."""

import json
import os
import signal

import pytest

from support import is_running, send, wait_until

# Of the machine that the tests run on, whatever it is.
MACHINE = ("file system", "room", "limits", "sync")


def found(queue, *words):
    """{subject: [level]} of a report; its exit code fits the worst of them."""
    result = queue.run("doctor", "--json", *words, code=None)
    told = json.loads(result.out)
    levels = {one["level"] for one in told}
    assert result.code == (3 if "fault" in levels else 1 if "warning" in levels else 0), result.err
    of = {}
    for one in told:
        of.setdefault(one["subject"], []).append(one["level"])
    return of


def serious(told):
    return {subject for subject, levels in told.items() if subject not in MACHINE and {"fault", "warning"} & set(levels)}


def assert_mended(queue):
    """One repair is enough: after it all is well, and a second one has nothing to do."""
    first = found(queue, "--repair")
    assert "repaired" in sum(first.values(), []) and serious(first) == set()
    assert "Repaired  nothing\n" in queue.run("doctor", "--repair", code=None).out
    return {subject for subject, levels in first.items() if "repaired" in levels}


def kill_all(queue, count=1):
    queue.wait_for_workers(count)
    # Stopped first: workers that see it gone leave in good order, and take the lines of the dead along.
    for kind, signum in (("supervisor", signal.SIGSTOP), ("worker", signal.SIGKILL), ("supervisor", signal.SIGKILL)):
        for pid in queue.pids(kind):
            send(pid, signum)
    wait_until(lambda: not queue.pids("worker") and not queue.pids("supervisor"), "they are dead")


@pytest.mark.short
def test_what_a_kill_of_all_workers_leaves_is_found_and_repaired(queue):
    queue.run("config", "set", "kill_grace", "200ms")
    queue.run("config", "set", "on_dead", "cat > told; echo hook")
    id = queue.enqueue("--max-retries", "0", "trap '' TERM; sleep 1000 & echo $! > child; wait; sleep 1000")
    queue.start_workers(count=2)
    child = int(queue.wait_for_file("child"))
    assert serious(found(queue)) == set()
    kill_all(queue, count=2)
    assert is_running(child)
    told = found(queue)
    assert serious(told) == {"lost jobs"} and told["workers.pid"] == ["remark"]
    assert assert_mended(queue) == {"lost jobs", "workers.pid"}
    assert not is_running(child)
    job = queue.job(id)
    assert (job["state"], job["error"]) == ("dead", "worker lost")
    assert json.loads(queue.text("told"))["id"] == id


def test_what_a_worker_left_that_was_killed_as_it_ended_a_cancelled_job_is_ended(queue):
    queue.run("config", "set", "kill_grace", "1h")
    id = queue.enqueue("trap '' TERM; sleep 1000 & echo $! > child; while :; do wait; done")
    queue.start_workers(count=1)
    child = int(queue.wait_for_file("child"))
    queue.run("cancel", id)
    kill_all(queue)
    queue.run("config", "set", "kill_grace", "100ms")
    # The shell's child has had its TERM, the shell heeds none.
    assert serious(found(queue)) == {"processes"}
    assert assert_mended(queue) == {"processes", "workers.pid"}
    assert not is_running(child) and queue.job(id)["state"] == "cancelled"


def test_whatever_has_come_together_one_repair_is_enough_and_messages_that_name_it_are_right(queue):
    queue.run("config", "set", "kill_grace", "100ms")
    for id in ("a", "b", "c"):
        queue.enqueue("--id", id, "--hold", "true")
    queue.enqueue("--id", "runs", "echo x > there; sleep 1000")
    queue.start_workers(count=1)
    queue.wait_for_file("there")
    kill_all(queue)
    with open(queue.journal(), "rb") as file:
        queue.flip_bit(file.read().index(b'{"id":"b"') + 100)
    os.chmod(queue.store, 0o777)
    assert "chmod" in queue.run("enqueue", "true", code=3).err
    told = found(queue)
    assert serious(told) >= {"modes", queue.journal()}
    os.chmod(queue.store, 0o700)
    err = queue.run("list", code=3).err
    assert "queuectl doctor --repair" in err
    os.chmod(queue.store, 0o777)
    assert assert_mended(queue) == {"modes", queue.journal(), "lost jobs", "workers.pid"}
    queue.enqueue("--id", "new", "true")
    assert queue.states() == {"a": "pending", "b": "pending", "c": "pending", "runs": "failed", "new": "pending"}


def test_a_store_without_journal_is_repaired_and_paused(queue):
    queue.run("enqueue", "--file", "-", input='{"command": "true"}\n' * 1500)
    os.unlink(queue.journal())
    queue.run("list", code=3)
    assert assert_mended(queue) == {queue.journal()}
    queue.work()
    assert set(queue.states().values()) == {"pending"}
    queue.run("resume")


def test_it_is_in_nobodys_way(queue):
    """Workers that run, rolls and enqueues beside it: nothing is taken for damage or for left over, and nothing is lost."""
    queue.run("enqueue", "--file", "-", input='{"command": "seq 3000"}\n' * 60 + '{"command": "true"}\n' * 1500)
    workers = queue.start_workers("--drain-all", count=2)
    while workers.poll() is None:
        assert serious(found(queue, "--repair")) == set()
        assert queue.run("doctor", code=None).err == ""
        queue.enqueue("true")
    assert workers.wait() == 0
    queue.work()
    assert set(queue.states().values()) == {"completed"}
    assert len(os.listdir(os.path.join(queue.store, "output"))) == 60


def test_with_nowhere_to_look_it_says_where_a_store_would_be(queue):
    told = found(queue)
    assert serious(told) == set() and told["store"] == ["remark"]
    assert not os.path.exists(queue.store)
