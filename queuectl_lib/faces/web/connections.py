"""All connections of the server, in one thread: a loop that never waits for a single client.

A client costs a buffer, never a thread: one that sends its request byte by byte, or
reads no answer, holds up nobody. What is whole is handed to the workers (workers.py),
and what they answer is sent as fast as the client takes it. Every state has its
longest time; when there are too many connections, those that have not asked for
anything yet make room.

An event stream is a connection that stays. Whenever the ring has something new,
each stream that has taken what it was given before gets what came behind that: the
same bytes object for all. One that is too slow for the ring is closed, and its
client comes back with the number it saw last.
"""

import selectors
import time

from queuectl_lib.faces.web import faults, guard, handler, message, room
from queuectl_lib.faces.web.connection import ANSWERED, BODY, HEAD, IDLE, LEAVING, SENDING, STREAM, Connection
from queuectl_lib.faces.web.door import Door, most_clients
from queuectl_lib.faces.web.message import Refused
from queuectl_lib.faces.web.waker import Waker
from queuectl_lib.faces.web.workers import Workers

# With those who are told, the door and what wakes the loop no more than the 512 that select() takes on Windows.
MOST = 480
# Beyond that so many are told that there is no room; the next ones are closed without a word.
_TOLD = 20
_ROOM_AT_ONCE = 16
# Seconds.
_LONGEST = {IDLE: 60, HEAD: 10, BODY: 10, LEAVING: 2}
_LONGEST_SILENCE = 10
_COMMENT_PAUSE = 15
_SWEEP_PAUSE = 1.0
_TO_FINISH = 1.0

_COMMENT = b":\n\n"


class Connections:
    """The loop over a listening socket.

    site: of the routes; until: None, or what can be read from when the server is to stop
    (a descriptor, or what has one). run() returns then, or after stop().
    """

    def __init__(self, listener, site, until=None):
        self._site = site
        self._until = until
        self._ring = site.live.ring if site.live else None
        self._all = set()
        self._streams = set()
        self._swept = time.monotonic()
        self._stopping = False
        self._most = most_clients(MOST)
        self._selector = selectors.DefaultSelector()
        self.waker = Waker()
        self._selector.register(self.waker, selectors.EVENT_READ, self._wake_up)
        self._door = Door(listener, self._selector, self._accept)
        if until is not None:
            self._selector.register(until, selectors.EVENT_READ, self.stop)
        self._workers = Workers(site, self.waker.wake)
        if self._ring:
            self._ring.told = self.waker.wake

    def stop(self):
        """From any thread, or a signal's handler."""
        self._stopping = True
        self.waker.wake()

    def run(self):
        """Serve until told to stop, and then for a second those who are being answered."""
        while not self._stopping:
            self._round(_SWEEP_PAUSE if self._all or not self._door.is_open else None)
        self._door.close()
        if self._until is not None:
            self._selector.unregister(self._until)
        end = time.monotonic() + _TO_FINISH
        while self._leave_those_who_wait() and time.monotonic() < end:
            self._round(end - time.monotonic())
        for connection in list(self._all):
            self._drop(connection)
        self._workers.stop(max(0.0, end - time.monotonic()))
        self._selector.close()
        self.waker.close()

    def _round(self, pause):
        for key, events in self._selector.select(pause):
            if isinstance(key.data, Connection):
                self._attend(key.data, events)
            else:
                key.data()
        if time.monotonic() - self._swept >= _SWEEP_PAUSE:
            self._sweep(time.monotonic())

    def _leave_those_who_wait(self):
        """Close all connections but those whose answer is due; are there any?"""
        for connection in list(self._all):
            if connection.state not in (ANSWERED, SENDING, LEAVING):
                self._drop(connection)
        return any(connection.state != LEAVING for connection in self._all)

    def _wake_up(self):
        # First, or what comes from now on would wake nobody.
        self.waker.hear()
        for connection, pieces, number in self._workers.finished():
            if connection in self._all:
                self._give(connection, pieces, number)
        self._publish()

    def _give(self, connection, pieces, number):
        """Begin to send what a worker has answered."""
        try:
            if number is not None:
                room.check_stream(self._streams, self._most)
            if not guard.is_change(connection.head.request):
                room.check(self._all, connection, sum(map(len, pieces)))
        except Refused as error:
            self._refuse(connection, error)
        else:
            self._answer(connection, pieces, number)
        self._proceed(connection)

    # --- connections come and go

    def _accept(self):
        for client in self._door.clients():
            self._welcome(client)
        if not self._door.is_open:
            # For their files those who are answered need room, too.
            for _ in range(_ROOM_AT_ONCE):
                self._make_room()

    def _welcome(self, client):
        if len(self._all) >= self._most + _TOLD:
            client.close()
            return
        is_full = len(self._all) >= self._most and not self._make_room()
        connection = Connection(client)
        self._all.add(connection)
        if is_full:
            self._refuse(connection, Refused(503, "too many connections: try again", Retry_After="1"))
        self._proceed(connection)

    def _make_room(self):
        found = room.first_to_leave(self._all)
        if found is not None:
            self._drop(found)
        return found is not None

    def _drop(self, connection):
        if connection in self._all:
            self._all.discard(connection)
            if connection.watched:
                self._selector.unregister(connection.socket)
            connection.close()
            if connection.state == STREAM:
                self._streams.discard(connection)
                self._count_streams()

    def _count_streams(self):
        if self._site.live:
            self._site.live.listeners = len(self._streams)

    def _watch(self, connection):
        """Have the selector look for what this one waits for."""
        wanted = (selectors.EVENT_READ if connection.wants_to_read() else 0) | (
            selectors.EVENT_WRITE if connection.wants_to_write() else 0)
        if connection not in self._all or wanted == connection.watched:
            return
        if not connection.watched:
            self._selector.register(connection.socket, wanted, connection)
        elif not wanted:
            self._selector.unregister(connection.socket)
        else:
            self._selector.modify(connection.socket, wanted, connection)
        connection.watched = wanted

    def _sweep(self, now):
        """Close who took too long, and have the streams show that they live."""
        self._swept = now
        if not self._stopping:
            self._door.open()
        for connection in list(self._all):
            if connection.wants_to_write():
                if now - connection.moved > _LONGEST_SILENCE:
                    self._drop(connection)
            elif connection.state == STREAM:
                if now - connection.moved >= _COMMENT_PAUSE:
                    connection.put([_COMMENT])
                    self._proceed(connection)
            elif now - connection.since > _LONGEST.get(connection.state, now):
                self._time_out(connection)

    def _time_out(self, connection):
        if connection.state in (HEAD, BODY):
            self._refuse(connection, Refused(408, "the request took too long to arrive"))
            self._proceed(connection)
        else:
            self._drop(connection)

    # --- one connection goes on

    def _attend(self, connection, events):
        if events & selectors.EVENT_READ and not connection.receive():
            self._drop(connection)
        else:
            self._proceed(connection)

    def _proceed(self, connection):
        """On from state to state, until something has to be waited for."""
        try:
            while connection in self._all and self._step(connection):
                pass
            self._watch(connection)
        except Exception:
            faults.report()
            self._drop(connection)

    def _step(self, connection):
        """Did it come into another state, or get something more to send?"""
        if connection.wants_to_write():
            if not connection.send():
                self._drop(connection)
                return False
            if connection.wants_to_write():
                return False
        if connection.state == SENDING:
            self._end_answer(connection)
            return True
        if connection.state == STREAM:
            return self._feed(connection)
        return connection.state in (IDLE, HEAD, BODY) and self._listen(connection)

    def _listen(self, connection):
        """Have the next request answered, if it is here; is there an answer already?"""
        try:
            found = connection.next_request(lambda request: self._admitted(connection, request))
        except Refused as error:
            self._refuse(connection, error)
            return True
        if found is None:
            return False
        head, instead = found
        if instead is not None:
            self._answer(connection, handler.encoded(instead, head, connection.keeps), None)
            return True
        connection.enter(ANSWERED)
        self._workers.give(connection, head, connection.keeps)
        return False

    def _admitted(self, connection, request):
        instead = handler.admitted(request, self._site)
        if instead is None:
            room.check(self._all, connection, connection.head.length)
        return instead

    def _refuse(self, connection, error):
        """The connection is closed after it: what of the request is still to come cannot be told from the next one."""
        connection.keeps = False
        self._answer(connection, handler.encoded(message.refusal(error), connection.head, False), None)

    def _answer(self, connection, pieces, number):
        connection.number = number
        connection.enter(SENDING)
        connection.put(pieces)

    def _end_answer(self, connection):
        connection.head = None
        if connection.number is not None:
            connection.incoming = bytearray()
            connection.enter(STREAM)
            self._streams.add(connection)
            self._count_streams()
        elif connection.keeps and not self._stopping:
            connection.enter(IDLE)
        else:
            connection.finish()

    def _publish(self):
        """Give all streams what the ring has for them."""
        if not self._streams:
            return
        last = self._ring.last
        for connection in list(self._streams):
            # What still has something to take asks for more when that is taken.
            if connection.number != last and not connection.wants_to_write():
                self._proceed(connection)

    def _feed(self, connection):
        """Give a stream what came behind what it has; is there anything?"""
        if connection.number == self._ring.last:
            return False
        found = self._ring.after(connection.number)
        if found is None:
            self._drop(connection)
            return False
        pieces, connection.number = found
        connection.put([pieces])
        return True
