"""The plan: what is started when, on which jobs, and after how much of its life it is killed.

All of it follows from the seed, and nothing from what happens: so the same
seed gives the same plan. How much of it is reached depends on the machine.
"""

import heapq
import random
from collections import namedtuple

# at: seconds; jobs: those it enqueues; kill: after so much of a life of its role (of a crew: seconds), None: never;
# fresh: by a Python of its own, else by a fork that has all code loaded, and is over ten times as soon.
Act = namedtuple("Act", ("number", "at", "role", "words", "jobs", "kill", "fresh"))
# Kill one of what lives; luck: 0 to 1, which of them.
Strike = namedtuple("Strike", ("at", "victim", "luck"))
# id: None has one made up; after: ids; mode, length: what it does (job.sh)
Job = namedtuple("Job", ("id", "queue", "after", "mode", "length", "padding"))

# Jobs of these queues are cancelled, or purged when they have ended; nobody does that to the others.
DOOMED = "doomed"
SCRAP = "scrap"
FLAKY = "flaky"
_ORDINARY = ("default", "side", FLAKY)

# How often a second on average.
_ACTS = {"single": 12, "few": 4, "long": 2, "bulk": 0.4, "edit": 10, "read": 3, "purge": 1.5, "roll": 2,
         "crew": 1.2, "ensure": 0.7, "stop": 0.15}
_STRIKES = {"writer": 8, "worker": 5, "roller": 3, "shell": 2, "supervisor": 0.5, "any": 0.5}

_SURVIVORS = 0.15
_FRESH = 0.1
_REMEMBERED = 30
_SMALLEST_BULK = 1001

_READS = (("list",), ("list", "--json"), ("list", "--state", "pending", "--limit", "5"), ("status", "--json"), ("status",),
          ("stats",), ("metrics",), ("worker", "list"), ("events", "--json"), ("list", "--search", "sleep"), ("dlq", "list"))
_SETTINGS = (("poll_interval", ("100ms", "300ms", "1s")), ("kill_grace", ("20ms", "100ms", "200ms")),
             ("durability", ("normal", "fast", "full")), ("output_limit", ("16KB", "1MB")),
             ("queue.side.limit", ("1", "3", "20")), ("backoff_jitter", ("0", "30ms")))


class Plan:
    """One seed's: acts() is without end, in order of time."""

    def __init__(self, seed):
        self._luck = random.Random(seed)
        self._number = 0
        self._known = {}

    def acts(self):
        rates = [(rate, self._act, role) for role, rate in _ACTS.items()]
        rates += [(rate, self._strike, victim) for victim, rate in _STRIKES.items()]
        # The place in the list decides between two of one moment.
        waiting = [(self._luck.expovariate(rate), place) for place, (rate, _, _) in enumerate(rates)]
        heapq.heapify(waiting)
        while True:
            at, place = waiting[0]
            rate, make, what = rates[place]
            yield make(at, what)
            heapq.heapreplace(waiting, (at + self._luck.expovariate(rate), place))

    def sample(self, role):
        """An act of this role, not to be killed: how long does it live?"""
        return self._act(0, role)._replace(kill=None, fresh=False)

    def _strike(self, at, victim):
        return Strike(at, victim, self._luck.random())

    def _act(self, at, role):
        self._number += 1
        words, jobs = getattr(self, "_" + role)()
        return Act(self._number, at, role, words, jobs, self._death(role), self._luck.random() < _FRESH)

    def _death(self, role):
        if role == "crew":
            return self._luck.uniform(0.05, 5)
        if role == "long":
            # Torn, it costs nothing; whole, a hundred jobs.
            return self._luck.uniform(0.2, 1.1)
        fraction = self._luck.uniform(0, 1.5)
        return None if self._luck.random() < _SURVIVORS else fraction

    # --- who enqueues

    def _single(self):
        job = self._job("s%d" % self._number, given=self._luck.random() < 0.6)
        words = ["enqueue", "--queue", job.queue]
        if job.id:
            words += ["--id", job.id]
        if job.after:
            words += ["--after", ",".join(job.after)]
        if self._luck.random() < 0.2:
            words += ["--priority", str(self._luck.randint(-3, 3))]
        return words, (job,)

    def _few(self):
        names = ["f%d-%d" % (self._number, place) for place in range(self._luck.randint(2, 12))]
        given = self._luck.random() < 0.6
        return ["enqueue", "--file"], tuple(self._job(name, given) for name in names)

    def _long(self):
        """One write of some megabytes: it makes the journal want a roll, and takes long enough to be torn."""
        return self._alike(self._luck.randint(40, 100), "l", 40000)

    def _bulk(self):
        return self._alike(_SMALLEST_BULK + self._luck.randrange(100), "b", 0)

    def _alike(self, count, letter, padding):
        given = self._luck.random() < 0.6
        names = ["%s%d-%d" % (letter, self._number, place) for place in range(count)]
        return ["enqueue", "--file"], tuple(Job(name if given else None, "bulk", (), "quick", 0, padding) for name in names)

    def _job(self, name, given):
        luck = self._luck
        queue = luck.choices(_ORDINARY + (DOOMED, SCRAP), (5, 3, 1, 2, 2))[0]
        mode = "fail" if queue == FLAKY else luck.choices(("quick", "sleep", "child", "stubborn", "loud"), (5, 4, 2, 1, 2))[0]
        length = luck.randint(2000, 60000) if mode == "loud" else luck.choice((10, 20, 50, 150, 300)) / 1000
        padding = luck.choice((0, 0, 500, 10000, 60000))
        after = ()
        if luck.random() < 0.15 and self._known.get("default"):
            after = (luck.choice(self._known["default"]),)
        if given:
            remembered = self._known.setdefault(queue, [])
            remembered.append(name)
            del remembered[:-_REMEMBERED]
        return Job(name if given else None, queue, after, mode, length, padding)

    # --- who changes things

    def _edit(self):
        kind = self._luck.choice(("edit", "edit", "hold", "release", "cancel", "cancel", "retry", "dlq retry", "pause", "resume", "config"))
        return getattr(self, "_" + kind.replace(" ", "_") + "_words")(), ()

    def _edit_words(self):
        change = self._luck.choice((("--priority", str(self._luck.randint(-5, 5))), ("--queue", self._luck.choice(("default", "side")))))
        return ["edit"] + self._some("default", "side") + list(change)

    def _hold_words(self):
        return ["hold"] + self._some("default", "side", DOOMED)

    def _release_words(self):
        return self._luck.choice((["release"] + self._some("default", "side"), ["release", "--all", "--yes"]))

    def _cancel_words(self):
        return ["cancel"] + self._luck.choice(([], ["--wait"])) + self._some(DOOMED)

    def _retry_words(self):
        return ["retry"] + self._some(DOOMED, "side", SCRAP)

    def _dlq_retry_words(self):
        return self._luck.choice((["dlq", "retry", "--all"], ["dlq", "retry"] + self._some(FLAKY)))

    def _pause_words(self):
        return self._luck.choice((["pause", "side"], ["pause", "--for", "300ms"], ["pause", FLAKY, "--on-failure"]))

    def _resume_words(self):
        return ["resume"] + self._luck.choice(([], ["side"], [FLAKY]))

    def _config_words(self):
        key, values = self._luck.choice(_SETTINGS)
        return ["config", "set", key, self._luck.choice(values)]

    def _some(self, *queues):
        names = [name for queue in queues for name in self._known.get(queue, ())]
        return self._luck.sample(names, min(len(names), self._luck.randint(1, 3))) or ["nobody"]

    def _purge(self):
        return ["purge", "--queue", SCRAP], ()

    def _roll(self):
        return ["roll"], ()

    # --- who looks

    def _read(self):
        one = self._some("default", DOOMED)[0]
        return list(self._luck.choice(_READS + (("show", one), ("logs", one), ("events", one)))), ()

    # --- who works

    def _crew(self):
        return ["worker", "start", "--count", str(self._luck.randint(1, 3))], ()

    def _ensure(self):
        return ["worker", "start", "--ensure", "--count", "2", "--detach"], ()

    def _stop(self):
        return ["worker", "stop", "--timeout", "5"] + self._luck.choice(([], ["--now"])), ()
