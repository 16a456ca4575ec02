"""Ready jobs in order: one heap, and beside it a lane for each queue that may have to wait by itself.

A queue with a limit, or one that is paused, may be closed while others are
open. Its jobs stand in a lane of their own, a heap like the first one, so that
nobody ever looks past them one by one.

A job that is cancelled while it runs takes its slots of the limit until its processes
are gone: until its worker has written its line once more, or, should nobody do that, for as long as ending them may take.

An item: (priority, order, id, source, offset, line, queue, slots); see view.py.
"""

from heapq import heappop, heappush

from queuectl_lib.store import line, pauses

_QUEUE = 6
_SLOTS = 7


class Lanes:
    """The ready items of one view.

    current(item) tells whether an item still stands for its job; gone(item) is
    called with each one that does not, after it was taken out.
    """

    def __init__(self, limits, apart, current, gone, ending_ms):
        """limits: {queue (bytes): how many slots of it may run at once}; apart: other queues with a lane of their own.

        ending_ms: how long ending a job's processes may take.
        """
        self.limits = limits
        self._ending_ms = ending_ms
        self._current = current
        self._gone = gone
        self._common = []
        self._own = {queue: [] for queue in set(limits) | apart}
        # {queue: pauses.Pause} that are in force, or armed.
        self.pauses = {}
        # {id: (queue, slots)} of the running jobs of limited queues, and their slots by queue.
        self._runs = {}
        self._used = {}
        # {id: until when (ms)} of those that were cancelled while they ran; None until somebody asks for the best.
        self._ending = {}

    def lane_of(self, queue):
        """What a queue's items stand in: the queue itself, None for the common heap."""
        return queue if queue in self._own else None

    def push(self, item):
        """One more item."""
        heappush(self._own.get(item[_QUEUE], self._common) if self._own else self._common, item)

    def pop(self, now):
        """The best item whose queue is open, taken out, or None."""
        heap = self._best(now)
        return None if heap is None else heappop(heap)

    def has_any(self, now):
        """Is there an item whose queue is open?"""
        return self._best(now) is not None

    def is_waiting(self, now):
        """Is there an item whose turn comes without anybody's doing: whose queue is not paused without end?"""
        heaps = [(None, self._common)] + list(self._own.items())
        return any(self._paused_until(queue, now) is not None and self._clean(heap) for queue, heap in heaps)

    def next_end(self, now):
        """The moment (ms) at which the next pause is over that keeps an item waiting, or what is being ended must be; or None."""
        heaps = [(None, self._common)] + list(self._own.items()) if self.pauses else []
        ends = [self._paused_until(queue, now) for queue, heap in heaps if self._clean(heap)]
        ends += self._ending.values()
        return min((end for end in ends if end), default=None)

    def note(self, head):
        """Take in what a job's line (line.HEAD's groups) says of who runs; for limited queues only."""
        job_id, queue = head[line.ID], head[line.QUEUE]
        self._forget_run(job_id)
        is_ending = head[line.STATE] == b"cancelled" and head[line.WAS] == b"processing"
        if (is_ending or head[line.STATE] == b"processing") and queue in self.limits:
            slots = int(head[line.SLOTS] or 1)
            self._runs[job_id] = queue, slots
            self._used[queue] = self._used.get(queue, 0) + slots
            if is_ending:
                self._ending[job_id] = None

    def _forget_run(self, job_id):
        queue, slots = self._runs.pop(job_id, (None, 0))
        if slots:
            self._used[queue] -= slots
        self._ending.pop(job_id, None)

    def _look_at_ending(self, now):
        for job_id, until in list(self._ending.items()):
            # Further away than it can be: the clock was set back.
            if until is None or until > now + self._ending_ms:
                self._ending[job_id] = now + self._ending_ms
            elif until <= now:
                self._forget_run(job_id)

    def _best(self, now):
        if not self._own and not self.pauses:
            return self._common if self._clean(self._common) else None
        if self._paused_until(None, now) != 0:
            return None
        if self._ending:
            self._look_at_ending(now)
        heaps = [heap for queue, heap in self._own.items() if self._clean(heap) and self._is_open(queue, heap[0], now)]
        if self._clean(self._common):
            heaps.append(self._common)
        return min(heaps, key=_first, default=None)

    def _is_open(self, queue, item, now):
        if self._paused_until(queue, now) != 0:
            return False
        limit = self.limits.get(queue)
        used = self._used.get(queue, 0)
        # What needs more than there is at all runs when it is alone.
        return limit is None or not used or used + int(item[_SLOTS] or 1) <= limit

    def _paused_until(self, queue, now):
        """0 for a queue (None: those without a lane) that is not paused now, the end of its pause in ms, None for none."""
        found = 0
        for name in (pauses.ALL, queue and queue.decode()):
            end = pauses.end(self.pauses.get(name))
            if end is None:
                return None
            if end > now:
                found = max(found, end)
        return found

    def _clean(self, heap):
        """Whether there is an item in it; its first one stands for its job then."""
        while heap:
            if self._current(heap[0]):
                return True
            self._gone(heappop(heap))
        return False


def _first(heap):
    return heap[0]
