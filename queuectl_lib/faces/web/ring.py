"""What was published to the event streams lately: finished bytes, made once for all of them.

A stream knows the number of the last message it was given, and asks for what
came after it. So nobody keeps a list of who listens, and a client that
comes back with the number it saw last goes on from there.
"""

import threading
from collections import deque
from itertools import islice

# More than a client can be behind and still catch up by reading on: so many messages, and so many bytes.
MOST = 512
_MOST_BYTES = 4 * 1024 * 1024
# So much a stream is given at once, or one message: what is kept for those that take it slowly is their own.
_AT_ONCE = 256 * 1024


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

    def knows(self, number):
        """Are all messages behind this number still here?"""
        with self._lock:
            return self._knows(number)

    def after(self, number):
        """(the bytes of the messages behind this number, the number of the last of them); None where some are gone already.

        Of many not all: what comes behind them is asked for next.
        """
        with self._lock:
            if not self._knows(number):
                return None
            if self._asked is None or self._asked[0] != number:
                self._asked = (number,) + self._joined(number)
            return self._asked[1:]

    def _knows(self, number):
        return 0 <= self.last - number <= len(self._messages)

    def _joined(self, number):
        taken = []
        length = 0
        for message in islice(self._messages, len(self._messages) - (self.last - number), None):
            if taken and length + len(message) > _AT_ONCE:
                break
            taken.append(message)
            length += len(message)
        return b"".join(taken), number + len(taken)
