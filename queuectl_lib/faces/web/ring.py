"""What was published to the event streams lately: finished bytes, made once for all of them.

A stream knows the number of the last message it was given, and asks for what
came after it. So nobody keeps a list of who listens, and a client that
comes back with the number it saw last goes on from there.
"""

import threading
from collections import deque

# More than a client can be behind and still catch up by reading on: so many messages, and so many bytes.
MOST = 512
_MOST_BYTES = 4 * 1024 * 1024


class Ring:
    """The last messages, numbered from 1 on; may be used by several threads.

    told: called without arguments after each message, by the thread that published it.
    """

    def __init__(self, most=MOST, most_bytes=_MOST_BYTES, told=lambda: None):
        self._lock = threading.Lock()
        self._messages = deque()
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        # What was asked for last: streams that keep up all ask for the same, and share one object.
        self._asked = None
        self.last = 0
        self.told = told

    def publish(self, make):
        """Add the message that make(number) returns (bytes); its number."""
        with self._lock:
            message = make(self.last + 1)
            self.last += 1
            self._messages.append(message)
            self._bytes += len(message)
            self._asked = None
            # The newest one stays, however long it is.
            while len(self._messages) > self._most or self._bytes > self._most_bytes and len(self._messages) > 1:
                self._bytes -= len(self._messages.popleft())
            number = self.last
        self.told()
        return number

    def after(self, number):
        """(the bytes of all messages behind this number, the last one's number); None where some are gone already."""
        with self._lock:
            behind = self.last - number
            if behind < 0 or behind > len(self._messages):
                return None
            if self._asked is None or self._asked[0] != number:
                start = len(self._messages) - behind
                self._asked = number, b"".join(list(self._messages)[start:])
            return self._asked[1], self.last
