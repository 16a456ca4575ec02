"""The few threads in which requests are answered, so that the loop over the connections goes on meanwhile.

Changes have threads of their own: while somebody holds the store's lock they all wait for
it, and the store can be looked at all the same. Changes of many jobs have one more: they may take
minutes, and a client that gave up waiting may ask for the same again, while others enqueue.
"""

import queue
import threading
import time
from collections import deque

from queuectl_lib.faces.web import guard, handler, routes

READERS = 4
CHANGERS = 2
SWEEPERS = 1


class Workers:
    """site: of the routes; tell: called without arguments when something is finished, by the thread that finished it."""

    def __init__(self, site, tell):
        self._site = site
        self._tell = tell
        self._reading = queue.SimpleQueue()
        self._changing = queue.SimpleQueue()
        self._sweeping = queue.SimpleQueue()
        # The queue that each thread takes from.
        self._queues = [self._reading] * READERS + [self._changing] * CHANGERS + [self._sweeping] * SWEEPERS
        self._finished = deque()
        # Daemons: one that waits for the store's lock must not keep the process. What it
        # would have written is not written then, or whole: as after a kill -9.
        self._threads = [threading.Thread(target=self._work, args=(tasks,), daemon=True) for tasks in self._queues]
        for thread in self._threads:
            thread.start()

    def give(self, connection, head, keeps):
        """Have the request of a connection (handler.Head, its body with it) answered."""
        self._queue_of(head.request).put((connection, head, keeps))

    def _queue_of(self, request):
        if not guard.is_change(request):
            return self._reading
        return self._sweeping if routes.is_for_many(request) else self._changing

    def finished(self):
        """Yields (connection, pieces of the answer, the ring's number if it is a stream) of what is answered by now."""
        while self._finished:
            yield self._finished.popleft()

    def stop(self, seconds):
        """Let the threads end; those who do not in so many seconds are left."""
        for tasks in self._queues:
            tasks.put(None)
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self, tasks):
        for connection, head, keeps in iter(tasks.get, None):
            answer = handler.answer(head.request, self._site)
            number = answer.stream if head.request.method != "HEAD" else None
            pieces = handler.encoded(answer, head, keeps and number is None)
            self._finished.append((connection, pieces, number))
            self._tell()
