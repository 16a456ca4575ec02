"""Which function answers which request: the table, and the look into it."""

from collections import namedtuple

from queuectl_lib.faces.web import asked, cache, changes, events, jobs, new_jobs, openapi, pages, standing, written
from queuectl_lib.faces.web.message import TEXT, Refused, document, segments
from queuectl_lib.store.paths import Paths

# pattern: '/api/jobs/{id}'; function(request, site, **parts) -> Answer; about: what it does, in a sentence.
# query: the parameters it takes (schemas.PARAMETERS), None where nobody looks at them; takes: the schema of the body;
# gives: the schema of the answer, or what kind of text it is; statuses: of the answers where all is well;
# is_kept: whether an answer holds as long as the store does not change (cache.py); is_open: whether it needs no token.
Route = namedtuple("Route", ("method", "pattern", "function", "about", "query", "takes", "gives", "statuses", "is_kept", "is_open"))
Route.__new__.__defaults__ = ((), None, None, (200,), False, False)

_HTML = "text/html"


def describe(request, site):
    return document(openapi.described(ROUTES))


ROUTES = (
    Route("GET", "/", pages.index, "The page.", query=None, gives=_HTML),
    Route("GET", "/static/{name}", pages.static, "What the page is made of.", query=None),
    Route("GET", "/healthz", standing.health, "Whether the store can be read.", query=None, gives="Health", is_kept=True, is_open=True),
    Route("GET", "/metrics", standing.metrics, "The figures as Prometheus reads them.", query=None, gives="text/plain", is_kept=True),
    Route("GET", "/api", describe, "This description.", gives="Description"),
    Route("GET", "/api/status", standing.status, "How the queue stands.", gives="Status", is_kept=True),
    Route("GET", "/api/workers", standing.workers, "Who is alive, and what they run.", gives="Workers", is_kept=True),
    Route("GET", "/api/throughput", events.throughput, "How many attempts completed and failed in each minute of the last hour.",
          gives="Throughput"),
    Route("GET", "/api/events", events.events, "What happens, as it happens (server-sent events).", gives="text/event-stream"),
    Route("GET", "/api/jobs", jobs.listed, "A page of jobs.", gives="Page", is_kept=True,
          query=("state", "queue", "search", "sort", "limit", "cursor")),
    Route("POST", "/api/jobs", new_jobs.enqueue, "Add a job, or an array of jobs, all or none.", takes="NewJobs",
          gives="Enqueued", statuses=(201, 200)),
    Route("POST", "/api/jobs/retry", changes.retry_many, "Give many jobs a full budget of attempts again; of a selection without "
          "a state the dead ones.", takes="Selection", gives="Changed"),
    Route("POST", "/api/jobs/cancel", changes.cancel_many, "Call many jobs off.", takes="Selection", gives="Changed"),
    Route("POST", "/api/jobs/hold", changes.hold_many, "Keep many jobs from running.", takes="Selection", gives="Changed"),
    Route("POST", "/api/jobs/release", changes.release_many, "Let many held jobs run.", takes="Selection", gives="Changed"),
    Route("GET", "/api/jobs/{id}", jobs.one, "Everything about one job.", query=("reveal",), gives="Job", is_kept=True),
    Route("PATCH", "/api/jobs/{id}", changes.edit, "Change what a job was told, from its next attempt on.", takes="Edit", gives="Job"),
    Route("DELETE", "/api/jobs/{id}", changes.remove, "Remove a dead job and its output for good.", gives="Removed"),
    Route("GET", "/api/jobs/{id}/stdout", written.stdout, "All that is kept of what it wrote.", gives=TEXT),
    Route("GET", "/api/jobs/{id}/stderr", written.stderr, "All that is kept of what it wrote to standard error.", gives=TEXT),
    Route("GET", "/api/jobs/{id}/output", written.output, "What it wrote behind an offset of each stream, at most 64 KB of each.",
          query=("stdout", "stderr"), gives="Output"),
    Route("POST", "/api/jobs/{id}/retry", changes.retry, "Give it a full budget of attempts again.", gives="Job"),
    Route("POST", "/api/jobs/{id}/cancel", changes.cancel, "Call it off; if it runs, its processes are ended.", gives="Job"),
    Route("POST", "/api/jobs/{id}/hold", changes.hold, "Keep it from running until it is released.", gives="Job"),
    Route("POST", "/api/jobs/{id}/release", changes.release, "Let it run.", gives="Job"),
    Route("POST", "/api/queues/{name}/pause", changes.pause, "Start no jobs of this queue.", takes="Pausing", gives="Paused"),
    Route("POST", "/api/queues/{name}/resume", changes.resume, "Let it go on.", gives="Paused"),
    Route("POST", "/api/pause", changes.pause, "Start no jobs of any queue.", takes="Pausing", gives="Paused"),
    Route("POST", "/api/resume", changes.resume, "Let go on what was paused as a whole.", gives="Paused"),
)

_FOR_MANY = frozenset(route.pattern for route in ROUTES if route.takes == "Selection")

# One for the whole process: what is asked of another Site has another key.
_kept = cache.Cache()


def respond(request, site):
    """The Answer to a request; Refused, or another QueuectlError."""
    parts = segments(request.path)
    if parts[0] == "api" and len(parts) > 1 and not parts[-1]:
        # A slash at the end is what many clients put behind a path; no place in one can be empty.
        del parts[-1]
    # A HEAD is a GET whose body is left out when it is sent.
    method = "GET" if request.method == "HEAD" else request.method
    fitting = [(route, found) for route in ROUTES for found in [_fitted(route, parts)] if found is not None]
    for route, found in fitting:
        if route.method == method:
            return _answered(route, found, request, site)
    if fitting:
        methods = {route.method for route, _ in fitting}
        methods.update({"HEAD"} if "GET" in methods else ())
        allowed = ", ".join(sorted(methods))
        raise Refused(405, "%s is not for this address; what is: %s" % (request.method, allowed), Allow=allowed)
    raise Refused(404, "there is nothing at this address; what there is tells /api")


def is_for_many(request):
    """Whether a change may be one of more jobs than are told in a request."""
    return request.path in _FOR_MANY


def _answered(route, found, request, site):
    if route.query is not None:
        asked.check_names(request.query, route.query, "parameter")
        asked.check_place(found)
    if not route.is_kept:
        return route.function(request, site, **found)
    query = tuple((name, tuple(texts)) for name, texts in sorted(request.query.items()))
    return _kept.answer((site, request.path, query), cache.marks(Paths(site.store)),
                        lambda: route.function(request, site, **found))


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
