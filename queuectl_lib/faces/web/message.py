"""A request and an answer, as values; and the refusals that have a status and headers of their own."""

import json
import re
from collections import namedtuple
from urllib.parse import parse_qs, unquote

from queuectl_lib.words.errors import (
    BadInput, DiskFull, NotDone, QueuectlError, StoreError, StoreLocked, UnknownJob)

# method: 'GET' …; path: as it was sent, without the query; query: {name: [text…]}; headers: has get(name);
# body: bytes.
Request = namedtuple("Request", ("method", "path", "query", "headers", "body"))

# kind: its Content-Type; headers: {name: text} beside those that every answer has;
# stream: None, or the number of the ring's last message that the body holds: the
# connection stays open then, and gets what is published after it.
Answer = namedtuple("Answer", ("status", "kind", "body", "headers", "stream"))
Answer.__new__.__defaults__ = ({}, None)

JSON = "application/json"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


class Refused(QueuectlError):
    """A request that is refused with a status that no other error has."""

    def __init__(self, status, text, **headers):
        QueuectlError.__init__(self, text)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


# A percent sign that begins no byte, or one that begins a NUL, which nothing here has in its name.
_ODD = re.compile("%(?![0-9A-Fa-f]{2})|%00")

# The first that fits.
_STATUS = ((UnknownJob, 404), (NotDone, 409), (BadInput, 400), (StoreLocked, 503), (DiskFull, 507), (StoreError, 503))


def request(method, target, headers, body):
    """The Request of a request line's words; Refused with 400 where nobody could say what the target means."""
    # urlsplit would take '//name/…' for a host, and leave out characters.
    path, _, query = target.partition("?")
    if _ODD.search(target) or "#" in target or not path.startswith("/"):
        raise Refused(400, "the address is malformed")
    try:
        unquote(path, errors="strict")
        fields = parse_qs(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise Refused(400, "the address is not UTF-8")
    return Request(method, path, fields, headers, body)


def segments(path):
    """The decoded parts of a path: '/api/jobs/a%20b' -> ['api', 'jobs', 'a b']."""
    return [unquote(part) for part in path.split("/")[1:]]


def document(value, status=200, **headers):
    """An Answer of JSON."""
    body = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
    return Answer(status, JSON, body, {name.replace("_", "-"): text for name, text in headers.items()})


def refusal(error):
    """The Answer that tells a QueuectlError."""
    if isinstance(error, Refused):
        return document({"error": error.sentence}, error.status)._replace(headers=dict(error.headers))
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 500)
    headers = {"Retry_After": "1"} if isinstance(error, StoreLocked) else {}
    return document({"error": error.sentence}, status, **headers)


def given(request):
    """The JSON document of a request's body; Refused with 400 where it is none."""
    try:
        return json.loads(request.body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is no JSON: %s" % error)
