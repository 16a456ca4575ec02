"""What a drain leaves behind, in a few words; costs the same whatever the store holds."""

from queuectl_lib.words import clock


def told(store, queues, now):
    """'3 jobs left for later: 2 retries, 1 waiting; next in 4 s', or None."""
    retries = waiting = 0
    for queue, states in store.counts().items():
        if not queues or queue in queues:
            retries += states.get("failed", 0)
            waiting += states.get("pending", 0)
    kinds = []
    if retries:
        kinds.append("1 retry" if retries == 1 else "%d retries" % retries)
    if waiting:
        kinds.append("%d waiting" % waiting)
    if not kinds:
        return None
    jobs = "1 job" if retries + waiting == 1 else "%d jobs" % (retries + waiting)
    text = "%s left for later: %s" % (jobs, ", ".join(kinds))
    claims = store.claims("supervisor", queues)
    claims.running()
    due = claims.next_due(now)
    return text if due is None else "%s; next in %s" % (text, clock.show_duration(max(0, due - now) / 1000))
