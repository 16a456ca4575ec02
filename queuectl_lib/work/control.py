"""What a worker has been told: by its supervisor, by signals, by workers.pid.

    control pipe   'drain' or 'now' from the supervisor; its end: the supervisor is dead, drain
    SIGTERM        drain: whoever stops the whole group means the supervisor's first step
    SIGUSR1        read workers.pid and the pipe, and look whether the running job is still ours
    workers.pid    'drain' or 'now' in this worker's line

While a command runs the pipe wakes nobody; both are read again every second.

Ctrl+C and a closing terminal are the supervisor's to understand; where they
reach a worker all the same, they do nothing.
"""

import signal
import time

from queuectl_lib.work import signals
from queuectl_lib.work.pidfile import DRAIN, NOW


class Control:
    """Collects orders; `order` is None, DRAIN or NOW."""

    def __init__(self, waiter, connection):
        self.order = None
        self.waiter = waiter
        self._connection = connection
        self._orders = None
        waiter.heed(*signals.heeded())
        waiter.watch(connection)

    def follow(self, orders):
        """From now on read these pidfile.Orders, too."""
        self._orders = orders

    def hear(self, woken):
        """Take in what woke the worker; whether somebody wants it to look at its job."""
        if self._connection is not None and self._connection.fileno() in woken.fds:
            self._receive()
        if signal.SIGTERM in woken.signals:
            self.tell(DRAIN)
        nudged = signals.NUDGE in woken.signals
        if nudged:
            self.read()
        return nudged

    def read(self):
        """Read what stands in workers.pid and in the pipe."""
        if self._connection is not None and self._is_told():
            self._receive()
        if self._orders is not None:
            self.tell(self._orders.read())

    def _is_told(self):
        try:
            return self._connection.poll()
        except OSError:
            # So Windows says that its other end is closed.
            return True

    def tell(self, order):
        """An order; NOW is never taken back."""
        if order == NOW or (order == DRAIN and self.order is None):
            self.order = order

    def nap(self, seconds):
        """Sleep so long, or until the next order; whether there was none yet."""
        before = self.order
        deadline = time.monotonic() + seconds
        rest = seconds
        while rest > 0 and self.order == before:
            self.hear(self.waiter.wait(rest))
            self.read()
            rest = deadline - time.monotonic()
        return self.order is None

    def _receive(self):
        try:
            self.tell(self._connection.recv_bytes(64).decode("ascii"))
        except (EOFError, OSError):
            self.waiter.forget(self._connection)
            self._connection.close()
            self._connection = None
            self.tell(DRAIN)
