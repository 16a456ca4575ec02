"""GET /api describes what there is: every route, and every answer as it really comes."""

import re

import pytest

from queuectl_lib.faces.web import openapi, routes, schemas
from queuectl_lib.job import checks, record
from tests.web import api

_KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "array": list, "object": dict}


def faults(value, schema, known, place=""):
    """Yields what is wrong with a value: with less than all of JSON Schema, but no member may be there that is not described."""
    if "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        found = [list(faults(value, each, known, place)) for each in schema["anyOf"]]
        if all(found):
            yield from found[0]
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds):
        yield "%s: %r is no %s" % (place, value, " or ".join(kinds))
        return
    if value is None:
        return
    if "enum" in schema and value not in schema["enum"]:
        yield "%s: %r is none of %s" % (place, value, schema["enum"])
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield "%s: %r does not fit %s" % (place, value, schema["pattern"])
    if schema.get("format") == "date-time" and not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", value):
        yield "%s: %r is no moment" % (place, value)
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from faults(each, schema["items"], known, "%s[%d]" % (place, number))
    if isinstance(value, dict):
        yield from _faults_of_members(value, schema, known, place)


def _faults_of_members(value, schema, known, place):
    properties = schema.get("properties", {})
    yield from ("%s: there is no %s" % (place, name) for name in schema.get("required", ()) if name not in value)
    for name, each in value.items():
        described = properties.get(name, schema.get("additionalProperties"))
        if described is not None:
            yield from faults(each, described, known, "%s.%s" % (place, name))
        elif properties:
            yield "%s: %s is not described" % (place, name)


@pytest.fixture
def here(tmp_path):
    """Jobs in every state, and all that can be said of a queue."""
    made = api.Routes(tmp_path)
    made.give({"id": "a", "env": {"A": "1"}, "priority": 2}, {"id": "b", "queue": "mail"}, {"id": "c", "held": True}, {"id": "d"},
              {"id": "e"}, {"id": "f", "after": "a", "slots": 2, "nice": 3, "timeout": 1.5, "run_at": "2099-01-01",
                            "expires_at": "2099-01-01"}, {"id": "g"}, {"id": "h"}, {"id": "i"}, {"id": "j"})
    made.become("d", state="dead", attempts=4, exit_code=3, duration=0.25, stdout="x", finished_at="2026-01-01T00:00:00.000Z")
    made.become("e", state="completed", attempts=1, exit_code=0, finished_at="2026-01-01T00:00:00.000Z")
    made.become("g", state="dead", attempts=4, error="timed out after 3 s", signal=9, finished_at="2026-01-01T00:00:00.000Z")
    made.become("h", state="processing", attempts=1, worker="1.abc", started_at="2026-01-01T00:00:00.000Z")
    made.become("i", state="failed", attempts=1, next_run_at="2099-01-01T00:00:00.000Z")
    made.post("/api/queues/mail/pause", {"reason": "new server", "for": "2h"})
    return made


# What is asked in order to see each answer: (method and pattern, target, body).
CALLS = [
    ("GET /healthz", "/healthz", None), ("GET /metrics", "/metrics", None), ("GET /api", "/api", None),
    ("GET /api/status", "/api/status", None), ("GET /api/workers", "/api/workers", None),
    ("GET /api/jobs", "/api/jobs", None), ("GET /api/jobs", "/api/jobs?sort=-id&limit=2&state=pending,dead&queue=default", None),
    ("GET /api/jobs", "/api/jobs?search=true&limit=1", None),
    ("POST /api/jobs", "/api/jobs", {"command": "true"}), ("POST /api/jobs", "/api/jobs", [{"command": "true"}] * 2),
    ("POST /api/jobs/{id}/hold", "/api/jobs/b/hold", None), ("POST /api/jobs/{id}/release", "/api/jobs/b/release", None),
    ("POST /api/jobs/{id}/retry", "/api/jobs/e/retry", None), ("POST /api/jobs/{id}/cancel", "/api/jobs/b/cancel", None),
    ("PATCH /api/jobs/{id}", "/api/jobs/b", {"priority": 7, "timeout": "5m"}),
    ("GET /api/jobs/{id}/stdout", "/api/jobs/d/stdout", None), ("GET /api/jobs/{id}/stderr", "/api/jobs/h/stderr", None),
    ("GET /api/jobs/{id}/output", "/api/jobs/d/output?stdout=0&stderr=0", None), ("GET /api/jobs/{id}/output", "/api/jobs/h/output", None),
    ("POST /api/jobs/hold", "/api/jobs/hold", {"ids": ["a", "nobody"]}), ("POST /api/jobs/release", "/api/jobs/release", {"all": True}),
    ("POST /api/jobs/retry", "/api/jobs/retry", {"state": ["cancelled"]}), ("POST /api/jobs/cancel", "/api/jobs/cancel", {"ids": ["a"]}),
    ("DELETE /api/jobs/{id}", "/api/jobs/d", None), ("POST /api/pause", "/api/pause", {}), ("POST /api/resume", "/api/resume", None),
    ("POST /api/queues/{name}/pause", "/api/queues/x/pause", {"reason": "y"}),
    ("POST /api/queues/{name}/resume", "/api/queues/mail/resume", None),
]
CALLS = [("GET /api/jobs/{id}", "/api/jobs/" + id, None) for id in "abcdefghi"] + CALLS

# The page, and what needs a thread that looks on.
OTHERS = {"GET /", "GET /static/{name}", "GET /api/events", "GET /api/throughput"}


def operations(description):
    return {"%s %s" % (method.upper(), pattern): found
            for pattern, methods in description["paths"].items() for method, found in methods.items()}


def test_every_route_is_described_and_nothing_else(here):
    description = here.get("/api")
    assert description["openapi"].startswith("3.1.") and description["info"]["version"]
    assert set(operations(description)) == {"%s %s" % (route.method, route.pattern) for route in routes.ROUTES}
    assert all(found["summary"].endswith(".") for found in operations(description).values())


def test_every_answer_is_as_it_is_described(here):
    description = here.get("/api")
    known = description["components"]["schemas"]
    described = operations(description)
    assert {name for name, _, _ in CALLS} == set(described) - OTHERS
    wrong = []
    for name, target, body in CALLS:
        answer = here.ask(name.split()[0], target, body)
        assert str(answer.status) in described[name]["responses"], (target, answer)
        content = described[name]["responses"][str(answer.status)]["content"]
        if "application/json" in content:
            wrong += ["%s: %s" % (target, fault) for fault in faults(answer.data, content["application/json"]["schema"], known)]
        else:
            assert isinstance(answer.data, str)
        if body is not None:
            taken = described[name]["requestBody"]["content"]["application/json"]["schema"]
            wrong += ["%s: %s" % (name, fault) for fault in faults(body, taken, known)]
    assert wrong == []


@pytest.mark.parametrize("method, target, body, status", [
    ("GET", "/api/jobs?limit=0", None, 400), ("GET", "/api/jobs/nobody", None, 404), ("PUT", "/api/jobs", None, 405),
    ("POST", "/api/jobs/a/release", None, 409), ("POST", "/api/jobs", {}, 400), ("GET", "/api/nothing", None, 404),
    ("GET", "/api/status?x=1", None, 400), ("POST", "/api/resume", None, 409)])
def test_errors_are_as_they_are_described(here, method, target, body, status):
    answer = here.ask(method, target, body)
    assert answer.status == status and list(faults(answer.data, schemas.SCHEMAS["Error"], schemas.SCHEMAS)) == []


def test_what_is_wrong_with_an_answer_would_be_seen():
    properties = {"n": {"type": ["integer", "null"]}, "at": {"type": "string", "format": "date-time"}}
    known = {"R": {"type": "object", "properties": properties, "required": ["n"]}}
    for value in ({}, {"n": "1"}, {"n": True}, {"n": 1, "m": 2}, [], {"n": 1, "at": "yesterday"}):
        assert list(faults(value, {"$ref": "#/R"}, known))
    assert not list(faults({"n": None}, {"anyOf": [{"type": "null"}, {"$ref": "#/R"}]}, known))


def test_all_that_a_job_is_and_takes_is_described():
    job = schemas.SCHEMAS["Job"]["properties"]
    assert set(record.PUBLIC) == set(schemas.SCHEMAS["StoredJob"]["properties"]) == set(job) - {"why", "lost", "now", "can"}
    assert set(schemas.SCHEMAS["NewJob"]["properties"]) == set(record.GIVEN)
    assert set(schemas.SCHEMAS["Edit"]["properties"]) == set(checks.EDITABLE)


def test_every_reference_leads_somewhere():
    text = str(openapi.described(routes.ROUTES))
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= set(schemas.SCHEMAS)
    asked = {name for route in routes.ROUTES for name in route.query or ()}
    assert asked == set(schemas.PARAMETERS)
    ids = re.findall(r"'operationId': '(\w+)'", text)
    assert len(ids) == len(set(ids)) == len(routes.ROUTES)


def test_an_address_that_is_none_and_a_method_that_is_none(here):
    assert here.ask("GET", "/api/job").status == 404 and here.ask("GET", "/api/jobs/a/b").status == 404
    answer = here.ask("DELETE", "/api/jobs")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert answer.data["error"] == "DELETE is not for this address; what is: GET, HEAD, POST"
    assert here.ask("POST", "/api/jobs/a").headers["Allow"] == "DELETE, GET, HEAD, PATCH"


def test_a_slash_at_the_end_is_no_other_address(here):
    [id] = here.give({})
    for path in ("/api", "/api/status", "/api/jobs", "/api/jobs/" + id):
        assert here.get(path + "/").keys() == here.get(path).keys()
    assert here.post("/api/jobs/", {"command": "true"}, 201)["ids"]
    assert here.ask("DELETE", "/api/jobs/").status == 405
    assert here.ask("GET", "/api/jobs//").status == 404
    assert here.ask("GET", "/healthz/").status == 404


@pytest.mark.short
def test_it_describes_itself_over_http(queue, form):
    with api.dashboard(queue) as client:
        description = client.ask("GET", "/api")
        assert description.status == 200 and "/api/jobs/{id}" in description.data["paths"]
        assert client.ask("GET", "/healthz").data == {"ok": True}
        assert client.ask("GET", "/metrics").data.startswith("# HELP queuectl_build_info")
        page = client.ask("GET", "/api/jobs?limit=0")
        assert page.status == 400 and "limit" in page.data["error"]
        head = client.ask("HEAD", "/api/status")
        assert head.status == 200 and head.data == "" and int(head.headers["Content-Length"]) > 100
