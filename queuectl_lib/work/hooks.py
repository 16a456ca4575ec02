"""on_dead and on_complete: commands of the user's that a worker runs for jobs that ended, beside its own jobs.

    Hooks(store_root, settings, voice, orphans)
      .serve(worker)  whose they are, by name
      .ended(job)     this end of a job is recorded: its hook, if there is one, waits to be started
      .tend(now)      start what waits, see off what has ended, end what takes too long; never waits, never raises
      .next           when tend() has something to do though no child ended (time.monotonic())
      .busy           whether one runs or waits
      .see_off(control, duties)        the worker leaves: wait until all have ended

A hook changes nothing of the queue: what goes wrong with it is one line of the
worker's, no more. Few run at once and not many wait, so that neither slow hooks
nor thousands of deaths at a time hold up the worker or fill its memory. They are
in memory alone: of a worker that is killed they are lost, like what it printed, and
those that run are ended by who takes its slot (recovery.py): nobody else would.

What a hook needs to know comes as data: the job as a JSON document on its input, a
file without a name (a pipe would hold up the worker until it is read), and its
main fields in the environment. Nothing of a job is ever put into the command line.
It runs in the directory that holds the store, and prints where the worker prints.
"""

import json
import os
import time
from collections import deque, namedtuple

from queuectl_lib.job import record
from queuectl_lib.words import clock
from queuectl_lib.work import children, tree
from queuectl_lib.work.pidfile import NOW
from queuectl_lib.work.spawn import Spawner

AT_ONCE = 4
MOST_WAITING = 1000

# One variable may hold 128 KB; whoever wants all of a long command reads the document.
_LONGEST_VALUE = 4096
_FIELDS = ("id", "state", "queue", "command", "attempts", "exit_code", "signal", "error", "duration")

_LOOK_SECONDS = 1.0
_STEP_SECONDS = 0.05
_PATIENCE_AFTER_KILL = 5.0
_NEVER = float("inf")

_Wanted = namedtuple("_Wanted", ("name", "command", "job"))


class Hooks:
    """Those of one worker."""

    def __init__(self, store_root, settings, voice, orphans):
        self.next = _NEVER
        self._worker = self._place = ""
        self._root = store_root
        self._settings = settings
        self._voice = voice
        self._orphans = orphans
        self._spawner = None
        self._waiting = deque()
        self._running = []
        self._dropped = 0
        self._started = 0
        self._last_start = _NEVER

    @property
    def busy(self):
        return bool(self._waiting or self._running)

    def serve(self, worker):
        """Be those of the worker of this name: who comes in its place ends them when it is killed."""
        self._worker = worker
        self._place = tree.place_of(self._root)

    def ended(self, job):
        """To be called with each job whose end was recorded by this worker."""
        # Whoever has just set a hook and enqueues a job expects it to run.
        settings = self._settings.lately()
        if job.state == "dead" and settings.on_dead is not None:
            self._want(_Wanted("on_dead", settings.on_dead, job))
        elif job.state == "completed" and settings.on_complete is not None:
            self._want(_Wanted("on_complete", settings.on_complete, job))

    def _want(self, wanted):
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(wanted)
            self.next = 0.0
            return
        self._dropped += 1
        if self._dropped == 1:
            self._voice.say("hooks are too slow: %d wait, and %s of %s is not run, nor are the next"
                            % (MOST_WAITING, wanted.name, wanted.job.id))

    def tend(self, now):
        """Do what is due."""
        for one in list(self._running):
            how = one.look(now)
            if how is not None:
                self._running.remove(one)
                if how:
                    self._voice.say("%s: %s" % (one.title, how))
        if self._waiting and now >= self._last_start:
            self._drop_waiting()
        while self._waiting and len(self._running) < AT_ONCE:
            self._start(self._waiting.popleft(), now)
        if self._dropped and not self._waiting:
            self._voice.say("%d hooks were not run" % self._dropped)
            self._dropped = 0
        self.next = min([one.next_look(now) for one in self._running], default=_NEVER)

    def see_off(self, control, duties):
        """Until all have ended: what does not get its turn within a hook's time is dropped; told to stop now, all is ended.

        duties: of the worker that leaves; they call tend(), and go on meanwhile.
        """
        self._last_start = time.monotonic() + self._settings.current.hook_timeout
        while self.busy:
            if control.order == NOW or duties.gone:
                self.stop(time.monotonic())
            duties.attend(control.waiter.wait(max(0.0, duties.due())))

    def stop(self, now):
        """End those that run, start no other."""
        self._drop_waiting()
        for one in self._running:
            one.end(now, "stopped with its worker")
        self.next = min(self.next, now + _STEP_SECONDS)

    def _drop_waiting(self):
        self._dropped += len(self._waiting)
        self._waiting.clear()

    def _start(self, wanted, now):
        title = "hook %s of %s" % (wanted.name, wanted.job.id)
        self._started += 1
        claim = tree.claim_marker(tree.HOOK + self._worker, wanted.job.id, self._started, self._place)
        try:
            pid = self._spawned(wanted, claim)
        except (OSError, ValueError) as error:
            self._voice.say("%s: cannot be started: %s" % (title, getattr(error, "strerror", None) or error))
            return
        self._orphans.expect(pid)
        self._running.append(_Running(pid, title, claim, now, self._settings.current, self._orphans))

    def _spawned(self, wanted, claim):
        if self._spawner is None:
            self._spawner = Spawner({"QUEUECTL_STORE": self._root})
        environment = dict(_main_fields(wanted.job), QUEUECTL_HOOK=wanted.name)
        environment[tree.VARIABLE] = claim
        with _unnamed() as file:
            file.write(json.dumps(record.public(wanted.job)).encode("ascii") + b"\n")
            file.seek(0)
            return self._spawner.start(wanted.command, os.path.dirname(self._root), environment,
                                       (file.fileno(), 1, 2))


class _Running:
    """One hook that runs."""

    def __init__(self, pid, title, claim, now, settings, orphans):
        self.title = title
        self._pid = pid
        self._claim = claim
        self._orphans = orphans
        self._timeout = settings.hook_timeout
        self._grace = settings.kill_grace
        self._deadline = now + settings.hook_timeout
        self._kill_at = None
        self._tree = None
        self._why = ""

    def look(self, now):
        """None while it runs; then '', or what went wrong."""
        if self._tree is None:
            status = self._orphans.ended(self._pid)
            if status is not None:
                return _told(status)
            if now < self._deadline:
                return None
            self.end(now, "timed out after " + clock.show_duration(self._timeout))
        return self._ended(now)

    def next_look(self, now):
        """When to look again though nothing was heard of it."""
        if self._tree is not None:
            return now + _STEP_SECONDS
        # Its end may have come together with that of a job's command, and woken nobody.
        return min(self._deadline, now + _LOOK_SECONDS)

    def end(self, now, why):
        """Ask it to end, with all it started; look() sees to the rest."""
        if self._tree is None:
            self._tree = tree.Tree(self._pid, self._claim)
            self._kill_at = now + self._grace
            self._why = why
            self._tree.ask()

    def _ended(self, now):
        left = self._tree.living()
        if left and now >= self._kill_at:
            self._tree.kill()
        if left and now < self._kill_at + _PATIENCE_AFTER_KILL:
            return None
        self._orphans.ended(self._pid)
        if left:
            return "%s (could not be ended: process %s)" % (self._why, ", ".join(map(str, sorted(left))))
        return self._why


def _main_fields(job):
    """{variable: text}; empty for what there is not."""
    values = {name: getattr(job, name) for name in _FIELDS}
    return {"QUEUECTL_JOB_" + name.upper(): "" if value is None else str(value)[:_LONGEST_VALUE]
            for name, value in values.items()}


def _unnamed():
    """A new file that has no name, in memory where the system can do that: a disk may be full."""
    try:
        return os.fdopen(os.memfd_create("queuectl-hook"), "w+b")
    except (AttributeError, OSError):
        import tempfile
        return tempfile.TemporaryFile()


def _told(status):
    code, signum = children.told(status)
    if signum is not None:
        return "ended by signal %d" % signum
    return "exit %d" % code if code else ""
