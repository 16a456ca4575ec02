"""One client's connection: what it sent and is to get, and how far that is. It never waits."""

import socket
import time
from collections import deque

from queuectl_lib.faces.web import handler
from queuectl_lib.faces.web.message import Refused

# Between two requests; in the middle of a head, or of a body; while its request is answered; while the answer
# is sent; an event stream; over, but the client may still be sending (see finish()).
IDLE, HEAD, BODY, ANSWERED, SENDING, STREAM, LEAVING = range(7)

_READING = (IDLE, HEAD, BODY, STREAM, LEAVING)
_CHUNK = 16 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_HEAD_ENDS = (b"\r\n\r\n", b"\n\n", b"\n\r\n")


class Connection:
    """A socket that does not block, and where its conversation stands.

    since: when it came into this state; moved: when the client last took something (time.monotonic).
    head: of the request at hand (handler.Head); keeps: whether another may follow.
    number: of the last message of the ring that this stream was given; watched: what the selector looks for.
    """

    __slots__ = ("socket", "state", "since", "moved", "incoming", "head", "keeps", "number", "watched", "_outgoing")

    def __init__(self, client):
        self.socket = client
        self.incoming = bytearray()
        self.head = None
        self.keeps = True
        self.number = None
        self.watched = 0
        self._outgoing = deque()
        self.moved = 0.0
        self.enter(IDLE)

    def enter(self, state, since=None):
        self.state = state
        self.since = time.monotonic() if since is None else since

    def wants_to_read(self):
        # Not while an answer is due: what a client sends ahead waits in its own buffers.
        return self.state in _READING

    def wants_to_write(self):
        return bool(self._outgoing)

    def held(self):
        """How many bytes are kept for it: what has come or is to come of its request, and what it has still to take."""
        asked = len(self.incoming) if self.head is None or self.state == SENDING else self.head.length
        return asked + sum(map(len, self._outgoing))

    def receive(self):
        """Take in what has come; False when the client has left."""
        try:
            data = self.socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if self.state not in (STREAM, LEAVING):
            self.incoming += data
        return bool(data)

    def next_request(self, admitted):
        """(handler.Head, what admitted(request) gives) of the next request, its body in it; None while that is not here.

        What admitted() gives in place of an answer comes without the body. Raises Refused.
        """
        if self.state == IDLE and self.incoming:
            self.enter(HEAD)
        instead = None
        if self.state == HEAD:
            instead = self._take_head(admitted)
        if self.state != BODY:
            return None
        length = self.head.length
        if instead is not None:
            self.keeps = self.keeps and not length
            return self.head, instead
        if len(self.incoming) < length:
            return None
        body = bytes(self.incoming[:length])
        del self.incoming[:length]
        return self.head._replace(request=self.head.request._replace(body=body)), None

    def _take_head(self, admitted):
        """On from HEAD to BODY, if the head is here."""
        data = self.incoming
        # Some clients end a request with one line end too many.
        while data[:2] == b"\r\n":
            del data[:2]
        end = _end_of_head(data)
        if end is None:
            if len(data) > handler.MOST_HEAD:
                raise handler.too_long(data)
            if data and not chr(data[0]).isalpha() and data != b"\r":
                # TLS, perhaps: its client would wait.
                raise Refused(400, "this is no HTTP request")
            return None
        head = handler.read_head(bytes(data[:end]))
        del data[:end]
        self.head = head
        self.keeps = head.keeps
        instead = admitted(head.request)
        self.enter(BODY, since=self.since)
        if instead is None and head.expects and len(data) < head.length:
            self.put([_CONTINUE])
        return instead

    def put(self, pieces):
        """Have these bytes sent behind what is still to be sent."""
        if not self._outgoing:
            self.moved = time.monotonic()
        self._outgoing.extend(memoryview(piece) for piece in pieces if piece)

    def send(self):
        """Send what the client takes now; False when it has left."""
        while self._outgoing:
            piece = self._outgoing[0]
            try:
                sent = self.socket.send(piece)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
            self.moved = time.monotonic()
            if sent < len(piece):
                self._outgoing[0] = piece[sent:]
            else:
                self._outgoing.popleft()
        return True

    def finish(self):
        """Say that nothing more comes, and go on reading for a while.

        A socket that is closed while bytes of its client are unread resets the
        connection, and the client may never see what it was answered.
        """
        self.incoming = bytearray()
        self.enter(LEAVING)
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            # It has left: the next look tells.
            pass

    def close(self):
        self.socket.close()


def _end_of_head(data):
    """Where the first empty line ends, or None."""
    ends = [at + len(mark) for mark in _HEAD_ENDS for at in [data.find(mark)] if at >= 0]
    return min(ends) if ends else None
