"""New jobs that come after others: are those there, is there no circle, and what are they waiting for?"""

from queuectl_lib.job import lifecycle
from queuectl_lib.words.errors import BadInput, UnknownJob


def resolved(jobs, look, now):
    """New jobs, with ids, as they are to be stored: waiting for what has not completed, or dead with it.

    look: snapshot.Snapshot, the store lock is held. Raises UnknownJob, or BadInput for a circle.
    """
    graph = {job.id: job.after for job in jobs if job.after}
    given = {job.id: job for job in jobs}
    states = _states(graph, given, look)
    for job_id in in_order(graph):
        given[job_id] = _resolved(given[job_id], states, now)
        states[job_id] = given[job_id].state
    return [given[job.id] for job in jobs]


def _states(graph, given, look):
    """{id: its state} of all that jobs come after: each is looked up once, however many name it."""
    names = {other: job_id for job_id, after in graph.items() for other in after}
    look.expect(len(names))
    states = {}
    for other, job_id in names.items():
        found = (given[other], None) if other in given else look.find_locked(other)
        if found is None:
            raise unknown(job_id, other)
        states[other] = found[0].state
    return states


def _resolved(job, states, now):
    job = job._replace(waits_for=[other for other in job.after if states[other] != "completed"] or None)
    for other in job.after:
        if states[other] in lifecycle.LOST:
            return lifecycle.follow(job, other, states[other], now)
    return job


def unknown(job_id, other):
    """The error for a job that comes after one that is not there."""
    return UnknownJob("job %s is to come after %s, and no job has that id" % (job_id, other), "; nothing was enqueued")


def in_order(graph):
    """The ids of a graph {id: ids it comes after}, each behind those of them that are in it; BadInput for a circle."""
    left = {job_id: sum(other in graph for other in after) for job_id, after in graph.items()}
    followers = {}
    for job_id, after in graph.items():
        for other in after:
            if other in graph:
                followers.setdefault(other, []).append(job_id)
    ready = [job_id for job_id, number in left.items() if not number]
    for job_id in ready:
        for follower in followers.get(job_id, ()):
            left[follower] -= 1
            if not left[follower]:
                ready.append(follower)
    if len(ready) < len(graph):
        raise BadInput("these jobs come after each other in a circle: %s"
                       % " -> ".join(_circle(graph, set(graph) - set(ready))), "; nothing was enqueued")
    return ready


def _circle(graph, among):
    """One circle of a graph, the last id the first one again; each of `among` comes after another of them."""
    path = [min(among)]
    while path[-1] not in path[:-1]:
        path.append(next(other for other in graph[path[-1]] if other in among))
    # As people read it: what runs first stands first.
    return path[path.index(path[-1]):][::-1]
