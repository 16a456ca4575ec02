"""How the jobs that ended lately have waited, run and ended: numbers for `stats` and `metrics`.

Jobs come newest first and are let go at once; what stays is a few numbers of
each. No more than MOST are looked at, however many there are.
"""

import json
from array import array
from collections import namedtuple
from functools import lru_cache

from queuectl_lib.store import listing
from queuectl_lib.words import clock

MOST = 100000
HOUR = 3600
DAY = 24 * HOUR
# Of a command so much is kept: a hundred thousand different ones have to fit into memory.
_KEPT = 300

# since: ms; reaches: ms, how far back it goes (later than since: MOST was reached); jobs: looked at;
# queues: {queue: Tally}; all: Tally; commands: [Command].
Figures = namedtuple("Figures", ("since", "reaches", "jobs", "queues", "all", "commands"))

# All in seconds, None where there is none; jobs: of how many it is known.
Spread = namedtuple("Spread", ("jobs", "p50", "p95", "max"))


class Tally:
    """What is counted of some jobs that ended; waited and ran are in seconds."""

    def __init__(self):
        self.completed = 0
        self.dead = 0
        self.attempted = 0
        self.retried = 0
        self.waited = array("d")
        self.ran = array("d")
        # By the seconds of HOUR and DAY: how many of them ended since.
        self.within = {HOUR: 0, DAY: 0}

    @property
    def ended(self):
        return self.completed + self.dead

    def success_rate(self):
        """Of those that ended, from 0 to 1; None of none."""
        return self.completed / self.ended if self.ended else None

    def retry_rate(self):
        """How many of those that were started had to be started again; None of none."""
        return self.retried / self.attempted if self.attempted else None

    def count(self, job, waited, in_hour, in_day):
        if job.state == b"completed":
            self.completed += 1
        else:
            self.dead += 1
        if job.attempts:
            self.attempted += 1
            self.retried += job.attempts > 1
        if job.duration is not None:
            self.ran.append(job.duration)
        if waited is not None:
            self.waited.append(waited)
        self.within[HOUR] += in_hour
        self.within[DAY] += in_day

    def add(self, other):
        """What was counted of others, too."""
        for name in ("completed", "dead", "attempted", "retried"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.waited += other.waited
        self.ran += other.ran
        for span in self.within:
            self.within[span] += other.within[span]


class Command:
    """What is counted of one command."""

    __slots__ = ("text", "jobs", "dead", "failed", "runs", "seconds", "longest")

    def __init__(self, text):
        self.text = text
        self.jobs = self.dead = self.failed = self.runs = 0
        self.seconds = self.longest = 0.0

    def count(self, job):
        completed = job.state == b"completed"
        self.jobs += 1
        self.dead += not completed
        self.failed += job.attempts - completed
        if job.duration is not None:
            self.runs += 1
            self.seconds += job.duration
            self.longest = max(self.longest, job.duration)

    def average(self):
        return self.seconds / self.runs if self.runs else 0.0

    def shown(self):
        """Its text, or how it begins."""
        # An escape may have been cut in two: the longest is six characters.
        for cut in range(6):
            try:
                return json.loads(b'"%s"' % self.text[:len(self.text) - cut])
            except ValueError:
                pass
        return ""


def of_store(store, seconds, now, queues=None, look=None, most=MOST):
    """The Figures of the last so many seconds of a store; look: of what moment, not now."""
    look = look or store.look()
    ended = listing.newest_ended(look, now) if look else ()
    return gathered(ended, max(0, now - int(seconds * 1000)), now, queues, most)


def gathered(ended, since, now, queues=None, most=MOST):
    """The Figures of jobs (slices.Ended, newest first) that ended from since (ms) to now; queues: names, None for all."""
    wanted = queues and {queue.encode() for queue in queues}
    first, hour, day = (clock.moment(max(0, at)).encode() for at in (since, now - HOUR * 1000, now - DAY * 1000))
    tallies = {}
    commands = {}
    looked = 0
    reaches = since
    for job in ended:
        if job.updated_at < first:
            break
        if looked == most:
            reaches = _ms(last)
            break
        looked += 1
        last = job.updated_at
        at = job.finished_at or last
        # One that was edited since stands among those of that moment.
        if at < first or wanted and job.queue not in wanted:
            continue
        waited = job.ready and max(0, _ms(job.started) - _ms(job.ready)) / 1000
        _found(tallies, job.queue, Tally).count(job, waited, at >= hour, at >= day)
        command = job.command
        _found(commands, hash(command), lambda: Command(command[:_KEPT])).count(job)
    everything = Tally()
    for tally in tallies.values():
        everything.add(tally)
    by_name = {queue.decode(): tally for queue, tally in sorted(tallies.items())}
    return Figures(since, reaches, looked, by_name, everything, list(commands.values()))


def spread(seconds):
    """The Spread of an array of seconds."""
    if not seconds:
        return Spread(0, None, None, None)
    ordered = sorted(seconds)
    return Spread(len(ordered), _at(ordered, 50), _at(ordered, 95), ordered[-1])


def slowest(commands, count):
    """Those with the longest average run, of which any ran."""
    ran = [command for command in commands if command.runs]
    return sorted(ran, key=lambda command: command.average(), reverse=True)[:count]


def most_failing(commands, count):
    """Those with the most failed attempts, of which any failed."""
    failing = [command for command in commands if command.failed or command.dead]
    return sorted(failing, key=lambda command: (command.failed, command.dead), reverse=True)[:count]


def _at(ordered, percent):
    """The least value that so many percent do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _found(known, key, make):
    found = known.get(key)
    if found is None:
        found = known[key] = make()
    return found


def _ms(moment):
    """clock.parse_moment of a moment's text on disk (bytes), cheaply."""
    return _minute(moment[:16]) + int(moment[17:19] + moment[20:23])


@lru_cache(maxsize=64)
def _minute(text):
    return clock.parse_moment(text.decode() + ":00Z")
