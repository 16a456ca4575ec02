"""The API's routes called as functions, and a client that speaks to the real server."""

import http.client
import json
import os
import re
from collections import namedtuple
from contextlib import contextmanager

from queuectl_lib.faces.web import message, routes
from queuectl_lib.faces.web.site import Site
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import QueuectlError
from tests.support import wait_until

# data: the document, or the text of what is none.
Told = namedtuple("Told", ("status", "data", "headers"))


class Routes:
    """The routes over a store that lies in this directory."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.site = Site(os.path.join(self.directory, ".queuectl"), False, "token", self.directory, None)

    def ask(self, method, target, body=None, **headers):
        """What is answered; a body that is no bytes is sent as JSON; Idempotency_Key="k" is a header."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            answer = routes.respond(message.request(method, target, named, data), self.site)
        except QueuectlError as error:
            answer = message.refusal(error)
        return told(answer.status, answer.kind, answer.body, answer.headers)

    def get(self, target, status=200):
        return self._expected(self.ask("GET", target), status)

    def post(self, target, body=None, status=200, **headers):
        return self._expected(self.ask("POST", target, body, **headers), status)

    def _expected(self, answer, status):
        assert answer.status == status, answer
        return answer.data

    def give(self, *jobs):
        """Store jobs (dicts; `true` is run unless they say otherwise)."""
        return self.post("/api/jobs", [dict({"command": "true"}, **fields) for fields in jobs], 201)["ids"]

    def store(self):
        return stores.open_store(self.site.store, write=True)

    def become(self, id, **fields):
        """Make another one of a job."""
        self.store().change([id], lambda job: job._replace(**fields))

    def states(self):
        return {job.id: job.state for job in self.store().jobs()}

    def ids(self, query=""):
        return [row["id"] for row in self.get("/api/jobs" + query)["jobs"]]


def told(status, kind, body, headers):
    if kind == message.JSON:
        return Told(status, json.loads(body.decode("ascii")), headers)
    return Told(status, body.decode("utf-8", "surrogateescape"), headers)


class Client:
    """A client of a running dashboard, with its token."""

    def __init__(self, address):
        found = re.match(r"http://([^/:]+):(\d+)/(?:\?token=(\S+))?", address)
        self.host, self.port, self.token = found.group(1), int(found.group(2)), found.group(3)

    def ask(self, method, target, body=None, **headers):
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        if self.token:
            named.setdefault("Authorization", "Bearer " + self.token)
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            named.setdefault("Content-Type", message.JSON)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, target, data, named)
            answer = connection.getresponse()
            body = answer.read()
            return told(answer.status, answer.getheader("Content-Type") if body else None, body, answer.headers)
        finally:
            connection.close()


@contextmanager
def dashboard(queue, *words):
    """A Client of a dashboard on a free port, which is stopped by Ctrl+C."""
    started = queue.start("dashboard", "--port", "0", *words)
    address = wait_until(lambda: re.search(r"http://\S+(?=\s)", started.text()), "the dashboard says where it is")
    try:
        yield Client(address.group())
    finally:
        started.press_ctrl_c()
        started.wait()
