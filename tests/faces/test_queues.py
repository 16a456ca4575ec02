"""What `status` says of each queue, on a screen of 80 columns and as JSON."""

import pytest

from queuectl_lib.faces import queues, report
from queuectl_lib.job import lifecycle
from queuectl_lib.store.pauses import ALL, Pause
from queuectl_lib.store.queues import Depth
from tests.faces.test_listing import NOW, Screen, job, moment, standing, status


class Pipe(Screen):
    width = None


def depth(ready=0, delayed=0, blocked=0, first=()):
    return Depth((ready, True), (delayed, True), (blocked, True), list(first))


def row_of(text, queue):
    """{heading: cell} of a queue's row."""
    lines = text.splitlines()
    headings = next(line.split() for line in lines if line.split()[:1] == ["QUEUE"])
    return dict(zip(headings, next(line.split() for line in lines if line.split()[:1] == [queue])))


def document(**fields):
    return report.status_document(standing(**fields), NOW)


MAIL = dict(
    counts={"default": {"completed": 1}, "mail": {"pending": 6, "failed": 2, "processing": 1, "dead": 3}}, limits={"mail": 4},
    depths={"mail": depth(3, 2, 1, [job(created_at=moment(-300), history=())])}, paused={"mail": Pause(moment(-60), "new server", moment(120))},
    running={"1.a": job(queue="mail", state="processing", slots=3)})


def test_a_queue_says_what_waits_and_runs_in_it():
    text = status(**MAIL)
    assert row_of(text, "mail") == {"QUEUE": "mail", "RUNNING": "1", "LIMIT": "4", "READY": "3", "DELAYED": "2", "RETRY": "2", "BLOCKED": "1",
                                    "DEAD": "3", "OLDEST": "5m", "NOTE": "paused"}
    assert "mail: for 1 min, and for another 2 min; new server" in text
    assert "2 delayed, 1 held or after others, the first in line has waited 5 min" in " ".join(text.split())


def test_the_same_as_json():
    mail = document(**MAIL)["queues"]["mail"]
    assert (mail["pending"], mail["ready"], mail["delayed"], mail["blocked"], mail["limit"], mail["slots_in_use"]) == (6, 3, 2, 1, 4, 3)
    assert mail["paused"] == {"since": moment(-60), "reason": "new server", "until": moment(120)}
    assert mail["oldest_waiting"]["seconds"] == 300 and mail["oldest_waiting"]["since"] == moment(-300)
    assert document(**MAIL)["oldest_waiting"] == mail["oldest_waiting"] and document(**MAIL)["paused"] is None


def test_what_is_not_known_exactly_is_no_number():
    given = dict(counts={"mail": {"pending": 9000}}, depths={"mail": Depth((500, False), (500, False), (0, True), [])})
    assert row_of(status(**given), "mail")["READY"] == "500+"
    mail = document(**given)["queues"]["mail"]
    assert (mail["ready"], mail["delayed"], mail["blocked"]) == (None, None, 0)


def test_a_pause_of_all_queues_is_pointed_out():
    text = status(counts={"default": {"pending": 1}}, paused={ALL: Pause(moment(-60), "backup")})
    assert "all queues: for 1 min, until resumed; backup" in text
    assert "All queues are paused, nothing is started: go on with: queuectl resume" in text
    assert document(counts={}, paused={ALL: Pause(moment(-60), "backup")})["paused"]["reason"] == "backup"


def test_a_queue_that_is_paused_by_itself_says_so_while_all_are_paused():
    paused = {ALL: Pause(moment(-60), "backup"), "mail": Pause(moment(-90), "moves")}
    found = document(counts={"mail": {"pending": 1}, "video": {"pending": 1}}, paused=paused)
    assert [found["queues"][name]["paused"]["reason"] for name in ("mail", "video")] == ["moves", "backup"]
    over = dict(paused, mail=Pause(moment(-90), "moves", moment(-1)))
    assert document(counts={"mail": {"pending": 1}}, paused=over)["queues"]["mail"]["paused"]["reason"] == "backup"


def test_a_pause_that_is_over_or_only_armed_is_none():
    for pause in (Pause(moment(-60), None, moment(-1)), Pause(on_failure=True)):
        assert "aused" not in status(counts={"mail": {"pending": 1}}, paused={"mail": pause})
    assert document(paused={"mail": Pause(on_failure=True)})["queues"]["mail"]["pause_on_failure"] is True


def test_a_queue_that_will_be_paused_when_a_job_dies_says_so():
    armed = {"default": Pause(on_failure=True)}
    assert row_of(status(counts={"default": {"pending": 1}}, paused=armed), "default")["NOTE"] == "armed"
    armed["default"] = Pause(moment(-60), on_failure=True)
    assert row_of(status(counts={"default": {"pending": 1}}, paused=armed), "default")["NOTE"] == "paused"


def test_a_queue_without_jobs_is_there_when_it_has_a_limit_or_a_pause():
    assert set(document(limits={"video": 1}, paused={"mail": Pause(moment(-1))})["queues"]) == {"video", "mail"}


def test_waiting_begins_anew_when_a_job_is_retried_or_released_but_not_when_it_is_edited():
    one = job()
    assert queues.waiting_since(one) == NOW - 60000
    assert queues.waiting_since(lifecycle.release(lifecycle.hold(one, NOW - 9000), NOW - 5000)) == NOW - 5000
    dead = one._replace(state="dead")
    assert queues.waiting_since(lifecycle.retry(dead, NOW - 3000)) == NOW - 3000
    assert queues.waiting_since(lifecycle.edit(one, {"priority": 1}, NOW - 3000)) == NOW - 60000
    assert queues.waiting_since(one._replace(run_at=moment(-10))) == NOW - 10000


def test_who_waits_longest_counts_not_who_is_next():
    first = [job(id="next", created_at=moment(-5), history=()), job(id="starving", created_at=moment(-500), history=())]
    assert document(counts={"default": {"pending": 2}}, depths={"default": depth(2, first=first)})["oldest_waiting"]["id"] == "starving"


@pytest.mark.parametrize("count", [1, 12, 50])
def test_it_fits_80_columns_with_few_queues_and_with_many(count):
    names = ["a-queue-with-quite-a-long-name-%d" % number for number in range(count)]
    text = status(
        counts=dict({name: {"pending": 99999, "failed": 9999, "dead": 9999, "processing": 99, "completed": 1} for name in names[:10]},
                    **{name: {"completed": 5} for name in names[10:]}),
        depths={name: depth(90000, 9999, 9999, [job()]) for name in names[:10]}, limits=dict.fromkeys(names[:10], 100),
        paused={name: Pause(moment(-60), "because of a reason that takes more than one line of a screen to be told") for name in names[:10]},
        recent=report.Recent(100, 37, None, 1234.5), disk=(dict.fromkeys(("journal", "base", "archive", "output", "log", "other"), 123456789), False))
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("a-queue-w") <= 2 * 12
    assert ("and 40 queues in which nothing waits or runs" in text) == (count == 50)


def test_one_queue_may_be_asked_for(queue):
    queue.enqueue("--queue", "mail", "--max-retries", "0", "exit 3")
    queue.enqueue("--queue", "video", "true")
    queue.work(count=1)
    queue.enqueue("--queue", "mail", "true")
    queue.run("pause", "video")
    queue.run("pause")
    text = queue.run("status", "--queue", "mail").out
    assert row_of(text, "mail")["READY"] == "1" and "video" not in text and "all queues" in text
    assert "Jobs  2 jobs" in text and "0 % of the last 1 finished job" in text
    every, one, both = (queue.read("status", *words) for words in [(), ("--queue", "mail"), ("--queue", "mail,video")])
    # The others are of their moment, or measured anew.
    assert [both[name] for name in ("store", "states", "paused", "workers")] == [every[name] for name in ("store", "states", "paused", "workers")]
    assert list(both["queues"]) == list(every["queues"]) == ["mail", "video"]
    assert list(one["queues"]) == ["mail"] and one["states"]["completed"] == 0 and one["recent"]["finished"] == 1
    assert set(one) == set(every) and one["paused"] == every["paused"] is not None


def test_a_queue_that_is_not_there_is_said_to_be_none(queue):
    queue.enqueue("--queue", "mail", "true")
    done = queue.run("status", "--queue", "mial")
    assert done.err == "queuectl: there is no queue mial (did you mean mail?)\n" and "Jobs  0 jobs" in done.out
    assert queue.run("status", "--queue", "a b", code=2).err.startswith("queuectl: queue: want")


def test_a_pipe_gets_every_queue():
    counts = {"queue-%d" % number: {"completed": 1} for number in range(50)}
    text = "\n".join(report.status(standing(counts=counts), NOW, Pipe()))
    assert text.count("queue-") == 50


def test_disk_use_is_said_by_what_it_is_for():
    assert "5 KB: journal 4 KB, output 1 KB" in status(disk=({"journal": 4096, "base": 0, "output": 1024}, True))
    assert "5 KB or more: " in status(disk=({"journal": 4096, "base": 0, "output": 1024}, False))
    assert document(disk=({"journal": 4096, "base": 1}, False))["disk"] == {"journal": 4096, "base": 1, "total": 4097, "complete": False}


def test_sizes_are_short():
    assert [report.size(number) for number in (0, 1023, 1024, 1536, 5 << 20, 123 << 30)] == [
        "0 bytes", "1023 bytes", "1 KB", "1.5 KB", "5 MB", "123 GB"]
