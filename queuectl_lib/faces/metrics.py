"""The figures of a store in the text form that Prometheus reads.

    # HELP queuectl_jobs How many jobs there are.
    # TYPE queuectl_jobs gauge
    queuectl_jobs{queue="mail",state="pending",store="/srv/app/.queuectl"} 12

Every series names its store: one machine may have several, and one exporter tell of them all.
"""

from queuectl_lib import __version__
from queuectl_lib.faces import figures
from queuectl_lib.faces import standing as standings
from queuectl_lib.words.text import safe

# How jobs waited and ran is said of the newest so many: a scrape has to stay cheap.
MOST = 10000
SECONDS = figures.HOUR
# What attempts are counted by (Snapshot.totals); those that failed are tried again.
_OUTCOMES = ("completed", "failed", "dead")


def of_store(store, now):
    """What text() says of a store."""
    look = store.look()
    standing = standings.of_store(store, now, look, most_files=None)
    totals = look.totals() if look else {}
    lately = figures.of_store(store, SECONDS, now, look=look, most=MOST)
    # A label is text, whatever bytes a directory's name has.
    return text(standing, totals, lately, __version__, now, safe(store.root))


def text(standing, totals, lately, version, now, where):
    """The whole document, with its last newline.

    standing: report.Standing; totals: {queue: {outcome: n}}; lately: figures.Figures of the last SECONDS
    and of MOST jobs; now: ms; where: the store.
    """
    families = [_build(version)] + _of_queues(standing, now) + _of_workers(standing)
    families += [_attempts(standing, totals)] + _times(lately) + [_disk(standing)]
    return "".join(line + "\n" for family in families for line in _lines(*family, where=where))


def _build(version):
    return "queuectl_build_info", "gauge", "Always 1; the label tells the version.", [({"version": version}, 1)]


def _of_queues(standing, now):
    queues = standing.queues
    return [
        ("queuectl_jobs", "gauge", "How many jobs there are, by queue and state.",
         [({"queue": queue.name, "state": state}, number) for queue in queues for state, number in queue.states.items()]),
        ("queuectl_oldest_waiting_seconds", "gauge",
         "How long the first in line has waited for its turn; 0 when no job is ready.",
         [({"queue": queue.name}, max(0, now - queue.oldest[1]) / 1000 if queue.oldest else 0) for queue in queues]),
        ("queuectl_queue_paused", "gauge", "1 while no job of the queue is started, else 0.",
         [({"queue": queue.name}, int(queue.pause is not None)) for queue in queues]),
        ("queuectl_queue_limit", "gauge", "How many slots the queue's running jobs may take; only where it is limited.",
         [({"queue": queue.name}, queue.limit) for queue in queues if queue.limit is not None]),
    ]


def _of_workers(standing):
    lost = {job.id for job in standing.lost}
    busy = [job for job in standing.running.values() if job.id not in lost]
    return [("queuectl_workers", "gauge", "How many workers are alive.", [({}, len(standing.workers))]),
            ("queuectl_workers_busy", "gauge", "How many of them are running a job.", [({}, len(busy))])]


def _attempts(standing, totals):
    names = sorted({queue.name for queue in standing.queues} | set(totals))
    return ("queuectl_attempts_total", "counter",
            "Attempts that ended, by outcome: the job completed, failed and is tried again, or is dead.",
            [({"queue": name, "outcome": outcome}, totals.get(name, {}).get(outcome, 0))
             for name in names for outcome in _OUTCOMES])


def _times(lately):
    """Gauges and no summary: its sum and count would have to grow for ever, and these are of the last hour."""
    families = []
    for name, what in (("ran", "job_duration"), ("waited", "job_wait")):
        spreads = [(queue, figures.spread(getattr(tally, name))) for queue, tally in lately.queues.items()]
        for measure in ("p50", "p95", "max"):
            families.append((
                "queuectl_%s_%s_seconds" % (what, measure), "gauge", _SAID[name] % _MEASURES[measure],
                [({"queue": queue}, getattr(spread, measure)) for queue, spread in spreads if spread.jobs]))
    return families


_SAID = {"ran": "How long the last attempts of jobs that ended in the last hour took: %s.",
         "waited": "How long jobs that ended in the last hour had waited for their first start: %s."}
_MEASURES = {"p50": "the median", "p95": "what 95 of 100 did not exceed", "max": "the longest"}


def _disk(standing):
    parts, _ = standing.disk
    return ("queuectl_store_bytes", "gauge", "What the store takes of the disk.",
            [({"part": part}, number) for part, number in parts.items()])


def _lines(name, kind, said, samples, where):
    if samples:
        yield "# HELP %s %s" % (name, said)
        yield "# TYPE %s %s" % (name, kind)
    for labels, value in samples:
        shown = ",".join('%s="%s"' % (label, _escaped(text)) for label, text in list(labels.items()) + [("store", where)])
        yield "%s{%s} %s" % (name, shown, repr(value))


def _escaped(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
