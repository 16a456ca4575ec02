"""The state machine: what may happen to a job in which state, and what becomes of it."""

import random

import pytest

from queuectl_lib.job import history, lifecycle, record
from queuectl_lib.job.lifecycle import Outcome, Output, Policy
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone

NOW = 1795317000123
LATER = NOW + 5000
POLICY = Policy(2, 3600, 0)

SUCCESS = Outcome(0, None, None, 1.5, None, None)
FAILURE = Outcome(3, None, None, 1.5, None, None)
SIGNALLED = Outcome(None, 9, None, 1.5, None, None)
TIMED_OUT = Outcome(0, None, "timed out after 3 s", 3.0, None, None)


def pending(max_retries=3, **fields):
    fields = dict({"command": "true", "max_retries": max_retries}, **fields)
    return record.create(fields, NOW, record.Defaults(cwd="/srv"), id="nightly")


def claimed(job=None):
    return lifecycle.claim(job or pending(), "1.a", NOW)


def finished(outcome, job=None, policy=POLICY):
    return lifecycle.finish(job or claimed(), outcome, LATER, policy, random)


def in_state(state):
    """A job that has come to a state in the ordinary way."""
    return {
        "pending": pending,
        "processing": claimed,
        "completed": lambda: finished(SUCCESS),
        "failed": lambda: finished(FAILURE),
        "dead": lambda: finished(FAILURE, claimed(pending(max_retries=0))),
        "cancelled": lambda: pending()._replace(state="cancelled"),
    }[state]()


EVENTS = {
    "claim": lambda job: lifecycle.claim(job, "2.b", LATER),
    "exit 0": lambda job: finished(SUCCESS, job),
    "exit 3": lambda job: finished(FAILURE, job),
    "hand back": lambda job: lifecycle.hand_back(job, LATER),
    "retry": lambda job: lifecycle.retry(job, LATER),
}

# Whoever claims, finishes or hands back has seen under the lock that the state allows it.
TABLE = [
    ("pending", "claim", "processing"),
    ("failed", "claim", "processing"),
    ("processing", "exit 0", "completed"),
    ("processing", "exit 3", "failed"),
    ("processing", "hand back", "pending"),
    ("pending", "retry", NotDone),
    ("processing", "retry", NotDone),
    ("failed", "retry", "pending"),
    ("dead", "retry", "pending"),
    ("completed", "retry", "pending"),
    ("cancelled", "retry", "pending"),
]


@pytest.mark.parametrize("state, event, result", TABLE)
def test_what_an_event_makes_of_a_job(state, event, result):
    job = in_state(state)
    assert job.state == state
    if result is NotDone:
        with pytest.raises(NotDone, match="nightly"):
            EVENTS[event](job)
        return
    after = EVENTS[event](job)
    assert after.state == result
    assert after.updated_at == clock.moment(LATER)
    assert after.history[-1]["state"] == result and after.history[-1]["at"] == clock.moment(LATER)


@pytest.mark.parametrize("state", record.STATES)
def test_every_state_can_be_reached_and_tells_when_it_is_due(state):
    due = record.due(in_state(state))
    assert due == {"pending": 0, "failed": LATER + 2000}.get(state)


def test_nothing_happens_to_the_job_that_was_given():
    job = pending()
    before = job._asdict()
    lifecycle.finish(lifecycle.claim(job, "1.a", NOW), FAILURE, LATER, POLICY, random)
    assert job._asdict() == before


def test_a_claim_says_whose_it_is_and_counts_the_attempt():
    job = claimed()
    assert (job.worker, job.attempts, job.started_at) == ("1.a", 1, clock.moment(NOW))
    assert job.history[-1]["worker"] == "1.a"


def test_a_claim_forgets_how_the_last_attempt_ended():
    output = Output("tail", 10 ** 6, "output/nightly.1.out")
    job = lifecycle.claim(finished(FAILURE._replace(stdout=output, stderr=output)), "2.b", LATER)
    for name in ("exit_code", "signal", "error", "duration", "finished_at", "next_run_at", "stdout", "stderr", "stdout_size",
                 "stderr_size", "stdout_file", "stderr_file"):
        assert getattr(job, name) is None, name


@pytest.mark.parametrize("outcome, state", [
    (SUCCESS, "completed"), (FAILURE, "failed"), (SIGNALLED, "failed"), (TIMED_OUT, "failed"), (lifecycle.WORKER_LOST, "failed"),
])
def test_only_exit_0_without_an_error_is_success(outcome, state):
    job = finished(outcome)
    assert job.state == state
    assert (job.exit_code, job.signal, job.error, job.duration) == outcome[:4]
    told = {name: getattr(outcome, name) for name in ("exit_code", "signal", "error") if getattr(outcome, name) is not None}
    assert {name: value for name, value in job.history[-1].items() if name in ("exit_code", "signal", "error")} == told


def test_n_retries_are_n_plus_one_attempts():
    job = pending(max_retries=3)
    states = []
    while job.state in ("pending", "failed"):
        job = finished(FAILURE, lifecycle.claim(job, "1.a", NOW))
        states.append(job.state)
    assert states == ["failed", "failed", "failed", "dead"]
    assert job.attempts == 4


def test_a_failed_job_waits_2_4_and_8_seconds():
    job = pending()
    waits = []
    for _ in range(3):
        job = finished(FAILURE, lifecycle.claim(job, "1.a", NOW))
        waits.append(record.due(job) - LATER)
    assert waits == [2000, 4000, 8000]
    assert [entry["delay"] for entry in job.history if "delay" in entry] == [2, 4, 8]


def test_a_retry_in_ten_thousand_years_is_due_at_the_last_moment_there_is():
    assert record.due(finished(FAILURE, policy=Policy(1000, 10 ** 12, 10 ** 12))) <= clock.LATEST


def test_a_dead_or_completed_job_is_never_due():
    assert in_state("dead").next_run_at is None
    assert in_state("completed").next_run_at is None


def test_handing_back_costs_no_attempt_and_leaves_the_place():
    job = lifecycle.hand_back(claimed(finished(FAILURE)._replace(order=4096)), LATER)
    assert (job.state, job.attempts, job.order) == ("pending", 1, 4096)
    assert record.due(job) == 0
    assert job.history[-1]["note"] == "handed back"


def test_a_job_handed_back_before_its_budget_is_up_has_it_all_still():
    job = pending(max_retries=0)
    for _ in range(5):
        job = lifecycle.hand_back(lifecycle.claim(job, "1.a", NOW), LATER)
    assert finished(SUCCESS, lifecycle.claim(job, "1.a", NOW)).attempts == 1


@pytest.mark.parametrize("state", ["failed", "dead", "completed", "cancelled"])
def test_a_retried_job_has_a_full_budget_and_is_ready_at_once(state):
    job = lifecycle.retry(in_state(state)._replace(run_at=clock.moment(LATER + 10 ** 6)), LATER)
    assert (job.attempts, record.due(job)) == (0, 0)


def test_a_retried_job_keeps_what_its_last_attempt_left():
    output = Output("tail", 10 ** 6, "output/nightly.1.out")
    job = lifecycle.retry(finished(FAILURE._replace(stdout=output)), LATER)
    assert (job.stdout, job.stdout_file, job.exit_code) == ("tail", "output/nightly.1.out", 3)


@pytest.mark.parametrize("output, kept", [
    (None, (None, None, None)),
    (Output("", 0, None), ("", None, None)),
    (Output("all of it", 9, None), ("all of it", None, None)),
    (Output("tail", 10 ** 6, "output/nightly.1.out"), ("tail", 10 ** 6, "output/nightly.1.out")),
])
def test_output_is_kept_whole_or_as_a_tail_with_its_file(output, kept):
    job = finished(SUCCESS._replace(stdout=output, stderr=output))
    assert (job.stdout, job.stdout_size, job.stdout_file) == kept
    assert (job.stderr, job.stderr_size, job.stderr_file) == kept


def test_the_history_is_bounded_and_keeps_its_first_entry_and_the_latest():
    job = pending(max_retries=100)
    for _ in range(50):
        job = finished(FAILURE, lifecycle.claim(job, "1.a", NOW))
        assert len(job.history) <= history.LONGEST
    assert len(job.history) == history.LONGEST
    assert job.history[0] == {"at": clock.moment(NOW), "state": "pending"}
    assert [entry["state"] for entry in job.history[1:]] == ["failed"] + ["processing", "failed"] * 9


@pytest.mark.parametrize("state, said", [
    ("pending", None), ("processing", None), ("completed", None), ("failed", "waits 2 s for retry 1 of 3"), ("dead", None),
    ("cancelled", None),
])
def test_the_reason_why_a_job_is_not_running(state, said):
    assert lifecycle.waiting_reason(in_state(state), LATER) == said


def test_a_delayed_job_says_how_long_it_waits_and_then_nothing():
    job = pending(run_at=(NOW + 200000) / 1000)
    assert lifecycle.waiting_reason(job, NOW) == "waits 3 min 20 s, until its run-at"
    assert lifecycle.waiting_reason(job, NOW + 200000) is None
    assert record.due(job) == NOW + 200000
