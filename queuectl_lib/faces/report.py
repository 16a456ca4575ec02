"""What `status` and `worker list` print: how the queue stands, as lines or as one JSON document."""

from collections import namedtuple

from queuectl_lib.faces import listing, queues, table
from queuectl_lib.faces.table import Column
from queuectl_lib.job.record import STATES
from queuectl_lib.store import pauses
from queuectl_lib.words import clock
from queuectl_lib.words.text import safe

# counts: {queue: {state: n}}; workers: [slots.Worker]; running: {worker's name: Job};
# lost: running jobs whose worker is dead; recent: Recent of the newest finished jobs;
# queues: [queues.Queue]; paused: {queue or "*": Pause}; disk: ({part: bytes}, is that all?);
# serving: {worker's name: its queues} of workers that do not serve all; leaving: names of those told to stop; room: as of ballast.no_room().
Standing = namedtuple("Standing", ("store", "counts", "workers", "running", "lost", "recent", "queues", "paused", "disk",
                                   "serving", "room", "leaving"))
Standing.__new__.__defaults__ = (None, ())

# finished, succeeded: of those looked at; per_minute: None when none was lately; average: seconds, or None;
# attempts: how many they took on average, of those that were started at all, or None.
Recent = namedtuple("Recent", ("finished", "succeeded", "per_minute", "average", "attempts"))
Recent.__new__.__defaults__ = (None,)

# In the order of `list`: what runs, what waits, what needs a look, what is over.
_STATES = ("processing", "pending", "failed", "dead", "completed", "cancelled")

# So many of the newest finished jobs are looked at: status costs the same in a store of a million.
LOOKED_AT = 100

# Throughput is said of the time in which a person remembers what happened.
_LATELY = 10 * 60 * 1000

# So many queues that nobody serves are named.
_NAMED = 3

_WORKERS = (
    Column("slot", "SLOT", 4, True),
    Column("pid", "PID", 7, True),
    Column("up", "UP", 5, True),
    Column("done", "DONE", 6, True),
    Column("beat", "BEAT", 5, True),
    Column("queues", "QUEUES", 8, False, "all", 8),
    Column("job", "JOB", 16),
    Column("for", "FOR", 5, True),
    Column("progress", "PROGRESS", 8, False, "-", 8),
    Column("state", "STATE", 7, False, "-"),
    Column("command", "COMMAND"),
)


def narrowed(standing, only):
    """A Standing without what is about other queues than these; workers, `recent` and the disk stay as they are."""
    return standing._replace(
        counts={name: states for name, states in standing.counts.items() if name in only},
        lost=[job for job in standing.lost if job.queue in only],
        queues=[queue for queue in standing.queues if queue.name in only],
        paused={name: pause for name, pause in standing.paused.items() if name in only or name == pauses.ALL})


def status(standing, now, out):
    """The lines of `status`; out: terminal.Output or its like (width, paint, ellipsis)."""
    totals = _totals(standing.counts)
    lines = [out.paint("Jobs", "bold") + "  %s in %s" % (_count(sum(totals.values()), "job"), safe(standing.store))]
    for state in _STATES:
        number = totals[state]
        text = "  %-11s %7d" % (state, number)
        first, *others = _wrapped(_remark(state, number, standing, now), out, len(text) + 3)
        lines.append((out.paint(text, listing.COLOURS.get(state)) if number else text) + ("   " + first if first else ""))
        lines += [" " * (len(text) + 3) + other for other in others]
    if queues.are_worth_a_table(standing.queues):
        lines += ["", out.paint("Queues", "bold")] + _indented(_queues(standing.queues, now, out))
    paused = list(queues.pause_lines(standing.paused, now))
    if paused:
        lines += ["", out.paint("Paused", "bold")] + ["  " + out.paint(_cut(line, out), "yellow") for line in paused]
    lines += ["", out.paint("Workers", "bold") + "  %d alive" % len(standing.workers) + _leaving(standing)]
    lines += _indented(workers(standing.workers, standing.running, standing.serving, now, out, standing.leaving))
    for title, text in (("Lately", _lately(standing.recent)), ("Disk", _disk(*standing.disk))):
        first, *others = _wrapped(text, out, 8)
        lines += ["", out.paint(title, "bold") + " " * (8 - len(title)) + first] + [" " * 8 + other for other in others]
    return lines + _hints(standing, totals, now, out)


def workers(alive, running, serving, now, out, leaving=()):
    """The table of living workers; nothing for none. serving, leaving: as of a Standing."""
    rows = []
    for worker in alive:
        name = _name(worker)
        job = running.get(name)
        rows.append({
            "slot": worker.slot, "pid": worker.pid, "up": listing.age(worker.since, now), "done": worker.done,
            "beat": listing.age(clock.moment(worker.heartbeat), now),
            "queues": ",".join(serving.get(name, ())) or "all", "job": job.id if job else "-", "for": listing.age(job.started_at, now) if job else "-",
            "progress": job.progress if job and job.progress else "-",
            "state": "leaving" if name in leaving else "-",
            "command": job.command if job else "-"})
    # A pipe's columns stand where they stood yesterday: there only --json tells who leaves.
    return draw(_WORKERS if out.width is not None else [column for column in _WORKERS if column.key != "state"], rows, out, 2)


def draw(columns, rows, out, indent=0, paint=None):
    """A table as the output wants it: fitted to a terminal, plain in a pipe."""
    if out.width is not None:
        return table.fitted(columns, rows, out.width - indent, paint, out.ellipsis)
    if not rows:
        return []
    return [table.plain_heading(columns)] + [table.plain_line(columns, row) for row in rows]


def status_document(standing, now):
    """What `status --json` prints."""
    recent = standing.recent
    parts, complete = standing.disk
    return {
        "store": standing.store,
        "states": _totals(standing.counts),
        "queues": {queue.name: queues.document(queue, now) for queue in standing.queues},
        "paused": queues.pause_document(pauses.in_force(standing.paused, pauses.ALL, now)),
        "workers": workers_document(standing.workers, standing.running, standing.serving, now, standing.leaving),
        "worker_lost": [job.id for job in standing.lost],
        "oldest_waiting": queues.waiting_document(queues.oldest(standing.queues), now),
        "disk": dict(parts, total=sum(parts.values()), complete=complete),
        "recent": {
            "finished": recent.finished, "succeeded": recent.succeeded,
            "success_rate": recent.succeeded / recent.finished if recent.finished else None,
            "per_minute": recent.per_minute, "average_duration": recent.average},
        "average_attempts": recent.attempts,
        "room": standing.room,
    }


def _name(worker):
    return "%d.%s" % (worker.slot, worker.incarnation)


def workers_document(alive, running, serving, now, leaving=()):
    """What `worker list --json` prints."""
    found = []
    for worker in alive:
        name = _name(worker)
        job = running.get(name)
        found.append({
            "worker": name, "slot": worker.slot, "pid": worker.pid, "since": worker.since, "done": worker.done,
            "heartbeat": clock.moment(worker.heartbeat), "queues": serving.get(name), "leaving": name in leaving, "job": job.id if job else None,
            "command": job.command if job else None,
            "running_for": _seconds(job.started_at, now) if job else None,
            "progress": job.progress if job else None})
    return found


def recent_of(jobs, now):
    """The Recent of some finished jobs, newest first."""
    if not jobs:
        return Recent(0, 0, None, None)
    succeeded = sum(1 for job in jobs if job.state == "completed")
    durations = [job.duration for job in jobs if job.duration is not None]
    attempts = [job.attempts for job in jobs if job.attempts]
    lately = [job for job in jobs if now - clock.parse_moment(job.finished_at or job.updated_at) <= _LATELY]
    span = _LATELY
    if lately and len(lately) == len(jobs):
        # Not all of the ten minutes was looked at, or there was nothing before: say it of the time seen.
        # A handful that ended this second does not tell what a minute brings.
        shortest = 1000 if len(jobs) < LOOKED_AT else 1
        span = max(shortest, now - clock.parse_moment(jobs[-1].finished_at or jobs[-1].updated_at))
    return Recent(len(jobs), succeeded,
                  round(len(lately) * 60000 / span, 1) if lately else None,
                  _average(durations, 3), _average(attempts, 2))


def _average(numbers, places):
    return round(sum(numbers) / len(numbers), places) if numbers else None


def _remark(state, number, standing, now):
    if not number:
        return ""
    remarks = []
    if state == "processing" and standing.lost:
        remarks.append("%d worker lost" % len(standing.lost))
    if state == "failed":
        remarks.append("waiting for a retry")
    if state == "pending":
        remarks += ["%s %s" % (queues.number(counted), kind) for kind, counted in _not_ready(standing.queues) if counted[0]]
    oldest = queues.oldest(standing.queues)
    if oldest is not None and oldest[0].state == state:
        remarks.append("the first in line has waited %s" % clock.show_duration(max(0, now - oldest[1]) / 1000))
    return ", ".join(remarks)


def _leaving(standing):
    number = sum(1 for worker in standing.workers if _name(worker) in standing.leaving)
    return ", %s leaving" % ("all of them" if number == len(standing.workers) else number) if number else ""


def _not_ready(found):
    return (("delayed", queues.total(found, "delayed")), ("held or after others", queues.total(found, "blocked")))


def _queues(found, now, out):
    idle = 0
    if out.width is not None:
        found, idle = queues.shown(found)
    lines = draw(queues.COLUMNS, [queues.row(queue, now) for queue in found], out, 2)
    if idle:
        lines.append("and %s in which nothing waits or runs" % _count(idle, "queue"))
    return lines


def _wrapped(text, out, indent=0):
    """The lines of a text; on a terminal as many as it needs."""
    if out.width is None or len(text) <= out.width - indent:
        return [text]
    import textwrap
    return textwrap.wrap(text, max(20, out.width - indent))


def _cut(text, out):
    text = safe(text)
    return text if out.width is None else table.cut(text, out.width - 2, out.ellipsis)


def _disk(parts, complete):
    named = ["%s %s" % (part, size(number)) for part, number in parts.items() if number]
    return "%s%s%s" % (size(sum(parts.values())), "" if complete else " or more", ": " + ", ".join(named) if named else "")


def size(number):
    """So many bytes as a person says it."""
    for unit, least in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if number >= least:
            return "%.3g %s" % (number / least, unit)
    return "%d bytes" % number


def _lately(recent):
    if not recent.finished:
        return "nothing has finished yet"
    parts = ["%.3g %% of the last %s succeeded" % (100 * recent.succeeded / recent.finished,
                                                   _count(recent.finished, "finished job"))]
    if recent.per_minute is None:
        parts.append("none in the last 10 min")
    else:
        parts.append("%g a minute" % recent.per_minute)
    if recent.average is not None:
        parts.append("%s each on average" % clock.show_duration(recent.average))
    return ", ".join(parts)


def _hints(standing, totals, now, out):
    hints = []
    if standing.paused and pauses.in_force(standing.paused, pauses.ALL, now):
        hints.append("All queues are paused, nothing is started: go on with: queuectl resume")
    if standing.room:
        hints.append(standing.room[0].upper() + standing.room[1:])
    count, exactly = queues.work(standing.queues)
    waiting = count + len(standing.lost), exactly
    if waiting[0] and not standing.workers:
        hints.append("No worker is running and %s: start one with: queuectl worker start" % _wait(waiting))
    elif standing.workers:
        hints += _unserved(standing)
    if totals["dead"]:
        hints.append("%s in the dead letter queue: queuectl dlq list" % _count(totals["dead"], "job"))
    return [""] + [out.paint(line, "yellow") for hint in hints for line in _wrapped(hint, out)] if hints else []


def _unserved(standing):
    """A hint for each queue with work that no living worker serves."""
    names = [standing.serving.get(_name(worker)) for worker in standing.workers]
    if None in names:
        return []
    served = {queue for queues_of_one in names for queue in queues_of_one}
    found = [queue for queue in standing.queues if queues.work([queue])[0] and not queue.pause and queue.name not in served]
    hints = ["No worker serves the queue %s, where %s: queuectl worker start --queue %s"
             % (queue.name, _wait(queues.work([queue])), queue.name) for queue in found[:_NAMED]]
    if len(found) > _NAMED:
        hints.append("Nor is any of %s served" % _count(len(found) - _NAMED, "more queue"))
    return hints


def _wait(counted):
    return "1 job waits" if counted == (1, True) else "%s jobs wait" % queues.number(counted)


def _totals(counts):
    return {state: sum(states.get(state, 0) for states in counts.values()) for state in STATES}


def _indented(lines):
    return ["  " + line for line in lines]


def _count(number, what):
    return "%d %s%s" % (number, what, "" if number == 1 else "s")


def _seconds(moment, now):
    return max(0, now - clock.parse_moment(moment)) / 1000
