"""What somebody at the terminal can do to jobs and queues: cancel, hold, edit, pause, and to many at once."""

import os
import signal
import subprocess

import pytest

from support import is_running, send, wait_until

# A tree that does not heed TERM: a shell, a child in its group, one in a session of its own.
STUBBORN = ("trap '' TERM; sleep 1000 & echo $! > child; "
            "setsid sh -c \"trap '' TERM; echo \\$\\$ > far; while :; do sleep 0.05; done\" & "
            "echo $$ > leader; while :; do sleep 0.05; done")


def started_tree(queue):
    """The pids of such a tree, once all of it runs."""
    return [int(queue.wait_for_file(name)) for name in ("leader", "child", "far")]


def quick_kills(queue):
    queue.run("config", "set", "kill_grace", "200ms")


def only_wake_ups_count(queue):
    """Nobody looks at the store by himself any more."""
    queue.run("config", "set", "poll_interval", "1h")


def wait_until_gone(pids):
    wait_until(lambda: not any(map(is_running, pids)), "the processes %s are gone" % pids)


# --- cancel

@pytest.mark.short
def test_a_cancelled_job_is_not_run_and_cannot_be_cancelled_twice(queue):
    queue.enqueue("--id", "a", "echo a >> ran")
    queue.enqueue("--id", "b", "echo b >> ran")
    assert queue.run("cancel", "a").out == "a\n"
    assert "nothing to cancel" in queue.run("cancel", "a", code=1).err
    queue.work()
    assert queue.text("ran") == "b\n"
    assert queue.states() == {"a": "cancelled", "b": "completed"}
    assert "queuectl retry a" in queue.run("show", "a").out


@pytest.mark.short
def test_cancel_ends_the_whole_tree_of_a_running_job(queue):
    quick_kills(queue)
    queue.start_workers(count=1)
    queue.enqueue("--id", "stubborn", STUBBORN)
    tree = started_tree(queue)
    done = queue.run("cancel", "--wait", "stubborn")
    assert done.out == "stubborn\n"
    assert not any(map(is_running, tree))
    job = queue.job("stubborn")
    assert (job["state"], job["attempts"]) == ("cancelled", 1)
    # The worker goes on.
    queue.wait_for_state(queue.enqueue("true"), "completed")
    assert queue.job("stubborn")["state"] == "cancelled"


def test_cancel_returns_when_the_state_is_written_and_says_so(queue):
    queue.run("config", "set", "kill_grace", "1s")
    queue.start_workers(count=1)
    id = queue.enqueue(STUBBORN)
    tree = started_tree(queue)
    assert "1 was running: its processes are being ended (TERM, and KILL after 1 s)" in queue.run("cancel", id).err
    assert queue.job(id)["state"] == "cancelled" and is_running(tree[0])
    assert "it was cancelled; its processes are still being ended" in queue.run("show", id).out
    assert "still being ended" in queue.run("cancel", id, code=1).err
    # Two runs at once would be the end of the promise.
    assert "still being ended" in queue.run("retry", id, code=1).err
    # Whoever wanted to wait can do so now.
    assert queue.run("cancel", "--wait", id).err == ""
    assert not any(map(is_running, tree))
    assert "nothing to cancel" in queue.run("cancel", "--wait", id, code=1).err
    queue.run("retry", id)


def test_cancel_ends_what_a_killed_worker_left(queue):
    quick_kills(queue)
    queue.start_workers(count=1)
    id = queue.enqueue(STUBBORN)
    tree = started_tree(queue)
    # The supervisor first, or it would start a new worker.
    for pid in queue.pids("supervisor") + queue.pids("worker"):
        send(pid, signal.SIGKILL)
    wait_until(lambda: not queue.pids("worker"), "the worker is dead")
    assert all(map(is_running, tree))
    queue.run("cancel", id)
    assert not any(map(is_running, tree))
    assert queue.job(id)["state"] == "cancelled"
    queue.work()
    assert queue.job(id)["attempts"] == 1


# --- hold, release, edit

def test_a_held_job_waits_until_it_is_released(queue):
    only_wake_ups_count(queue)
    queue.enqueue("--id", "a", "echo a >> ran")
    queue.run("hold", "a")
    assert "queuectl release a" in queue.run("show", "a").out
    assert " held " in queue.run("list").out
    queue.enqueue("--id", "b", "echo b >> ran")
    queue.start_workers(count=1)
    queue.wait_for_state("b", "completed")
    assert queue.job("a")["state"] == "pending"
    queue.run("release", "a")
    queue.wait_for_state("a", "completed")
    assert queue.text("ran") == "b\na\n"


def test_an_edited_job_runs_as_it_was_told_last(queue):
    only_wake_ups_count(queue)
    for id in "abc":
        queue.enqueue("--id", id, "echo %s >> ran" % id)
    queue.run("edit", "c", "--priority", "-1", "--command", "echo changed >> ran")
    queue.run("edit", "a", "--delay", "1h")
    queue.run("worker", "start", "--drain")
    assert queue.text("ran") == "changed\nb\n"
    queue.start_workers("--queue", "mail", count=1)
    queue.wait_for_workers(1)
    # Moved to where somebody sleeps.
    queue.run("edit", "a", "--queue", "mail", "--run-at", "1")
    queue.wait_for_state("a", "completed")
    assert "is running" in running_job_edited(queue)


def running_job_edited(queue):
    id = queue.enqueue("--queue", "mail", "echo x > begun; while [ ! -e go ]; do sleep 0.05; done")
    queue.wait_for_file("begun")
    error = queue.run("edit", id, "--priority", "3", code=1).err
    queue.write("go", "x")
    return error


# --- pause, resume

@pytest.mark.short
def test_a_paused_queue_starts_nothing_and_the_others_go_on(queue):
    only_wake_ups_count(queue)
    queue.run("pause", "mail", "--reason", "new server")
    mail = queue.enqueue("--queue", "mail", "true")
    queue.start_workers(count=1)
    queue.wait_for_state(queue.enqueue("true"), "completed")
    assert queue.job(mail)["state"] == "pending"
    assert "the queue mail is paused (new server): queuectl resume mail" in queue.run("show", mail).out
    assert " paused " in queue.run("list", "--state", "pending").out
    assert queue.run("pause", "mail", code=1).err == "queuectl: paused already: mail\n"
    assert "only these are paused: mail" in queue.run("resume", code=1).err
    queue.run("resume", "mail")
    queue.wait_for_state(mail, "completed")
    assert queue.run("resume", "mail", code=1).err == "queuectl: not paused: mail\n"


def test_a_pause_of_all_queues_ends_by_itself_when_its_time_is_over(queue):
    queue.run("pause", "--for", "1s")
    id = queue.enqueue("true")
    assert "all queues are paused for" in queue.run("show", id).out
    queue.start_workers(count=1)
    job = queue.wait_for_state(id, "completed")
    assert job["started_at"] > job["created_at"]
    assert "nothing is paused" in queue.run("resume", code=1).err


def test_a_pause_over_another_has_its_own_reason_or_none(queue):
    queue.run("pause", "mail", "--reason", "new server")
    id = queue.enqueue("--queue", "mail", "true")
    queue.run("pause", "mail", "--for", "1h")
    assert "the queue mail is paused for" in queue.run("show", id).out
    queue.run("pause", "mail", "--for", "1h", "--reason", "lunch")
    assert "(lunch) for" in queue.run("show", id).out
    # Once more without end, and without a word why.
    queue.run("pause", "mail")
    assert "the queue mail is paused: queuectl resume mail" in queue.run("show", id).out


def test_of_several_queues_those_that_cannot_be_paused_or_resumed_are_named(queue):
    queue.run("pause", "a")
    assert queue.run("pause", "a", "b", code=1).err == "queuectl: paused already: a\n"
    assert queue.run("resume", "a", "c", code=1).err == "queuectl: not paused: c\n"
    assert queue.run("pause", "a", "b", code=1).err == "queuectl: paused already: b\n"
    queue.run("pause")
    assert "all queues are: queuectl resume" in queue.run("resume", "c", code=1).err
    # Named twice is named.
    queue.run("pause", "d", "d")
    queue.run("resume", "d", "d")


def test_an_armed_queue_is_paused_by_a_job_that_dies_and_stays_armed(queue):
    queue.run("pause", "import", "--on-failure")
    assert "armed already" in queue.run("pause", "import", "--on-failure", code=1).err
    bad = queue.enqueue("--queue", "import", "--max-retries", 0, "false")
    good = queue.enqueue("--queue", "import", "true")
    queue.start_workers(count=1)
    queue.wait_for_state(bad, "dead")
    assert "is paused (job %s died)" % bad in queue.run("show", good).out
    queue.run("resume", "import")
    queue.wait_for_state(good, "completed")
    queue.run("dlq", "retry", bad)
    queue.wait_for_state(bad, "dead")
    queue.run("resume", "import")
    queue.run("resume", "import")
    assert "not paused" in queue.run("resume", "import", code=1).err


@pytest.mark.parametrize("words", [["--on-failure"], ["a", "--on-failure", "--for", "1m"], ["a", "--for", "x"], ["a b"]])
def test_a_pause_that_means_nothing_is_refused(queue, words):
    assert len(queue.run("pause", *words, code=2).err.splitlines()) == 1
    assert not os.path.exists(queue.store)


# --- many at once

@pytest.mark.short
def test_a_selection_wants_yes_where_no_terminal_can_ask(queue):
    queue.run("enqueue", "--queue", "mail", "--file", "-", input='{"command": "false"}\n' * 2500)
    queue.enqueue("--id", "other", "true")
    error = queue.run("cancel", "--queue", "mail", code=2).err
    assert "cancel 2,500 jobs?" in error and "--yes" in error
    assert len(queue.run("cancel", "--queue", "mail", "--yes").out.split()) == 2500
    assert len(queue.jobs("--state", "cancelled")) == 2500
    assert "nothing to cancel" in queue.run("cancel", "--queue", "mail", "--yes", code=1).err
    assert queue.job("other")["state"] == "pending"


def test_the_dead_come_back_by_what_they_said(queue):
    queue.run("config", "set", "max_retries", "0")
    for id, command in (("a", "false # disk"), ("b", "false # net"), ("c", "false # disk")):
        queue.enqueue("--id", id, command)
    queue.work()
    assert sorted(queue.run("dlq", "retry", "--search", "disk", "--yes").out.split()) == ["a", "c"]
    assert queue.states() == {"a": "pending", "b": "dead", "c": "pending"}
    assert queue.run("retry", "b", "nobody", code=1).out == "b\n"


# --- no overlap

@pytest.mark.short
def test_a_unique_job_is_not_enqueued_beside_its_like(queue):
    first = queue.enqueue("--unique", "sync.sh")
    again = queue.run("enqueue", "--unique", "sync.sh")
    assert again.out == first + "\n"
    assert again.err == "queuectl: nothing was enqueued: job %s with this command is waiting already\n" % first
    assert queue.enqueue("--unique", "--queue", "other", "sync.sh") != first
    assert queue.enqueue("sync.sh") != first
    queue.run("enqueue", "--unique", '[{"command": "a"}, {"command": "b"}]', code=2)
    queue.run("enqueue", "--unique", "--file", "-", input='{"command": "a"}', code=2)


def test_unique_and_if_absent_go_together(queue):
    queue.enqueue("--id", "nightly", "old.sh")
    assert queue.enqueue("--id", "nightly", "--if-absent", "--unique", "new.sh") == "nightly"
    assert "already there" in queue.run("enqueue", "--id", "nightly", "--unique", "new.sh", code=1).err
    assert queue.enqueue("--id", "hourly", "--if-absent", "--unique", "old.sh") == "nightly"
    assert queue.enqueue("--id", "hourly", "--if-absent", "--unique", "new.sh") == "hourly"


def test_of_many_crons_at_once_one_enqueues(queue):
    words = queue.program.words + ["enqueue", "--unique", "sync.sh"]
    crons = [subprocess.Popen(words, cwd=queue.directory, env=queue.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(8)]
    ids = {cron.communicate()[0] for cron in crons}
    assert len(ids) == 1 and len(queue.jobs()) == 1


def test_a_long_file_may_hold_what_is_there_already(queue):
    lines = ['{"id": "job-%d", "command": "true"}\n' % number for number in range(3000)]
    queue.run("enqueue", "--file", "-", input="".join(lines[1000:1100]))
    ids = queue.run("enqueue", "--file", "-", "--if-absent", input="".join(lines + lines[:5])).out.split()
    assert ids == ["job-%d" % number for number in range(3000)]
    assert len(queue.states()) == 3000
    bad = queue.run("enqueue", "--file", "-", "--if-absent", input="".join(lines).replace("job-", "new-") + "{", code=2)
    assert "nothing was enqueued" in bad.err and len(queue.states()) == 3000
