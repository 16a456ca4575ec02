"""What lists, status and show say of jobs."""

from collections import namedtuple

from queuectl_lib.faces import listing, queues, reasons, report, story
from queuectl_lib.job import record
from queuectl_lib.store import pauses
from queuectl_lib.store.queues import Depth
from queuectl_lib.words import clock

NOW = 1800000000000


class Screen:
    width = 80
    ellipsis = "\u2026"

    def paint(self, text, colour):
        return text


def moment(seconds):
    return clock.moment(NOW + int(seconds * 1000))


def job(**fields):
    made = record.create({"id": "j", "command": "true", "cwd": "/"}, NOW - 60000, record.Defaults())
    return made._replace(**fields)


def told(one, lost=False, workers=1):
    return "\n".join(story.tell(one, NOW, lost, reasons.Around(workers), "/store", lambda text, colour: text))


Worker = namedtuple("Worker", "slot incarnation pid since done heartbeat")


def standing(**fields):
    usual = dict(store="/store", counts={}, workers=[], running={}, lost=[], recent=report.Recent(0, 0, None, None),
                 paused={}, disk=({"journal": 4096, "base": 0}, True), serving={})
    given = dict(usual, **fields)
    depths = given.pop("depths", {})
    limits = given.pop("limits", {})
    found = queues.standing(given["counts"], depths, limits, given["paused"], given["running"].values(), NOW)
    return report.Standing(queues=found, **given)


def status(**fields):
    return "\n".join(report.status(standing(**fields), NOW, Screen()))


def test_a_row_says_how_a_job_stands():
    failed = job(state="failed", attempts=2, exit_code=3, next_run_at=moment(4))
    row = listing.row(failed, NOW)
    assert (row["state"], row["tries"], row["age"], row["note"]) == ("failed", "2/4", "1m", "retry in 4 s")


def test_of_an_output_without_line_ends_show_prints_the_end():
    text = told(job(state="completed", stdout="whole\n" + "\0" * 300000 + "end\n"))
    assert "\nStdout (of long lines the ends; all: queuectl logs j)\n  whole\n  ...\\x00" in text
    assert text.endswith("\\x00end") and len(text) < 6000


def test_a_lost_worker_shows():
    assert listing.row(job(state="processing", started_at=moment(-5)), NOW, True)["state"] == "processing (worker lost)"


def test_a_delayed_job_says_until_when_it_waits():
    assert listing.note(job(run_at=moment(7200)), NOW) == "in 2 h"
    assert listing.note(job(run_at=moment(-1)), NOW) is None


def test_a_note_says_for_what_a_job_waits():
    paused = {"default": pauses.Pause(since=moment(-5))}
    assert listing.note(job(held=True, waits_for=["a"]), NOW, False, paused) == "held"
    assert listing.note(job(waits_for=["a", "b"]), NOW) == "after a, b"
    assert listing.note(job(waits_for=["a", "b", "c", "d"]), NOW) == "after a, b and 2 more"
    assert listing.note(job(expires_at=moment(-1)), NOW) == "expired"
    assert listing.note(job(next_run_at=moment(8)), NOW) == "again in 8 s"
    assert listing.note(job(), NOW, False, paused) == "paused"
    assert listing.note(job(state="failed", next_run_at=moment(-1)), NOW, False, paused) == "paused"
    assert listing.note(job(), NOW, False, paused, {"default"}) == "paused"
    assert listing.note(job(), NOW, False, {}, {"default"}) == "limit"
    assert listing.note(job(run_at=moment(10)), NOW, False, {}, {"default"}) == "in 10 s"
    assert listing.note(job(), NOW, False, {}, {"mail"}) is None
    assert listing.note(job(run_at=moment(10)), NOW, False, paused) == "in 10 s"
    assert listing.note(job(queue="mail"), NOW, False, paused) is None
    assert listing.note(job(queue="mail"), NOW, False, {pauses.ALL: pauses.Pause(since=moment(-5))}) == "paused"


def test_jobs_without_a_value_sort_last_either_way():
    jobs = [job(id="a", duration=None), job(id="b", duration=2), job(id="c", duration=1)]
    for backward, order in ((False, "cba"), (True, "bca")):
        found = sorted(jobs, key=listing.sort_key("duration", backward))
        assert "".join(one.id for one in found) == order


def test_ages_are_short():
    assert [listing.age(moment(-seconds), NOW) for seconds in (0, 59, 60, 7199, 86400 * 5)] == [
        "0s", "59s", "1m", "1h", "5d"]


def test_a_moment_in_the_future_has_no_negative_age():
    assert listing.age(moment(100), NOW) == "0s"


def test_show_says_why_a_job_does_not_run():
    assert "waits 4 s for retry 1 of 3" in told(job(state="failed", attempts=1, next_run_at=moment(4)))
    assert "no worker is running" in told(job(), workers=0)
    assert "that serves the queue mail" in told(job(queue="mail"), workers=0)
    assert "a worker is free" in told(job())
    lost = job(state="processing", started_at=moment(0))
    assert "its worker died; any living worker" in told(lost, lost=True)
    assert "no other is running to take it up: start one with: queuectl worker start" in told(lost, lost=True, workers=0)
    assert "queuectl dlq retry j" in told(job(state="dead", attempts=4, exit_code=1))
    assert reasons.why(job(state="completed"), NOW) is None


def test_the_history_is_a_timeline():
    history = ({"at": moment(-60), "state": "pending"},
               {"at": moment(-10), "state": "processing", "worker": "1.abc"},
               {"at": moment(-8), "state": "failed", "exit_code": 3, "delay": 2})
    text = told(job(state="failed", history=history, next_run_at=moment(1)))
    assert "+50 s" in text and "by worker 1.abc" in text and "exit 3, again in 2 s" in text


def test_nothing_of_a_job_can_act_on_the_terminal():
    nasty = job(command="a\x1b]0;b\x07", stdout="c\x1b[2J\nd", env={"E": "\x9b1m"}, error="\u202ee")
    assert not set(told(nasty)) & set("\x1b\x07\x9b\u202e")


def test_long_output_is_shown_by_its_end():
    text = told(job(stdout="".join("line %d\n" % number for number in range(50)), stdout_size=9000,
                    stdout_file="output/j.1.out"))
    assert "line 49" in text and "line 39" not in text and "queuectl logs j" in text and "9000 bytes" in text


def test_status_points_at_what_needs_a_look():
    text = status(counts={"default": {"pending": 2, "dead": 1}},
                  depths={"default": Depth((2, True), (0, True), (0, True), [job()])})
    assert "no worker is running and 2 jobs wait" in text.lower()
    assert "1 job in the dead letter queue: queuectl dlq list" in text
    assert "first in line has waited 1 min" in text


def test_status_points_at_queues_that_nobody_serves():
    worker = Worker(1, "abc", 4711, moment(-7200), 12, NOW)
    given = dict(counts={"mial": {"pending": 1}, "mail": {"pending": 2}, "retry": {"failed": 3}, "later": {"pending": 1}},
                 depths={"mial": Depth((1, True), (0, True), (0, True), []), "mail": Depth((2, True), (0, True), (0, True), []),
                         "later": Depth((0, True), (1, True), (0, True), [])},
                 workers=[worker], serving={"1.abc": ["mail"]})
    text = status(**given)
    assert "No worker serves the queue mial, where 1 job waits: queuectl worker start --queue mial" in " ".join(text.split())
    assert "No worker serves the queue retry, where 3 jobs wait" in text
    assert text.count("No worker") == 2
    assert "No worker" not in status(**dict(given, serving={}))
    paused = {name: pauses.Pause(since=moment(-5)) for name in ("mial", "retry")}
    assert "No worker" not in status(**dict(given, paused=paused))
    many = {"q%d" % number: {"failed": 1} for number in range(9)}
    assert "Nor is any of 6 more queues served" in status(**dict(given, counts=many, depths={}))


def test_no_worker_is_wanted_where_all_that_waits_is_held_or_delayed():
    for depth in (Depth((0, True), (2, True), (0, True), []), Depth((0, True), (0, True), (2, True), [])):
        assert "No worker" not in status(counts={"default": {"pending": 2}}, depths={"default": depth})
    assert "No worker is running and 1 job waits" in status(counts={"default": {"pending": 1, "failed": 1}})


def test_status_of_an_idle_queue_has_nothing_to_say():
    text = status(counts={"default": {"completed": 5}})
    assert "No worker" not in text and "dlq" not in text


def test_queues_are_listed_when_there_is_more_than_the_usual_one():
    assert "Queues" not in status(counts={"default": {"pending": 1}})
    assert "mail" in status(counts={"default": {"pending": 1}, "mail": {"dead": 2}})


def test_workers_are_shown_with_what_they_run():
    worker = Worker(1, "abc", 4711, moment(-7200), 12, NOW)
    running = {"1.abc": job(state="processing", started_at=moment(-90), command="backup.sh")}
    lines = report.workers([worker], running, {}, NOW, Screen())
    assert lines[1].split() == ["1", "4711", "2h", "12", "0s", "j", "1m", "backup.sh"]
    [document] = report.workers_document([worker], running, {}, NOW)
    assert (document["pid"], document["job"], document["running_for"], document["queues"]) == (4711, "j", 90, None)


def test_workers_that_do_not_serve_all_queues_say_which():
    alive = [Worker(1, "abc", 4711, moment(-7200), 12, NOW), Worker(2, "def", 4712, moment(-7200), 12, NOW)]
    serving = {"2.def": ["mail", "sms"], "1.of-one-who-died": ["x"]}
    lines = report.workers(alive, {}, serving, NOW, Screen())
    assert [line.split()[5] for line in lines] == ["QUEUES", "all", "mail,sms"]
    assert [one["queues"] for one in report.workers_document(alive, {}, serving, NOW)] == [None, ["mail", "sms"]]
    assert "QUEUES" not in report.workers(alive[:1], {}, serving, NOW, Screen())[0]


def test_a_worker_that_was_told_to_stop_says_so_on_a_terminal():
    alive = [Worker(number, "abc", 4194303, moment(-7200), 123456, NOW) for number in (1, 2)]
    running = {"1.abc": job(id="nightly-backup", state="processing", started_at=moment(-90), command="./backup.sh " * 9)}
    lines = report.workers(alive, running, {}, NOW, Screen(), {"1.abc"})
    assert ["leaving" in line for line in lines] == [False, True, False] and "STATE" in lines[0]
    assert max(map(len, lines)) <= 78 and "./backup" in lines[1]
    assert "STATE" not in report.workers(alive, running, {}, NOW, Screen())[0]
    assert "leaving" in status(workers=alive, running=running, leaving={"1.abc"}).split("DONE")[1]


def test_a_pipes_columns_are_the_same_whoever_leaves():
    class Pipe(Screen):
        width = None

    alive = [Worker(1, "abc", 4711, moment(-7200), 12, NOW)]
    assert report.workers(alive, {}, {}, NOW, Pipe(), {"1.abc"}) == report.workers(alive, {}, {}, NOW, Pipe())


def test_the_rate_is_of_the_last_ten_minutes():
    jobs = [job(state="completed" if number % 4 else "dead", attempts=1, finished_at=moment(-number * 6), duration=2)
            for number in range(1, 21)]
    recent = report.recent_of(jobs, NOW)
    assert recent == report.Recent(20, 15, 10.0, 2.0, 1.0)
    old = [one._replace(finished_at=moment(-5000)) for one in jobs]
    assert report.recent_of(old, NOW).per_minute is None
    assert report.recent_of([], NOW) == report.Recent(0, 0, None, None, None)


def test_how_many_attempts_jobs_took_is_said_of_those_that_were_started():
    jobs = [job(state=state, attempts=attempts, finished_at=moment(-5)) for state, attempts in (("completed", 1), ("dead", 4), ("dead", 0))]
    assert report.status_document(standing(recent=report.recent_of(jobs, NOW)), NOW)["average_attempts"] == 2.5
    assert report.status_document(standing(recent=report.recent_of(jobs[2:], NOW)), NOW)["average_attempts"] is None


def test_the_document_of_an_empty_store_has_every_field():
    document = report.status_document(standing(), NOW)
    assert document["states"] == dict.fromkeys(record.STATES, 0)
    assert document["recent"]["success_rate"] is None and document["oldest_waiting"] is None


def test_throughput_of_many_that_end_in_a_moment_is_said_of_that_moment():
    ended = [job(state="completed", finished_at=clock.moment(NOW - 50))]
    assert report.recent_of(ended, NOW).per_minute == 60
    assert report.recent_of(ended * report.LOOKED_AT, NOW).per_minute == 120000
