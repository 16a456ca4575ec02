"""What a drain leaves behind, in a few words; costs the same whatever the store holds."""

from collections import Counter

from queuectl_lib.job import record
from queuectl_lib.store import pauses
from queuectl_lib.words import clock

# Of more jobs than this it is not looked at each why it waits.
_FEW = 100
_WAITING = ("pending", "failed")

# Said in this order.
_RETRIES, _HELD, _AFTER, _DELAYED, _PAUSED, _OTHERS = (
    "retries", "held", "after other jobs", "delayed", "in a paused queue", "waiting")


def told(store, queues, now):
    """'5 jobs left for later: 2 retries, 1 held, 2 after other jobs; next in 4 s', or None."""
    kinds = _kinds(store, store.look(), queues, now)
    total = sum(kinds.values())
    if not total:
        return None
    parts = ["1 retry" if (kind, number) == (_RETRIES, 1) else "%d %s" % (number, kind)
             for kind, number in kinds.items() if number]
    text = "%s left for later: %s" % ("1 job" if total == 1 else "%d jobs" % total, ", ".join(parts))
    claims = store.claims("supervisor", queues)
    claims.running()
    due = claims.next_due(now)
    claims.close()
    # What is due by now its queue keeps from being run.
    return text if due is None or due <= now else "%s; next in %s" % (text, clock.show_duration((due - now) / 1000))


def _kinds(store, look, queues, now):
    """{why jobs wait: how many}, in the order in which it is said."""
    kinds = Counter(dict.fromkeys((_RETRIES, _HELD, _AFTER, _DELAYED, _PAUSED, _OTHERS), 0))
    paused = look.pauses()
    counts = {queue: states for queue, states in look.counts().items() if not queues or queue in queues}
    running = [queue for queue in counts if not pauses.in_force(paused, queue, now)]
    kinds[_PAUSED] = _number(counts[queue] for queue in counts if queue not in running)
    number = _number(counts[queue] for queue in running)
    if 0 < number <= _FEW:
        kinds.update(_why(job, now) for job in store.jobs(_WAITING, running, look=look))
    elif number:
        kinds[_RETRIES] = sum(counts[queue].get("failed", 0) for queue in running)
        kinds[_OTHERS] = number - kinds[_RETRIES]
    return kinds


def _number(states):
    return sum(each.get(state, 0) for each in states for state in _WAITING)


def _why(job, now):
    if job.held:
        return _HELD
    if job.waits_for:
        return _AFTER
    if job.state == "failed":
        return _RETRIES
    return _DELAYED if (record.due(job) or 0) > now else _OTHERS
