"""One job run here and now, by a worker that leaves after it, in the process of a command.

It takes a slot like any other, claims exactly this job, and records the attempt. A
Ctrl+C is this worker's, and means that the job is ended and handed back.

A job that was held stays so, also while it runs: whatever becomes of the attempt, or of
this process, no other worker takes the job before it is released.
"""

import multiprocessing
import time

from queuectl_lib.job import lifecycle
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import NotDone, UnknownJob
from queuectl_lib.work import duties, identity, pidfile, place, signals, wake, worker
from queuectl_lib.work.control import Control
from queuectl_lib.work.orphans import Orphans
from queuectl_lib.work.settings import Settings
from queuectl_lib.work.waiting import Waiter

# So often the output is looked at.
_SHOW_SECONDS = 0.05
# As of one that drains, which does not wait long for a store that cannot be used: somebody sits here.
_OPTIONS = worker.Options(drain=True)


def run(store, id, voice, watcher):
    """Run a job of this store; the job as it is after the attempt, None when it was taken away meanwhile.

    watcher: its begin(job) is called when it is claimed, show() again and again while it
    runs, end(job) after the attempt. Raises NotDone when it cannot be run, StoreError.
    """
    stores.load_all()
    # Orders come by this pipe from a supervisor; here nobody is at its other end.
    orders, other_end = multiprocessing.Pipe(duplex=False)
    control = _Control(Waiter(), orders)
    try:
        settings = Settings(store.paths, store.config, voice.say_once)
        me = identity.current()
        nobody = pidfile.Entry(kind=pidfile.SUPERVISOR, pid=me.pid, boot=me.boot, start=me.start)
        taken = place.take(store, _OPTIONS, control, settings, voice, nobody, Orphans())
        if taken is None:
            raise NotDone("told to stop before job %s was begun" % id)
        single = _Worker(store, taken, control, settings, voice, id, watcher)
        single.live()
        return single.after
    finally:
        control.waiter.close()
        other_end.close()


class _Control(Control):
    """Of who sits at the terminal: what stops a command means now."""

    def hear(self, woken):
        if set(signals.to_leave()).intersection(woken.signals):
            self.tell(pidfile.NOW)
        return super().hear(woken)


class _Worker(worker.Worker):
    """A worker for one job; `after`: the job after the attempt."""

    def __init__(self, store, taken, control, settings, voice, id, watcher):
        super().__init__(store, taken, _OPTIONS, control, settings, voice)
        self._duties = _Duties(taken, control, settings, voice, watcher.show)
        self._id = id
        self._watcher = watcher
        self._is_claimed = False
        self.after = None

    def _exchange(self, now):
        if self._is_claimed:
            return super()._exchange(now)
        self._is_claimed = True
        job = _claimed(self._store, self._claims, self._id, now)
        self._watcher.begin(job)
        return job

    def _run(self, job):
        super()._run(job)
        if self._done is not None:
            self.after = self._done[1]
            self._watcher.end(self.after)

    def _wait_out(self, error):
        if self._done is None:
            raise error
        return super()._wait_out(error)

    def _used_up(self):
        return self._is_claimed


class _Duties(duties.Duties):
    """A worker's, and showing what the command writes."""

    def __init__(self, taken, control, settings, voice, show):
        super().__init__(taken, control, settings, voice)
        self._show = show
        self._next_show = 0.0

    def due(self):
        rest = super().due()
        return rest if self.job is None else min(rest, self._next_show - time.monotonic())

    def attend(self, woken):
        if self.job is not None and time.monotonic() >= self._next_show:
            self._show()
            self._next_show = time.monotonic() + _SHOW_SECONDS
        return super().attend(woken)


def _claimed(store, claims, id, now):
    """The job, claimed; one that has ended is retried first."""
    job = store.find(id)
    if job.state not in lifecycle.ENDED:
        return claims.claim(id, _ready, now)
    # Held for this moment, so that no other worker takes it first.
    changed = store.change([id], lambda job: lifecycle.retry(_ready(job), now)._replace(held=True))
    wake.wake(store.paths, {job.queue for job in changed.followers})
    try:
        return claims.claim(id, lambda job: _ready(job)._replace(held=None), now)
    except Exception:
        store.change([id], lambda job: job._replace(held=None))
        raise


def _ready(job):
    """A job that may be claimed out of its turn: held or not, but waiting for no other."""
    if job is None:
        raise UnknownJob("the job was removed")
    if job.state == "processing":
        raise NotDone("job %s is running already: follow it with: queuectl logs -f %s" % (job.id, job.id))
    if job.waits_for:
        raise NotDone("job %s comes after %s, which has not completed: run that one first" % (job.id, job.waits_for[0]))
    return job
