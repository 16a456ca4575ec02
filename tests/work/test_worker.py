"""A worker's rounds, its troubles with the store, and its reasons to leave."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from queuectl_lib.job import lifecycle, record
from queuectl_lib.store import config, store
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DiskFull, StoreError, StoreLocked
from queuectl_lib.work import duties, pidfile, slots, wake, worker
from queuectl_lib.work.runner import Ended
from queuectl_lib.work.waiting import NOTHING
from queuectl_lib.work.worker import Options, Worker
from support import ROOT, is_running, send, wait_until

DONE = lifecycle.Outcome(0, None, None, 0.1, None, None)
BROKEN = lifecycle.Outcome(3, None, None, 0.1, None, None)


class Desk:
    """A store's claims in memory: jobs to give out, results as they came in."""

    def __init__(self, *jobs):
        self.ready = list(jobs)
        self.results = []
        self.errors = []
        self.kept = True
        self.ended = []
        self.readied = set()
        self.reserve = SimpleNamespace(error=None)

    def set_limits(self, limits):
        self.limits = limits

    def exchange(self, done, take, now):
        if self.errors:
            raise self.errors.pop(0)
        kept = None
        if done is not None:
            self.results.append(done[1])
            kept = self.kept
        return kept, self.ready.pop(0) if take and self.ready else None

    def holds(self, job):
        return True

    def seen(self):
        return None

    def more_ready(self):
        return bool(self.ready)

    def unfinished(self):
        return bool(self.ready)

    def next_due(self, now):
        return None

    def sync_due(self):
        return None

    def sync(self):
        pass


class Room:
    """The rest of a worker's place, and its control and settings, with nothing behind it."""

    def __init__(self, claims, outcomes=()):
        self.claims = claims
        self.slot = self.recovery = self.bell = self.runner = self.waiter = self.orphans = self.hooks = self
        self.outcomes = list(outcomes)
        self.current = config.DEFAULTS
        self.order = None
        self.done = 0
        self.next = float("inf")
        self.fd = None
        self.busy = False
        self.told = []
        self.lines = []
        self.naps = 0
        self.passed_on = 0
        self.standing = True
        self.left = False
        self.number = 1
        self.is_ready = True
        self.during_nap = lambda: None

    def now(self):
        return self.current

    def run(self, job, grace, limit, attending):
        found = self.outcomes.pop(0) if self.outcomes else DONE
        return found if isinstance(found, Ended) else Ended(found, None)

    def nap(self, seconds):
        self.naps += 1
        self.during_nap()

    def wait(self, seconds):
        self.order = pidfile.DRAIN
        return NOTHING

    def say(self, *texts):
        self.lines.extend(texts)

    def say_once(self, text):
        if text not in self.lines:
            self.lines.append(text)

    def hear(self, woken):
        return False

    def read(self):
        pass

    def follow_log(self):
        pass

    def tend(self, now, soon=0.0):
        pass

    def ended(self, job):
        self.told.append(job)

    def see_off(self, control, duties):
        pass

    def beat(self, job_id):
        pass

    def stands(self):
        return self.standing

    def forget(self, fd=None):
        pass

    def emptied(self):
        return False

    def pass_on(self):
        self.passed_on += 1

    def leave(self, for_good):
        self.left = True
        self.left_for_good = for_good


def a_job(name="a", **fields):
    job = record.create({"id": name, "command": "true"}, clock.now(), record.Defaults(cwd="/"))
    return lifecycle.claim(job._replace(**fields), "1.abc", clock.now())


def live(room, where, **options):
    Worker(where, room, Options(**options), room, room, room).live()
    assert room.left


@pytest.fixture
def where(tmp_path):
    return store.open_store(str(tmp_path / "store"), create=True, write=True)


def test_every_ready_job_is_run_and_recorded(where):
    room = Room(Desk(a_job("a"), a_job("b"), a_job("c")), [DONE, BROKEN, DONE])
    live(room, where, drain=True)
    assert [(job.id, job.state) for job in room.claims.results] == [
        ("a", "completed"), ("b", "failed"), ("c", "completed")]
    assert room.done == 3


def test_a_result_is_recorded_once(where):
    room = Room(Desk(a_job("a")))
    live(room, where)
    assert len(room.claims.results) == 1


def test_more_ready_work_wakes_one_more_worker(where):
    room = Room(Desk(a_job("a"), a_job("b")))
    live(room, where, drain=True)
    assert room.passed_on == 1


def test_in_a_stream_of_short_jobs_not_each_wakes_another_worker(where, monkeypatch):
    moments = iter(range(1000, 3000, 20))
    monkeypatch.setattr(clock, "now", lambda: next(moments))
    room = Room(Desk(*[a_job("job-%d" % number) for number in range(20)]))
    live(room, where, drain=True)
    assert 2 <= room.passed_on < 15


def test_one_that_is_told_of_work_again_and_again_and_finds_none_sleeps_and_hears_orders(where):
    room = Room(Desk())
    room.claims.next_due = lambda now: now - 1000
    slept = []

    def exchange(done, take, now):
        assert len(slept) >= len(looks)
        looks.append(now)
        return None, None

    def wait(seconds):
        slept.append(seconds)
        room.order = pidfile.DRAIN if len(looks) > 3 else None
        return NOTHING
    looks = []
    room.claims.exchange = exchange
    room.wait = wait
    live(room, where)
    assert len(looks) == 5


def test_one_with_max_idle_runs_what_its_hooks_enqueue(where):
    room = Room(Desk())
    room.busy = True

    def wait(seconds):
        room.busy = False
        room.claims.ready.append(a_job("hooked"))
        return NOTHING
    room.wait = wait
    live(room, where, max_idle=0)
    assert [job.id for job in room.claims.results] == ["hooked"]


def test_a_result_is_kept_until_the_store_takes_it(where):
    room = Room(Desk(a_job("a")))
    room.run = lambda *arguments: room.claims.errors.extend([DiskFull("disk full")] * 3) or Ended(DONE, None)
    live(room, where, drain=True)
    assert [job.state for job in room.claims.results] == ["completed"]
    assert room.naps == 3
    assert len([line for line in room.lines if line.startswith("no room on the disk")]) == 1
    assert room.lines.count("there is room on the disk again: going on") == 1


def test_a_claim_that_fails_is_tried_again(where):
    room = Room(Desk(a_job("a")))
    room.claims.errors = [StoreLocked("locked"), StoreLocked("locked")]
    live(room, where, drain=True)
    assert [job.state for job in room.claims.results] == ["completed"]


@pytest.mark.parametrize("how", ["drain", "drain_all"])
def test_a_draining_worker_does_not_wait_for_ever_for_a_store_it_cannot_use(where, how):
    room = Room(Desk())
    room.claims.errors = [StoreLocked("locked")] * 1000
    with pytest.raises(StoreLocked):
        live(room, where, **{how: True})
    assert room.left


def test_while_its_output_files_cannot_be_opened_it_waits_and_a_draining_one_not_for_ever(where):
    room = Room(Desk())
    room.is_ready = False

    def get_ready():
        assert room.naps < 9, "again and again"
        raise DiskFull("no room")
    room.get_ready = get_ready
    with pytest.raises(DiskFull):
        live(room, where, drain=True)
    assert room.naps == 2 and len(room.lines) == 1


def test_what_could_not_be_told_to_others_is_waited_out(where):
    """Though each exchange succeeds."""
    room = Room(Desk())
    exchange, calls = room.claims.exchange, []

    def untold(done, take, now):
        calls.append(now)
        assert len(calls) < 9, "again and again"
        room.claims.reserve.error = DiskFull("no room") if len(calls) < 4 else None
        return exchange(done, take, now)
    room.claims.exchange = untold
    live(room, where, max_idle=0)
    assert (room.naps, len(calls)) == (3, 4)


def test_told_to_stop_now_it_gives_a_result_up_only_after_several_tries(where):
    room = Room(Desk(a_job("a")))

    def run(*arguments):
        room.order = pidfile.NOW
        room.claims.errors = [DiskFull("disk full")] * 1000
        return Ended(DONE, None)
    room.run = run
    live(room, where)
    assert 990 < len(room.claims.errors) < 999
    assert "a: it could not be recorded and counts as lost" in room.lines


def test_told_to_stop_with_nothing_to_record_it_leaves_whatever_the_store_says(where):
    room = Room(Desk())
    room.claims.errors = [DiskFull("disk full")] * 1000
    room.during_nap = lambda: setattr(room, "order", pidfile.DRAIN)
    live(room, where)
    assert room.naps == 1


def test_told_to_drain_it_records_the_last_result_and_takes_no_other_job(where):
    room = Room(Desk(a_job("a"), a_job("b")))
    room.run = lambda *arguments: setattr(room, "order", pidfile.DRAIN) or Ended(DONE, None)
    live(room, where)
    assert [job.id for job in room.claims.results] == ["a"]
    assert [job.id for job in room.claims.ready] == ["b"]


def test_a_stopped_job_is_handed_back_without_losing_an_attempt(where):
    room = Room(Desk(a_job("a")))

    def run(*arguments):
        room.order = pidfile.NOW
        return Ended(DONE._replace(exit_code=None, error="stopped"), duties.STOPPED)
    room.run = run
    live(room, where)
    [job] = room.claims.results
    assert (job.state, job.attempts) == ("pending", 0)


def test_a_job_that_is_another_ones_by_now_leaves_no_result_and_no_output(where):
    kept = where.paths.output_file("a", 1, "out")
    open(kept, "w").close()
    output = lifecycle.Output("tail", 9999, "output/a.1.out")
    ended = Ended(DONE._replace(stdout=output), duties.TAKEN_AWAY)
    room = Room(Desk(a_job("a")), [ended])
    live(room, where, drain=True)
    assert room.claims.results == []
    assert not os.path.exists(kept)


def test_a_result_that_no_longer_counts_is_said_to_be_dropped(where):
    room = Room(Desk(a_job("a")))
    room.claims.kept = False
    live(room, where, drain=True)
    assert "dropped the result of a: it was taken away meanwhile" in room.lines


def test_the_hooks_learn_of_each_result_that_was_stored(where):
    room = Room(Desk(a_job("a"), a_job("b")), [DONE, BROKEN])
    live(room, where, drain=True)
    assert [(job.id, job.state) for job in room.told] == [("a", "completed"), ("b", "failed")]
    room = Room(Desk(a_job("a")))
    room.claims.kept = False
    live(room, where, drain=True)
    assert room.told == []


def test_the_hooks_learn_of_jobs_that_ended_because_of_another(where):
    room = Room(Desk(a_job("a")))
    room.claims.ended.append(a_job("b", state="dead"))
    live(room, where, drain=True)
    assert sorted(job.id for job in room.told) == ["a", "b"]


def test_what_a_job_said_that_was_cancelled_and_ended_by_itself_in_the_same_moment_is_kept(where):
    where.add([record.create({"id": "a", "command": "true"}, clock.now(), record.Defaults(cwd="/"))])
    _, job = where.claims("1.abc").exchange()
    where.change(["a"], lambda found: lifecycle.cancel(found, clock.now()))
    room = Room(Desk(job), [DONE._replace(stdout=lifecycle.Output("said", 4, None))])
    room.claims.kept = False
    live(room, where, drain=True)
    assert (where.find("a").state, where.find("a").stdout) == ("cancelled", "said")
    assert "dropped the result of a: it was cancelled meanwhile" in room.lines


def test_it_sees_its_hooks_off_before_it_leaves(where):
    room = Room(Desk())
    story = []
    room.see_off = lambda control, duties: story.append("hooks")
    room.leave = lambda *_: story.append("leave") or setattr(room, "left", True)
    live(room, where, drain=True)
    assert story == ["hooks", "leave"]


@pytest.mark.parametrize("how", ["drain", "drain_all"])
def test_a_draining_worker_waits_for_the_jobs_that_its_hooks_may_enqueue(where, how):
    config.set(where, "poll_interval", "1h")
    room = Room(Desk())
    room.busy = True

    def wait(seconds):
        room.busy = False
        room.claims.ready.append(a_job("enqueued"))
        return NOTHING
    room.wait = wait
    live(room, where, **{how: True})
    assert [job.id for job in room.claims.results] == ["enqueued"]


def test_it_leaves_after_max_jobs(where):
    room = Room(Desk(a_job("a"), a_job("b"), a_job("c")))
    live(room, where, max_jobs=2)
    assert [job.id for job in room.claims.results] == ["a", "b"]


def test_the_last_to_drain_all_wakes_the_next(where):
    room = Room(Desk())
    live(room, where, drain_all=True)
    assert room.passed_on == 1


def test_a_store_removed_under_it_is_named(where):
    room = Room(Desk())
    room.claims.errors = [OSError("no such file")]
    room.standing = False
    with pytest.raises(Exception) as raised:
        live(room, where)
    assert "was removed" in str(raised.value)


def test_results_are_synced_before_it_sleeps_and_before_it_leaves(where):
    room = Room(Desk(a_job("a")))
    story = []
    room.claims.sync = lambda: story.append("sync")
    room.wait = lambda seconds: story.append("sleep") or setattr(room, "order", pidfile.DRAIN) or NOTHING
    room.leave = lambda for_good: story.append("leave") or setattr(room, "left", True)
    live(room, where)
    assert story == ["sync", "sleep", "sync", "leave"]


def test_its_idle_time_begins_anew_with_every_job(where, monkeypatch):
    room = Room(Desk())
    seconds_gone = [0.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: seconds_gone[0])

    def wait(seconds):
        seconds_gone[0] += seconds
        if seconds_gone[0] == 6 and not room.claims.results:
            room.claims.ready.append(a_job("a"))
        return NOTHING
    room.wait = wait
    live(room, where, max_idle=10)
    assert len(room.claims.results) == 1 and room.left_for_good
    assert 16 <= seconds_gone[0] < 17


def test_backoff_settings_are_those_of_the_moment_it_fails(where):
    room = Room(Desk(a_job("a")), [BROKEN])
    room.now = lambda: config.DEFAULTS._replace(backoff_base=7)
    live(room, where, drain=True)
    assert room.claims.results[0].history[-1]["delay"] == 7


# --- the real process

ALONE = """
import multiprocessing, sys
from queuectl_lib.work import pidfile, process, worker
reader, writer = multiprocessing.Pipe(duplex=False)
process.main(sys.argv[1], worker.Options(*eval(sys.argv[2])), reader, pidfile.Entry())
"""


class Alone:
    """One worker process without a supervisor."""

    def __init__(self, where, tmp_path, options):
        self.where = where
        self.output = str(tmp_path / "worker.out")
        with open(self.output, "wb") as file:
            self.process = subprocess.Popen([sys.executable, "-c", ALONE, where.root, repr(tuple(options))],
                                            stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
                                            stdin=subprocess.DEVNULL, env=dict(os.environ, PYTHONPATH=ROOT))
        self.pid = self.process.pid

    def text(self):
        with open(self.output) as file:
            return file.read()

    def enqueue(self, command, **fields):
        job = record.create(dict(fields, command=command), clock.now(), record.Defaults(cwd="/"))
        [stored] = self.where.add([job])
        wake.wake(self.where.paths, [stored.queue])
        return stored.id

    def wait_for(self, job_id, state):
        wait_until(lambda: self.where.find(job_id).state == state, "%s is %s" % (job_id, state))
        return self.where.find(job_id)

    def entry(self):
        return wait_until(lambda: [one for one in pidfile.living(self.where.paths) if one.pid == self.pid],
                          "the worker is in the pidfile")[0]


@pytest.fixture
def alone(where, tmp_path):
    started = []

    def start(**options):
        started.append(Alone(where, tmp_path, Options(**options)))
        return started[-1]
    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def test_an_idle_worker_is_woken_by_an_enqueue(where, alone):
    # Without the byte it would not look for an hour.
    config.set(where, "poll_interval", "1h")
    worker = alone()
    worker.entry()
    for _ in range(3):
        worker.wait_for(worker.enqueue("true"), "completed")


def test_a_delayed_job_runs_when_it_falls_due_and_not_before(where, alone):
    config.set(where, "poll_interval", "1h")
    worker = alone()
    worker.entry()
    moment = clock.now() + 700
    job = worker.wait_for(worker.enqueue("true", run_at=clock.moment(moment)), "completed")
    assert clock.parse_moment(job.started_at) >= moment


def test_without_fifos_it_polls(where, alone):
    os.rmdir(where.paths.wake)
    config.set(where, "poll_interval", "50ms")
    worker = alone()
    worker.entry()
    worker.wait_for(worker.enqueue("true"), "completed")


def test_sigterm_finishes_the_running_job_first(where, alone, tmp_path):
    worker = alone()
    go = str(tmp_path / "go")
    job_id = worker.enqueue("while [ ! -e %s ]; do sleep 0.02; done" % go)
    left = worker.enqueue("true", priority=9)
    worker.wait_for(job_id, "processing")
    send(worker.pid, 15)
    send(worker.pid, 15)
    open(go, "w").close()
    assert worker.process.wait(60) == 0
    assert where.find(job_id).state == "completed"
    assert where.find(left).state == "pending"
    assert pidfile.read(where.paths) == []


@pytest.mark.parametrize("number", [1, 2])
def test_the_terminals_signals_are_left_to_the_supervisor(where, alone, number):
    worker = alone()
    worker.entry()
    send(worker.pid, number)
    worker.wait_for(worker.enqueue("true"), "completed")


def test_the_end_of_its_supervisor_is_an_order_to_drain(where, alone, tmp_path):
    go = str(tmp_path / "go")
    job_id = alone().enqueue("while [ ! -e %s ]; do sleep 0.02; done" % go)
    wait_until(lambda: where.find(job_id).state == "processing", "the job runs")
    # The other end of this one's control pipe is closed from the beginning.
    code = ALONE.replace("process.main", "writer.close(); process.main")
    done = subprocess.run([sys.executable, "-c", code, where.root, "()"], env=dict(os.environ, PYTHONPATH=ROOT),
                          stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 0
    open(go, "w").close()


def test_orders_in_the_pidfile_need_no_signal(where, alone):
    worker = alone()
    worker.entry()
    with where.lock():
        pidfile.request_stop(where.paths, pidfile.DRAIN)
    assert worker.process.wait(60) == 0


def test_a_job_that_is_no_longer_its_own_is_ended(where, alone):
    worker = alone()
    job_id = worker.enqueue("echo said; seq 2000 >&2; exec sleep 1000")
    job = worker.wait_for(job_id, "processing")
    wait_until(lambda: os.path.getsize(where.paths.slot_err(1)) > 8000, "its command runs")
    where.change([job_id], lambda found: lifecycle.cancel(found, clock.now()))
    send(worker.pid, 10)
    wait_until(lambda: not running(job.worker), "its command is ended")
    wait_until(lambda: "it was cancelled" in worker.text(), "it is said")
    found = where.find(job_id)
    assert (found.state, found.exit_code, found.error, found.stdout) == ("cancelled", None, None, "said\n")
    assert found.duration > 0 and found.finished_at > job.started_at
    assert os.path.getsize(where.paths.inside(found.stderr_file)) == found.stderr_size > 8000
    assert [entry["state"] for entry in found.history] == ["pending", "processing", "cancelled"]
    worker.wait_for(worker.enqueue("true"), "completed")


def test_a_job_cancelled_and_retried_while_it_ran_gets_nothing_of_the_attempt_that_was_ended(where, alone):
    worker = alone(max_jobs=1)
    job_id = worker.enqueue("echo $QUEUECTL_ATTEMPT; trap 'sleep 0.3' EXIT; while :; do sleep 0.02; done")
    job = worker.wait_for(job_id, "processing")
    wait_until(lambda: running(job.worker), "its command runs")
    where.change([job_id], lambda found: lifecycle.cancel(found, clock.now()))
    where.change([job_id], lambda found: lifecycle.retry(found, clock.now())._replace(held=True))
    send(worker.pid, 10)
    wait_until(lambda: "it was taken away" in worker.text(), "it is said")
    found = where.find(job_id)
    assert (found.state, found.attempts, found.stdout, found.duration) == ("pending", 0, None, None)


def running(worker):
    """Pids whose environment says that they run for this worker."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and is_running(int(name)):
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if ("QUEUECTL_CLAIM=%s/" % worker).encode() in file.read():
                        found.append(int(name))
            except OSError:
                pass
    return found


def test_while_it_runs_a_job_it_recovers_those_of_others(where, alone):
    with where.lock():
        dead = slots.take(where.paths)
    worker = alone(queues=["mine"])
    held = worker.enqueue("sleep 1000", queue="mine")
    worker.wait_for(held, "processing")
    lost = worker.enqueue("true", max_retries=0)
    assert where.claims(dead.name, ["default"]).exchange()[1].id == lost
    dead.leave()
    assert worker.wait_for(lost, "dead").error == "worker lost"
    assert where.find(held).state == "processing"
    with where.lock():
        pidfile.request_stop(where.paths, pidfile.NOW)
    assert worker.process.wait(60) == 0
    assert (where.find(held).state, where.find(held).attempts) == ("pending", 0)


def test_two_workers_never_run_one_job_twice(where, alone, tmp_path):
    count = 40
    for _ in range(count):
        where.add([record.create({"command": "echo $QUEUECTL_JOB_ID >> %s" % (tmp_path / "runs")}, clock.now(),
                                 record.Defaults(cwd="/"))])
    both = [alone(drain=True), alone(drain=True)]
    assert [one.process.wait(60) for one in both] == [0, 0]
    runs = (tmp_path / "runs").read_text().split()
    assert len(runs) == len(set(runs)) == count


def test_a_changed_backoff_reaches_a_worker_that_runs(where, alone):
    worker = alone()
    worker.entry()
    config.set(where, "backoff_base", "50")
    assert worker.wait_for(worker.enqueue("false"), "failed").history[-1]["delay"] == 50


def test_settings_that_cannot_be_read_do_not_end_it(where, alone):
    worker = alone()
    worker.entry()
    assert where.config.poll_interval == 1
    with open(where.paths.config, "w") as file:
        file.write("{broken")
    worker.wait_for(worker.enqueue("false"), "failed")
    wait_until(lambda: "config.json" in worker.text(), "it is said")


def test_a_removed_store_is_left(where, alone):
    worker = alone()
    worker.entry()
    os.rename(where.root, where.root + "-away")
    assert worker.process.wait(60) == 3, worker.text()
    assert "worker leaves: " in worker.text() and "Traceback" not in worker.text()


def test_a_store_removed_while_a_job_runs_ends_the_job(where, alone):
    worker = alone()
    job = worker.wait_for(worker.enqueue("sleep 1000"), "processing")
    wait_until(lambda: running(job.worker), "its command runs")
    os.rename(where.root, where.root + "-away")
    assert worker.process.wait(60) == 3, worker.text()
    assert not running(job.worker)
    assert "worker leaves: " in worker.text() and "Traceback" not in worker.text()


@pytest.mark.parametrize("error, for_good", [(StoreError("no room"), True), (OSError(5, "bad disk"), False), (MemoryError(), False)])
def test_one_that_cannot_use_its_store_leaves_for_good_and_one_that_fails_otherwise_is_replaced(where, error, for_good):
    room = Room(Desk())
    said = []
    room.leave = said.append
    one = Worker(where, room, Options(), room, room, room)
    one._work = lambda: (_ for _ in ()).throw(error)
    with pytest.raises(type(error)):
        one.live()
    assert said == [for_good]


def test_a_claimed_job_is_run_though_it_cannot_be_seen_whether_there_is_more(where):
    room = Room(Desk(a_job("a")), [DONE])

    def damaged():
        raise StoreError("base/00000007.jsonl is damaged")
    room.claims.more_ready = damaged
    live(room, where, drain=True)
    assert [job.state for job in room.claims.results] == ["completed"]
