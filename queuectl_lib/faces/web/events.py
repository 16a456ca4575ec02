"""What is told as it happens, for a request: the event stream, and the chart of the last hour."""

from queuectl_lib.faces.web.message import Answer, Refused, document
from queuectl_lib.words import clock

_KIND = "text/event-stream"


def events(request, site):
    """The beginning of a stream; the rest is what the ring holds behind the answer's number."""
    if request.method == "HEAD":
        # As of a stream, whose length nobody knows.
        return Answer(200, _KIND, b"", {}, 0)
    first, number = _live(site).begin(request.headers.get("Last-Event-ID"))
    return Answer(200, _KIND, first, {}, number)


def throughput(request, site):
    return document(_live(site).throughput(clock.now()))


def _live(site):
    if site.live is None:
        raise Refused(503, "this server follows nothing")
    return site.live
