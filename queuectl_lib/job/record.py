"""A job: its fields, and how one is made from what a user gives.

A job is a value. Every change makes a new one (lifecycle.py); on disk it is
one line (store/line.py) under the same names.

    field          given by   meaning
    id             both       [A-Za-z0-9][A-Za-z0-9._-]{0,127}
    state          queuectl   pending processing completed failed dead cancelled
    queue          user       its queue's name
    priority       user       the lower runs first
    order          queuectl   place of arrival, given by the store
    waits_for      queuectl   those of `after` that have not completed; of a dead job: because of whom it is dead
    slots          user       how many of its queue's limit it takes (None: 1)
    attempts       queuectl   how many times it was started, hand-backs not counted
    max_retries    both       N: at most N+1 attempts
    timeout        both       seconds one attempt may take
    run_at         user       not before
    next_run_at    queuectl   when it is tried again: a failed job, or one that was put back
    put_backs      queuectl   how often it was put back (exit code 75) since its last attempt that counted
    after          user       ids that must complete first
    held           user       true: waits until it is released
    expires_at     user       not started by then: it goes to the DLQ
    nice           user       by how much its priority with the system is lowered
    worker         queuectl   SLOT.INCARNATION of who runs it or ran it last
    progress       queuectl   what its last attempt last said of how far it was
    started_at finished_at updated_at created_at
    exit_code signal error duration        how the last attempt ended
    stdout stderr                          its output: whole, or the tail
    stdout_size stderr_size stdout_file stderr_file   only when that is a tail
    history        queuectl   one short entry per change of state (history.py)
    command cwd env                        what to run, where, with what added

Moments are text as on disk, None is "not there".
"""

from collections import namedtuple

from queuectl_lib.job import checks, identifiers
from queuectl_lib.job.history import History
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import did_you_mean

STATES = ("pending", "processing", "completed", "failed", "dead", "cancelled")

Job = namedtuple("Job", (
    "id", "state", "queue", "priority", "order", "waits_for", "slots",
    "attempts", "next_run_at", "put_backs", "worker", "progress",
    "started_at", "finished_at", "updated_at",
    "exit_code", "signal", "error", "duration",
    "stdout", "stderr", "stdout_size", "stderr_size", "stdout_file", "stderr_file",
    "history", "max_retries", "timeout", "run_at", "after", "held", "expires_at", "nice",
    "command", "cwd", "env", "created_at"))
Job.__new__.__defaults__ = (None,) * len(Job._fields)

# What a person sees of it, in the order of the contract.
PUBLIC = (
    "id", "state", "command", "queue", "priority", "attempts", "max_retries", "timeout",
    "run_at", "next_run_at", "after", "waits_for", "held", "expires_at", "slots", "nice",
    "cwd", "env", "created_at", "updated_at", "started_at", "finished_at", "worker", "progress",
    "put_backs", "exit_code", "signal", "error", "duration", "stdout", "stderr",
    "stdout_size", "stderr_size", "stdout_file", "stderr_file", "history")

# Fields a user gives; everything else in a printed or grepped job is ours and is ignored.
GIVEN = ("id", "command", "queue", "priority", "max_retries", "timeout", "run_at", "after", "held",
         "expires_at", "slots", "nice", "cwd", "env")
_NOTHING_TOLD = History()
# A job that gives no others is plain (Maker).
PLAIN = frozenset(("id", "command", "queue", "priority"))
_ALIASES = {"run_timeout": "timeout", "available_at": "run_at"}
_OURS = frozenset(PUBLIC + Job._fields + ("was", "due", "over", "telling", "more", "crc")) - frozenset(GIVEN)

_AT_ORDER = Job._fields.index("order")
_AT_COMMAND = Job._fields.index("command")

Defaults = namedtuple("Defaults", ("max_retries", "timeout", "queue", "priority", "run_at", "cwd", "env",
                                   "after", "held", "expires_at", "slots", "nice"))
Defaults.__new__.__defaults__ = (3, None, "default", 0) + (None,) * 8


def create(fields, now, defaults, id=None):
    """A new pending job from a user's fields.

    fields: dict under the names above; now: ms; defaults: Defaults, used for
    what the fields leave out; id: used when the fields name none. What it comes
    after counts as not completed: only the store knows.
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
            waits_for=defaults.after, slots=defaults.slots,
            attempts=0, max_retries=defaults.max_retries, timeout=defaults.timeout, run_at=defaults.run_at,
            after=defaults.after, held=defaults.held, expires_at=defaults.expires_at, nice=defaults.nice,
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
        command = checks.command(given.get("command"))
        own_id = given.get("id")
        queue = given.get("queue")
        priority = given.get("priority")
        # Not Job(...): naming 36 fields would cost more than all the rest.
        return tuple.__new__(Job, (
            id if own_id is None else identifiers.check_id(own_id),
            "pending",
            self._defaults.queue if queue is None else self._checked_queue(queue),
            self._defaults.priority if priority is None else checks.priority(priority),
            *self._before_command, command, *self._after_command))

    def _checked_queue(self, name):
        # The jobs of a batch mostly go to the same few queues, one stretch after the other.
        if name != self._last_queue:
            self._last_queue = identifiers.check_queue(name)
        return self._last_queue

    def _with_others(self, job, given):
        defaults = self._defaults
        env = given.get("env")
        after = _given(given, "after", checks.after, defaults.after)
        return job._replace(
            max_retries=_given(given, "max_retries", checks.max_retries, defaults.max_retries),
            timeout=checks.timeout(given["timeout"]) if "timeout" in given else defaults.timeout,
            run_at=_given(given, "run_at", checks.run_at, defaults.run_at),
            after=after, waits_for=after,
            held=_given(given, "held", checks.held, defaults.held),
            expires_at=_given(given, "expires_at", checks.expires_at, defaults.expires_at),
            slots=_given(given, "slots", checks.slots, defaults.slots),
            nice=_given(given, "nice", checks.nice, defaults.nice),
            cwd=_given(given, "cwd", checks.cwd, defaults.cwd),
            env=checks.merged(defaults.env, checks.environment(env)) if env is not None else defaults.env)


def due(job):
    """When it may run: 0 for at once, a moment in ms, None when no moment makes it ready."""
    if job.state == "pending":
        if job.held or job.waits_for:
            return None
        if job.run_at or job.next_run_at:
            return max(_ms(job.run_at), _ms(job.next_run_at))
        return 0
    if job.state == "failed" and not job.held:
        return _ms(job.next_run_at)
    return None


def is_blocked(job):
    """Is there no moment at which a job becomes ready by itself?"""
    return due(job) is None


def is_settled(job):
    """Does a job wait for nothing: neither for a moment nor for another job?"""
    return is_blocked(job) and not job.waits_for


def _ms(moment):
    return clock.parse_moment(moment) if moment else 0


def public(job):
    """The job as the dict that --json prints, in the contract's order."""
    shown = {name: getattr(job, name) for name in PUBLIC}
    shown["history"] = list(job.history or ())
    if job.state == "processing":
        # Those of the attempt before (lifecycle.claim): what they are named for is not theirs to be shown.
        shown["stdout_file"] = shown["stderr_file"] = None
    return shown


def _sorted_out(fields):
    if not isinstance(fields, dict):
        raise BadInput("a job is a JSON object, not %s" % checks.kind(fields))
    given = {}
    for name, value in fields.items():
        name = _ALIASES.get(name, name)
        if name in GIVEN:
            given[name] = value
        elif name not in _OURS:
            raise BadInput("unknown field %r%s" % (name, did_you_mean(name, GIVEN)))
    return given


def gives(fields, name):
    """Do a user's fields say this one, under whatever name?"""
    return any(fields.get(each) is not None for each in fields if _ALIASES.get(each, each) == name)


def _given(given, name, check, default):
    value = given.get(name)
    return default if value is None else check(value)
