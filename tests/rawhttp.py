"""A client that speaks raw HTTP: what it is told goes out byte by byte, and what comes back is taken apart strictly.

`Client` keeps one connection. `ask` makes an ordinary request; `send` and `answer` are for the
odd ones. `events` reads a stream of server-sent events.
"""

import json
import socket
from collections import namedtuple
from urllib.parse import urlsplit

from tests.support import DEADLINE

Event = namedtuple("Event", "id kind data")


class Answer(namedtuple("Answer", "status headers body")):
    """One answer: `headers` are (name in lower case, value), in their order; `body` is bytes."""

    def header(self, name):
        """The value of the one header of this name, None where there is none."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) < 2, "%s stands there %d times" % (name, len(values))
        return values[0] if values else None

    def json(self):
        assert self.header("content-type").startswith("application/json"), self
        return json.loads(self.body.decode("utf-8"))

    def error(self):
        """The sentence of an error, after a look at its form."""
        document = self.json()
        assert list(document) == ["error"] and document["error"] and "Traceback" not in document["error"], document
        return document["error"]


class Client:
    """One connection to a server; `token` goes with every `ask` as Bearer unless it is None."""

    def __init__(self, address, token=None):
        """`address`: "http://127.0.0.1:8000", a path and a query behind it are left alone."""
        parts = urlsplit(address)
        self.host = parts.netloc
        self.token = token
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE)
        self._read = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    # --- asking

    def ask(self, method, path, document=None, **headers):
        """One request and its answer; `document` goes as JSON. A header of the value None is left out, _ stands for -."""
        return self.request(method, path, None if document is None else json.dumps(document).encode(), **headers)

    def request(self, method, path, body=None, **headers):
        """As `ask`, with these bytes as its body."""
        fields = {"Host": self.host}
        if self.token is not None:
            fields["Authorization"] = "Bearer " + self.token
        if body is not None:
            fields.update({"Content-Type": "application/json", "Content-Length": len(body)})
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        self.send(head("%s %s HTTP/1.1" % (method, path), fields) + (body or b""))
        return self.answer(method)

    def send(self, data):
        self.socket.sendall(data)

    def end_sending(self):
        """Close our half of the connection."""
        self.socket.shutdown(socket.SHUT_WR)

    # --- reading

    def answer(self, method="GET"):
        """The next answer on the connection; `method` is the one it answers, since that of HEAD has no body."""
        lines = self._take_head().split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version in ("HTTP/1.0", "HTTP/1.1"), lines[0]
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        answer = Answer(int(status), headers, b"")
        return answer._replace(body=self._take_body(answer, method))

    def _take_head(self):
        while b"\r\n\r\n" not in self._read:
            assert self._more(), "the connection ended within a head: %r" % self._read
        taken, _, self._read = self._read.partition(b"\r\n\r\n")
        return taken.decode("latin-1")

    def _take_body(self, answer, method):
        if method == "HEAD" or answer.status in (204, 304):
            return b""
        length = answer.header("content-length")
        if length is None:
            return self.rest()
        while len(self._read) < int(length):
            assert self._more(), "the connection ended within a body: %r" % self._read[-200:]
        taken, self._read = self._read[:int(length)], self._read[int(length):]
        return taken

    def rest(self):
        """All that comes until the server closes the connection."""
        while self._more():
            pass
        taken, self._read = self._read, b""
        return taken

    def is_closed(self):
        """Whether the server closes the connection and sends nothing more; waited for."""
        return not self._read and not self._more()

    def events(self, path="/api/events", **headers):
        """The events of a stream, as they come; comments are left out."""
        self.send(head("GET %s HTTP/1.1" % path, dict({"Host": self.host, "Authorization": "Bearer %s" % self.token}, **headers)))
        first = self._take_head()
        assert " 200 " in first.split("\r\n")[0] and "text/event-stream" in first, first
        while True:
            while b"\n\n" not in self._read:
                if not self._more():
                    return
            block, _, self._read = self._read.partition(b"\n\n")
            event = _event(block.decode("utf-8"))
            if event:
                yield event

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self._read += data
        return bool(data)


def head(first, fields):
    """A request's head; fields of the value None are left out."""
    lines = [first] + ["%s: %s" % (name, value) for name, value in fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _event(block):
    fields = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        if name:
            fields.setdefault(name, []).append(value[1:] if value.startswith(" ") else value)
    if "data" not in fields:
        return None
    return Event(fields.get("id", [None])[0], fields.get("event", ["message"])[0], json.loads("\n".join(fields["data"])))
