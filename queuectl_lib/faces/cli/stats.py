"""Show how jobs waited, ran and ended lately.

Of the jobs that completed or died since then. P50 is what half of them did not
exceed, P95 what 95 of 100 did not. Waiting is from the moment a job may run to
its first start; it is known of jobs that waited for nothing but their turn
(never held, edited, retried by hand or put after others). RETRIED are those
started more than once. At most the newest 100000 jobs are looked at.

Examples:
  queuectl stats
  queuectl stats --since 2h --queue mail
  queuectl stats --json | jq .all.waiting.p95
"""

from queuectl_lib.faces import figures, report, terminal, wanted
from queuectl_lib.faces.cli import options
from queuectl_lib.faces.table import Column
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput

_ENDED = (
    Column("queue", "QUEUE", 16, gives=8),
    Column("ended", "ENDED", 7, True),
    Column("hour", "IN THE LAST HOUR", 16, True),
    Column("day", "DAY", 7, True),
    Column("succeeded", "SUCCEEDED", 9, True),
    Column("retried", "RETRIED", 7, True),
)
_TIMES = (
    Column("queue", "QUEUE", 16, gives=8),
    Column("waited50", "WAITED P50", 10, True),
    Column("waited95", "P95", 6, True),
    Column("waitedmax", "MAX", 6, True),
    Column("ran50", "RAN P50", 8, True),
    Column("ran95", "P95", 6, True),
    Column("ranmax", "MAX", 6, True),
)
_SLOWEST = (
    Column("average", "AVERAGE", 8, True),
    Column("longest", "LONGEST", 8, True),
    Column("runs", "RUNS", 6, True),
    Column("command", "COMMAND"),
)
_FAILING = (
    Column("failed", "FAILED", 8, True),
    Column("dead", "DEAD", 8, True),
    Column("jobs", "JOBS", 6, True),
    Column("command", "COMMAND"),
)
_COMMANDS = 5


def arguments(parser):
    parser.add_argument("--since", metavar="DUR", default=figures.DAY, type=options.checked("--since", _since),
                        help="how far to look back (1d)")
    parser.add_argument("--queue", metavar="Q", nargs="+", action="append", help="only these queues")
    options.json(parser)


def run(args, out):
    queues = wanted.queues(args.queue)
    now = clock.now()
    store = stores.open_store(args.store)
    found = figures.of_store(store, args.since, now, queues)
    if args.json:
        out.document(_document(found, now))
        return
    for line in _lines(found, now, out):
        out.line(line)
    if not store.exists:
        terminal.note_no_store(store.root)
    elif not found.all.ended:
        terminal.note("no job has ended in the last %s" % _span((now - found.since) / 1000))


def _since(text):
    seconds = clock.parse_duration(text)
    if seconds <= 0:
        raise BadInput("want more than 0 seconds, not %s" % text)
    return seconds


def _lines(found, now, out):
    if not found.all.ended:
        return
    tallies = [("all", found.all)] if len(found.queues) > 1 else []
    tallies += found.queues.items()
    yield out.paint("Jobs that ended", "bold") + "  in the last %s%s" % (_span((now - found.reaches) / 1000), _cut(found))
    yield from _table(_ENDED, [_ended_row(queue, tally, found, now) for queue, tally in tallies], out)
    yield ""
    yield out.paint("How long they", "bold")
    yield from _table(_TIMES, [_times_row(queue, tally) for queue, tally in tallies], out)
    slowest = figures.slowest(found.commands, _COMMANDS)
    if slowest:
        yield ""
        yield out.paint("Slowest commands", "bold")
        yield from _table(_SLOWEST, [_command_row(command) for command in slowest], out)
    failing = figures.most_failing(found.commands, _COMMANDS)
    if failing:
        yield ""
        yield out.paint("Commands that failed most", "bold")
        yield from _table(_FAILING, [_command_row(command) for command in failing], out)


def _table(columns, rows, out):
    return ["  " + line for line in report.draw(columns, rows, out, 2)]


def _cut(found):
    """Says so where not all of the time was looked at."""
    if found.reaches == found.since:
        return ""
    return " (of more, only the newest %d are looked at)" % found.jobs


def _ended_row(queue, tally, found, now):
    return {"queue": queue, "ended": tally.ended, "hour": _within(tally, figures.HOUR, found, now),
            "day": _within(tally, figures.DAY, found, now),
            "succeeded": _percent(tally.success_rate()), "retried": _percent(tally.retry_rate())}


def _within(tally, span, found, now):
    """How many ended within a span; '-' where it was not asked for, '123+' where it was not reached."""
    if now - found.since < span * 1000:
        return "-"
    return "%d%s" % (tally.within[span], "+" if now - found.reaches < span * 1000 else "")


def _times_row(queue, tally):
    row = {"queue": queue}
    for name, seconds in (("waited", tally.waited), ("ran", tally.ran)):
        known = figures.spread(seconds)
        row.update({name + "50": _time(known.p50), name + "95": _time(known.p95), name + "max": _time(known.max)})
    return row


def _command_row(command):
    return {"average": _time(command.average()), "longest": _time(command.longest), "runs": command.runs,
            "failed": command.failed, "dead": command.dead, "jobs": command.jobs, "command": command.shown()}


def _percent(rate):
    return "-" if rate is None else "%.3g %%" % (100 * rate)


def _time(seconds):
    return "-" if seconds is None else _span(seconds)


def _span(seconds):
    """A duration as short as can be: 12ms, 1.2s, 3m20s, 2h5m."""
    return clock.show_duration(seconds).replace(" min", "m").replace(" ", "")


def _document(found, now):
    covered = (now - found.reaches) / 1000
    return {
        "since": clock.moment(found.since), "looked_at": found.jobs,
        "complete": found.reaches == found.since, "covered_seconds": covered,
        "all": _tally_document(found.all, covered),
        "queues": {queue: _tally_document(tally, covered) for queue, tally in found.queues.items()},
        "slowest": [_command_document(command) for command in figures.slowest(found.commands, _COMMANDS)],
        "most_failing": [_command_document(command) for command in figures.most_failing(found.commands, _COMMANDS)],
    }


def _tally_document(tally, covered):
    return {
        "ended": tally.ended, "completed": tally.completed, "dead": tally.dead, "retried": tally.retried,
        "success_rate": tally.success_rate(), "retry_rate": tally.retry_rate(),
        "throughput": {"last_hour": _rate(tally, figures.HOUR, covered), "last_day": _rate(tally, figures.DAY, covered)},
        "waiting": figures.spread(tally.waited)._asdict(), "running": figures.spread(tally.ran)._asdict()}


def _rate(tally, span, covered):
    """Of a span that was looked at only in part, what is known: of so many seconds of it."""
    seconds = min(span, covered)
    return {"ended": tally.within[span], "seconds": seconds,
            "per_minute": round(tally.within[span] * 60 / seconds, 3) if seconds else None}


def _command_document(command):
    return {"command": command.shown(), "jobs": command.jobs, "dead": command.dead, "failed_attempts": command.failed,
            "runs": command.runs, "average": round(command.average(), 3), "longest": command.longest}
