"""What is sliced out of a line is what decoding it finds."""

import random

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import line, slices
from queuectl_lib.words.errors import StoreDamaged
from tests.store.stores import ODD, POLICY, SECOND, START, job

SAID = ["", "plain", ODD, '","history":[{"at":"x"}],"max_retries":9,"command":"no"', '","error":"', '{"at":', "z" * 5000]


def ended_at_random(rng):
    """(a job that ended, how it came to that) with every field that may stand in its line there or not."""
    text = lambda: rng.choice(SAID)
    fields = {"command": "c" + text().replace("\0", ""), "env": {"duration": text().replace("\0", "")}, "timeout": rng.choice([None, 0.5, 30]),
              "run_at": rng.choice([None, START / 1000 + 5]), "after": rng.choice([None, ["a", "b"]]),
              "expires_at": rng.choice([None, START / 1000 + 900]), "nice": rng.choice([None, 5]), "slots": rng.choice([None, 3]),
              "queue": rng.choice(["default", "mail"])}
    one = job("x", **{name: value for name, value in fields.items() if value is not None})._replace(order=1, waits_for=None)
    now = START + 9 * SECOND
    for _ in range(rng.choice([0, 0, 0, 1, 9])):
        one = lifecycle.claim(one, "1.a", now)
        one = lifecycle.finish(one, outcome(rng, 1), now, POLICY, random)
    if one.state not in lifecycle.ENDED:
        one = lifecycle.finish(lifecycle.claim(one, "1.a", now), outcome(rng, rng.choice([0, 0, 3])), now, POLICY, random)
    return one._replace(state="completed" if one.exit_code == 0 else "dead", max_retries=3)


def outcome(rng, code):
    output = lifecycle.Output(rng.choice(SAID), 9, rng.choice([None, "output/x.1.out"]))
    return lifecycle.Outcome(code, None, rng.choice([None, rng.choice(SAID)]) if code else None, rng.choice([None, 1e-05, 2, 0.25]), output, output,
                             rng.choice([None, rng.choice(SAID)]))


def sliced(one, **more):
    data = line.encode(one, ("processing", one.queue), **more)[:-1]
    return slices.ended(line.HEAD.match(data).groups(), data, "", 0)


@pytest.mark.parametrize("seed", range(200))
def test_what_statistics_need_is_what_decoding_finds(seed):
    one = ended_at_random(random.Random(seed))
    found = sliced(one, over=("00000001", 5, 6) if seed % 2 else None, telling=seed % 3 == 0, more=seed % 5 == 0)
    command = line.encode(one, None)[:-1].split(b',"command":"', 1)[1]
    assert command.startswith(found.command + b'","cwd":')
    assert (found.queue.decode(), found.state.decode(), found.attempts) == (one.queue, one.state, one.attempts)
    assert (found.updated_at.decode(), found.finished_at.decode()) == (one.updated_at, one.finished_at)
    assert found.duration == one.duration
    history = list(one.history)
    if one.after or len(history) >= 20:
        assert found.started is found.ready is None
    else:
        assert found.started.decode() == history[1]["at"]
        assert found.ready.decode() == max(one.created_at, one.run_at or "")


@pytest.mark.parametrize("change", [
    lambda one: lifecycle.release(lifecycle.hold(one, START), START),
    lambda one: lifecycle.edit(one, {"priority": 3}, START),
    lambda one: one._replace(after=["a"]),
])
def test_how_long_a_job_waited_for_its_turn_is_not_known_where_it_waited_for_more(change):
    ended = lambda one: sliced(lifecycle.finish(lifecycle.claim(one, "1.a", START), outcome(random, 0), START, POLICY, random))
    assert ended(job("x")._replace(order=1)).started is not None
    assert ended(change(job("x")._replace(order=1))).started is None


def test_a_job_that_was_retried_by_hand_has_lost_its_run_at_and_is_not_known():
    one = lifecycle.claim(job("x", run_at=START / 1000 + 5)._replace(order=1), "1.a", START)
    dead = lifecycle.finish(one._replace(max_retries=0), outcome(random, 3), START, POLICY, random)
    again = lifecycle.claim(lifecycle.retry(dead, START), "1.a", START)
    assert sliced(lifecycle.finish(again, outcome(random, 0), START, POLICY, random)).started is None


def test_a_history_that_has_lost_entries_does_not_pass_for_a_short_one():
    one = job("x")._replace(order=1)
    for _ in range(11):
        one = lifecycle.finish(lifecycle.claim(one, "1.a", START), outcome(random, 3), START, POLICY, random)
    edited = lifecycle.edit(one, {"priority": 3}, START)
    assert list(edited.history)[1]["state"] == "processing"
    assert sliced(edited).started is None


def test_a_job_that_died_without_an_attempt_has_neither_duration_nor_start():
    found = sliced(lifecycle.expire(job("x", expires_at=START / 1000)._replace(order=1), START))
    assert (found.attempts, found.duration, found.started) == (0, None, None)


def test_damage_is_not_counted():
    data = line.encode(job("x")._replace(order=1, state="completed"), None)[:-1].replace(b'"attempts":0', b'"attempts":7')
    with pytest.raises(StoreDamaged):
        slices.ended(line.HEAD.match(data).groups(), data, "jobs.jsonl", 4096)


def test_every_field_in_front_of_the_command_is_known():
    """A new one there has to be added to the patterns."""
    fields = record.Job._fields
    assert fields[fields.index("attempts"):fields.index("stdout")] == (
        "attempts", "next_run_at", "put_backs", "worker", "progress", "started_at", "finished_at", "updated_at",
        "exit_code", "signal", "error", "duration")
    assert fields[fields.index("max_retries"):fields.index("command")] == (
        "max_retries", "timeout", "run_at", "after", "held", "expires_at", "nice")


@pytest.mark.parametrize("seed", range(100))
def test_how_attempts_ended_is_what_the_story_tells(seed):
    one = ended_at_random(random.Random(seed))
    data = line.encode(one, ("processing", one.queue))[:-1]
    found = slices.attempts(line.HEAD.match(data).groups(), data, "", 0)
    told = list(one.history)
    endings = [(after["at"], after["state"]) for before, after in zip(told, told[1:])
               if before["state"] == "processing" and after["state"] in ("completed", "failed", "dead")]
    assert [(at.decode(), state.decode()) for at, state in found.endings] == endings
    assert found.updated_at.decode() == one.updated_at and endings


def test_what_ended_without_an_attempt_or_was_handed_back_is_no_ending_of_one():
    def endings(one):
        data = line.encode(one, None)[:-1]
        return slices.attempts(line.HEAD.match(data).groups(), data, "", 0).endings
    one = job("x", expires_at=START / 1000)._replace(order=1)
    assert endings(lifecycle.expire(one, START)) == []
    assert endings(lifecycle.hand_back(lifecycle.claim(one, "1.a", START), START)) == []


def test_damage_is_no_ending_of_an_attempt():
    data = line.encode(job("x")._replace(order=1), None)[:-1].replace(b'"attempts":0', b'"attempts":7')
    with pytest.raises(StoreDamaged):
        slices.attempts(line.HEAD.match(data).groups(), data, "jobs.jsonl", 4096)
