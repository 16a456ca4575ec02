"""What `list` shows of a job: one row of a table, and the lines that --verbose adds."""

from functools import lru_cache

from queuectl_lib.faces.table import Column
from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import pauses
from queuectl_lib.words import clock
from queuectl_lib.words.text import clip, safe

COLUMNS = (
    Column("id", "ID", 16),
    Column("state", "STATE", 10),
    Column("tries", "TRIES", 5),
    Column("priority", "PRIO", 4, True, "0"),
    Column("queue", "QUEUE", 8, False, "default", 8),
    Column("age", "AGE", 5, True),
    Column("note", "NOTE", 18, False, "-", 14),
    Column("command", "COMMAND"),
)

# Of those in the DLQ: everybody knows their state.
DEAD_COLUMNS = tuple(
    Column("note", "WHY", 18, False, None, 14) if column.key == "note" else column for column in COLUMNS if column.key != "state")

COLOURS = {"processing": "cyan", "completed": "green", "failed": "yellow", "dead": "red", "cancelled": "dim"}

# What stands for a value that is not shown.
HIDDEN = "********"

# Of what a running job says of its progress; `show` has the rest.
_PROGRESS_WIDTH = 30



def row(job, now, lost=False, paused=None, full=()):
    """One job as the cells of a table; paused: {queue: pauses.Pause}; full: queues whose limit is reached."""
    return {
        "id": job.id,
        "state": state(job, lost),
        "tries": "%d/%d" % (job.attempts, job.max_retries + 1),
        "priority": str(job.priority),
        "queue": job.queue,
        "age": age(job.created_at, now),
        "note": note(job, now, lost, paused, full) or "-",
        "command": job.command,
    }


def state(job, lost=False):
    return "processing (worker lost)" if lost else job.state


def note(job, now, lost=False, paused=None, full=()):
    """The one thing worth knowing beside the state, in a few words."""
    if job.state == "processing":
        if lost:
            return None
        since = "for " + _since(job.started_at, now)
        return "%s, %s" % (clip(job.progress, _PROGRESS_WIDTH, "..."), since) if job.progress else since
    if job.state in lifecycle.WAITING:
        return _waits(job, now) or _ready(job, now, paused, full)
    if job.state == "dead":
        return ended(job)
    if job.state == "completed" and job.duration is not None:
        return "in " + clock.show_duration(job.duration)
    return None


def _waits(job, now):
    """For what a job waits by itself."""
    if job.held:
        return "held"
    if job.waits_for:
        more = len(job.waits_for) - 2
        return "after " + ", ".join(job.waits_for[:2]) + (" and %d more" % more if more > 0 else "")
    if lifecycle.is_expired(job, now):
        return "expired"
    due = record.due(job)
    if due <= now:
        return None
    if job.state == "failed":
        return "retry in %s" % _span(due - now)
    # Put back with exit code 75, it was there already.
    return ("again in %s" if job.next_run_at else "in %s") % _span(due - now)


def _ready(job, now, paused, full):
    if paused and pauses.in_force(paused, job.queue, now):
        return "paused"
    if job.queue in full:
        return "limit"
    return "retry is due" if job.state == "failed" else None


def ended(job):
    """How the last attempt ended, in a few words."""
    if job.error:
        return job.error
    if job.signal is not None:
        return "signal %d" % job.signal
    if job.exit_code is not None:
        return "exit %d" % job.exit_code
    return "ended"


def painter(out):
    """A table's paint for this output: the state in its colour, notes dim."""
    def paint(text, key, row):
        if key == "state":
            return out.paint(text, "red" if "lost" in row["state"] else COLOURS.get(row["state"]))
        return out.paint(text, "dim") if key in ("note", "age") else text
    return paint


def queue_in_command(row):
    """The row for a terminal, which has no room for a column that mostly says the same."""
    if row["queue"] == "default":
        return row
    return dict(row, command="[%s] %s" % (row["queue"], row["command"]))


def variables(job, reveal):
    """Yields NAME=VALUE of the variables a job was given; their values are nobody's to read over a shoulder, unless asked for."""
    for name, value in sorted((job.env or {}).items()):
        yield "%s=%s" % (name, value if reveal else HIDDEN)


def details(job, now, reveal=False, shown=str):
    """The lines that --verbose puts under a row; reveal: the values of variables, too; shown: as of story.tell."""
    moments = [("created", job.created_at), ("run at", job.run_at), ("started", job.started_at),
               ("finished", job.finished_at), ("next try", job.next_run_at)]
    facts = [("queue", job.queue)] + [(label, shown(moment)) for label, moment in moments if moment]
    facts += [("worker", job.worker), ("cwd", job.cwd)]
    if job.timeout is not None:
        facts.append(("timeout", clock.show_duration(job.timeout)))
    facts += [("env", text) for text in variables(job, reveal)]
    facts.append(("progress", job.progress))
    facts.append(("why", lifecycle.waiting_reason(job, now) or (ended(job) if job.state in ("failed", "dead") else None)))
    facts.append(("said", last_line(job.stderr) or last_line(job.stdout)))
    return ["    %-9s %s" % (label, safe(text)) for label, text in facts if text]


def last_line(text):
    """The last line with something in it, or None."""
    lines = [line for line in (text or "").splitlines() if line.strip()]
    return lines[-1] if lines else None


def age(moment, now):
    """How long ago, as short as can be: 12s, 3m, 2h, 5d."""
    seconds = max(0, now - _second(moment[:19] + "Z")) // 1000
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return "%d%s" % (seconds // size, unit)
    return "%ds" % seconds


def sort_key(field, backward):
    """A key for sorting by a field, the greatest first if `backward`; jobs without a value come last."""
    def key(job):
        value = getattr(job, field)
        if value is None:
            return (1, 0)
        return (0, _Backward(value) if backward else value)
    return key


class _Backward:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return other.value < self.value

    def __eq__(self, other):
        return self.value == other.value


@lru_cache(maxsize=64)
def _second(moment):
    # Jobs that came together have their seconds in common, and reading a moment
    # costs more than the rest of a row.
    return clock.parse_moment(moment)


def _since(moment, now):
    return _span(now - clock.parse_moment(moment))


def _span(ms):
    return clock.show_duration(max(0, ms) / 1000)
