"""What wakes the loop over the connections: a byte in a socket that it looks at, too."""

import socket


class Waker:
    """A pair of sockets, since select() of Windows takes no pipes."""

    def __init__(self):
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._is_rung = False

    def wake(self):
        """From any thread."""
        if not self._is_rung:
            self._is_rung = True
            try:
                self._bell.send(b"\0")
            except OSError:
                # It is awake, or over.
                pass

    def bell(self):
        """The descriptor that rings when a byte is written to it (signal.set_wakeup_fd)."""
        return self._bell.fileno()

    def fileno(self):
        """For a selector."""
        return self._ear.fileno()

    def hear(self):
        """Take note: who wakes it from now on does so once more."""
        try:
            self._ear.recv(4096)
        except OSError:
            pass
        self._is_rung = False

    def close(self):
        self._bell.close()
        self._ear.close()
