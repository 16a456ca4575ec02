"""Jobs that come after others: released, given up, brought back; one, ten thousand, in a chain, in journal and segments."""

import pytest

from queuectl_lib.job import lifecycle
from queuectl_lib.store import dependencies, spread
from queuectl_lib.store.journal import Journal
from queuectl_lib.store.snapshot import Snapshot
from queuectl_lib.words.errors import BadInput, NotDone, UnknownJob
from tests.store.stores import FAILURE, SUCCESS, in_child, job, kill_myself


@pytest.fixture(params=["journal", "segment", "bulk"])
def add(here, request):
    """Adds jobs {id: ids it comes after}: by one batch that stays in the journal, that is rolled, or that is a segment."""
    def add(graph, **fields):
        jobs = [job(id, here.now, **(dict(fields, after=after) if after else fields)) for id, after in graph.items()]
        if request.param == "bulk":
            here.bulk(jobs)
        else:
            here.store.add(jobs)
        if request.param == "segment":
            here.roll()
    return add


def waits(here, id):
    return here.find(id).waits_for


def fail_for_good(here, id):
    desk = here.worker("7.f")
    claimed = here.claim(desk)
    assert claimed.id == id
    assert here.finish(desk, claimed._replace(max_retries=0), FAILURE)


def test_a_job_runs_when_all_it_comes_after_have_completed(here, add):
    add({"c": ["a", "b"], "a": [], "b": []})
    assert waits(here, "c") == ["a", "b"]
    assert here.run_order() == ["a", "b", "c"]
    assert here.find("c").after == ["a", "b"] and waits(here, "c") is None


def test_it_takes_its_own_place_then(here, add):
    add({"first": ["root"], "root": []}, priority=5)
    here.add("other", priority=5)
    assert here.run_order() == ["root", "first", "other"]


def test_its_run_at_still_counts(here):
    here.add("a")
    here.add_in(60, "b", after=["a"])
    assert here.run_order() == ["a"]
    here.pass_time(60)
    assert here.run_order() == ["b"]


def test_what_has_completed_is_not_waited_for(here, add):
    here.add("done")
    here.run("done")
    add({"b": ["done"]})
    assert here.run_order() == ["b"]


def test_a_dead_one_takes_its_dependents_along_and_their_dependents(here, add):
    add({"a": [], "b": ["a"], "c": ["b"], "free": []}, max_retries=0)
    fail_for_good(here, "a")
    assert here.states() == {"a": "dead", "b": "dead", "c": "dead", "free": "pending"}
    assert here.find("b").error == "it comes after a, which is dead"
    assert here.find("c").error == "it comes after b, which is dead"


@pytest.mark.parametrize("change, word", [
    (lambda here: here.store.change(["a"], lambda job: lifecycle.cancel(job, here.now)), "was cancelled"),
    (lambda here: here.store.remove(["a"]), "was removed")])
def test_so_does_one_that_is_cancelled_or_removed(here, add, change, word):
    add({"a": [], "b": ["a"], "c": ["b"]})
    changed = change(here)
    assert [job.id for job in changed.followers] == ["b", "c"]
    assert here.find("b").error == "it comes after a, which " + word
    assert here.find("c").state == "dead"


def test_an_enqueued_job_that_comes_after_a_dead_one_is_dead_at_once(here, add):
    here.add("a", max_retries=0)
    fail_for_good(here, "a")
    add({"c": ["b"], "b": ["a"]})
    assert here.states() == {"a": "dead", "b": "dead", "c": "dead"}


def test_retrying_the_root_brings_all_of_them_back(here, add):
    add({"a": [], "b": ["a"], "c": ["b"]})
    fail_for_good(here, "a")
    changed = here.store.retry(["a"], here.now)
    assert [job.id for job in changed.jobs] == ["a"]
    assert [job.id for job in changed.followers] == ["b", "c"]
    assert waits(here, "c") == ["b"]
    assert here.run_order() == ["a", "b", "c"]


def test_one_of_them_alone_cannot_be_retried(here, add):
    add({"a": [], "b": ["a"]})
    fail_for_good(here, "a")
    with pytest.raises(NotDone, match="b comes after a, which is dead: retry that one"):
        here.store.retry(["b"], here.now)
    assert here.states() == {"a": "dead", "b": "dead"}


@pytest.mark.parametrize("ids", [["a", "b", "c"], ["c", "b", "a"]])
def test_retried_together_their_order_does_not_matter(here, add, ids):
    add({"a": [], "b": ["a"], "c": ["b"]})
    fail_for_good(here, "a")
    here.store.retry(ids, here.now)
    assert here.run_order() == ["a", "b", "c"]


def test_it_comes_back_only_with_the_last_of_those_it_died_of(here, add):
    add({"a": [], "b": [], "c": ["a", "b"]})
    here.store.change(["a", "b"], lambda job: lifecycle.cancel(job, here.now))
    assert here.store.retry(["a"], here.now).followers == []
    assert [job.id for job in here.store.retry(["b"], here.now).followers] == ["c"]
    assert waits(here, "c") == ["a", "b"]


def test_when_the_one_it_died_of_is_removed_it_can_be_retried(here, add):
    add({"a": [], "b": ["a"]})
    fail_for_good(here, "a")
    here.store.remove(["a"])
    here.store.retry(["b"], here.now)
    assert here.run_order() == ["b"]


def test_a_cancelled_one_waits_again_when_it_is_retried(here, add):
    add({"a": [], "b": ["a"]})
    here.store.change(["b"], lambda job: lifecycle.cancel(job, here.now))
    here.store.retry(["b"], here.now)
    assert waits(here, "b") == ["a"]


@pytest.mark.parametrize("ids", ["abc", "cba", "bac"])
def test_cancelled_ones_are_retried_together_in_any_order(here, ids):
    here.add("a")
    here.add("b", after=["a"])
    here.add("c", after=["b"])
    for id in "cba":
        here.store.change([id], lambda job: lifecycle.cancel(job, here.now))
    assert sorted(job.id for job in here.store.retry(list(ids), here.now).jobs) == ["a", "b", "c"]
    assert here.run_order() == ["a", "b", "c"]


def test_an_unknown_one_is_refused_and_nothing_is_stored(here, add):
    with pytest.raises(UnknownJob, match="job b is to come after nobody, and no job has that id"):
        add({"a": [], "b": ["nobody"]})
    assert here.states() == {}


@pytest.mark.parametrize("graph, circle", [
    ({"a": ["a"]}, "a -> a"),
    ({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"], "e": []}, "a -> b -> c -> a")])
def test_a_circle_is_refused_and_named(here, add, graph, circle):
    with pytest.raises(BadInput) as refused:
        add(graph)
    named = str(refused.value).partition(": ")[2].partition(";")[0].split(" -> ")
    assert sorted(set(named)) == sorted(set(circle.split(" -> "))) and named[0] == named[-1]
    assert all(before in graph[after] for before, after in zip(named, named[1:]))
    assert here.states() == {}


def test_what_many_come_after_is_looked_up_once(here, monkeypatch):
    roots = ["root-%d" % number for number in range(30)]
    here.add(*roots)
    looked_up = []
    find = Snapshot.find
    monkeypatch.setattr(Snapshot, "find", lambda look, id: looked_up.append(id) or find(look, id))
    here.store.add([job("leaf-%d" % number, after=roots) for number in range(30)])
    assert sorted(id for id in looked_up if id.startswith("root")) == sorted(roots)
    assert waits(here, "leaf-29") == roots


def test_in_order_puts_each_behind_those_it_comes_after():
    graph = {"d": ["b", "c"], "b": ["a"], "c": ["a", "x"], "a": ["x"]}
    found = dependencies.in_order(graph)
    assert sorted(found) == sorted(graph)
    assert all(found.index(other) < found.index(each) for each in graph for other in graph[each] if other in graph)


def test_a_held_one_is_released_by_its_parent_and_still_held(here):
    here.add("a")
    here.add("b", after=["a"], held=True)
    assert here.run_order() == ["a"]
    assert (here.find("b").waits_for, here.find("b").held) == (None, True)
    here.store.change(["b"], lambda job: lifecycle.release(job, here.now))
    assert here.run_order() == ["b"]


# Many at once

def test_a_jobs_id_is_grepped_in_its_own_lines_alone(here):
    from tests.store.stores import lines_of
    here.add("a")
    here.add("b", "c", after=["a"])
    here.run("a")
    here.add("d", after=["a", "b"])
    found = [line for line in lines_of(here.journal) if b'"a"' in line]
    assert [line[:len(b'{"id":"a"')] for line in found] == [b'{"id":"a"'] * 3


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(spread, "MOST", 3)


@pytest.mark.parametrize("count", [1, 3, 4, 10])
def test_a_fan_is_released_in_steps(here, add, small_steps, count):
    add(dict({"root": []}, **{"leaf-%d" % number: ["root"] for number in range(count)}))
    assert here.run_order() == ["root"] + ["leaf-%d" % number for number in range(count)]


@pytest.mark.parametrize("count", [1, 3, 4, 10])
def test_a_chain_dies_and_comes_back_in_steps(here, add, small_steps, count):
    add(dict({"0": []}, **{str(number): [str(number - 1)] for number in range(1, count + 1)}))
    here.store.change(["0"], lambda job: lifecycle.cancel(job, here.now))
    states = here.states()
    assert states.pop("0") == "cancelled" and set(states.values()) == {"dead"}
    assert len(here.store.retry(["0"], here.now).followers) == min(count, 3)
    assert here.run_order() == [str(number) for number in range(count + 1)]


@pytest.mark.parametrize("fate", [lambda here, ids: here.run(*ids), lambda here, ids: here.store.change(ids, lambda job: lifecycle.cancel(job, here.now))],
                         ids=["completed", "cancelled"])
def test_of_many_that_have_ended_a_batch_learns_in_few_steps(here, monkeypatch, fate):
    roots = ["root-%02d" % number for number in range(40)]
    here.add(*roots)
    fate(here, roots)
    steps = []
    append = Journal.append
    monkeypatch.setattr(Journal, "append", lambda live, data: steps.append(data) or append(live, data))
    here.bulk([job("leaf-%02d" % number, after=[root]) for number, root in enumerate(roots)])
    assert len(steps) == 2
    expected = {"pending"} if here.find(roots[0]).state == "completed" else {"dead"}
    assert {here.find("leaf-%02d" % number).state for number in range(40)} == expected
    assert not any(each.waits_for and each.state == "pending" for each in here.store.jobs())


def test_who_runs_a_job_by_hand_tells_the_rest_first(here, add, small_steps, monkeypatch):
    """It is back, and some of those that died of it have still to come back: its next line would not say so any more."""
    add(dict({"root": []}, **{"leaf-%d" % number: ["root"] for number in range(10)}))
    here.store.change(["root"], lambda job: lifecycle.cancel(job, here.now))
    with monkeypatch.context() as patch:
        # As if whoever retries it had been killed behind the first step.
        patch.setattr("queuectl_lib.store.changing.finish_telling", lambda store: set())
        here.store.retry(["root"], here.now)
    desk = here.worker()
    claimed = desk.claim("root", lambda job: job, here.now)
    assert here.finish(desk, claimed)
    assert len(here.run_order()) == 10


def test_a_roll_between_two_steps_changes_nothing(here, add, small_steps):
    add(dict({"root": []}, **{"leaf-%d" % number: ["root"] for number in range(10)}))
    desk = here.worker()
    claimed = here.claim(desk)
    done = lifecycle.finish(claimed, SUCCESS, here.now, lifecycle.Policy(2, 10, 0), None)
    # Only the first step of it: as if the worker had been killed behind it.
    desk._go_on = lambda job, now, take: job
    desk.exchange((claimed, done), False, here.now)
    assert len([1 for each in here.opened().jobs() if each.waits_for]) == 7
    here.roll()
    here.roll()
    assert len(here.run_order()) == 10
    assert list(here.store.look().untold()) == []


def test_a_command_that_is_killed_between_two_steps_leaves_the_rest_to_the_next(here, small_steps, monkeypatch):
    here.store.add([job("root")] + [job("leaf-%d" % number, after=["root"]) for number in range(10)])

    def cancel():
        monkeypatch.setattr("queuectl_lib.store.changing.finish_telling", kill_myself)
        here.opened().change(["root"], lambda job: lifecycle.cancel(job, here.now))

    assert in_child(cancel) == -9
    assert sorted(here.states().values()) == ["cancelled"] + ["dead"] * 3 + ["pending"] * 7
    here.add("next")
    assert here.run_order() == ["next"]
    assert sorted(here.states().values()) == ["cancelled", "completed"] + ["dead"] * 10


def test_an_index_that_is_lost_or_damaged_costs_time_and_nothing_else(here):
    import os
    here.bulk([job("root")] + [job("leaf-%d" % number, after=["root"]) for number in range(5)])
    (path,) = [os.path.join(here.store.paths.base, name) for name in os.listdir(here.store.paths.base) if name.endswith(".awaited")]
    here.flip(path, 20)
    assert len(list(here.store.look().dependents("root"))) == 5
    os.remove(path)
    assert len(here.run_order()) == 6


def test_what_was_awaited_survives_rolls_and_merges(here, monkeypatch):
    for number in range(12):
        here.add("root-%d" % number)
        here.add("leaf-%d" % number, after=["root-%d" % number])
        here.roll()
    assert sum(each.awaited for each in here.segments("base")) == 12
    assert len(here.segments("base")) < 12
    assert len(here.run_order()) == 24
    here.roll()
    assert here.segments("base") == []
    assert here.files("base") == []
