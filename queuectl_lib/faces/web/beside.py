"""The dashboard as a process beside workers: it serves until their supervisor lets go of it, or is dead.

A process of its own, since threads and fork do not mix: the supervisor forks.
"""

import socket

from queuectl_lib.faces.web import serving
from queuectl_lib.store import store as stores
from queuectl_lib.work import signals
from queuectl_lib.work.post import Post


def post(listener, root, token, host, opens=False, name=None):
    """The Post of a dashboard: of serving.serve(); root: the store's directory; opens: in a browser."""
    shown = [opens]
    # Here, not in the process alone, or one that comes after one that died would be of another version.
    serving.load_all()

    def duty(end, copies):
        # Once: not by the one that comes after one that died.
        return main, (root, listener, token, host, shown.pop() if shown else False, name, end, copies)

    # No pipe: on Windows a selector takes sockets alone.
    return Post("dashboard", socket.socketpair, duty, [listener])


def main(root, listener, token, host, opens, name, until, copies):
    """The process, from its first statement to its exit; copies: of what is the supervisor's, to be closed."""
    signals.leave_the_terminal()
    signals.heed_none()
    for each in copies:
        each.close()
    serving.serve(listener, stores.open_store(root, write=True), False, (token,), host, until, opens=opens, name=name)
