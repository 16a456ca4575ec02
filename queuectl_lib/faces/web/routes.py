"""Which function answers which request: the table, and the look into it."""

from collections import namedtuple

from queuectl_lib.faces.web import changes, events, jobs, pages, standing
from queuectl_lib.faces.web.message import Refused, segments

# pattern: '/api/jobs/{id}'; function(request, site, **parts) -> Answer; about: what it does, in a sentence.
Route = namedtuple("Route", ("method", "pattern", "function", "about"))

ROUTES = (
    Route("GET", "/", pages.index, "The page."),
    Route("GET", "/static/{name}", pages.static, "What the page is made of."),
    Route("GET", "/healthz", standing.health, "Whether the store can be read."),
    Route("GET", "/metrics", standing.metrics, "The figures as Prometheus reads them."),
    Route("GET", "/api/status", standing.status, "How the queue stands."),
    Route("GET", "/api/throughput", events.throughput, "How many attempts completed and failed in each minute of the last hour."),
    Route("GET", "/api/events", events.events, "What happens, as it happens (server-sent events)."),
    Route("GET", "/api/workers", standing.workers, "Who is alive, and what they run."),
    Route("GET", "/api/jobs", jobs.listed, "A page of jobs."),
    Route("POST", "/api/jobs", changes.enqueue, "Add a job, or many."),
    Route("GET", "/api/jobs/{id}", jobs.one, "Everything about one job."),
    Route("GET", "/api/jobs/{id}/stdout", jobs.stdout, "What it wrote."),
    Route("GET", "/api/jobs/{id}/stderr", jobs.stderr, "What it wrote to standard error."),
    Route("POST", "/api/jobs/{id}/retry", changes.retry, "Give it a full budget of attempts again."),
    Route("POST", "/api/jobs/{id}/cancel", changes.cancel, "Call it off."),
    Route("POST", "/api/jobs/{id}/hold", changes.hold, "Keep it from running."),
    Route("POST", "/api/jobs/{id}/release", changes.release, "Let it run."),
)


def respond(request, site):
    """The Answer to a request; Refused, or another QueuectlError."""
    parts = segments(request.path)
    # A HEAD is a GET whose body is left out when it is sent.
    method = "GET" if request.method == "HEAD" else request.method
    fitting = [(route, found) for route in ROUTES for found in [_fitted(route, parts)] if found is not None]
    for route, found in fitting:
        if route.method == method:
            return route.function(request, site, **found)
    if fitting:
        allowed = sorted({route.method for route, _ in fitting})
        raise Refused(405, "%s is not for %s" % (request.method, request.path), Allow=", ".join(allowed))
    raise Refused(404, "there is nothing at %s; the API tells what there is at /api" % request.path)


def _fitted(route, parts):
    """{name: text} of a pattern's places if the path fits it, else None."""
    wanted = route.pattern.split("/")[1:]
    if len(wanted) != len(parts):
        return None
    found = {}
    for pattern, part in zip(wanted, parts):
        if pattern.startswith("{"):
            found[pattern[1:-1]] = part
        elif pattern != part:
            return None
    return found
