"""The real server around a ring that the test fills, and nothing else: run as a process, told on its input what to publish.

A line of input is a number of messages and the length of each; each is answered by an empty line when it is published.
"""

import os
import sys
import threading

from queuectl_lib.faces.web import routes, serving
from queuectl_lib.faces.web.connections import Connections
from queuectl_lib.faces.web.guard import hosts
from queuectl_lib.faces.web.message import Answer
from queuectl_lib.faces.web.ring import Ring
from queuectl_lib.faces.web.site import Site

TOKEN = "token"
HELLO = b"retry: 2000\n\n"


class Live:
    """As faces/web/live.py, for the loop over the connections."""

    def __init__(self):
        self.ring = Ring()
        self.listeners = 0


def stream(request, site):
    seen = request.headers.get("Last-Event-ID")
    return Answer(200, "text/event-stream", HELLO, {}, site.live.ring.last if seen is None else int(seen))


def listeners(request, site):
    return Answer(200, "text/plain", b"%d" % site.live.listeners)


def message(number, length):
    return b"id: %04d\ndata: %s\n\n" % (number, b"x" * length)


def main():
    routes.ROUTES = (routes.Route("GET", "/stream", stream, ""), routes.Route("GET", "/listeners", listeners, ""))
    listener = serving.bind("127.0.0.1", 0)
    live = Live()
    site = Site(os.getcwd(), False, TOKEN, os.getcwd(), live, hosts("", "127.0.0.1"))
    loop = Connections(listener, site)

    def publish():
        for line in sys.stdin:
            count, length = map(int, line.split())
            for _ in range(count):
                live.ring.publish(lambda number: message(number, length))
            print(flush=True)
        loop.stop()
    threading.Thread(target=publish, daemon=True).start()
    print(serving.url(listener, TOKEN), flush=True)
    loop.run()


if __name__ == "__main__":
    main()
