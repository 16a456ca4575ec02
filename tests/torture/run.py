"""Carrying out a plan in one store, and bringing the store to rest afterwards."""

import json
import os
import signal
import time
from collections import Counter

import actors
import support
import victims
from plan import FLAKY, Plan, Strike

_MOST_CREWS = 8
_LARGEST_BACKLOG = 24 * 1024 * 1024
_MOST_AT_ONCE = 12
_WORKING = ("crew", "ensure")
_FROM_FILES = ("few", "long", "bulk")
# Those whose lives are measured first: a kill is to come at a random moment of a life, whatever the machine.
_MEASURED = ("single", "few", "long", "bulk", "edit", "read", "purge", "roll", "ensure", "stop")
_ROUNDS = 5
_LONGEST_STANDSTILL = 60
_SETTINGS = (("max_retries", "100000"), ("backoff_base", "1"), ("backoff_max", "10ms"), ("kill_grace", "100ms"))
# Whatever keeps jobs from running. A queue that is armed is first resumed, then disarmed.
_LOOSENING = (("resume",), ("resume", "side"), ("resume", FLAKY), ("resume", FLAKY), ("release", "--all", "--yes"),
              ("dlq", "retry", "--all"))
_UNTIL_ABANDONED = 100


class Run:
    """One seed's plan in one store.

    actors: every Actor there was, those that brought the store to rest included.
    """

    def __init__(self, seed, top, launcher):
        self.top = top
        self.store = os.path.join(top, "store")
        self.actors = []
        self.kills = Counter()
        # The pids that were killed, but for actors'.
        self.struck = set()
        self.rested = None
        self._plan = Plan(seed)
        self._launcher = launcher
        self._alive = []
        self._deaths = {}
        self._lives = {}
        self._work = os.path.join(os.path.dirname(os.path.abspath(__file__)), "job.sh")
        os.mkdir(os.path.join(top, "failed"))
        self._crew_log = os.open(os.path.join(top, "crew.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._acts_log = open(os.path.join(top, "acts.log"), "w")
        actors.load_all()

    # --- playing

    def play(self, seconds):
        """Set the store up, and carry out as much of the plan as there is time for."""
        for key, value in _SETTINGS:
            self.command("config", "set", key, value)
        self._measure()
        begin = time.monotonic()
        for act in self._plan.acts():
            self._attend_until(begin + act.at)
            while len([actor for actor in self._alive if actor.act.role not in _WORKING]) > _MOST_AT_ONCE:
                self._attend_until(time.monotonic() + 0.01)
            if time.monotonic() > begin + seconds:
                break
            if isinstance(act, Strike):
                self._strike(act)
            elif not self._is_too_much(act):
                self._start(act)

    def _is_too_much(self, act):
        """Whether a machine that is busy otherwise would never get done with it."""
        if act.role == "crew":
            return len([actor for actor in self._alive if actor.act.role == "crew"]) >= _MOST_CREWS
        if act.role not in ("long", "bulk"):
            return False
        base = os.path.join(self.store, "base")
        return sum(_size(os.path.join(base, name)) for name in os.listdir(base)) > _LARGEST_BACKLOG

    def _measure(self):
        for role in _MEASURED:
            lives = []
            for _ in range(1 if role in ("long", "bulk") else 3):
                actor = self._to_its_end(self._plan.sample(role))
                lives.append(actor.end - actor.begin)
            self._lives[role] = min(lives)
        fresh = self._to_its_end(self._plan.sample("single")._replace(fresh=True))
        self._lives["start"] = fresh.end - fresh.begin - self._lives["single"]

    def _start(self, act):
        words = list(act.words)
        if act.role in _FROM_FILES:
            words.append(self._file_of(act))
        elif act.role == "single":
            job = self._as_input(act, act.jobs[0])
            for name, value in job["env"].items():
                words += ["--env", "%s=%s" % (name, value)]
            words += ["--", job["command"]]
        actor = actors.Actor(act, words, self._launcher, self._crew_log if act.role == "crew" else None)
        self.actors.append(actor)
        self._alive.append(actor)
        if act.kill is not None:
            life = 1 if act.role == "crew" else self._lives[act.role] + (self._lives["start"] if act.fresh else 0)
            self._deaths[actor] = actor.begin + act.kill * life
        return actor

    def _file_of(self, act):
        path = os.path.join(self.top, "jobs-%d" % act.number)
        with open(path, "w") as file:
            for job in act.jobs:
                file.write(json.dumps(self._as_input(act, job)) + "\n")
        return path

    def _as_input(self, act, job):
        fields = {"command": '. "%s"' % self._work, "queue": job.queue, "env": {"ACT": str(act.number), "MODE": job.mode}}
        if job.id:
            fields["id"] = job.id
        if job.after:
            fields["after"] = list(job.after)
        if job.length:
            fields["env"]["LENGTH"] = str(job.length)
        if job.padding:
            fields["env"]["PADDING"] = "p" * job.padding
        return fields

    def _attend_until(self, moment):
        """Until then: read what is printed, and kill whose time has come."""
        while True:
            now = time.monotonic()
            for actor in [actor for actor, death in self._deaths.items() if death <= now]:
                del self._deaths[actor]
                actor.kill()
            rest = min([moment, now + 0.05] + list(self._deaths.values())) - now
            for actor in actors.attend(self._alive, rest):
                self._see_off(actor)
            if time.monotonic() >= moment:
                return

    def _see_off(self, actor):
        self._alive.remove(actor)
        self._deaths.pop(actor, None)
        if actor.act.role in _FROM_FILES:
            os.unlink(actor.words[-1])
        if actor.was_killed:
            self.kills[actor.act.role] += 1
        self._acts_log.write("%.3f-%.3f %d %s -> %s %s\n" % (
            actor.begin, actor.end, actor.act.number, " ".join(actor.words)[:300], actor.code, actor.complained[-300:].decode().strip()))
        self._acts_log.flush()

    # --- killing others

    def _strike(self, strike):
        found = sorted(victims.of_kind(strike.victim, self.top, self.store, {actor.pid for actor in self._alive}))
        if found:
            pid = found[int(strike.luck * len(found))]
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self.struck.add(pid)
            self.kills["struck " + strike.victim] += 1
            self._acts_log.write("%.3f struck %s %d\n" % (time.monotonic(), strike.victim, pid))

    # --- coming to rest

    def come_to_rest(self):
        """Nobody is killed any more: all ends, and what is left is worked off."""
        self._deaths.clear()
        support.wait_until(self._have_all_left, "all commands have ended")
        self.command("config", "unset", "queue.side.limit")
        for _ in range(_ROUNDS):
            for words in _LOOSENING:
                self.command(*words, codes=(0, 1))
            self._drain()
            states = json.loads(self.command("status", "--json").printed)["states"]
            if not any(number for state, number in states.items() if state not in ("completed", "cancelled")):
                break
        self._roll_once_more()
        support.wait_until(lambda: not support.leftovers(self.top), "no process of this run is left", 30)
        self.rested = json.loads(self.command("list", "--json").printed)

    def _have_all_left(self):
        """Told again and again: who has just been started is not there yet to be told."""
        self.command("worker", "stop", "--timeout", "60")
        self._attend_until(time.monotonic() + 0.1)
        return not self._alive

    def _drain(self):
        act = self._plan.sample("crew")._replace(words=["worker", "start", "--drain-all", "--count", "4"])
        actor = self._start(act)
        seen = None
        while actor.code is None:
            status = os.stat(os.path.join(self.store, "jobs.jsonl"))
            if seen != (status.st_ino, status.st_size):
                seen = status.st_ino, status.st_size
                last = time.monotonic()
            elif time.monotonic() > last + _LONGEST_STANDSTILL:
                raise AssertionError("for %d s the workers have neither done anything nor left" % _LONGEST_STANDSTILL)
            self._attend_until(time.monotonic() + 0.05)

    def _roll_once_more(self):
        """What killed ones left is removed by the next roll, once it is old enough to be nobody's."""
        old = time.time() - _UNTIL_ABANDONED
        for name in os.listdir(os.path.join(self.store, "base")):
            if name.startswith(".incoming-"):
                os.utime(os.path.join(self.store, "base", name), (old, old))
        padding = "PADDING=" + "p" * 120000
        for _ in range(10):
            self.command("enqueue", "--queue", "filler", "--env", padding, "true")
        self._drain()
        self.command("roll")

    def command(self, *words, codes=(0,)):
        """Run one command to its end, in peace; the Actor."""
        act = self._plan.sample("read")._replace(role="rest", words=list(words))
        actor = self._to_its_end(act)
        if actor.code not in codes:
            raise AssertionError("%s ended with %s: %s" % (" ".join(words)[:200], actor.code, actor.complained.decode()))
        return actor

    def _to_its_end(self, act):
        actor = self._start(act)
        while actor.code is None:
            self._attend_until(time.monotonic() + 0.002)
        return actor

    # --- looking back

    def runs(self):
        """[[what, id, attempt, pid, uptime], …]: what the jobs have written, in order."""
        with open(os.path.join(self.top, "runs.log")) as file:
            return [line.split() for line in file]

    def summary(self):
        runs = self.runs()
        with open(os.path.join(self.store, "jobs.jsonl"), "rb") as file:
            generation = json.loads(file.readline())["generation"]
        kills = ", ".join("%d %s" % (number, what) for what, number in sorted(self.kills.items()))
        acknowledged = sum(len(actor.ids()) for actor in self.actors if actor.act.jobs)
        return "%d processes started, %d kills (%s), %d jobs acknowledged, %d runs of %d jobs, %d rolls" % (
            len(self.actors), sum(self.kills.values()), kills, acknowledged,
            sum(run[0] == "begin" for run in runs), len({run[1] for run in runs}), generation - 1)

    def end(self):
        """Leave nothing running."""
        while True:
            left = support.leftovers(self.top)
            if not left:
                return
            for pid in left:
                support.send(pid, signal.SIGKILL)
            actors.attend(self._alive, 0.01)


def _size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
