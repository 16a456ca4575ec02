"""Which queues are paused: a small map that stands in the header, and as a line in the journal where it changes.

    {"pauses":{"mail":{"since":"…","reason":"new server","until":"…"},"*":{"since":"…"},"video":{"on_failure":true}},"crc":…}

The newest such line holds all that is in force; "*" stands for every queue. It is a
line of the journal and not a file of its own, so that a claim knows of it without
another look anywhere: whoever paused a queue knows that no job of it was started since.
"""

from collections import namedtuple

from queuectl_lib.words import clock

ALL = "*"

# since: the moment's text, None for a queue that is only to be paused when a job of it dies (on_failure);
# until: the moment's text from which on it is over, None: until somebody resumes it.
Pause = namedtuple("Pause", ("since", "reason", "until", "on_failure"))
Pause.__new__.__defaults__ = (None,) * 4


def decoded(fields):
    """{queue: Pause} of what stands in the line or the header."""
    return {queue: Pause(**values) for queue, values in fields.items()}


def encoded(pauses):
    """The other way round."""
    return {queue: {name: value for name, value in zip(Pause._fields, pause) if value is not None}
            for queue, pause in sorted(pauses.items())}


def end(pause):
    """Until when it is in force: ms since 1970; 0 for not at all, None for without end."""
    if pause is None or pause.since is None:
        return 0
    return None if pause.until is None else clock.parse_moment(pause.until)


def in_force(pauses, queue, now):
    """The Pause that keeps a queue's jobs from being started at this moment, or None."""
    for name in (ALL, queue):
        until = end(pauses.get(name))
        if until is None or until > now:
            return pauses[name]
    return None


def own_or_all(pauses, queue, now):
    """The same, but a queue's own Pause rather than that of all queues: it is what stays when they are resumed."""
    return in_force({queue: pauses.get(queue)}, queue, now) or in_force(pauses, ALL, now)


def after_death(pauses, queue, job_id, now):
    """The pauses once a job of this queue has died; None where that changes nothing."""
    pause = pauses.get(queue)
    if pause is None or not pause.on_failure or in_force({queue: pause}, queue, now):
        return None
    paused = pause._replace(since=clock.moment(now), until=None, reason="job %s died" % job_id)
    return dict(pauses, **{queue: paused})
