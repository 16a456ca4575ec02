"""Where clients come in: the listening socket, shut for a while when there is no descriptor for another one."""

import selectors
import socket

try:
    import resource
except ImportError:
    resource = None

_AT_ONCE = 64
# A client that vanishes without a word (its network is gone) is given up after so many seconds, where the system
# can be told so; else an event stream to it would be kept for a quarter of an hour, in which its buffer takes all.
_VANISHED = 30
# How long without a byte it is asked whether it is there, in seconds, and how often. Not every system has all these.
_OPTIONS = (("TCP_KEEPIDLE", 15), ("TCP_KEEPALIVE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", _VANISHED * 1000))


def most_clients(most):
    """So many, or fewer where files may be opened only a few: those who are answered need some, too."""
    if resource is None:
        return most
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most if limit == resource.RLIM_INFINITY else min(most, limit // 2)


class Door:
    """knocked: called by the loop when somebody is there."""

    def __init__(self, listener, selector, knocked):
        listener.setblocking(False)
        self._listener = listener
        self._selector = selector
        self._knocked = knocked
        self.is_open = False
        self.open()

    def open(self):
        if not self.is_open:
            self.is_open = True
            self._selector.register(self._listener, selectors.EVENT_READ, self._knocked)

    def shut(self):
        if self.is_open:
            self.is_open = False
            self._selector.unregister(self._listener)

    def close(self):
        self.shut()
        self._listener.close()

    def clients(self):
        """Yields the sockets of those who are there; shuts the door where the system has no room for one."""
        for _ in range(_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self.shut()
                return
            try:
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _notice_the_end(client)
            except OSError:
                # Some systems tell here that it has left again.
                client.close()
                continue
            yield client


def _notice_the_end(client):
    """Have the system find out that a client is gone of which nothing is heard."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        try:
            client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        except (AttributeError, OSError):
            # What has the names need not have the thing.
            pass
