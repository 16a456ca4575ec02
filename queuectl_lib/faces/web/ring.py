"""What was published to the event streams lately: finished bytes, made once for all of them.

A stream knows the number of the last message it was given, and asks for what
came after it. So nobody keeps a list of who listens, and a client that
comes back with the number it saw last goes on from there.
"""

import threading
from collections import deque

# More than a client can be behind and still catch up by reading on.
MOST = 512


class Ring:
    """The last messages, numbered from 1 on; may be used by several threads.

    tell: called after each, without arguments, by the thread that published it.
    """

    def __init__(self, most=MOST):
        self.tell = lambda: None
        self._lock = threading.Lock()
        self._messages = deque(maxlen=most)
        self.last = 0

    def publish(self, make):
        """Add the message that make(number) returns (bytes)."""
        with self._lock:
            self.last += 1
            self._messages.append(make(self.last))
        self.tell()

    def after(self, number):
        """(the bytes of all messages behind this number, the last one's number); None where some are gone already."""
        with self._lock:
            behind = self.last - number
            if behind < 0 or behind > len(self._messages):
                return None
            start = len(self._messages) - behind
            return b"".join(list(self._messages)[start:]), self.last
