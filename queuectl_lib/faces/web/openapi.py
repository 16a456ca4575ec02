"""The API's description of itself, made of the table of its routes (OpenAPI 3.1)."""

import re

from queuectl_lib import __version__
from queuectl_lib.faces.web.message import JSON
from queuectl_lib.faces.web.schemas import PARAMETERS, SCHEMAS

_ABOUT = (
    "The jobs of one store. Fields, values and rules are those of the command line; moments are text in UTC. Whatever goes "
    "wrong is told as {\"error\": \"one sentence\"}. The token goes into the header Authorization, as the dashboard printed it.")
_PLACES = {"id": "the job's id", "name": "the queue's name, or the file's"}
_REASONS = {200: "What was asked for.", 201: "It was stored."}
_KEY = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "description": "Makes the request safe to repeat: the same key and body store their jobs once."}


def described(routes):
    """The description as a document; routes: of routes.Route."""
    paths = {}
    for route in routes:
        paths.setdefault(route.pattern, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "queuectl", "version": __version__, "description": _ABOUT},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}}


def _operation(route):
    found = {"summary": route.about, "operationId": _name(route), "responses": _responses(route)}
    parameters = [{"name": name, "in": "path", "required": True, "description": _PLACES[name], "schema": {"type": "string"}}
                  for name in re.findall(r"\{(\w+)\}", route.pattern)]
    parameters += [_parameter(name) for name in route.query or ()]
    if 201 in route.statuses:
        parameters.append(_KEY)
    if parameters:
        found["parameters"] = parameters
    if route.takes:
        found["requestBody"] = {"content": {JSON: {"schema": _of(route.takes)}}, "required": 201 in route.statuses}
    if route.is_open:
        found["security"] = []
    return found


def _parameter(name):
    about, schema, is_repeated = PARAMETERS[name]
    if is_repeated:
        schema = {"type": "array", "items": schema}
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _responses(route):
    found = {}
    for status in route.statuses:
        found[str(status)] = {"description": _REASONS[status]}
        if route.gives:
            kind = {JSON: {"schema": _of(route.gives)}} if route.gives in SCHEMAS else {route.gives: {"schema": {"type": "string"}}}
            found[str(status)]["content"] = kind
    found["default"] = {"description": "Why not.", "content": {JSON: {"schema": _of("Error")}}}
    return found


def _name(route):
    """'get_api_jobs_id_stdout'"""
    return "_".join([route.method.lower()] + re.findall(r"\w+", route.pattern))


def _of(name):
    return {"$ref": "#/components/schemas/" + name}
