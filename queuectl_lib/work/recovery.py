"""What becomes of jobs whose worker died: their processes are ended, the attempt counts as failed.

    kill -9 of a worker
      -> the kernel lets go of its slot's lock; its job is still `processing`
      -> any worker sees that (at its start, every two seconds, also while it
         runs a job of its own) and takes the slot's lock, under the store lock
      -> it ends what is left of the old process tree: TERM, grace, KILL
      -> only when nothing of it lives it records `worker lost`, and lets go

Whoever holds the slot's lock is the only one to recover its jobs, and nobody
runs a job in that slot meanwhile. Processes that cannot be ended (another
user's, in the kernel's hands) keep their job `processing`: late is better than
twice. So do those in another container while they hold the job's files: a worker
there sees them, and ends them.

Nothing here waits: step() does what can be done now, so a worker goes on
attending to its own job while another's processes use up their grace.
"""

import os
import random
import time
from collections import namedtuple

from queuectl_lib.job import lifecycle
from queuectl_lib.words import clock
from queuectl_lib.words.errors import StoreError, UnknownJob
from queuectl_lib.work import events, output, progress, slots, tree

_LOOK_SECONDS = 2.0
_STEP_SECONDS = 0.05
_PATIENCE_AFTER_KILL = 5.0


def lost(job, paths):
    """Whether this job is `processing` though its worker is dead. For readers: writes nothing."""
    if job.state != "processing":
        return False
    number, incarnation = slots.parts(job.worker)
    return not slots.lives(paths, number, incarnation)


def is_lost(store, job):
    """The same, looked at once more: the worker may have finished the job and left since it was read."""
    if not lost(job, store.paths):
        return False
    try:
        newest = store.find(job.id)
    except UnknownJob:
        return False
    return (newest.state, newest.worker, newest.attempts) == (job.state, job.worker, job.attempts)


class Recovery:
    """One worker's care for the jobs of dead ones."""

    def __init__(self, store, claims, slot, settings, voice, ended):
        """ended(job): called with each job whose attempt was recorded as lost."""
        self._store = store
        self._claims = claims
        self._settings = settings
        self._own = slot.number
        self._killed = slot.killed
        self._found = slot.found
        self._name = slot.name
        self._voice = voice
        self._ended = ended
        self._cases = []
        self._leavings = []
        # When tend() next has something to do (time.monotonic()).
        self.next = 0.0
        self._next_look = 0.0
        self._next_step = 0.0

    def tend(self, now, soon=0.0):
        """Look for lost jobs when it is time (or will be so soon), and go on with those found. Raises StoreError."""
        if now < self.next - soon:
            return
        try:
            if now >= self._next_look - soon:
                self._next_look = now + _LOOK_SECONDS
                # Who takes a slot recovers its former owner's job. Without this look thirty-two
                # busy workers would read through the journal for nothing, all day long.
                if not slots.all_held(self._store.paths):
                    self._find(now, lambda number: number != self._own)
            if (self._cases or self._leavings) and now >= self._next_step:
                self._step(now)
        finally:
            busy = self._cases or self._leavings
            self.next = min(self._next_look, self._next_step) if busy else self._next_look

    def clear_own_slot(self, wait):
        """Recover what the former owners of the own slot left, before it is used.

        wait(seconds) sleeps, and returns False when there is no time for this.
        Returns whether the slot is clear. Raises StoreError.
        """
        self._take_up(self._killed, time.monotonic())
        self._find(time.monotonic(), lambda number: number == self._own)
        while self._cases:
            if not self._step(time.monotonic()):
                return False
            if self._cases and not wait(_STEP_SECONDS):
                return False
        return True

    def close(self):
        """Let go of the slots of unfinished cases: the next worker goes on with them, but knows of no leavings."""
        for one in self._leavings:
            one.kill()
        self._leavings = []
        for case in self._cases:
            case.close()
        self._cases = []

    def _find(self, now, wanted):
        known = {(case.job.id, case.job.worker) for case in self._cases}
        for job in self._claims.running():
            number, _ = slots.parts(job.worker)
            if job.worker == self._name or (job.id, job.worker) in known or not wanted(number):
                continue
            if not lost(job, self._store.paths):
                continue
            taken = self._taken(number, now)
            if taken is not None:
                self._cases.append(_Case(self._store.paths, job, number, taken, now + self._settings.now().kill_grace))

    def _taken(self, number, now):
        """The slot as _Taken if it is in our hands, else None."""
        if number is None or number == self._own:
            return _Taken(None, self._found)
        if number in [case.number for case in self._cases]:
            # One at a time; the other is found again.
            return None
        with self._store.lock():
            fd = slots.seize(self._store.paths, number)
            if fd is None:
                return None
            killed = slots.killed(fd)
            # Under the lock, or the worker that comes in its place would find it alive, and leave.
            content = slots.forget(fd)
        self._take_up(killed, now)
        return _Taken(fd, content)

    def _take_up(self, worker, now):
        """Begin to end what a killed worker left beside its running job, and nobody else would end: see _Leaving."""
        if worker is None:
            return
        place = tree.place_of(self._store.root)
        for owner, job_id, attempt in tree.left_by(worker, place):
            is_hook = owner.startswith(tree.HOOK)
            if is_hook or self._was_being_ended(job_id, worker, attempt):
                self._voice.say("ending %s %s: its worker died" % ("a hook of" if is_hook else "cancelled job", job_id))
                claim = tree.claim_marker(owner, job_id, int(attempt), place)
                self._leavings.append(_Leaving(claim, now + self._settings.now().kill_grace))

    def _was_being_ended(self, job_id, worker, attempt):
        """Whether this attempt was cancelled as it ran. What one that ended by itself left is left alone."""
        try:
            job = self._store.find(job_id)
        except UnknownJob:
            return False
        return lifecycle.was_stopped(job) and (job.worker, str(job.attempts)) == (worker, attempt)

    def _step(self, now):
        """One step of every case; False when a case had to be given up for now."""
        self._next_step = now + _STEP_SECONDS
        self._leavings = [one for one in self._leavings if not one.ended(now)]
        given_up = False
        for case in list(self._cases):
            left = case.ended(now)
            if left is None:
                continue
            if left:
                self._voice.say_once("job %s stays processing: its worker died, and its processes cannot be ended (%s)"
                                     % (case.job.id, left))
                given_up = True
            else:
                self._settle(case)
            self._cases.remove(case)
            case.close()
        return not given_up

    def _settle(self, case):
        policy = self._settings.now().policy
        lost = lifecycle.WORKER_LOST._replace(progress=progress.of(case.job, self._store.paths))
        after = lifecycle.finish(case.job, lost, clock.now(), policy, random)
        try:
            if self._claims.holds(case.job):
                # Before it is recorded: a kill in between leaves a job that is found again.
                output.forget_lost(self._store.paths, case.job)
            if self._claims.settle(case.job, after):
                self._voice.say(events.ended(after))
                self._ended(after)
        except StoreError:
            # Found again at the next look; its processes are ended by now.
            self._cases.remove(case)
            case.close()
            raise


# A slot in our hands. fd: None where it is our own; content: of its file, as the dead worker left it.
_Taken = namedtuple("_Taken", ("fd", "content"))


class _Case:
    """One lost job, on its way from found to nothing-of-it-lives."""

    def __init__(self, paths, job, number, taken, kill_at):
        self.job = job
        self.number = number
        self._paths = paths
        self._taken = taken
        self._is_elsewhere = slots.was_elsewhere(taken.content)
        claim = tree.claim_marker(job.worker, job.id, job.attempts, tree.place_of(paths.root))
        leader = output.leader_of(self._paths, number, claim) if number else None
        self._tree = tree.Tree(leader, claim)
        self._kill_at = kill_at
        self._tree.ask()

    def ended(self, now):
        """'' when nothing of the job lives, None when that may yet come, else who stays."""
        left = self._tree.living()
        if not left:
            if not self.number or not output.held(self._paths, self.number):
                return ""
            if self._is_elsewhere:
                return "they run in another container"
            # Children that hid from their tree.
            left = output.holders(self._paths, self.number)
        if now < self._kill_at:
            return None
        tree.kill(left)
        if now < self._kill_at + _PATIENCE_AFTER_KILL:
            return None
        return "pid %s" % ", ".join(str(pid) for pid in sorted(left)) if left else "somebody holds their output"

    def close(self):
        if self._taken.fd is None:
            return
        if self._is_elsewhere:
            # Who was killed there, a worker there is to know.
            slots.remember(self._taken.fd, self._taken.content)
        os.close(self._taken.fd)
        self._taken = self._taken._replace(fd=None)


class _Leaving:
    """A hook of a killed worker, or a job that was cancelled as it ran: nothing is recorded of it, but it is not to run on."""

    def __init__(self, claim, kill_at):
        self._tree = tree.Tree(None, claim)
        self._kill_at = kill_at
        self._tree.ask()

    def ended(self, now):
        """Is nothing of it left, or all done that can be?"""
        if now >= self._kill_at:
            self.kill()
        return not self._tree.living() or now >= self._kill_at + _PATIENCE_AFTER_KILL

    def kill(self):
        self._tree.kill()
