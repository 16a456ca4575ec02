"""What may happen to a job: pure functions from (job, what happened, now) to a new job.

 enqueue -> pending --claim--> processing --exit 0--> completed
               ^                 |   |
               |                 |   +-- retries used up --> dead (the DLQ)
               |                 v                             |
               +- delay over - failed                          |
               +------------------- retry (attempts at 0) -----+

    state        comes here by                      leaves by
    pending      enqueue, retry, hand_back          claim
    processing   claim                              finish, hand_back
    failed       finish (retries left)              claim when due, retry
    dead         finish (no retries left)           retry, purge
    completed    finish (exit 0)                    retry, purge
    cancelled    cancel                             retry, purge

A failed job is claimed straight from `failed` once its moment has come:
nobody has to wake up to rename it to pending first.
"""

from collections import namedtuple

from queuectl_lib.job import record
from queuectl_lib.job.retry import delay
from queuectl_lib.words import clock
from queuectl_lib.words.errors import NotDone

FINISHED = ("completed", "cancelled")

Policy = namedtuple("Policy", ("backoff_base", "backoff_max", "backoff_jitter"))

# How an attempt ended. exit_code and signal exclude each other; error is one
# sentence where neither tells enough. stdout, stderr: Output or None.
Outcome = namedtuple("Outcome", ("exit_code", "signal", "error", "duration", "stdout", "stderr"))

# text: the whole output when file is None, else its tail; size: bytes in all.
Output = namedtuple("Output", ("text", "size", "file"))

WORKER_LOST = Outcome(None, None, "worker lost", None, None, None)


def claim(job, worker, now):
    """The job as taken by a worker ('SLOT.INCARNATION') to be run now (ms)."""
    text = clock.moment(now)
    return job._replace(
        state="processing", attempts=job.attempts + 1, worker=worker,
        started_at=text, updated_at=text, finished_at=None, next_run_at=None,
        exit_code=None, signal=None, error=None, duration=None,
        stdout=None, stderr=None, stdout_size=None, stderr_size=None, stdout_file=None, stderr_file=None,
        history=job.history.told(text, "processing", worker=worker))


def finish(job, outcome, now, policy, random):
    """The job after an attempt: completed, failed (to be tried again) or dead."""
    if outcome.exit_code == 0 and outcome.error is None:
        return _ended(job, "completed", outcome, now)
    if job.attempts > job.max_retries:
        return _ended(job, "dead", outcome, now)
    wait = round(delay(job.attempts, policy, random), 3)
    ended = _ended(job, "failed", outcome, now, wait)
    return ended._replace(next_run_at=clock.moment(min(now + int(wait * 1000), clock.LATEST)))


def _ended(job, state, outcome, now, wait=None):
    text = clock.moment(now)
    out_text, out_size, out_file = _kept(outcome.stdout)
    err_text, err_size, err_file = _kept(outcome.stderr)
    return job._replace(
        state=state, updated_at=text, finished_at=text,
        exit_code=outcome.exit_code, signal=outcome.signal, error=outcome.error, duration=outcome.duration,
        stdout=out_text, stdout_size=out_size, stdout_file=out_file,
        stderr=err_text, stderr_size=err_size, stderr_file=err_file,
        history=job.history.told(text, state, exit_code=outcome.exit_code, signal=outcome.signal,
                                 error=outcome.error, delay=wait))


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
        state="pending", attempts=job.attempts - 1, updated_at=text, started_at=None,
        history=job.history.told(text, "pending", note="handed back"))


def retry(job, now):
    """A job given a full budget again; raises NotDone where there is nothing to retry.

    Attempts start at 0: whoever retries has mended the cause, and a job left
    with one last attempt would go back to the DLQ at the first hiccup.
    """
    if job.state == "processing":
        raise NotDone("job %s is running: nothing to retry" % job.id)
    if job.state == "pending":
        raise NotDone("job %s is waiting to run already" % job.id)
    text = clock.moment(now)
    return job._replace(
        state="pending", attempts=0, updated_at=text, run_at=None, next_run_at=None,
        history=job.history.told(text, "pending", note="retried"))


def waiting_reason(job, now):
    """Why a job that has not ended is not running, as one sentence; None for one that is ready."""
    moment = record.due(job)
    if moment is None or moment <= now:
        return None
    seconds = clock.show_duration((moment - now) / 1000)
    if job.state == "failed":
        return "waits %s for retry %d of %d" % (seconds, job.attempts, job.max_retries)
    return "waits %s, until its run-at" % seconds

