"""Change what jobs that are not running were told.

Their priority, queue, timeout, moment, retries or command, from the next
attempt on. A running job can be edited when its attempt is over. The ids are
printed, one a line.

Examples:
  queuectl edit nightly --priority -5 --timeout 2h
  queuectl edit nightly --run-at 03:00
  queuectl edit --from-queue mail --search newsletter --queue bulk --yes
"""

from queuectl_lib.faces import verbs
from queuectl_lib.faces.cli import options, selecting
from queuectl_lib.job import checks
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput


def _whole_number(text):
    try:
        return int(text)
    except ValueError:
        raise BadInput("want a whole number, not %r" % text)


def _coming(text):
    return clock.coming(text, clock.now())


# --queue is where they go.
_OF_QUEUE = "--from-queue"

# Field: metavar, help, and what makes of the word that was typed what is checked.
_FIELDS = {
    "priority": ("N", "the lower runs first", _whole_number),
    "queue": ("Q", "the queue to which they go", str),
    "timeout": ("DUR", "time one attempt may take: 90, 90s, 5m, 1h30m, none", str),
    "run_at": ("WHEN", "not before: 03:00 (the next one), 2026-11-22 03:10 (local), ISO 8601, or epoch seconds", _coming),
    "max_retries": ("N", "how often they are tried again after a failure", _whole_number),
    "command": ("COMMAND", "the shell command line", str),
}


def arguments(parser):
    selecting.arguments(parser, verbs.EDITED, _OF_QUEUE, "all that wait")
    for name, (metavar, about, _) in _FIELDS.items():
        parser.add_argument(_option(name), metavar=metavar, help=about)
    parser.add_argument("--delay", metavar="DUR", help="not before this much time has passed")


def run(args, out):
    now = clock.now()
    changes = _changes(args, now)
    store = stores.open_store(args.store, write=True)
    return selecting.run(args, out, store, verbs.edit(store, now, changes), _OF_QUEUE)


def _option(name):
    return "--" + name.replace("_", "-")


def _changes(args, now):
    """{field: value} of what the options say, checked."""
    changes = {}
    for name, (_, _, read) in _FIELDS.items():
        if getattr(args, name) is not None:
            changes[name] = _value(name, read, getattr(args, name))
    if args.delay is not None:
        if "run_at" in changes:
            raise BadInput("either --delay or --run-at, not both")
        seconds = options.checked("--delay", clock.parse_duration)(args.delay)
        changes["run_at"] = clock.moment(min(now + int(seconds * 1000), clock.LATEST))
    if not changes:
        raise BadInput("what is to be changed? give %s or --delay" % ", ".join(_option(name) for name in _FIELDS))
    return changes


def _value(name, read, text):
    try:
        return checks.EDITABLE[name](read(text))
    except BadInput as error:
        # Most of the checks name the field themselves.
        reason = str(error)
        named = name + ": "
        raise BadInput("%s: %s" % (_option(name), reason[len(named):] if reason.startswith(named) else reason))
