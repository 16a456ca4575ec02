"""A job: its fields, and how one is made from what a user gives.

A job is a value. Every change makes a new one (lifecycle.py); on disk it is
one line (store/line.py) under the same names.

    field          given by   meaning
    id             both       [A-Za-z0-9][A-Za-z0-9._-]{0,127}
    state          queuectl   pending processing completed failed dead cancelled
    queue          user       its queue's name
    priority       user       the lower runs first
    order          queuectl   place of arrival, given by the store
    attempts       queuectl   how many times it was started, hand-backs not counted
    max_retries    both       N: at most N+1 attempts
    timeout        both       seconds one attempt may take
    run_at         user       not before
    next_run_at    queuectl   when a failed job is tried again
    worker         queuectl   SLOT.INCARNATION of who runs it or ran it last
    started_at finished_at updated_at created_at
    exit_code signal error duration        how the last attempt ended
    stdout stderr                          its output: whole, or the tail
    stdout_size stderr_size stdout_file stderr_file   only when that is a tail
    history        queuectl   one short entry per change of state (history.py)
    command cwd env                        what to run, where, with what added

Moments are text as on disk, None is "not there".
"""

import os
from collections import namedtuple

from queuectl_lib.job import identifiers
from queuectl_lib.job.history import History
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import did_you_mean

STATES = ("pending", "processing", "completed", "failed", "dead", "cancelled")

Job = namedtuple("Job", (
    "id", "state", "queue", "priority", "order",
    "attempts", "next_run_at", "worker",
    "started_at", "finished_at", "updated_at",
    "exit_code", "signal", "error", "duration",
    "stdout", "stderr", "stdout_size", "stderr_size", "stdout_file", "stderr_file",
    "history", "max_retries", "timeout", "run_at", "command", "cwd", "env", "created_at"))
Job.__new__.__defaults__ = (None,) * len(Job._fields)

# What a person sees of it, in the order of the contract.
PUBLIC = (
    "id", "state", "command", "queue", "priority", "attempts", "max_retries", "timeout",
    "run_at", "next_run_at", "cwd", "env", "created_at", "updated_at", "started_at",
    "finished_at", "worker", "exit_code", "signal", "error", "duration", "stdout", "stderr",
    "stdout_size", "stderr_size", "stdout_file", "stderr_file", "history")

# Fields a user gives; everything else in a printed or grepped job is ours and is ignored.
GIVEN = ("id", "command", "queue", "priority", "max_retries", "timeout", "run_at", "cwd", "env")
_NOTHING_TOLD = History()
# A job that gives no others is plain (Maker).
PLAIN = frozenset(("id", "command", "queue", "priority"))
_ALIASES = {"run_timeout": "timeout", "available_at": "run_at"}
_OURS = frozenset(PUBLIC + Job._fields + ("was", "due", "over", "more", "crc")) - frozenset(GIVEN)

_AT_ORDER = Job._fields.index("order")
_AT_COMMAND = Job._fields.index("command")

# Linux refuses a single argument longer than this (MAX_ARG_STRLEN, 32 pages).
_LONGEST_COMMAND = 131071
_LARGEST_NUMBER = 10 ** 9

Defaults = namedtuple("Defaults", ("max_retries", "timeout", "queue", "priority", "run_at", "cwd", "env"))
Defaults.__new__.__defaults__ = (3, None, "default", 0, None, None, None)


def create(fields, now, defaults, id=None):
    """A new pending job from a user's fields.

    fields: dict under the names above; now: ms; defaults: Defaults, used for
    what the fields leave out; id: used when the fields name none.
    Raises BadInput naming the field.
    """
    return Maker(now, defaults).create(fields, id)


class Maker:
    """create() for many jobs of one moment and the same defaults.

    What they have in common is made once, and shared: a plain job, one that
    gives nothing but the PLAIN fields, costs little more than their checks.
    """

    def __init__(self, now, defaults):
        text = clock.moment(now)
        model = Job(
            attempts=0, max_retries=defaults.max_retries, timeout=defaults.timeout, run_at=defaults.run_at,
            updated_at=text, history=_NOTHING_TOLD.told(text, "pending"),
            cwd=defaults.cwd, env=defaults.env, created_at=text)
        self._before_command = model[_AT_ORDER:_AT_COMMAND]
        self._after_command = model[_AT_COMMAND + 1:]
        self._defaults = defaults
        self._last_queue = None

    def create(self, fields, id=None):
        """As the function create."""
        if type(fields) is dict and fields.keys() <= PLAIN:
            return self._plain(fields, id)
        given = _sorted_out(fields)
        return self._with_others(self._plain(given, id), given)

    def _plain(self, given, id):
        command = _command(given.get("command"))
        own_id = given.get("id")
        queue = given.get("queue")
        priority = given.get("priority")
        # Not Job(...): naming 29 fields would cost more than all the rest.
        return tuple.__new__(Job, (
            id if own_id is None else identifiers.check_id(own_id),
            "pending",
            self._defaults.queue if queue is None else self._checked_queue(queue),
            self._defaults.priority if priority is None else _priority(priority),
            *self._before_command, command, *self._after_command))

    def _checked_queue(self, name):
        # The jobs of a batch mostly go to the same few queues, one stretch after the other.
        if name != self._last_queue:
            self._last_queue = identifiers.check_queue(name)
        return self._last_queue

    def _with_others(self, job, given):
        defaults = self._defaults
        env = given.get("env")
        return job._replace(
            max_retries=_given(given, "max_retries", _count, defaults.max_retries),
            timeout=timeout(given["timeout"]) if "timeout" in given else defaults.timeout,
            run_at=_given(given, "run_at", _moment, defaults.run_at),
            cwd=_given(given, "cwd", _cwd, defaults.cwd),
            env=merged(defaults.env, environment(env)) if env is not None else defaults.env)


def due(job):
    """When it may run: 0 for at once, a moment in ms, None when no moment makes it ready."""
    if job.state == "pending":
        return clock.parse_moment(job.run_at) if job.run_at else 0
    if job.state == "failed":
        return clock.parse_moment(job.next_run_at) if job.next_run_at else 0
    return None


def public(job):
    """The job as the dict that --json prints, in the contract's order."""
    shown = {name: getattr(job, name) for name in PUBLIC}
    shown["history"] = list(job.history or ())
    return shown


def _sorted_out(fields):
    if not isinstance(fields, dict):
        raise BadInput("a job is a JSON object, not %s" % _kind(fields))
    given = {}
    for name, value in fields.items():
        name = _ALIASES.get(name, name)
        if name in GIVEN:
            given[name] = value
        elif name not in _OURS:
            raise BadInput("unknown field %r%s" % (name, did_you_mean(name, GIVEN)))
    return given


def _given(given, name, check, default):
    value = given.get(name)
    return default if value is None else check(value)


def _command(command):
    if not isinstance(command, str):
        if command is None:
            raise BadInput("a job needs a command")
        raise BadInput("command: want text, not %s" % _kind(command))
    if not command.strip():
        raise BadInput("command is empty")
    if "\0" in command:
        raise BadInput("command holds a NUL character")
    # Of plain ASCII, which is nearly every command, the length is known without encoding it.
    if len(command if command.isascii() else _bytes("command", command)) > _LONGEST_COMMAND:
        raise BadInput("command is longer than the system takes (%d bytes): put it into a script" % _LONGEST_COMMAND)
    return command


def _bytes(name, text):
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadInput("%s holds a lone surrogate character" % name)


def _whole(name, value, least, largest):
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput("%s: want a whole number, not %s" % (name, _shown(value)))
    if not least <= value <= largest:
        raise BadInput("%s: want %d to %d, not %d" % (name, least, largest, value))
    return value


def _priority(value):
    return _whole("priority", value, -_LARGEST_NUMBER, _LARGEST_NUMBER)


def _count(value):
    return _whole("max_retries", value, 0, _LARGEST_NUMBER)


def timeout(value):
    """Seconds from a number or a duration such as '5m'; None and 'none' mean no limit."""
    if value is None or value == "none":
        return None
    try:
        seconds = clock.parse_duration(value)
    except BadInput as error:
        raise BadInput("timeout: %s" % error)
    if seconds <= 0:
        raise BadInput("timeout: want more than 0 seconds, or none")
    return seconds


def _moment(value):
    try:
        return clock.moment(clock.parse_moment(value))
    except BadInput as error:
        raise BadInput("run_at: %s" % error)


def _cwd(value):
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadInput("cwd: want a directory, not %s" % _shown(value))
    _bytes("cwd", value)
    return os.path.abspath(value)


def environment(value):
    """A checked dict of variables; raises BadInput."""
    if not isinstance(value, dict):
        raise BadInput("env: want an object of names and values, not %s" % _kind(value))
    for name, text in value.items():
        if not name or "=" in name or "\0" in name:
            raise BadInput("env: %r is no name of a variable" % name)
        if not isinstance(text, str) or "\0" in text:
            raise BadInput("env: %s: want text, not %s" % (name, _shown(text)))
        _bytes("env: %r" % name, name + text)
    return value


def merged(defaults, given):
    """Variables given for all jobs, and over them those of one; None for none at all."""
    if not defaults:
        return given or None
    return dict(defaults, **given)


def _kind(value):
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _shown(value):
    text = repr(value)
    return text if len(text) < 40 else text[:36] + " ..."
