"""What stands in the documents of the API, as JSON Schema: data, for the description at GET /api."""

from queuectl_lib.faces import outputs, wanted
from queuectl_lib.faces.web import jobs
from queuectl_lib.job import record
from queuectl_lib.store import usage

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_WHOLE = {"type": "integer"}
_TRUTH = {"type": "boolean"}
_MOMENT = {"type": "string", "format": "date-time"}
_ID = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"}
_STATE = {"type": "string", "enum": list(record.STATES)}


def _or_null(schema):
    return dict(schema, type=[schema["type"], "null"])


def _list(schema):
    return {"type": "array", "items": schema}


def _map(schema):
    return {"type": "object", "additionalProperties": schema}


def _of(name):
    return {"$ref": "#/components/schemas/" + name}


def _of_or_null(name):
    return {"anyOf": [_of(name), {"type": "null"}]}


def _object(fields, required=None):
    return {"type": "object", "properties": fields, "required": list(fields if required is None else required)}


def _some_of(*names):
    """Of a job's fields."""
    return {name: _FIELDS[name] for name in names}


_FIELDS = {
    "id": _ID, "state": _STATE, "command": _TEXT, "queue": _TEXT, "priority": _WHOLE,
    "attempts": _WHOLE, "max_retries": _WHOLE, "timeout": _or_null(_NUMBER),
    "run_at": _or_null(_MOMENT), "next_run_at": _or_null(_MOMENT), "after": _or_null(_list(_ID)), "waits_for": _or_null(_list(_ID)),
    "held": _or_null(_TRUTH), "expires_at": _or_null(_MOMENT), "slots": _or_null(_WHOLE), "nice": _or_null(_WHOLE),
    "cwd": _or_null(_TEXT), "env": _or_null(_map(_TEXT)), "created_at": _MOMENT, "updated_at": _MOMENT,
    "started_at": _or_null(_MOMENT), "finished_at": _or_null(_MOMENT), "worker": _or_null(_TEXT), "progress": _or_null(_TEXT),
    "put_backs": _or_null(_WHOLE), "exit_code": _or_null(_WHOLE), "signal": _or_null(_WHOLE), "error": _or_null(_TEXT),
    "duration": _or_null(_NUMBER), "stdout": _or_null(_TEXT), "stderr": _or_null(_TEXT), "stdout_size": _or_null(_WHOLE),
    "stderr_size": _or_null(_WHOLE), "stdout_file": _or_null(_TEXT), "stderr_file": _or_null(_TEXT), "history": _list(_of("Entry"))}

_ENTRY = _object({
    "at": _MOMENT, "state": _STATE, "worker": _TEXT, "exit_code": _WHOLE, "signal": _WHOLE, "error": _TEXT,
    "delay": _NUMBER, "note": _TEXT}, required=("at", "state"))

_TOLD = {"lost": _TRUTH, "now": _MOMENT, "why": _or_null(_TEXT),
         "can": _list({"type": "string", "enum": ["retry", "cancel", "hold", "release", "edit", "remove"]})}

_ROW = dict(
    _some_of("id", "state", "queue", "priority", "attempts", "max_retries", "command", "created_at", "updated_at", "started_at",
             "finished_at", "duration", "exit_code", "signal", "error", "next_run_at", "run_at", "held", "waits_for", "worker",
             "progress"), note=_or_null(_TEXT), lost=_TRUTH)

# What a user gives, in the forms in which it may be given.
_WHEN = {"description": "ISO 8601, or seconds since 1970", "type": ["string", "number", "null"]}
_HOW_LONG = {"description": "seconds, or '90s', '5m', '1h30m'", "type": ["string", "number", "null"]}
_EDITED = {"priority": _WHOLE, "queue": _TEXT, "timeout": _HOW_LONG, "run_at": _WHEN, "max_retries": _WHOLE, "command": _TEXT}
_GIVEN = dict(_EDITED, id=_ID, after=dict(_list(_ID), type=["array", "string", "null"]), held=_or_null(_TRUTH), expires_at=_WHEN,
              slots=_or_null(_WHOLE), nice=_or_null(_WHOLE), cwd=_or_null(_TEXT), env=_or_null(_map(_TEXT)))

_STREAM = _object({"text": _TEXT, "from": _WHOLE, "to": _WHOLE, "size": _WHOLE, "kept": _or_null(_WHOLE), "left_out": _TRUTH})
_PAUSE = _object({"since": _MOMENT, "reason": _or_null(_TEXT), "until": _or_null(_MOMENT)})
_WAITING = _object({"id": _ID, "created_at": _MOMENT, "since": _MOMENT, "seconds": _NUMBER})
_COUNTS = {state: _WHOLE for state in record.STATES}
_QUEUE = _object(dict(
    _COUNTS, ready=_or_null(_WHOLE), delayed=_or_null(_WHOLE), blocked=_or_null(_WHOLE), limit=_or_null(_WHOLE),
    slots_in_use=_WHOLE, paused=_of_or_null("Pause"), pause_on_failure=_TRUTH, oldest_waiting=_of_or_null("Waiting")))
_WORKER = _object({
    "worker": _TEXT, "slot": _WHOLE, "pid": _WHOLE, "since": _MOMENT, "done": _WHOLE, "heartbeat": _MOMENT,
    "queues": _or_null(_list(_TEXT)), "leaving": _TRUTH, "job": _or_null(_ID), "command": _or_null(_TEXT), "running_for": _or_null(_NUMBER),
    "progress": _or_null(_TEXT)})
_RECENT = _object({
    "finished": _WHOLE, "succeeded": _WHOLE, "success_rate": _or_null(_NUMBER), "per_minute": _or_null(_NUMBER),
    "average_duration": _or_null(_NUMBER)})
_DISK = _object(dict({part: _WHOLE for part in usage.PARTS + ("total",)}, complete=_TRUTH))
_STATUS = _object({
    "store": _TEXT, "states": _object(_COUNTS), "queues": _map(_of("Queue")), "paused": _of_or_null("Pause"),
    "workers": _list(_of("Worker")), "worker_lost": _list(_ID), "oldest_waiting": _of_or_null("Waiting"), "disk": _DISK,
    "recent": _RECENT, "version": _TEXT, "read_only": _TRUTH, "now": _MOMENT, "room": _or_null(_TEXT),
    "average_attempts": _or_null(_NUMBER)})

# By the names under which routes.py speaks of them.
SCHEMAS = {
    "Job": _object(dict(_FIELDS, **_TOLD)),
    "StoredJob": _object(_FIELDS),
    "Entry": _ENTRY,
    "Row": _object(_ROW),
    "Page": _object({"jobs": _list(_of("Row")), "next": _or_null(_TEXT), "total": _or_null(_WHOLE), "complete": _TRUTH,
                     "sorted_of": _or_null(_WHOLE), "now": _MOMENT}),
    "Output": _object(dict({"attempt": _WHOLE, "running": _TRUTH, "started_at": _or_null(_MOMENT)},
                           **{stream: _of("Stream") for stream in outputs.STREAMS})),
    "Stream": _STREAM,
    "Status": _STATUS,
    "Queue": _QUEUE,
    "Pause": _PAUSE,
    "Waiting": _WAITING,
    "Worker": _WORKER,
    "Workers": _list(_of("Worker")),
    "Throughput": _object({"now": _MOMENT, "known_since": _MOMENT, "minutes": _list(_object(
        {"at": _MOMENT, "completed": _or_null(_WHOLE), "failed": _or_null(_WHOLE)}))}),
    "Health": _object({"ok": _TRUTH, "error": _TEXT}, required=["ok"]),
    "Enqueued": _object({"ids": _list(_ID), "jobs": _list(_of("StoredJob"))}),
    "Changed": _object({"changed": _WHOLE, "ids": _list(_ID), "followers": _WHOLE,
                        "refused": _list(_object({"id": _TEXT, "error": _TEXT}))}),
    "Removed": _object({"removed": _list(_ID)}),
    "Paused": _object({"queues": _map(_of("Pause")), "all": _of_or_null("Pause")}),
    "Error": _object({"error": _TEXT}),
    "Description": {"type": "object"},
    # What is sent.
    "NewJob": _object(_GIVEN, required=["command"]),
    "NewJobs": {"anyOf": [_of("NewJob"), _list(_of("NewJob"))]},
    "Edit": _object(_EDITED, required=()),
    "Selection": _object({"ids": _list(_ID), "state": _list(_STATE), "queue": _list(_TEXT), "search": _TEXT, "all": _TRUTH},
                         required=()),
    "Pausing": _object({"reason": _or_null(_TEXT), "for": _HOW_LONG}, required=()),
}

# Parameters of the query: what each means, its schema, whether it may be given several times.
PARAMETERS = {
    "state": ("only jobs in these states", _STATE, True),
    "queue": ("only jobs of these queues", _TEXT, True),
    "search": ("only jobs with this text in id, command, queue or error", _TEXT, False),
    "sort": ("by this field, the greatest first with '-' before it; of the first %d jobs alone" % jobs.SORTED,
             {"type": "string", "enum": [sign + field for field in wanted.SORTS for sign in ("", "-")]}, False),
    "limit": ("at most so many", dict(_WHOLE, minimum=1, maximum=jobs.MOST, default=jobs.USUAL), False),
    "cursor": ("where to go on: the `next` of the page before", _TEXT, False),
    "reveal": ("show the values of variables, too", _TRUTH, False),
    "stdout": ("what comes behind this offset; without it the end", dict(_WHOLE, minimum=0), False),
    "stderr": ("the same of standard error", dict(_WHOLE, minimum=0), False),
}
