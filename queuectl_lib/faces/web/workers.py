"""The few threads in which requests are answered, so that the loop over the connections goes on meanwhile."""

import queue
import threading
import time
from collections import deque

from queuectl_lib.faces.web import handler

COUNT = 4


class Workers:
    """site: of the routes; tell: called without arguments when something is finished, by the thread that finished it."""

    def __init__(self, site, tell):
        self._site = site
        self._tell = tell
        self._tasks = queue.SimpleQueue()
        self._finished = deque()
        # Daemons: one that waits for the store's lock must not keep the process. What it
        # would have written is not written then, or whole: as after a kill -9.
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(COUNT)]
        for thread in self._threads:
            thread.start()

    def give(self, connection, head, keeps):
        """Have the request of a connection (handler.Head, its body with it) answered."""
        self._tasks.put((connection, head, keeps))

    def finished(self):
        """Yields (connection, pieces of the answer, the ring's number if it is a stream) of what is answered by now."""
        while self._finished:
            yield self._finished.popleft()

    def stop(self, seconds):
        """Let the threads end; those who do not in so many seconds are left."""
        for _ in self._threads:
            self._tasks.put(None)
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self):
        for connection, head, keeps in iter(self._tasks.get, None):
            answer = handler.answer(head.request, self._site)
            number = answer.stream if head.request.method != "HEAD" else None
            pieces = handler.encoded(answer, head, keeps and answer.stream is None)
            self._finished.append((connection, pieces, number))
            self._tell()
