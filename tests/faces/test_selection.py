"""Changing many jobs at once: which are meant, who is asked, what is said of those that were not changed."""

import io
import json
import sys

import pytest

from queuectl_lib.faces import selection
from queuectl_lib.faces.cli import main
from queuectl_lib.job import lifecycle
from queuectl_lib.store import changing, spread
from queuectl_lib.store import store as stores


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs one command line in a directory of its own: (exit code, output words, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUEUECTL_STORE", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def command(*words):
        code = main.main(list(words))
        out, err = capsys.readouterr()
        return code, out.split(), err
    return command


@pytest.fixture
def stocked(run):
    """Jobs a, b (queue mail), c (held), d (dead), e (completed), f (failed)."""
    jobs = [{"id": "a", "command": "one"}, {"id": "b", "command": "two", "queue": "mail"},
            {"id": "c", "command": "three", "held": True}] + [{"id": id, "command": id} for id in "def"]
    run("enqueue", json.dumps(jobs))
    become("d", state="dead", attempts=4, error="No space left")
    become("e", state="completed", attempts=1)
    become("f", state="failed", attempts=1, next_run_at="2099-01-01T00:00:00.000Z")
    return run


def become(id, **fields):
    store().change([id], lambda job: job._replace(**fields))


def store():
    return stores.open_store(write=True)


def states():
    return {job.id: job.state for job in store().jobs()}


def held():
    return {job.id for job in store().jobs() if job.held}


def say(monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", Terminal(answer + "\n"))


def test_named_jobs_are_changed_without_a_question(stocked):
    assert stocked("hold", "a", "b") == (0, ["a", "b"], "")
    assert held() == {"a", "b", "c"}


def test_of_named_jobs_each_that_cannot_be_changed_is_named_and_the_others_are_changed(stocked):
    code, ids, err = stocked("hold", "a", "c", "nobody", "e", "b")
    assert (code, ids) == (1, ["a", "b"])
    assert [line.split()[0] for line in err.splitlines()] == ["queuectl:"] * 3
    assert all(text in err for text in ("c is held already", "id nobody", "e is completed"))


def test_nothing_changed_is_exit_code_1(stocked):
    assert stocked("hold", "c")[:2] == (1, [])
    code, ids, err = stocked("hold", "--queue", "video", "--yes")
    assert (code, ids, err) == (1, [], "queuectl: nothing to hold: no such job is there\n")


def test_a_selection_takes_what_can_be_changed_alone(stocked):
    assert stocked("hold", "--all", "--yes") == (0, ["a", "b", "f"], "")
    assert stocked("hold", "--state", "completed", "dead", "--yes")[0] == 1
    assert sorted(stocked("release", "--all", "--yes")[1]) == ["a", "b", "c", "f"]


@pytest.mark.parametrize("words, ids", [
    (["--state", "failed"], ["f"]),
    (["--state", "failed,pending", "--queue", "mail"], ["b"]),
    (["--search", "TWO"], ["b"]),
    (["--queue", "mail", "--search", "one"], []),
    (["--queue", "default"], ["a", "f"]),
])
def test_selections_by_state_queue_and_text(stocked, words, ids):
    assert stocked("hold", "--yes", *words)[1] == ids


def test_without_a_terminal_a_selection_wants_yes(stocked):
    code, ids, err = stocked("cancel", "--queue", "mail")
    assert (code, ids) == (2, []) and "cancel 1 job?" in err and "--yes" in err
    assert states()["b"] == "pending"


def test_on_a_terminal_the_count_is_shown_first(stocked, monkeypatch):
    say(monkeypatch, "n")
    code, ids, err = stocked("cancel", "--all")
    assert (code, ids) == (1, []) and err == "cancel 4 jobs? [y/N] queuectl: nothing was changed\n"
    say(monkeypatch, "y")
    assert sorted(stocked("cancel", "--all")[1]) == ["a", "b", "c", "f"]


@pytest.mark.parametrize("words, text", [
    (["hold"], "which jobs?"), (["hold", "a", "--all"], "not both"), (["hold", "--state", "pendin"], "pending"),
    (["edit", "a"], "what is to be changed?"), (["edit", "a", "--priority", "x"], "--priority: want a whole number"),
    (["edit", "a", "--queue", "a b"], "--queue: want letters"), (["edit", "a", "--timeout", "-"], "--timeout: "),
    (["edit", "a", "--delay", "1m", "--run-at", "2030-01-01"], "not both"),
    (["edit", "--queue", "mail", "--priority", "1"], "by --state, --from-queue, --search"),
    (["edit", "a", "--from-queue", "mail", "--priority", "1"], "(--state, --from-queue, --search"),
])
def test_what_means_nothing_is_bad_input(stocked, words, text):
    code, ids, err = stocked(*words)
    assert (code, ids) == (2, []) and text in err and len(err.splitlines()) == 1


def test_jobs_that_change_between_the_question_and_the_answer_are_passed_over(stocked, monkeypatch):
    class Slow(Terminal):
        def readline(self):
            store().change(["a"], lambda job: lifecycle.cancel(job, 1))
            store().remove(["f"])
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Slow())
    assert stocked("hold", "--all") == (0, ["b"], "hold 3 jobs? [y/N] ")


def test_when_all_have_changed_meanwhile_that_is_said(stocked, monkeypatch):
    class Slow(Terminal):
        def readline(self):
            store().change(["b"], lambda job: lifecycle.cancel(job, 1))
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Slow())
    code, ids, err = stocked("hold", "--queue", "mail")
    assert (code, ids) == (1, []) and "meanwhile" in err


def test_edit_changes_what_it_is_told(stocked):
    words = ["--priority", "-3", "--queue", "bulk", "--timeout", "5m", "--max-retries", "0", "--command", "new"]
    assert stocked("edit", "a", "d", *words)[1] == ["a", "d"]
    for id in ("a", "d"):
        job = store().find(id)
        assert (job.priority, job.queue, job.timeout, job.max_retries, job.command) == (-3, "bulk", 300, 0, "new")
    assert "that is what it is already" in stocked("edit", "a", "--priority", "-3")[2]
    assert stocked("edit", "--from-queue", "mail", "--queue", "bulk", "--yes")[1] == ["b"]
    assert stocked("edit", "f", "--run-at", "1")[0] == 0
    assert store().find("f").next_run_at == "1970-01-01T00:00:01.000Z"


def test_retry_selects_what_failed_unless_told_otherwise(stocked):
    assert sorted(stocked("retry", "--all", "--yes")[1]) == ["d", "f"]
    assert stocked("retry", "--state", "completed", "--yes")[1] == ["e"]


def test_the_dead_letter_queue_takes_selections_too(stocked):
    assert stocked("dlq", "retry", "--search", "cable", "--yes")[0] == 1
    assert stocked("dlq", "retry", "--search", "no space")[0] == 2
    assert stocked("dlq", "retry", "--all")[:2] == (0, ["d"])
    become("d", state="dead")
    assert stocked("dlq", "purge", "--queue", "default", "--yes")[1] == ["d"]
    assert "d" not in states()


@pytest.fixture
def chain(run):
    """w0 <- w1 <- … <- w9, in groups of 3."""
    jobs = [{"id": "w0", "command": "true"}]
    jobs += [{"id": "w%d" % number, "command": "true", "after": "w%d" % (number - 1)} for number in range(1, 10)]
    run("enqueue", json.dumps(jobs))
    return run


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(selection, "_GROUP", 3)
    monkeypatch.setattr(changing, "GROUP", 3)


def test_those_that_come_after_a_cancelled_one_die_and_that_is_said(chain):
    code, ids, err = chain("cancel", "w7")
    assert (code, ids) == (0, ["w7"])
    assert err == "queuectl: 2 jobs that come after them went to the dead letter queue\n"
    code, ids, err = chain("retry", "w7")
    assert ids == ["w7"] and err == "queuectl: 2 jobs that come after them came back with them\n"
    assert set(states().values()) == {"pending"}


def test_all_of_a_chain_are_cancelled_and_none_dies(chain, small_groups):
    code, ids, err = chain("cancel", "--all", "--yes")
    assert (code, len(ids), err) == (0, 10, "")
    assert set(states().values()) == {"cancelled"}


@pytest.mark.parametrize("most", [2, 1000])
def test_all_of_a_dead_chain_are_retried(chain, small_groups, monkeypatch, most):
    monkeypatch.setattr(spread, "MOST", most)
    chain("cancel", "w0")
    assert sorted(states().values()) == ["cancelled"] + ["dead"] * 9
    assert "retry that one" in chain("dlq", "retry", "w5")[2]
    chain("retry", "w0")
    assert set(states().values()) == {"pending"}
    become("w0", state="dead", attempts=4)
    store().change(["w%d" % number for number in range(1, 10)], lambda job: job._replace(state="dead", attempts=0))
    code, ids, err = chain("dlq", "retry", "--all")
    assert (code, sorted(ids)) == (0, ["w%d" % number for number in range(10)])
    assert err == ""
    assert set(states().values()) == {"pending"}


def test_all_of_a_cancelled_chain_are_retried_whatever_their_order(chain, small_groups):
    chain("cancel", "--all", "--yes")
    code, ids, err = chain("retry", "--state", "cancelled", "--yes")
    assert (code, sorted(ids), err) == (0, ["w%d" % number for number in range(10)], "")
    assert store().find("w5").waits_for == ["w4"]
