"""How much room there is for clients: who makes some for the next, and how much is kept for all of them together."""

import time

from queuectl_lib.faces.web.connection import HEAD, IDLE, LEAVING, SENDING, STREAM
from queuectl_lib.faces.web.message import Refused

# So many bytes are kept for all clients together, the event streams left out, which share theirs: nobody is sent a
# large answer, or may send a large body, who would make it more.
MOST_HELD = 64 * 1024 * 1024
_LARGE = 64 * 1024
# Event streams may take this share of the connections: who has one asks for other things, too.
_STREAMS = 0.8
# Seconds in which an answer can be taken, where others wait.
_LONG_ENOUGH = 10


def first_to_leave(connections):
    """Who has not asked for anything: whoever waits between two requests first, each the longest; None if nobody does.

    Then who takes an answer very slowly: to take a byte now and then needs no token, and would keep everybody out.
    """
    waiting = [each for each in connections if each.state in (IDLE, HEAD, LEAVING)]
    if not waiting:
        now = time.monotonic()
        waiting = [each for each in connections if each.state == SENDING and now - each.since > _LONG_ENOUGH]
    return min(waiting, key=lambda each: (each.state == HEAD, each.since), default=None)


def check(connections, connection, wanted):
    """Refused where so many bytes are too many beside what is kept for others; whoever is alone may have any number."""
    if wanted <= _LARGE:
        return
    others = sum(each.held() for each in connections if each is not connection and each.state != STREAM)
    if others and others + wanted > MOST_HELD:
        raise Refused(503, "others have to take or send much first: try again", Retry_After="1")


def check_stream(streams, most):
    """Refused where there are too many event streams for another one; most: of connections."""
    if len(streams) >= most * _STREAMS:
        raise Refused(503, "too many listen already: try again", Retry_After="5")
