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
TRY_LATER = Outcome(75, None, None, 1.5, None, None)
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
        "cancelled": lambda: lifecycle.cancel(pending(), NOW),
        "held": lambda: lifecycle.hold(pending(), NOW),
        "following": lambda: pending(after=["first", "second"]),
        "put back": lambda: finished(TRY_LATER),
        "given up": lambda: lifecycle.follow(pending(after=["first"]), "first", "dead", NOW),
    }[state]()


EVENTS = {
    "claim": lambda job: lifecycle.claim(job, "2.b", LATER),
    "exit 0": lambda job: finished(SUCCESS, job),
    "exit 3": lambda job: finished(FAILURE, job),
    "hand back": lambda job: lifecycle.hand_back(job, LATER),
    "retry": lambda job: lifecycle.retry(job, LATER),
    "exit 75": lambda job: finished(TRY_LATER, job),
    "exit 3, vain": lambda job: finished(FAILURE, job, POLICY._replace(no_retry_exit_codes=(2, 3))),
    "cancel": lambda job: lifecycle.cancel(job, LATER),
    "hold": lambda job: lifecycle.hold(job, LATER),
    "release": lambda job: lifecycle.release(job, LATER),
    "edit": lambda job: lifecycle.edit(job, {"priority": 7}, LATER),
    "expire": lambda job: lifecycle.expire(job._replace(expires_at=clock.moment(NOW)), LATER),
    "first dies": lambda job: lifecycle.follow(job, "first", "dead", LATER),
    "first is cancelled": lambda job: lifecycle.follow(job, "first", "cancelled", LATER),
    "first is removed": lambda job: lifecycle.follow(job, "first", "removed", LATER),
    "first is retried": lambda job: lifecycle.revive(job, ["first"], LATER),
}

# Further conditions, and the state they are in.
WHILE = {"held": "pending", "following": "pending", "put back": "pending", "given up": "dead"}

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
    ("processing", "exit 75", "pending"),
    ("processing", "exit 3, vain", "dead"),
    ("pending", "cancel", "cancelled"),
    ("held", "cancel", "cancelled"),
    ("processing", "cancel", "cancelled"),
    ("failed", "cancel", "cancelled"),
    ("dead", "cancel", NotDone),
    ("completed", "cancel", NotDone),
    ("cancelled", "cancel", NotDone),
    ("pending", "hold", "pending"),
    ("failed", "hold", "failed"),
    ("held", "hold", NotDone),
    ("processing", "hold", NotDone),
    ("dead", "hold", NotDone),
    ("completed", "hold", NotDone),
    ("cancelled", "hold", NotDone),
    ("held", "release", "pending"),
    ("pending", "release", NotDone),
    ("processing", "release", NotDone),
    ("pending", "edit", "pending"),
    ("failed", "edit", "failed"),
    ("dead", "edit", "dead"),
    ("completed", "edit", "completed"),
    ("processing", "edit", NotDone),
    ("pending", "expire", "dead"),
    ("following", "first dies", "dead"),
    ("following", "first is cancelled", "dead"),
    ("following", "first is removed", "dead"),
    ("given up", "first is retried", "pending"),
    ("given up", "retry", "pending"),
]


@pytest.mark.parametrize("state, event, result", TABLE)
def test_what_an_event_makes_of_a_job(state, event, result):
    job = in_state(state)
    assert job.state == WHILE.get(state, state)
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
                 "stderr_size"):
        assert getattr(job, name) is None, name
    # Whoever ends this attempt is to know which files to remove.
    assert job.stdout_file == job.stderr_file == "output/nightly.1.out"
    for ended in (lifecycle.finish(job, FAILURE, LATER, POLICY, None), lifecycle.hand_back(job, LATER), lifecycle.cancel(job, LATER)):
        assert ended.stdout_file is None and ended.stderr_file is None


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


# --- exit codes that say more than "failed"


def tried(job, outcome, policy=POLICY):
    return finished(outcome, lifecycle.claim(job, "1.a", NOW), policy)


def test_a_job_that_asks_to_be_tried_later_loses_no_attempt_and_waits_longer_each_time():
    job = pending(max_retries=0)
    waits = []
    for _ in range(5):
        job = tried(job, TRY_LATER)
        waits.append(record.due(job) - LATER)
        assert (job.state, job.attempts, job.exit_code) == ("pending", 0, 75)
    assert waits == [2000, 4000, 8000, 16000, 32000]
    assert job.put_backs == 5
    assert job.history[-1] == {"at": clock.moment(LATER), "state": "pending", "exit_code": 75, "delay": 32, "note": "put back"}


def test_the_wait_of_a_job_put_back_for_ever_is_bounded():
    job = pending()
    for _ in range(2000):
        job = tried(job, TRY_LATER)
    assert record.due(job) - LATER == 3600 * 1000
    assert len(job.history) <= history.LONGEST


def test_failures_and_put_backs_add_up_in_the_wait_and_an_attempt_that_counts_ends_the_count():
    job = tried(tried(pending(), FAILURE), TRY_LATER)
    assert (job.state, job.attempts, job.put_backs, record.due(job)) == ("pending", 1, 1, LATER + 4000)
    job = tried(job, FAILURE)
    assert (job.state, job.attempts, job.put_backs, record.due(job)) == ("failed", 2, None, LATER + 4000)


def test_a_job_put_back_keeps_what_its_attempt_left():
    output = Output("not now\n", 8, None)
    job = finished(TRY_LATER._replace(stdout=output, progress="waiting for the lock"))
    assert (job.stdout, job.duration, job.progress) == ("not now\n", 1.5, "waiting for the lock")


@pytest.mark.parametrize("codes, outcome, state", [
    ((), FAILURE, "failed"), ((3,), FAILURE, "dead"), ((2, 126), FAILURE, "failed"), ((3,), SIGNALLED, "failed"),
    ((75,), TRY_LATER, "dead"), ((3,), FAILURE._replace(error="timed out after 3 s"), "failed"),
    ((), TRY_LATER._replace(error="timed out after 3 s"), "failed"),
])
def test_only_a_listed_exit_code_of_its_own_sends_a_job_to_the_dlq_at_once(codes, outcome, state):
    job = finished(outcome, policy=POLICY._replace(no_retry_exit_codes=codes))
    assert (job.state, job.attempts) == (state, 1)
    assert job.history[-1].get("note") == ("no retry after this exit code" if state == "dead" else None)


# --- what is done to a job from outside


def test_a_cancelled_job_waits_for_nothing_any_more():
    job = lifecycle.cancel(in_state("following")._replace(held=True, next_run_at=clock.moment(LATER)), LATER)
    assert (job.waits_for, job.held, job.next_run_at, job.finished_at) == (None, None, None, clock.moment(LATER))
    assert "note" not in job.history[-1]
    assert lifecycle.cancel(claimed(), LATER).history[-1]["note"] == "while it ran"


def test_a_job_cancelled_while_it_ran_is_left_what_that_very_attempt_had_said():
    said = FAILURE._replace(exit_code=None, error="taken away", stdout=Output("half", 4, None), progress="50%")
    job = lifecycle.leave(lifecycle.cancel(claimed(), NOW), claimed(), said, LATER)
    assert (job.state, job.error, job.exit_code, job.stdout, job.duration, job.progress) == (
        "cancelled", None, None, "half", 1.5, "50%")
    assert (job.finished_at, job.history[-1]["at"]) == (clock.moment(LATER), clock.moment(NOW))
    again = lifecycle.retry(lifecycle.cancel(claimed(), NOW), NOW)
    for other in (claimed(), again, lifecycle.cancel(again, NOW), lifecycle.cancel(lifecycle.claim(again, "2.b", NOW), NOW)):
        with pytest.raises(NotDone):
            lifecycle.leave(other, claimed(), said, LATER)


def test_a_held_job_is_never_due_until_it_is_released():
    for state in ("pending", "failed"):
        job = lifecycle.hold(in_state(state), LATER)
        assert record.due(job) is None and job.history[-1]["note"] == "held"
        assert lifecycle.waiting_reason(job, LATER) == "it is held"
        released = lifecycle.release(job, LATER)
        assert record.due(released) == record.due(in_state(state)) and released.history[-1]["note"] == "released"


def test_an_edit_tells_what_was_changed_and_changes_nothing_else():
    job = lifecycle.edit(pending(), {"queue": "mail", "priority": -3}, LATER)
    assert (job.queue, job.priority, job.command) == ("mail", -3, "true")
    assert job.history[-1]["note"] == "edited: priority, queue"
    with pytest.raises(NotDone, match="already"):
        lifecycle.edit(job, {"queue": "mail"}, LATER)


def test_an_edited_moment_is_the_one_that_counts():
    soon = clock.moment(LATER + 60000)
    for state in ("pending", "failed", "put back"):
        assert record.due(lifecycle.edit(in_state(state), {"run_at": soon}, LATER)) == LATER + 60000
    delayed = pending(run_at=soon)
    assert record.due(lifecycle.edit(delayed, {"run_at": None}, LATER)) == 0
    assert record.due(lifecycle.edit(in_state("failed")._replace(run_at=soon), {"run_at": None}, LATER)) == 0


def test_a_job_expires_only_if_no_attempt_of_it_has_counted():
    moment = clock.moment(LATER)
    expiring = pending(expires_at=moment)
    assert not lifecycle.is_expired(expiring, LATER - 1) and lifecycle.is_expired(expiring, LATER)
    assert not lifecycle.is_expired(pending(), LATER)
    assert not lifecycle.is_expired(claimed(expiring), LATER)
    failed = finished(FAILURE, claimed(expiring))
    assert not lifecycle.is_expired(failed, LATER)
    assert not lifecycle.is_expired(tried(failed, TRY_LATER), LATER)
    assert lifecycle.is_expired(finished(TRY_LATER, claimed(expiring)), LATER)
    assert lifecycle.is_expired(lifecycle.hand_back(claimed(expiring), LATER), LATER)


@pytest.mark.parametrize("state, error", [("pending", "expired: it was not started by "), ("put back", "expired: it was put back beyond ")])
def test_an_expired_job_is_dead_and_says_why(state, error):
    job = lifecycle.expire(in_state(state)._replace(expires_at=clock.moment(NOW)), LATER)
    assert (job.state, job.attempts, job.exit_code) == ("dead", 0, None)
    assert job.error == job.history[-1]["error"] == error + clock.moment(NOW)
    assert record.due(job) is None
    # Retried, it would be gone again at once.
    assert record.due(lifecycle.retry(job, LATER)) == 0 and not lifecycle.is_expired(lifecycle.retry(job, LATER), LATER)


def test_a_job_is_ready_when_all_it_comes_after_have_completed():
    job = in_state("following")
    assert record.due(job) is None
    assert lifecycle.waiting_reason(job, LATER) == "waits for first and second to complete"
    job = lifecycle.follow(job, "first", "completed", LATER)
    assert job.waits_for == ["second"] and record.due(job) is None
    job = lifecycle.follow(job, "second", "completed", LATER)
    assert job.waits_for is None and record.due(job) == 0
    assert job.after == ["first", "second"]


def test_a_job_is_given_up_with_the_reason_when_one_it_comes_after_will_not_complete():
    for state, fate in (("dead", "is dead"), ("cancelled", "was cancelled"), ("removed", "was removed")):
        job = lifecycle.follow(in_state("following"), "second", state, LATER)
        assert job.error == "it comes after second, which " + fate
        assert (job.attempts, record.due(job)) == (0, None)


def test_nothing_follows_from_others_or_for_a_job_that_does_not_wait():
    assert lifecycle.follow(in_state("following"), "third", "dead", LATER) is None
    assert lifecycle.follow(in_state("following"), "first", "failed", LATER) is None
    for state in ("pending", "processing", "completed", "dead", "given up"):
        assert lifecycle.follow(in_state(state), "first", "dead", LATER) is None


def test_a_job_given_up_because_of_another_waits_for_it_again_when_that_is_retried():
    job = lifecycle.revive(in_state("given up"), ["first"], LATER)
    assert (job.state, job.waits_for, job.attempts, record.due(job)) == ("pending", ["first"], 0, None)
    assert lifecycle.waiting_reason(job, LATER) == "waits for first to complete"


def test_a_retry_ends_the_count_of_put_backs_and_waits_for_what_has_not_completed():
    assert lifecycle.retry(finished(TRY_LATER)._replace(state="cancelled"), LATER).put_backs is None
    assert lifecycle.retry(in_state("given up"), LATER).waits_for is None
    assert lifecycle.retry(in_state("given up"), LATER, ["first"]).waits_for == ["first"]


@pytest.mark.parametrize("ids, named", [
    (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), (["a", "b", "c", "d", "e"], "a, b and 3 others"),
])
def test_those_it_waits_for_are_named(ids, named):
    assert lifecycle.waiting_reason(pending(after=ids), LATER) == "waits for %s to complete" % named


def test_why_a_put_back_or_expired_job_waits():
    assert lifecycle.waiting_reason(in_state("put back"), LATER) == "was put back (exit 75) and waits 2 s"
    assert lifecycle.waiting_reason(in_state("put back"), LATER + 2000) is None
    assert "it expired" in lifecycle.waiting_reason(pending(expires_at=clock.moment(NOW)), LATER)
