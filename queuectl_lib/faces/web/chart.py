"""How many attempts completed and failed in each minute of the last hour, out of totals that were looked at again and again.

A store counts how its attempts have ended, and to look at that costs the same
whatever it holds. What two looks differ by has ended between them. Totals that
do not go on (another store, a repaired one, a clock that was set back, a long
sleep meanwhile) begin a new count. What was before the first look is told by the
jobs that are there: no further back than those can tell, and of a job that was
given a full budget again since, or removed, nothing.

A minute of which not all is known is not told at all: null is not zero.
"""

from collections import namedtuple
from itertools import islice

from queuectl_lib.words import clock

MINUTE = 60000
MINUTES = 60
# Milliseconds between two looks.
EVERY = 10000
# What ended between two looks that are further apart is of no certain minute.
_FARTHEST = MINUTE

# at: ms; store: what tells the store from any other at this place; completed, failed: attempts since it was made.
Sample = namedtuple("Sample", ("at", "store", "completed", "failed"))

# What ended before the first sample: since: ms, from when on that is known; minutes: {begin (ms): (completed, failed)}.
Earlier = namedtuple("Earlier", ("since", "minutes"))


def sample(totals, at, store):
    """The Sample of totals {queue: {outcome: n}}."""
    ended = {"completed": 0, "failed": 0, "dead": 0}
    for outcomes in totals.values():
        for outcome, number in outcomes.items():
            ended[outcome] += number
    return Sample(at, store, ended["completed"], ended["failed"] + ended["dead"])


def goes_on(before, after):
    """Is what two samples differ by what ended between them, in a minute that can be told?"""
    if after.store != before.store or after.at < before.at:
        return False
    if after[2:] == before[2:]:
        return True
    return after.completed >= before.completed and after.failed >= before.failed and after.at - before.at <= _FARTHEST


def added(samples, after):
    """The samples with one more, those left out that no minute of the last hour needs.

    So is the last one where it was not the first within EVERY: however often somebody asks, no more are kept.
    """
    if len(samples) > 1 and samples[-1].at // EVERY == samples[-2].at // EVERY:
        samples = samples[:-1]
    first = next((number for number, each in enumerate(samples) if each.at > beginning(after.at)), len(samples))
    return samples[max(0, first - 1):] + [after]


def beginning(now):
    """When the oldest of the minutes begins, the last of which is this one."""
    return _minute(now) - (MINUTES - 1) * MINUTE


def earlier(ended, unfinished, now, most, is_all):
    """The Earlier of jobs (slices.Attempts).

    ended: newest first, at most so many of them are looked at; unfinished: those that are still
    to be tried again, all of them, or None where that are too many; is_all: was no job ever taken away?
    """
    since = beginning(now)
    if unfinished is None:
        return Earlier(now, {})
    first = clock.moment(since).encode()
    counts = {}
    looked = 0
    oldest = None
    for job in islice(ended, most):
        if job.updated_at < first:
            break
        looked += 1
        oldest = job.updated_at
        _count(counts, job, first)
    else:
        # There are more, or there were.
        if looked == most or not is_all:
            since = now if oldest is None else max(since, _ms(oldest))
    for job in unfinished:
        _count(counts, job, first)
    return Earlier(since, counts)


def document(before, samples, now):
    """What GET /api/throughput tells. before: Earlier; samples: oldest first, each of which goes on from the one before."""
    counts = dict(before.minutes)
    for one, next_one in zip(samples, samples[1:]):
        _add(counts, (one.at + next_one.at) // 2, next_one.completed - one.completed, next_one.failed - one.failed)
    seen = samples[-1].at if samples else before.since
    first = beginning(now)
    return {"now": clock.moment(now), "known_since": clock.moment(max(first, min(before.since, now))),
            "minutes": [_told(counts, begin, before.since, seen, now) for begin in range(first, now + 1, MINUTE)]}


def _told(counts, begin, since, seen, now):
    # Two looks may have been missed.
    is_known = since <= begin and seen + 3 * EVERY >= min(begin + MINUTE, now)
    completed, failed = counts.get(begin, (0, 0)) if is_known else (None, None)
    return {"at": clock.moment(begin), "completed": completed, "failed": failed}


def _count(counts, job, first):
    for at, state in job.endings:
        if at >= first:
            completed = state == b"completed"
            _add(counts, _ms(at), int(completed), int(not completed))


def _add(counts, at, completed, failed):
    begin = _minute(at)
    before = counts.get(begin, (0, 0))
    counts[begin] = before[0] + completed, before[1] + failed


def _minute(at):
    return at - at % MINUTE


def _ms(moment):
    return clock.parse_moment(moment.decode())
