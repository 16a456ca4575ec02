"""What `show` prints: everything about one job, its history as a timeline, and why it is not running."""

from queuectl_lib.faces import listing, reasons
from queuectl_lib.words import clock
from queuectl_lib.words.text import safe

_LABEL = 12
_OUTPUT_LINES = 10
# Characters of a line: a megabyte without a line end would drive out of sight all that stands above it.
_LINE_LENGTH = 1000


def tell(job, now, lost, around, root, paint, reveal=False, shown=str):
    """The lines about a job.

    lost: its worker is dead; around: reasons.Around; root: of the store;
    paint: function (text, colour) -> text; reveal: show the values of variables, too;
    shown: function from a moment's text to what is read of it (moments.Moments).
    """
    lines = [paint("Job " + job.id, "bold") + "  "
             + paint(listing.state(job, lost), "red" if lost else listing.COLOURS.get(job.state))]
    reason = reasons.why(job, now, lost, around)
    if reason:
        lines.append(_field("why", reason))
    lines += [_field(label, value) for label, value in _facts(job, now, reveal, shown) if value is not None]
    lines += ["", paint("History", "bold")]
    lines += _timeline(job.history or (), shown)
    for name, text, size, file in (("stdout", job.stdout, job.stdout_size, job.stdout_file),
                                   ("stderr", job.stderr, job.stderr_size, job.stderr_file)):
        if text:
            lines += ["", paint(name.capitalize(), "bold") + _extent(text, size, file, root, job.id)]
            lines += ["  " + safe(_end_of(line)) for line in text.splitlines()[-_OUTPUT_LINES:]]
    return lines


def _end_of(line):
    return line if len(line) <= _LINE_LENGTH else "..." + line[-_LINE_LENGTH:]


def _facts(job, now, reveal, shown):
    yield "command", job.command
    yield "queue", job.queue
    yield "priority", str(job.priority)
    yield "attempts", "%d of at most %d" % (job.attempts, job.max_retries + 1)
    yield "timeout", "none" if job.timeout is None else clock.show_duration(job.timeout)
    yield "nice", _text(job.nice)
    yield "cwd", job.cwd
    for variable in listing.variables(job, reveal):
        yield "env", variable
    yield "after", ", ".join(job.after) if job.after else None
    yield "slots", _text(job.slots)
    yield "run at", _moment(job.run_at, now, shown)
    yield "expires", _moment(job.expires_at, now, shown)
    yield "created", _moment(job.created_at, now, shown)
    yield "started", _moment(job.started_at, now, shown)
    yield "finished", _moment(job.finished_at, now, shown)
    yield "next try", _moment(job.next_run_at, now, shown)
    yield "updated", _moment(job.updated_at, now, shown)
    yield "worker", job.worker
    yield "progress", job.progress
    yield "exit code", _text(job.exit_code)
    yield "signal", _text(job.signal)
    yield "error", job.error
    yield "took", None if job.duration is None else clock.show_duration(job.duration)


def _timeline(history, shown):
    lines = []
    before = None
    for entry in history:
        at = clock.parse_moment(entry["at"])
        passed = "" if before is None else _later(at - before)
        before = at
        line = "  %s  %-14s %-10s %s" % (shown(entry["at"]), passed, entry["state"], _told(entry))
        lines.append(safe(line.rstrip()))
    return lines


def _later(ms):
    # No time passes backwards.
    return "clock set back" if ms < 0 else "+" + clock.show_duration(ms / 1000)


def _told(entry):
    parts = []
    if "worker" in entry:
        parts.append("by worker %s" % entry["worker"])
    if entry.get("exit_code") is not None and entry["state"] != "completed":
        parts.append("exit %d" % entry["exit_code"])
    if entry.get("signal") is not None:
        parts.append("signal %d" % entry["signal"])
    parts += [entry[name] for name in ("error", "note") if entry.get(name)]
    if entry.get("delay") is not None:
        parts.append("again in %s" % clock.show_duration(entry["delay"]))
    return ", ".join(parts)


def _field(label, value):
    return "  %-*s%s" % (_LABEL, label, safe(str(value)))


def _text(value):
    return None if value is None else str(value)


def _moment(moment, now, shown):
    if moment is None:
        return None
    away = clock.parse_moment(moment) - now
    if away > 0:
        return "%s (in %s)" % (shown(moment), clock.show_duration(away / 1000))
    return "%s (%s ago)" % (shown(moment), clock.show_duration(-away / 1000))


def _extent(text, size, file, root, job_id):
    parts = []
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines > _OUTPUT_LINES:
        parts.append("the last %d lines; all: queuectl logs %s" % (_OUTPUT_LINES, job_id))
    elif any(len(line) > _LINE_LENGTH for line in text.splitlines()):
        parts.append("of long lines the ends; all: queuectl logs %s" % job_id)
    if size is not None:
        parts.append("%d bytes" % size)
    if file:
        parts.append("in %s/%s" % (root, file))
    return " (%s)" % safe(", ".join(parts)) if parts else ""
