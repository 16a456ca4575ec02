"""Run a few sample jobs: success, retry, timeout, DLQ.

They run in a store of their own, in a temporary directory unless --store
names one; it ends by itself within some ten seconds.

Examples:
  queuectl demo
"""

import os

from queuectl_lib.faces import report, standing, terminal
from queuectl_lib.job import record
from queuectl_lib.store import config
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock, program
from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import safe

_SETTINGS = (("backoff_base", "1.5"), ("kill_grace", "1s"))
_WORKERS = 2

# What it shows, and the job that shows it.
_JOBS = (
    ("a job that succeeds", {"id": "hello", "command": "echo hello from queuectl"}),
    ("one that fails once and then succeeds", {
        "id": "flaky", "command": 'echo try $QUEUECTL_ATTEMPT; test "$QUEUECTL_ATTEMPT" -ge 2', "max_retries": 3}),
    ("one that hangs and is stopped after 1 s, twice", {
        "id": "hangs", "command": "echo working; sleep 60", "timeout": 1, "max_retries": 1}),
    ("one that fails until it lands in the dead letter queue", {
        "id": "broken", "command": "echo cannot reach the printer >&2; exit 3", "max_retries": 2}),
    ("an urgent one, enqueued last and run first", {"id": "urgent", "command": "sleep 0.5", "priority": -10}),
    ("one for later, in 3 s, in a queue of its own", {"id": "later", "command": "date", "queue": "evening"}),
)
_ON_WINDOWS = {
    "flaky": "echo try %QUEUECTL_ATTEMPT% & if %QUEUECTL_ATTEMPT%==1 exit 1",
    "hangs": "echo working & ping -n 60 127.0.0.1 >nul",
    "broken": "echo cannot reach the printer 1>&2 & exit 3",
    "urgent": "ping -n 2 127.0.0.1 >nul",
    "later": "date /t",
}


def arguments(parser):
    # The store is all that can be chosen.
    pass


def run(args, out):
    from queuectl_lib.work import supervisor
    place = args.store or _new_place()
    store = stores.open_store(place, create=True, write=True)
    if any(store.counts().values()):
        raise BadInput("%s holds jobs already: the demo wants a store of its own" % store.root)
    for key, value in _SETTINGS:
        config.set(store, key, value)
    # Opened again: a store reads its settings once.
    store = stores.open_store(place, write=True)
    jobs = _jobs(store)
    out.line(out.paint("Enqueued into %s:" % safe(store.root), "bold"))
    for (what, _), job in zip(_JOBS, jobs):
        out.line("  %-7s %s" % (job.id, what))
    out.line()
    out.line(out.paint("$ queuectl worker start --count %d --drain-all" % _WORKERS, "bold"))
    out.flush()
    store.add(jobs)
    code = supervisor.start(store, count=_WORKERS, drain_all=True)
    out.line()
    _sum_up(store, out)
    return code


def _new_place():
    import tempfile
    return os.path.join(tempfile.mkdtemp(prefix="queuectl-demo-"), "queue")


def _jobs(store):
    now = clock.now()
    settings = store.config
    defaults = record.Defaults(max_retries=settings.max_retries, timeout=settings.timeout, cwd=os.path.dirname(store.root))
    jobs = []
    for _, fields in _JOBS:
        if os.name == "nt" and fields["id"] in _ON_WINDOWS:
            fields = dict(fields, command=_ON_WINDOWS[fields["id"]])
        if fields["id"] == "later":
            fields = dict(fields, run_at=clock.moment(now + 3000))
        jobs.append(record.create(fields, now, defaults))
    return jobs


def _sum_up(store, out):
    now = clock.now()
    for line in report.status(standing.of_store(store, now), now, out):
        out.line(line)
    me = " ".join([os.path.basename(program.command()[0])] + program.command()[1:] + ["--store", store.root])
    out.line()
    out.line(out.paint("Look around:", "bold"))
    for words in ("list", "show flaky", "logs broken", "dlq list", "dlq retry broken"):
        out.line("  %s %s" % (safe(me), words))
    if os.path.basename(os.path.dirname(store.root)).startswith("queuectl-demo-"):
        terminal.note("nothing else refers to %s: remove it when you have seen enough" % os.path.dirname(store.root))
