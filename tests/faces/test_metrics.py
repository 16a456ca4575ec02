"""What `metrics` prints is what Prometheus reads: a strict reader of the text form reads it back."""

import os
import re

import pytest

from queuectl_lib.faces import figures, metrics
from queuectl_lib.job.record import STATES
from queuectl_lib.store import store
from queuectl_lib.store.pauses import ALL, Pause
from queuectl_lib.store.queues import Depth
from queuectl_lib.words import text
from tests.faces.test_listing import NOW, Worker, job, moment, standing
from tests.faces.test_stats import ended

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r'(%s)(?:\{((?:%s="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$' % (NAME, NAME))
STORE = "/srv/app/.queuectl"
LABEL = re.compile(r'(%s)="((?:[^"\\]|\\.)*)"' % NAME)


def read(document):
    """{(family, labels as a frozenset of pairs): value}; fails on what the text form does not allow."""
    assert document.endswith("\n")
    kinds, values, said, current = {}, {}, set(), None
    for line in document.splitlines():
        if line.startswith("# HELP "):
            _, _, current, words = line.split(" ", 3)
            assert current not in said and words and not re.search(r"\\[^\\n]", words)
            said.add(current)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and name not in kinds and kind in ("gauge", "counter")
            assert name.endswith("_total") == (kind == "counter")
            kinds[name] = kind
        else:
            match = SAMPLE.match(line)
            assert match, line
            # All of a family stand together, behind what is said of it.
            assert match.group(1) == current and current in kinds
            labels = frozenset((name, re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape.group(1), escape.group(1)), value))
                               for name, value in LABEL.findall(match.group(2) or ""))
            assert (current, labels) not in values, "twice: " + line
            values[current, labels] = float(match.group(3))
    return values


def figure(values, family, **labels):
    return values["queuectl_" + family, frozenset(dict({"store": STORE}, **labels).items())]


def lately(*jobs):
    return figures.gathered(jobs, NOW - 3600 * 1000, NOW)


def printed(totals=None, recent=(), version="1.0.0", where=STORE, **fields):
    return read(metrics.text(standing(**fields), totals or {}, lately(*recent), version, NOW, where))


def test_jobs_by_queue_and_state_every_state_there():
    values = printed(counts={"mail": {"pending": 3, "dead": 1}, "default": {"completed": 7}})
    assert figure(values, "jobs", queue="mail", state="pending") == 3
    assert figure(values, "jobs", queue="default", state="completed") == 7
    assert all(figure(values, "jobs", queue="mail", state=state) >= 0 for state in STATES)


def test_the_oldest_waiting_is_the_one_of_its_queue():
    depths = {"mail": Depth((2, True), (0, True), (0, True), [job(), job(created_at=moment(-90), history=())])}
    values = printed(counts={"mail": {"pending": 2}, "idle": {"completed": 1}}, depths=depths)
    assert figure(values, "oldest_waiting_seconds", queue="mail") == 90
    assert figure(values, "oldest_waiting_seconds", queue="idle") == 0


def test_limits_and_pauses():
    values = printed(counts={"mail": {"pending": 1}, "over": {"pending": 1}}, limits={"video": 2},
                     paused={"mail": Pause(moment(-5)), "over": Pause(moment(-5), until=moment(-1))})
    assert figure(values, "queue_limit", queue="video") == 2
    assert ("queuectl_queue_limit", frozenset({("queue", "mail"), ("store", STORE)})) not in values
    assert [figure(values, "queue_paused", queue=queue) for queue in ("mail", "over", "video")] == [1, 0, 0]
    everything = printed(counts={"mail": {"pending": 1}}, paused={ALL: Pause(moment(-5))})
    assert figure(everything, "queue_paused", queue="mail") == 1


def test_a_worker_is_busy_when_it_runs_something_and_lives():
    workers = [Worker(number, "abc", 1, moment(-9), 0, NOW) for number in (1, 2, 3)]
    lost = job(id="lost", state="processing", worker="9.x")
    values = printed(workers=workers, running={"1.abc": job(state="processing"), "9.x": lost}, lost=[lost])
    assert (figure(values, "workers"), figure(values, "workers_busy")) == (3, 1)


def test_attempts_are_counted_of_queues_that_have_no_jobs_any_more_too():
    values = printed(totals={"gone": {"completed": 5, "failed": 2}}, counts={"mail": {"pending": 1}})
    assert figure(values, "attempts_total", queue="gone", outcome="failed") == 2
    assert figure(values, "attempts_total", queue="gone", outcome="dead") == 0
    assert figure(values, "attempts_total", queue="mail", outcome="completed") == 0


def test_how_long_jobs_ran_and_waited_in_the_last_hour():
    values = printed(recent=[ended(queue="mail", ran=float(second), waited=3) for second in range(1, 101)])
    assert [figure(values, "job_duration_%s_seconds" % measure, queue="mail") for measure in ("p50", "p95", "max")] == [50, 95, 100]
    assert figure(values, "job_wait_p50_seconds", queue="mail") == 3


def test_the_store_and_the_version():
    values = printed(version="2.1")
    assert figure(values, "store_bytes", part="journal") == 4096
    assert figure(values, "build_info", version="2.1") == 1


@pytest.mark.parametrize("odd", ['a"b', "a\\b", "a\nb", 'a\\"\n', "\u65e5\u672c", "a\\nb"])
def test_labels_are_escaped(odd):
    assert figure(printed(version=odd), "build_info", version=odd) == 1
    assert figure(printed(where=odd), "workers", store=odd) == 0


@pytest.mark.skipif(os.name != "posix", reason="no other names are possible")
def test_a_store_whose_name_is_no_text_is_told_of_all_the_same(tmp_path):
    root = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff\x1b[2J")
    told = metrics.of_store(store.open_store(root), NOW)
    assert figure(read(told), "workers", store=text.safe(root)) == 0
    assert told.encode("utf-8") and "\x1b" not in told
