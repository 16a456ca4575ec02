"""What `status` says of each queue: how much waits and runs, since when, its limit, and whether it is paused."""

from collections import namedtuple

from queuectl_lib.faces import listing
from queuectl_lib.faces.table import Column
from queuectl_lib.job import record
from queuectl_lib.job.record import STATES
from queuectl_lib.store import pauses
from queuectl_lib.words import clock

# states: {state: n}; ready, delayed, blocked: (n, exactly?) of the pending ones; slots: what its running jobs
# take of the limit (None: it has none); pause: the Pause that is in force, or None; oldest: (Job, since when
# it waits in ms) of those first in line, or None; armed: is it paused when a job of it dies?
Queue = namedtuple("Queue", ("name", "states", "ready", "delayed", "blocked", "slots", "limit", "pause", "oldest", "armed"))

_NOTHING = (0, True)
# So many rows a screen has room for; then what is idle is only counted.
_ROOM = 12

COLUMNS = (
    Column("queue", "QUEUE", 16, gives=8),
    Column("processing", "RUNNING", 7, True),
    Column("limit", "LIMIT", 5, True, "-"),
    Column("ready", "READY", 7, True),
    Column("delayed", "DELAYED", 7, True, "0"),
    Column("failed", "RETRY", 7, True, "0"),
    Column("blocked", "BLOCKED", 7, True, "0"),
    Column("dead", "DEAD", 7, True),
    Column("oldest", "OLDEST", 6, True),
    Column("note", "NOTE", usual="-"),
)


def standing(counts, depths, limits, paused, running, now):
    """[Queue] of every queue that has jobs, a limit or a pause, by name.

    counts: {queue: {state: n}}; depths: of store/queues.py; limits: {queue: n}; paused: {queue or "*": Pause};
    running: Jobs.
    """
    names = set(counts) | set(limits) | set(paused) - {pauses.ALL}
    slots = dict.fromkeys(names, 0)
    for job in running:
        slots[job.queue] = slots.get(job.queue, 0) + (job.slots or 1)
    return [_queue(name, counts.get(name, {}), depths.get(name), slots[name], limits.get(name), paused, now)
            for name in sorted(names)]


def _queue(name, states, depth, slots, limit, paused, now):
    waiting = [(job, waiting_since(job)) for job in (depth.first if depth else ())]
    return Queue(
        name, {state: states.get(state, 0) for state in STATES},
        depth.ready if depth else _NOTHING, depth.delayed if depth else _NOTHING, depth.blocked if depth else _NOTHING,
        slots, limit, pauses.own_or_all(paused, name, now), min(waiting, key=lambda each: each[1], default=None),
        bool(name in paused and paused[name].on_failure))


def waiting_since(job):
    """From when on a job that is ready has waited for its turn, in ms."""
    # Every entry but that of an edit began a wait: it came, failed, was released, retried, handed back.
    began = [entry["at"] for entry in job.history if not entry.get("note", "").startswith("edited")]
    return max(clock.parse_moment(began[-1] if began else job.created_at), record.due(job) or 0)


def oldest(queues):
    """(Job, since when) of who waits longest, or None."""
    return min((queue.oldest for queue in queues if queue.oldest), key=lambda each: each[1], default=None)


def total(queues, kind):
    """(n, exactly?) of 'ready', 'delayed' or 'blocked' in all queues."""
    numbers = [getattr(queue, kind) for queue in queues]
    return sum(number for number, _ in numbers), all(exactly for _, exactly in numbers)


def number(counted):
    """'17', or '500+' where there may be more."""
    return "%d%s" % (counted[0], "" if counted[1] else "+")


def are_worth_a_table(queues):
    """Is there more to say than the totals say?"""
    return any(queue.name != "default" or queue.limit is not None or queue.pause or queue.armed for queue in queues)


def work(queues):
    """(n, exactly?) of the jobs that a worker would start now, or when their retry is due."""
    count, exactly = total(queues, "ready")
    return count + sum(queue.states["failed"] for queue in queues), exactly


def shown(queues):
    """(those that are shown on a screen, how many idle ones are left out)."""
    if len(queues) <= _ROOM:
        return queues, 0
    busy = [queue for queue in queues if _is_busy(queue)]
    return busy, len(queues) - len(busy)


def _is_busy(queue):
    return bool(queue.pause or any(queue.states[state] for state in ("pending", "processing", "failed", "dead")))


def row(queue, now):
    """One queue as the cells of a table."""
    return dict(
        {state: queue.states[state] for state in ("processing", "failed", "dead")},
        queue=queue.name, limit="-" if queue.limit is None else queue.limit,
        ready=number(queue.ready), delayed=number(queue.delayed), blocked=number(queue.blocked),
        oldest="-" if queue.oldest is None else listing.age(clock.moment(queue.oldest[1]), now),
        note="paused" if queue.pause else "armed" if queue.armed else "-")


def pause_lines(paused, now):
    """What is paused, for how long, until when and why: a line each."""
    for name, pause in sorted(paused.items()):
        if not pauses.in_force({name: pause}, name, now):
            continue
        until = "until resumed"
        if pause.until:
            until = "and for another %s" % clock.show_duration((clock.parse_moment(pause.until) - now) / 1000)
        lasted = clock.show_duration(max(0, now - clock.parse_moment(pause.since)) / 1000)
        yield "%s: for %s, %s%s" % ("all queues" if name == pauses.ALL else name, lasted, until,
                                    "; " + pause.reason if pause.reason else "")


def document(queue, now):
    """One queue as `status --json` prints it; a number that is not known exactly is null."""
    found = dict(queue.states)
    for kind in ("ready", "delayed", "blocked"):
        count, exactly = getattr(queue, kind)
        found[kind] = count if exactly else None
    found.update(limit=queue.limit, slots_in_use=queue.slots, paused=pause_document(queue.pause),
                 pause_on_failure=queue.armed, oldest_waiting=waiting_document(queue.oldest, now))
    return found


def pause_document(pause):
    return pause and {"since": pause.since, "reason": pause.reason, "until": pause.until}


def waiting_document(waiting, now):
    """Who waits longest, as JSON prints it."""
    if waiting is None:
        return None
    job, since = waiting
    return {"id": job.id, "created_at": job.created_at, "since": clock.moment(since), "seconds": max(0, now - since) / 1000}
