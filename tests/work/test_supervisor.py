"""The supervisor: workers that die are replaced, orders are passed on, its own death takes nobody along."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest

from queuectl_lib.job import record
from queuectl_lib.store import store
from queuectl_lib.words import clock
from queuectl_lib.words.errors import DiskFull, NotDone
from queuectl_lib.work import pidfile, process, scaling, slots, staffing, supervisor, team, wake
from support import ROOT, is_running, send, wait_until

START = """
import json, sys
if __name__ == "__main__":
    from queuectl_lib.store import store
    from queuectl_lib.work import supervisor
    here = store.open_store(sys.argv[1], write=True)
    sys.exit(supervisor.start(here, **json.loads(sys.argv[2])))
"""


START_BESIDE = """
import json, sys
from multiprocessing import Pipe

def leaves(end, copies):
    pass

if __name__ == "__main__":
    from queuectl_lib.store import store
    from queuectl_lib.work import post, supervisor
    here = store.open_store(sys.argv[1], write=True)
    one = post.Post("clock", lambda: Pipe(duplex=False), lambda end, copies: (leaves, (end, copies)))
    sys.exit(supervisor.start(here, beside=[one], **json.loads(sys.argv[2])))
"""


class Crew:
    """A supervisor with its workers, in a session of their own."""

    def __init__(self, where, tmp_path, number, options, text):
        self.where = where
        self.output = str(tmp_path / ("crew-%d.log" % number))
        script = tmp_path / "start.py"
        script.write_text(text)
        with open(self.output, "wb") as file:
            self.process = subprocess.Popen([sys.executable, str(script), where.root, json.dumps(options)],
                                            stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            start_new_session=True, env=dict(os.environ, PYTHONPATH=ROOT))
        self.pid = self.process.pid

    def text(self):
        with open(self.output) as file:
            return file.read()

    def wait(self):
        return self.process.wait(60)

    def workers(self):
        return [one.pid for one in slots.living(self.where.paths)]

    def wait_for_workers(self, count):
        return wait_until(lambda: len(self.workers()) == count and self.workers(),
                          "there are %d workers" % count)

    def press_ctrl_c(self):
        os.killpg(self.pid, signal.SIGINT)

    def end(self):
        for one in [self.pid] + self.workers():
            send(one, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def where(tmp_path):
    return store.open_store(str(tmp_path / "store"), create=True, write=True)


@pytest.fixture
def crew(where, tmp_path):
    started = []

    def start(script=START, **options):
        started.append(Crew(where, tmp_path, len(started), options, script))
        return started[-1]
    yield start
    for one in started:
        one.end()


@pytest.fixture
def held(where, tmp_path):
    """Enqueue jobs that run until they are let go."""
    class Held:
        go = tmp_path / "go"

        def enqueue(self, **fields):
            return enqueue(where, "while [ ! -e %s ]; do sleep 0.02; done" % self.go, **fields)

        def release(self):
            self.go.write_text("")
    held = Held()
    yield held
    held.release()


def enqueue(where, command, **fields):
    [job] = where.add([record.create(dict(fields, command=command), clock.now(), record.Defaults(cwd="/"))])
    wake.wake(where.paths, [job.queue])
    return job.id


def wait_for(where, job_id, state):
    wait_until(lambda: where.find(job_id).state == state, "%s is %s" % (job_id, state))
    return where.find(job_id)


def test_who_is_to_be_beside_the_workers_is_started_again_however_it_ends_and_they_go_on(where, crew):
    here = crew(START_BESIDE, count=2, max_jobs=1)
    workers = here.wait_for_workers(2)
    wait_until(lambda: "starting another in" in here.text(), "it dies as soon as it is there")
    assert "clock with pid " in here.text() and "died (exit 0): starting another" in here.text()
    assert here.workers() == workers
    for _ in workers:
        enqueue(where, "true")
    # It keeps nobody here when the workers have left.
    assert here.wait() == 0


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_killed_worker_is_replaced_and_its_job_recovered(where, crew, method):
    here = crew(count=2, start_method=method)
    before = here.wait_for_workers(2)
    job_id = enqueue(where, "[ $QUEUECTL_ATTEMPT = 2 ] || exec sleep 1000", max_retries=3)
    job = wait_for(where, job_id, "processing")
    number, _ = slots.parts(job.worker)
    [victim] = [one.pid for one in slots.living(where.paths) if one.slot == number]
    send(victim, signal.SIGKILL)
    wait_until(lambda: where.find(job_id).attempts == 2 or where.find(job_id).error == "worker lost", "it is recovered")
    after = here.wait_for_workers(2)
    assert victim in before and victim not in after
    assert "died (killed by signal 9): starting another" in here.text()
    assert supervisor.stop(where) == []
    assert here.wait() == 0


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_every_worker_notices_at_once_that_the_supervisor_is_dead(where, crew, held, method):
    here = crew(count=3, start_method=method)
    here.wait_for_workers(3)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")
    send(here.pid, signal.SIGKILL)
    here.wait_for_workers(1)
    held.release()
    wait_until(lambda: here.workers() == [], "the last one has left")
    assert where.find(job_id).state == "completed"


def test_it_has_a_line_before_its_first_worker(where, monkeypatch):
    monkeypatch.setattr(team.Team, "_fill", lambda self: self._posts.clear())
    seen = []
    monkeypatch.setattr(team.Team, "_look", lambda self, woken: seen.extend(pidfile.living(self._store.paths)))
    supervisor.start(where, drain=True)
    assert [(one.kind, one.pid) for one in seen] == [("supervisor", os.getpid())]
    assert pidfile.read(where.paths) == []


def test_ctrl_c_lets_the_running_job_finish(where, crew, held):
    here = crew(count=2)
    here.wait_for_workers(2)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")
    here.press_ctrl_c()
    here.wait_for_workers(1)
    left = enqueue(where, "true")
    assert "finishing 1 running job; press Ctrl+C again to stop it now" in here.text()
    held.release()
    assert here.wait() == 0
    assert where.find(job_id).state == "completed"
    assert where.find(left).state == "pending"
    assert pidfile.read(where.paths) == []


def test_ctrl_c_reaches_the_supervisor_alone(where, crew):
    # A command that is just being started is not yet in its own session, but in its worker's.
    here = crew(count=2)
    assert {os.getpgid(pid) for pid in here.wait_for_workers(2)}.isdisjoint({here.pid})


def test_ctrl_c_twice_hands_the_running_job_back(where, crew, held):
    here = crew(count=2)
    here.wait_for_workers(2)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")
    here.press_ctrl_c()
    wait_until(lambda: "finishing 1 running job" in here.text(), "it is said what Ctrl+C did")
    here.press_ctrl_c()
    assert here.wait() == 0
    assert (where.find(job_id).state, where.find(job_id).attempts) == ("pending", 0)
    assert "stopping 1 running job now" in here.text()


def test_ctrl_c_while_workers_are_being_started_counts_once(where, crew):
    for _ in range(3):
        here = crew(count=4, start_method="spawn")
        wait_until(lambda: pidfile.living(where.paths), "the supervisor is there")
        here.press_ctrl_c()
        assert here.wait() == 0
        assert "stopping" not in here.text() and "Traceback" not in here.text()


def test_two_times_worker_stop_does_not_mean_now(where, crew, held):
    here = crew(count=1)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")
    assert [one.kind for one in supervisor.stop(where, timeout=0.1)] == ["supervisor", "worker"]
    assert len(supervisor.stop(where, timeout=0.1)) == 2
    held.release()
    assert supervisor.stop(where) == []
    assert here.wait() == 0
    assert where.find(job_id).state == "completed"


def test_stop_now_hands_back_what_runs(where, crew, held):
    here = crew(count=2)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")
    assert supervisor.stop(where, now=True) == []
    assert here.wait() == 0
    assert (where.find(job_id).state, where.find(job_id).attempts) == ("pending", 0)


def test_stop_reaches_workers_whose_supervisor_is_dead(where, crew, held):
    here = crew(count=1)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")
    send(here.pid, signal.SIGKILL)
    here.process.wait()
    assert supervisor.stop(where, now=True) == []
    assert here.workers() == []
    assert where.find(job_id).state == "pending"


def test_stop_does_not_depend_on_a_signal(where, crew, monkeypatch):
    here = crew(count=2)
    here.wait_for_workers(2)
    monkeypatch.setattr(pidfile, "nudge", lambda entry: None)
    assert supervisor.stop(where) == []
    assert here.wait() == 0


def test_stop_works_on_a_full_disk(where, crew, held, monkeypatch):
    here = crew(count=1)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")

    def full(paths, what):
        raise DiskFull("no room")
    monkeypatch.setattr(pidfile, "request_stop", full)
    for _ in range(2):
        assert supervisor.stop(where, timeout=0.1) != []
    assert where.find(job_id).state == "processing"
    assert supervisor.stop(where, now=True) == []
    assert here.wait() == 0
    assert where.find(job_id).state == "pending"


def test_stop_with_nobody_there_is_done_at_once(where, tmp_path):
    assert supervisor.stop(where) == []
    assert supervisor.stop(store.open_store(str(tmp_path / "nowhere"))) == []


def test_stop_does_not_wait_for_a_start_that_came_after_it(where, crew, held):
    here = crew(count=1)
    wait_for(where, held.enqueue(), "processing")
    left = []
    stopping = threading.Thread(target=lambda: left.append(supervisor.stop(where)))
    stopping.start()
    wait_until(lambda: all(one.stop for one in pidfile.read(where.paths)), "the order is written")
    later = crew(count=1)
    here.wait_for_workers(2)
    held.release()
    stopping.join(60)
    assert left == [[]] and here.wait() == 0
    assert len(later.workers()) == 1
    assert supervisor.stop(where) == []
    assert later.wait() == 0


def test_two_starts_at_once_share_the_slots(where, crew):
    both = [crew(count=3), crew(count=3)]
    both[0].wait_for_workers(6)
    assert [one.slot for one in slots.living(where.paths)] == [1, 2, 3, 4, 5, 6]
    assert supervisor.stop(where) == []
    assert [one.wait() for one in both] == [0, 0]


def test_only_the_missing_workers_are_started(where, crew):
    first = crew(count=1)
    first.wait_for_workers(1)
    second = crew(count=3, ensure=True)
    second.wait_for_workers(3)
    third = crew(count=3, ensure=True)
    assert third.wait() == 0
    assert third.text() == ""
    assert len(first.workers()) == 3
    assert supervisor.stop(where) == []


def test_many_that_ensure_at_once_have_no_more_between_them(where, crew):
    all = [crew(count=2, ensure=True) for _ in range(5)]
    wait_until(lambda: len([one for one in all if one.process.poll() == 0]) >= 3, "the others have left")
    all[0].wait_for_workers(2)
    entries = [entry for entry in pidfile.read(where.paths) if entry.kind == pidfile.SUPERVISOR]
    assert sum(staffing.kept(entry) for entry in entries) == 2
    assert supervisor.stop(where) == []


def test_workers_of_other_queues_are_not_those_that_are_missing(where, crew):
    crew(count=1, queues=["mail", "video"]).wait_for_workers(1)
    assert crew(count=1, queues=["video", "mail"], ensure=True).wait() == 0
    crew(count=1, ensure=True).wait_for_workers(2)
    assert supervisor.stop(where) == []


def test_who_is_told_to_stop_does_not_count(where, crew, held):
    first = crew(count=1)
    job_id = held.enqueue()
    wait_for(where, job_id, "processing")
    first.press_ctrl_c()
    wait_until(lambda: all(one.stop for one in pidfile.read(where.paths) if one.kind == "supervisor"), "it says so")
    crew(count=1, ensure=True).wait_for_workers(2)
    held.release()
    assert first.wait() == 0
    assert supervisor.stop(where) == []


def test_a_worker_that_dies_and_is_started_again_counts(where, crew):
    here = crew(count=2)
    for pid in here.wait_for_workers(2):
        send(pid, signal.SIGKILL)
        assert staffing.keeping(where.paths, None) == 2
    here.wait_for_workers(2)
    assert supervisor.stop(where) == []


def test_one_that_has_left_for_good_is_missing(where, crew):
    here = crew(count=2, max_jobs=1)
    here.wait_for_workers(2)
    assert staffing.keeping(where.paths, None) == 2
    wait_for(where, enqueue(where, "true"), "completed")
    here.wait_for_workers(1)
    assert staffing.keeping(where.paths, None) == 1
    assert supervisor.stop(where) == []


def test_idle_workers_leave_and_the_team_with_them(where, crew):
    here = crew(count=2, max_idle=0.3)
    job_id = enqueue(where, "sleep 1")
    assert here.wait() == 0
    assert where.find(job_id).state == "completed"
    assert pidfile.read(where.paths) == []


def test_scale_returns_when_the_new_workers_are_there(where, crew, monkeypatch):
    here = crew(count=1)
    here.wait_for_workers(1)
    # Else they would be there before anybody can look.
    monkeypatch.setattr(pidfile, "nudge", lambda entry: None)
    assert scaling.scale(where, 3).before == 1
    assert len(here.workers()) == 3
    assert len(scaling.scale(where, 1, wait=True).leaving) == 2
    assert len(here.workers()) == 1
    assert supervisor.stop(where) == []


def test_a_supervisor_that_dies_hires_nobody(where, crew):
    here = crew(count=1)
    here.wait_for_workers(1)
    send(here.pid, signal.SIGSTOP)
    failed = []

    def scale():
        try:
            scaling.scale(where, 2)
        except NotDone as error:
            failed.append(str(error))
    scaler = threading.Thread(target=scale)
    scaler.start()
    wait_until(lambda: staffing.keeping(where.paths, None) == 2, "it is asked")
    send(here.pid, signal.SIGKILL)
    here.process.wait()
    scaler.join(60)
    assert "pid %d" % here.pid in failed[0]


def test_drain_says_what_is_left_for_later(where, crew):
    enqueue(where, "true")
    enqueue(where, "false")
    enqueue(where, "true", run_at=clock.moment(clock.now() + 3600000))
    here = crew(count=2, drain=True)
    assert here.wait() == 0
    assert "2 jobs left for later: 1 retry, 1 delayed; next in" in here.text()


def test_drain_speaks_only_of_its_own_queues(where, crew):
    enqueue(where, "true", queue="other", run_at=clock.moment(clock.now() + 3600000))
    here = crew(count=1, drain=True, queues=["mine"])
    assert here.wait() == 0
    assert "left for later" not in here.text()


def test_a_worker_that_dies_again_and_again_is_restarted_ever_slower(where, monkeypatch):
    def die(root, options, connection, entry, inherited):
        os._exit(9)
    monkeypatch.setattr(team.process, "main", die)
    said = []
    monkeypatch.setattr(team.events.Voice, "say", lambda self, *texts: said.extend(texts))
    order = []

    class Impatient(team.Waiter):
        def wait(self, seconds):
            if len([line for line in said if "died" in line]) >= 4:
                order.append(pidfile.DRAIN)
            return super().wait(min(seconds, 0.02))
    monkeypatch.setattr(team, "Waiter", Impatient)
    monkeypatch.setattr(team.pidfile.Orders, "read", lambda self, locked=False: order[0] if order else None)
    moments = iter(range(0, 10 ** 9))
    monkeypatch.setattr(team.time, "monotonic", lambda: next(moments) * 0.1)
    supervisor.start(where, count=1, start_method="fork")
    pauses = [line.rsplit("in ", 1)[1] for line in said if "starting another in" in line]
    assert pauses[:3] == ["1 s", "2 s", "4 s"]


def test_a_worker_that_cannot_use_the_store_is_not_replaced(where, monkeypatch):
    def refuse(root, options, connection, entry, inherited):
        sys.exit(process.STORE_UNUSABLE)
    monkeypatch.setattr(team.process, "main", refuse)
    assert supervisor.start(where, count=2, start_method="fork") == 3


def test_no_process_of_it_stays(where, crew):
    here = crew(count=2, start_method="forkserver")
    pids = here.wait_for_workers(2)
    supervisor.stop(where)
    assert here.wait() == 0
    wait_until(lambda: not [pid for pid in pids if is_running(pid)], "the workers are gone")
    wait_until(lambda: not in_session(here.pid), "nobody of its session is left")


def in_session(session):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and is_running(int(name)):
            try:
                if os.getsid(int(name)) == session:
                    found.append(name)
            except ProcessLookupError:
                pass
    return found


@pytest.mark.parametrize("asked", ["fork", "forkserver", None])
def test_where_nothing_can_be_forked_workers_are_spawned(monkeypatch, asked):
    """And nothing is started that only a fork would need (on Windows it cannot even be loaded)."""
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    monkeypatch.setattr("multiprocessing.resource_tracker.ensure_running", lambda: pytest.fail("not there"))
    assert supervisor._context(supervisor.method_of(asked)).get_start_method() == "spawn"
