"""What status, stats and metrics tell of real work, and that a search finds what it should."""

import os
import stat

import pytest

from tests.faces.test_metrics import figure, read


@pytest.fixture
def worked(queue):
    """Two jobs of the queue mail that succeeded, one at its second attempt, and one that died; a delayed and a held one wait."""
    queue.run("config", "set", "backoff_max", "50ms")
    queue.enqueue("--id", "quick", "--queue", "mail", "true")
    queue.enqueue("--id", "shaky", "--queue", "mail", "test -e again || { touch again; exit 1; }")
    queue.enqueue("--id", "slow", "sleep 0.3")
    queue.enqueue("--id", "bad", "--max-retries", 1, "echo no luck >&2; exit 3")
    queue.work()
    queue.enqueue("--id", "later", "--queue", "mail", "--delay", "1h", "true")
    queue.enqueue("--id", "kept", "--queue", "mail", "--hold", "true")
    return queue


@pytest.mark.short
def test_stats_and_metrics_of_real_work(worked):
    stats = worked.read("stats")
    mail = stats["queues"]["mail"]
    assert (mail["ended"], mail["completed"], mail["retried"], mail["success_rate"], mail["retry_rate"]) == (2, 2, 1, 1, 0.5)
    everything = stats["all"]
    assert (everything["ended"], everything["dead"], everything["throughput"]["last_hour"]["ended"]) == (4, 1, 4)
    assert everything["running"]["jobs"] == everything["waiting"]["jobs"] == 4
    assert everything["running"]["max"] >= 0.3 > everything["running"]["p50"]
    assert stats["slowest"][0]["command"] == "sleep 0.3" and stats["complete"]
    assert stats["most_failing"][0]["command"].startswith("echo no luck")
    values = read(worked.run("metrics").out)
    assert figure(values, "jobs", store=worked.store, queue="mail", state="pending") == 2
    assert figure(values, "attempts_total", store=worked.store, queue="mail", outcome="completed") == 2
    assert figure(values, "attempts_total", store=worked.store, queue="mail", outcome="failed") == 1
    assert figure(values, "attempts_total", store=worked.store, queue="default", outcome="dead") == 1
    assert figure(values, "job_duration_max_seconds", store=worked.store, queue="default") >= 0.3


def test_stats_in_words(worked):
    text = worked.run("stats").out
    assert "sleep 0.3" in text and "echo no luck" in text
    row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["mail"])
    assert row == ["mail", "2", "2", "2", "100", "%", "50", "%"]
    assert worked.run("stats", "--queue", "mail").out.count("sleep 0.3") == 0
    assert worked.run("stats", "--queue", "absent").out == ""
    assert "want more than 0" in worked.run("stats", "--since", "0", code=2).err


def test_status_tells_what_waits_in_each_queue(worked):
    mail = worked.read("status")["queues"]["mail"]
    assert (mail["pending"], mail["ready"], mail["delayed"], mail["blocked"], mail["oldest_waiting"]) == (2, 0, 1, 1, None)
    worked.run("config", "set", "queue.mail.limit", "2")
    worked.enqueue("--id", "next", "--queue", "mail", "--priority", 9, "true")
    status = worked.read("status")
    assert (status["queues"]["mail"]["limit"], status["queues"]["mail"]["ready"]) == (2, 1)
    assert status["queues"]["mail"]["oldest_waiting"]["id"] == status["oldest_waiting"]["id"] == "next"
    assert status["disk"]["total"] >= status["disk"]["journal"] > 0 and status["disk"]["complete"]
    row = next(line.split() for line in worked.run("status").out.splitlines() if line.split()[:1] == ["mail"])
    assert row[:7] == ["mail", "0", "2", "1", "1", "0", "1"]


def test_a_running_job_is_counted_and_its_worker_is_busy(queue):
    queue.enqueue("--slots", 3, "touch begun; until test -e end; do sleep 0.05; done")
    queue.run("config", "set", "queue.default.limit", "4")
    queue.start_workers(count=2)
    queue.wait_for_workers(2)
    queue.run("enqueue", "echo x > begun-too")
    queue.wait_for_file("begun-too")
    values = read(queue.run("metrics").out)
    assert [figure(values, family, store=queue.store) for family in ("workers", "workers_busy")] == [2, 1]
    assert figure(values, "queue_limit", store=queue.store, queue="default") == 4
    assert queue.read("status")["queues"]["default"]["slots_in_use"] == 3
    queue.write("end", "")


def test_metrics_are_written_at_once_for_another_user_to_read(worked):
    os.mkdir(worked.path("collector"))
    for _ in range(2):
        assert worked.run("metrics", "--output", "collector/queuectl.prom").out == ""
        assert os.listdir(worked.path("collector")) == ["queuectl.prom"]
        assert stat.S_IMODE(os.stat(worked.path("collector", "queuectl.prom")).st_mode) == 0o644
        assert figure(read(worked.text("collector", "queuectl.prom")), "workers", store=worked.store) == 0
    assert "cannot write absent/x.prom" in worked.run("metrics", "--output", "absent/x.prom", code=1).err


def test_of_no_store_there_are_figures_too(queue):
    assert figure(read(queue.run("metrics").out), "workers", store=queue.store) == 0
    assert queue.read("stats")["all"]["ended"] == 0
    assert queue.read("status")["disk"]["total"] == 0
    assert not os.path.exists(queue.store)


def test_a_search_finds_odd_words_wherever_the_jobs_stand(worked):
    worked.enqueue("--id", "odd", "--hold", "echo 'Gr\u00fc\u00dfe \"to\" all' \\ and more")
    for text in ("GR\u00dc", '"to"', "\\ AND", "odd"):
        assert [job["id"] for job in worked.jobs("--search", text)] == ["odd"]
    assert [job["id"] for job in worked.jobs("--search", "no luck")] == ["bad"]
    assert worked.jobs("--search", "here") == []
