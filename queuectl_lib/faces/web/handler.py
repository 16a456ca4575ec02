"""Between bytes and values: http.server reads heads and writes them, here in memory, without a socket.

Of a head it takes more than is safe to take: it ends at the first line that it
does not understand, and lets lines go on in the next. Whoever stands between a
client and this server may read the same bytes as another request (request
smuggling). So a head has to have the strict form that every client sends before
http.server sees it.
"""

import io
import re
from collections import namedtuple
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from queuectl_lib.faces.web import faults, guard, message, routes
from queuectl_lib.faces.web.message import Refused
from queuectl_lib.words.errors import QueuectlError, told

MOST_HEAD = 16 * 1024
MOST_BODY = 4 * 1024 * 1024
# An answer up to this size is sent as one piece.
_SMALL = 64 * 1024

# request: without its body; length: of the body; expects: the client waits for a 100 before it sends that;
# keeps: the connection may be used again; version: 'HTTP/1.0' or 'HTTP/1.1'.
Head = namedtuple("Head", ("request", "length", "expects", "keeps", "version"))

# Bytes beyond ASCII are allowed in a value: another program of this host name may have set a cookie that has some.
_FORM = re.compile(rb"[!-~]+ [!-~]+ HTTP/[0-9.]+\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*\r\n\Z")
# What may stand around a value; str.strip() alone would take more for it than others do.
_BLANK = " \t"
_METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS")
_ALWAYS = (
    ("Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
     "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"))


class _InMemory(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    request_version = "HTTP/1.1"

    def __init__(self, head=b""):
        """The base's own would talk to a socket."""
        self.rfile = io.BytesIO(head)
        self.wfile = io.BytesIO()
        self.expects = False

    def parse(self):
        self.raw_requestline = self.rfile.readline()
        self.parse_request()
        return self

    def handle_expect_100(self):
        self.expects = True
        return True

    def version_string(self):
        return "queuectl"

    def send_error(self, code, message=None, explain=None):
        raise Refused(int(code), message or self.responses[code][0])

    def log_request(self, *words):
        pass


def read_head(data):
    """The Head that the bytes up to the first empty line are; Refused."""
    if len(data) > MOST_HEAD:
        raise too_long(data)
    if _FORM.match(data) is None:
        raise Refused(400, "the request is malformed")
    found = _InMemory(data).parse()
    if found.request_version not in ("HTTP/1.0", "HTTP/1.1"):
        raise Refused(505, "want HTTP/1.1, not %s" % found.request_version)
    if found.command not in _METHODS:
        raise Refused(501, "there is no method %s here" % found.command)
    length = _length(found.headers)
    request = message.request(found.command, _target(found), found.headers, b"")
    return Head(request, length, found.expects, not found.close_connection, found.request_version)


def too_long(data):
    """The Refused for a head of which so much has come, and more is to."""
    if b"\n" not in data[:MOST_HEAD]:
        return Refused(414, "the address is longer than %d KB" % (MOST_HEAD >> 10))
    return Refused(431, "the head of the request is larger than %d KB" % (MOST_HEAD >> 10))


def _length(headers):
    """How many bytes follow a head."""
    given = headers.get_all("Content-Length", [])
    coded = headers.get_all("Transfer-Encoding", [])
    if len(given) > 1 or (given and coded):
        raise Refused(400, "the length of the body is told twice")
    if coded:
        is_known = len(coded) == 1 and coded[0].strip(_BLANK).lower() == "chunked"
        raise Refused(411 if is_known else 501, "want the body with a Content-Length, not in another encoding")
    text = given[0].strip(_BLANK) if given else "0"
    if re.match(r"[0-9]{1,18}\Z", text) is None:
        raise Refused(400, "Content-Length is no number of bytes")
    if int(text) > MOST_BODY:
        raise Refused(413, "the body is larger than %d MB: send less at once" % (MOST_BODY >> 20))
    return int(text)


def _target(found):
    """A request line's target without a host: that may stand there too, if it is the one of the header."""
    if found.path.startswith("/"):
        return found.path
    try:
        parts = urlsplit(found.path)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in ("http", "https") or parts.netloc.lower() != found.headers.get("Host", "").strip(_BLANK).lower():
        raise Refused(400, "the address is not one of this server")
    return (parts.path or "/") + ("?" + parts.query if parts.query else "")


def answer(request, site):
    """The Answer of the routes to a request, whatever happens there."""
    try:
        return routes.respond(request, site)
    except QueuectlError as error:
        return message.refusal(error)
    except OSError as error:
        if error.filename is not None:
            return message.document({"error": told(error)}, 503)
        return _fault()
    except Exception:
        return _fault()


def admitted(request, site):
    """What is answered in place of the routes, or None; Refused."""
    return guard.check(request, site)


def _fault():
    faults.report()
    return message.document({"error": "internal error"}, 500)


def encoded(given, head, keeps):
    """The pieces of bytes that an Answer is sent as; head: what it answers, None where that could not be read."""
    try:
        top = _top(given, head, keeps)
    except Exception:
        given = _fault()
        top = _top(given, head, keeps)
    if head is not None and head.request.method == "HEAD" or given.status == 304:
        return [top]
    return [top + given.body] if len(given.body) <= _SMALL else [top, given.body]


def _top(given, head, keeps):
    """Status line and headers."""
    out = _InMemory()
    out.send_response(given.status)
    headers = dict(_ALWAYS)
    headers["Cache-Control"] = "no-store"
    headers["Content-Type"] = given.kind
    headers.update(given.headers)
    if given.stream is None and given.status != 304:
        headers["Content-Length"] = str(len(given.body))
    if not keeps:
        headers["Connection"] = "close"
    elif head.version == "HTTP/1.0":
        headers["Connection"] = "keep-alive"
    for name, text in headers.items():
        if "\r" in text or "\n" in text:
            raise ValueError("a header of more than one line: %s: %r" % (name, text))
        out.send_header(name, text)
    out.end_headers()
    return out.wfile.getvalue()
