"""What may happen to a job: pure functions from (job, what happened, now) to a new job.

 enqueue -> pending --claim--> processing --exit 0--> completed
               ^                 |   |
               |                 |   +-- retries used up --> dead (the DLQ)
               |                 v                             |
               +- delay over - failed                          |
               +------------------- retry (attempts at 0) -----+

    state        comes here by                               leaves by
    pending      enqueue, retry, hand_back, finish (75)      claim, cancel, expire, abandon
    processing   claim                                       finish, hand_back, cancel
    failed       finish (retries left)                       claim when due, retry, cancel
    dead         finish (no retries left), expire, abandon   retry, revive, purge
    completed    finish (exit 0)                             retry, purge
    cancelled    cancel                                      retry, purge

A failed job is claimed straight from `failed` once its moment has come:
nobody has to wake up to rename it to pending first.

A job that comes after others has those of them that have not completed in
`waits_for`. It leaves with each that completes (release_from); one that ends otherwise
takes the job to the DLQ (abandon), and brings it back when it is retried (revive).
"""

from collections import namedtuple

from queuectl_lib.job import record
from queuectl_lib.job.retry import delay
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone

WAITING = ("pending", "failed")
FINISHED = ("completed", "cancelled")
ENDED = FINISHED + ("dead",)
# What comes after a job in one of these cannot run.
LOST = ("dead", "cancelled", "removed")

# no_retry_exit_codes: numbers after which another attempt would be vain.
Policy = namedtuple("Policy", ("backoff_base", "backoff_max", "backoff_jitter", "no_retry_exit_codes"))
Policy.__new__.__defaults__ = ((),)

# In the history of a job that was cancelled as it ran.
WHILE_IT_RAN = "while it ran"

# EX_TEMPFAIL of sysexits.h: "try again later, it is not the job's fault".
TRY_LATER = 75

# How an attempt ended. exit_code and signal exclude each other; error is one
# sentence where neither tells enough. stdout, stderr: Output or None.
# progress: what the attempt last said of how far it was.
Outcome = namedtuple("Outcome", ("exit_code", "signal", "error", "duration", "stdout", "stderr", "progress"))
Outcome.__new__.__defaults__ = (None,)

# text: the whole output when file is None, else its tail; size: bytes in all.
Output = namedtuple("Output", ("text", "size", "file"))

WORKER_LOST = Outcome(None, None, "worker lost", None, None, None)


def claim(job, worker, now):
    """The job as taken by a worker ('SLOT.INCARNATION') to be run now (ms)."""
    text = clock.moment(now)
    # The files of the attempt before stay named, so that whoever ends this one knows what to remove.
    return job._replace(
        state="processing", attempts=job.attempts + 1, worker=worker, progress=None,
        started_at=text, updated_at=text, finished_at=None, next_run_at=None,
        exit_code=None, signal=None, error=None, duration=None,
        stdout=None, stderr=None, stdout_size=None, stderr_size=None,
        history=job.history.told(text, "processing", worker=worker))


def finish(job, outcome, now, policy, random):
    """The job after an attempt: completed, failed (to be tried again), dead, or put back as it was."""
    code = None if outcome.error is not None else outcome.exit_code
    if code == 0:
        return _ended(job, "completed", outcome, now)
    if code in policy.no_retry_exit_codes:
        return _ended(job, "dead", outcome, now, note="no retry after this exit code")
    if code == TRY_LATER:
        return _put_back(job, outcome, now, policy, random)
    if job.attempts > job.max_retries:
        return _ended(job, "dead", outcome, now)
    wait, moment = _later(job.attempts, now, policy, random)
    return _ended(job, "failed", outcome, now, wait)._replace(next_run_at=moment)


def _put_back(job, outcome, now, policy, random):
    """The attempt does not count, but the delay grows as if it did."""
    attempts = job.attempts - 1
    put_backs = (job.put_backs or 0) + 1
    wait, moment = _later(attempts + put_backs, now, policy, random)
    ended = _ended(job, "pending", outcome, now, wait, "put back")
    return ended._replace(attempts=attempts, put_backs=put_backs, next_run_at=moment)


def _later(attempts, now, policy, random):
    """(seconds, the moment's text) until the next attempt after so many."""
    wait = round(delay(attempts, policy, random), 3)
    return wait, clock.moment(min(now + int(wait * 1000), clock.LATEST))


def _ended(job, state, outcome, now, wait=None, note=None):
    text = clock.moment(now)
    out_text, out_size, out_file = _kept(outcome.stdout)
    err_text, err_size, err_file = _kept(outcome.stderr)
    return job._replace(
        state=state, updated_at=text, finished_at=text, put_backs=None, progress=outcome.progress,
        held=None if state in ENDED else job.held,
        exit_code=outcome.exit_code, signal=outcome.signal, error=outcome.error, duration=outcome.duration,
        stdout=out_text, stdout_size=out_size, stdout_file=out_file,
        stderr=err_text, stderr_size=err_size, stderr_file=err_file,
        history=job.history.told(text, state, exit_code=outcome.exit_code, signal=outcome.signal,
                                 error=outcome.error, delay=wait, note=note))


def _kept(output):
    if output is None:
        return None, None, None
    if output.file is None:
        return output.text, None, None
    return output.text, output.size, output.file


def hand_back(job, now):
    """A running job returned untouched by its fault: pending, and the attempt is not counted."""
    text = clock.moment(now)
    return job._replace(
        state="pending", attempts=job.attempts - 1, updated_at=text, started_at=None, stdout_file=None, stderr_file=None,
        history=job.history.told(text, "pending", note="handed back"))


def retry(job, now, waits_for=None):
    """A job given a full budget again; raises NotDone where there is nothing to retry.

    Attempts start at 0: whoever retries has mended the cause, and a job left
    with one last attempt would go back to the DLQ at the first hiccup.
    waits_for: those of its `after` that have not completed, None for none.
    """
    if job.state == "processing":
        raise NotDone("job %s is running: nothing to retry" % job.id)
    if job.state == "pending":
        raise NotDone("job %s is waiting to run already" % job.id)
    return _waiting_again(job, now, waits_for, "retried")


def _waiting_again(job, now, waits_for, note):
    text = clock.moment(now)
    return job._replace(
        state="pending", attempts=0, put_backs=None, updated_at=text, waits_for=waits_for,
        run_at=None, next_run_at=None, expires_at=None,
        history=job.history.told(text, "pending", note=note))


def cancel(job, now):
    """The job called off; raises NotDone for one that has ended."""
    if job.state in ENDED:
        raise NotDone("job %s is %s: there is nothing to cancel" % (job.id, job.state))
    text = clock.moment(now)
    if job.state == "processing":
        job = job._replace(stdout_file=None, stderr_file=None)
    return job._replace(
        state="cancelled", updated_at=text, finished_at=text, next_run_at=None, waits_for=None, held=None,
        history=job.history.told(text, "cancelled", note=WHILE_IT_RAN if job.state == "processing" else None))


def was_stopped(job):
    """Whether the job was cancelled as it ran."""
    return job.state == "cancelled" and job.history[-1].get("note") == WHILE_IT_RAN


def leave(job, claimed, outcome, now):
    """A job that was cancelled in this attempt, with what the attempt left; NotDone for any other."""
    if (job.state, job.worker, job.attempts, job.started_at) != (
            "cancelled", claimed.worker, claimed.attempts, claimed.started_at):
        raise NotDone("job %s is %s" % (job.id, job.state))
    return _ended(job, "cancelled", outcome, now)._replace(error=None, history=job.history)


def hold(job, now):
    """The job kept from running until it is released; NotDone where it cannot be."""
    if job.state not in WAITING:
        raise NotDone("job %s is %s: only one that waits can be held" % (job.id, job.state))
    if job.held:
        raise NotDone("job %s is held already" % job.id)
    return _noted(job._replace(held=True), now, "held")


def release(job, now):
    """A held job set free; NotDone for another one."""
    if job.held and job.state == "processing":
        # By hand, out of its turn. Its worker would not learn of this.
        raise NotDone("job %s is running: it can be released when the attempt is over" % job.id)
    if not job.held:
        raise NotDone("job %s is not held" % job.id)
    return _noted(job._replace(held=None), now, "released")


def edit(job, changes, now):
    """The job with other values of what a user gives; NotDone while it runs.

    changes: {field: value}, checked (checks.py): command, queue, priority, timeout, run_at, max_retries.
    """
    if job.state == "processing":
        raise NotDone("job %s is running: it can be edited when the attempt is over" % job.id)
    edited = job._replace(**changes)
    if edited == job:
        raise NotDone("job %s: that is what it is already" % job.id)
    if "run_at" in changes:
        # Of a job that waits for its retry, too, this is the moment that counts.
        edited = edited._replace(next_run_at=changes["run_at"] if job.state == "failed" else None)
    return _noted(edited, now, "edited: " + ", ".join(sorted(changes)))


def _noted(job, now, note):
    text = clock.moment(now)
    return job._replace(updated_at=text, history=job.history.told(text, job.state, note=note))


def is_expired(job, now):
    """Has the time passed in which a job had to be started? An attempt that was handed or put back is none."""
    return (job.expires_at is not None and job.state == "pending" and job.attempts == 0
            and clock.parse_moment(job.expires_at) <= now)


def expire(job, now):
    """A job whose time has passed: dead, without an attempt."""
    what = "was put back beyond" if job.put_backs else "was not started by"
    return _given_up(job, now, "expired: it %s %s" % (what, job.expires_at))


def follow(job, id, state, now):
    """What becomes of a job when one that it may come after is in another state (or 'removed'); None: nothing."""
    if job.state != "pending" or not job.waits_for or id not in job.waits_for:
        return None
    if state == "completed":
        return job._replace(waits_for=[other for other in job.waits_for if other != id] or None)
    if state in LOST:
        return _given_up(job, now, "it comes after %s, which %s" % (id, _FATES[state]))
    return None


_FATES = {"dead": "is dead", "cancelled": "was cancelled", "removed": "was removed"}


def revive(job, waits_for, now):
    """A job that was given up because of another one, now that that one is retried."""
    return _waiting_again(job, now, waits_for, "what it comes after is retried")


def _given_up(job, now, error):
    text = clock.moment(now)
    return job._replace(
        state="dead", updated_at=text, finished_at=text, next_run_at=None, held=None,
        exit_code=None, signal=None, error=error, duration=None,
        history=job.history.told(text, "dead", error=error))


def waiting_reason(job, now):
    """Why a job that has not ended is not running, as one sentence; None for one that is ready."""
    if job.state not in WAITING:
        return None
    if job.held:
        return "it is held"
    if job.waits_for:
        return "waits for %s to complete" % _named(job.waits_for)
    moment = record.due(job)
    if is_expired(job, now):
        return "it expired, and goes to the dead letter queue when its turn comes"
    if moment <= now:
        return None
    seconds = clock.show_duration((moment - now) / 1000)
    if job.state == "failed":
        return "waits %s for retry %d of %d" % (seconds, job.attempts, job.max_retries)
    if job.next_run_at:
        return "was put back (exit %d) and waits %s" % (TRY_LATER, seconds)
    return "waits %s, until its run-at" % seconds


def _named(ids):
    """'a', 'a and b', 'a, b and 3 others'."""
    if len(ids) > 3:
        return "%s, %s and %d others" % (ids[0], ids[1], len(ids) - 2)
    return " and ".join(filter(None, (", ".join(ids[:-1]), ids[-1])))
