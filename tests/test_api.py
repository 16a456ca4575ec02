"""queuectl as a library: what a script can do without a shell, by the command line's rules and at a store's price."""

import datetime
import os
import signal
import subprocess
import threading

import pytest

import queuectl_lib
import support
from queuectl_lib import BadInput, DuplicateJob, NotDone, Queue, StoreError, UnknownJob
from queuectl_lib.job import record
from queuectl_lib.store import locking
from queuectl_lib.store import store as stores
from queuectl_lib.store.journal import Journal
from queuectl_lib.work import wake
from test_startup import imported

MODULES = {
    "words", "words.text", "words.errors", "words.clock",
    "job", "job.identifiers", "job.checks", "job.history", "job.record", "job.lifecycle", "job.retry",
    "store", "store.store", "store.paths", "store.defaults", "store.disk", "store.in_use", "store.ownership", "store.locking",
    "store.journal", "store.header", "store.line",
    "work", "work.wake", "faces", "faces.api"}


@pytest.fixture
def jobs(queue):
    """The Queue of the directory in which `queue` drives the program."""
    return Queue(queue.store)


def script(queue, code, path=None):
    """What a script prints that has this on its path and runs in the queue's directory."""
    code = "import sys\nsys.path.insert(0, %r)\n" % (path or support.ROOT) + code
    done = subprocess.run([support.PYTHON, "-S", "-c", code], cwd=queue.directory, env=queue.environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- what it costs, and where it works

def test_importing_it_brings_the_store_and_nothing_else(queue):
    found = imported("-c", "import sys; sys.path.insert(0, %r); from queuectl_lib import Queue" % support.ROOT, queue=queue)
    own = {name for name in found if name.startswith("queuectl_lib")}
    assert own == {"queuectl_lib"} | {"queuectl_lib." + name for name in MODULES}
    of_store = imported("-c", "import sys; sys.path.insert(0, %r); import queuectl_lib.store.store" % support.ROOT, queue=queue)
    assert {name for name in found - of_store if not name.startswith("queuectl_lib")} == set()


def test_the_package_itself_brings_nothing(queue):
    found = imported("-c", "import sys; sys.path.insert(0, %r); import queuectl_lib" % support.ROOT, queue=queue)
    assert {name for name in found if name.startswith("queuectl_lib")} == {"queuectl_lib"}
    assert all(getattr(queuectl_lib, name).__name__ == name for name in queuectl_lib.__all__)
    with pytest.raises(AttributeError, match="Qeue"):
        queuectl_lib.Qeue


@pytest.mark.short
def test_a_script_gives_work_and_has_its_result(queue, form):
    queue.start_workers()
    code = """if True:
        from queuectl_lib import Queue, UnknownJob
        queue = Queue()
        job = queue.enqueue("echo $LEVEL; exit 3", id="x", max_retries=0, env={"LEVEL": "7"})
        print(job.id, job.state, queue.store.endswith(".queuectl"))
        [job] = queue.wait("x", timeout="1m")
        print(job.state, job.exit_code, job.stdout.strip(), [entry["state"] for entry in job.history])
        ids = queue.enqueue_many({"command": "echo %d" % number} for number in range(3))
        print(*[job.stdout.strip() for job in queue.wait(*ids)])
        try:
            queue.get("nobody")
        except UnknownJob as error:
            print(error)
        """
    assert script(queue, code, queue.program.path if form == "onefile" else support.ROOT).splitlines() == [
        "x pending True", "dead 3 7 ['pending', 'processing', 'dead']", "0 1 2", "no job has the id nobody: see 'queuectl list'"]


# --- giving work

def test_fields_are_the_command_lines(jobs, queue):
    jobs.enqueue("true", id="y", held=True)
    moment = datetime.datetime(2030, 12, 1, 3, 0, tzinfo=datetime.timezone.utc)
    job = jobs.enqueue("true", id="x", queue="mail", priority=-5, max_retries=5, timeout="5m", run_at=moment,
                       after=["y"], held=True, slots=2, nice=3, cwd=queue.top, env={"A": "1"})
    assert (job.timeout, job.run_at, job.created_at) == (300, "2030-12-01T03:00:00.000Z", job.updated_at)
    shown = queue.job("x")
    assert shown == dict(record.public(job), history=shown["history"]) == dict(record.public(jobs.get("x")))
    assert list(jobs.get("x").history) == shown["history"]


def test_a_list_of_words_is_quoted(jobs):
    assert jobs.enqueue(["echo", "two words", "$HOME"]).command == "echo 'two words' '$HOME'"


def test_defaults_are_the_stores_and_the_scripts_directory(jobs, queue):
    queue.run("config", "set", "max-retries", "7")
    job = jobs.enqueue("true")
    assert (job.max_retries, job.queue, job.cwd) == (7, "default", os.getcwd())


@pytest.mark.parametrize("fields, text", [
    ({"prioritee": 1}, "did you mean priority?"), ({"priority": "high"}, "priority: want a whole number"),
    ({"id": "a b"}, "id: want letters"), ({"timeout": "soon"}, "timeout: not a duration")])
def test_bad_fields_are_bad_input(jobs, fields, text):
    with pytest.raises(BadInput) as caught:
        jobs.enqueue("true", **fields)
    assert text in str(caught.value) and list(jobs.jobs()) == []


def test_an_id_is_taken_once(jobs):
    jobs.enqueue("true", id="x")
    with pytest.raises(DuplicateJob):
        jobs.enqueue("true", id="x")
    with pytest.raises(DuplicateJob):
        jobs.enqueue_many([{"command": "true", "id": "y"}, {"command": "true", "id": "x"}])
    assert [job.id for job in jobs.jobs()] == ["x"]


@pytest.mark.parametrize("count", [5, 2500])
def test_many_are_stored_all_or_none(jobs, count):
    def made(last):
        for number in range(count - 1):
            yield {"command": "true", "id": "j%d" % number}
        yield last

    with pytest.raises(BadInput, match="job %d: .*nothing was enqueued" % count):
        jobs.enqueue_many(made({"command": ""}))
    with pytest.raises(ZeroDivisionError):
        jobs.enqueue_many(made(None) if number < 3 else 1 / 0 for number in range(3, count))
    assert jobs.counts()["pending"] == 0
    assert jobs.enqueue_many(made({"command": "true", "id": "last"})) == ["j%d" % number for number in range(count - 1)] + ["last"]
    assert jobs.counts()["pending"] == count


def test_whatever_may_give_work_wakes_a_sleeping_worker(jobs):
    jobs.enqueue("true", id="x", queue="mail", held=True)
    bell = wake.Bell(stores.open_store(jobs.store).paths, ["mail"])
    try:
        for give in (lambda: jobs.enqueue("true", queue="mail"), lambda: jobs.release("x"), lambda: jobs.cancel("x"),
                     lambda: jobs.retry("x"), lambda: jobs.enqueue_many([{"command": "true", "queue": "mail"}])):
            assert not bell.emptied()
            give()
            assert bell.emptied()
        jobs.enqueue("true", queue="other")
        assert not bell.emptied()
    finally:
        bell.close()


# --- looking

def test_where_no_store_is_there_are_no_jobs_and_none_is_made(jobs, queue):
    assert list(jobs.jobs()) == [] and jobs.wait() == [] and set(jobs.counts().values()) == {0}
    for ask in (jobs.get, jobs.wait):
        with pytest.raises(UnknownJob):
            ask("x")
    with pytest.raises(StoreError):
        jobs.retry("x")
    assert not os.path.exists(queue.store)


def test_jobs_are_those_that_are_asked_for(jobs):
    jobs.enqueue_many([{"command": "send", "id": "a", "queue": "mail"}, {"command": "print", "id": "b"},
                       {"command": "send", "id": "c"}])
    jobs.cancel("c")

    def ids(**wanted):
        return [job.id for job in jobs.jobs(**wanted)]

    assert ids() == ["a", "b", "c"]
    assert ids(state="pending") == ids(state=["pending", "dead"]) == ["a", "b"]
    assert ids(queue="mail") == ["a"] and ids(queue={"mail", "default"}, search="SEND") == ["a", "c"]
    assert jobs.counts() == dict(dict.fromkeys(record.STATES, 0), pending=2, cancelled=1)
    assert jobs.counts("mail")["pending"] == 1 and jobs.counts("none")["pending"] == 0
    with pytest.raises(BadInput, match="unknown state 'pendng'"):
        jobs.jobs(state="pendng")


def test_jobs_are_read_as_they_are_taken(jobs):
    jobs.enqueue_many({"command": "true", "id": "j%d" % number} for number in range(2000))
    found = jobs.jobs()
    assert iter(found) is found and next(found).id == "j0"
    jobs.cancel("j1")
    assert next(found).state == "pending"


# --- waiting and changing

def test_waiting_is_until_all_have_ended(jobs, queue):
    jobs.enqueue_many([{"command": "true", "id": "a"}, {"command": "exit 2", "id": "b", "max_retries": 0},
                       {"command": "true", "id": "c", "held": True}])
    with pytest.raises(NotDone, match="waited in vain for job a to end"):
        jobs.wait("a", timeout=0.1)
    queue.run("worker", "start", "--drain")
    assert [job.exit_code for job in jobs.wait("b", "a", "b")] == [2, 0, 2]
    with pytest.raises(NotDone, match="all jobs"):
        jobs.wait(timeout="100ms")
    jobs.cancel("c")
    assert jobs.wait() == [] and jobs.wait("c")[0].state == "cancelled"
    with pytest.raises(UnknownJob):
        jobs.wait("a", "nobody")


def test_while_nothing_changes_nothing_is_read(jobs, monkeypatch):
    jobs.enqueue("true", id="x")
    looks = []
    look = stores.Store.look
    monkeypatch.setattr(stores.Store, "look", lambda self: looks.append(self) or look(self))
    with pytest.raises(NotDone):
        jobs.wait("x", timeout=0.3)
    assert len(looks) == 1


def test_a_running_job_is_ended_when_it_is_cancelled(jobs, queue):
    queue.start_workers()
    jobs.enqueue("echo $$ > pid; sleep 600", id="long", cwd=queue.directory)
    pid = int(queue.wait_for_file("pid"))
    assert [job.state for job in jobs.cancel("long")] == ["cancelled"]
    support.wait_until(lambda: not support.is_running(pid), "the command is gone")
    assert jobs.get("long").state == "cancelled"


def test_what_a_killed_worker_left_is_ended_when_it_is_cancelled(jobs, queue):
    workers = queue.start_workers()
    jobs.enqueue("echo $$ > pid; exec sleep 600", id="long", cwd=queue.directory)
    pid = int(queue.wait_for_file("pid"))
    for each in queue.pids("supervisor") + queue.pids("worker"):
        support.send(each, signal.SIGKILL)
    workers.kill()
    support.wait_until(lambda: not queue.pids("worker"), "the workers are gone")
    assert support.is_running(pid)
    assert [job.state for job in jobs.cancel("long")] == ["cancelled"]
    assert not support.is_running(pid)


def test_a_cancelled_job_is_not_retried_beside_its_own_processes(jobs, queue):
    queue.run("config", "set", "kill_grace", "1s")
    queue.start_workers()
    jobs.enqueue("trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done", id="stubborn", cwd=queue.directory)
    pid = int(queue.wait_for_file("pid"))
    jobs.cancel("stubborn")
    with pytest.raises(NotDone, match="still being ended"):
        jobs.retry("stubborn")
    support.wait_until(lambda: not support.is_running(pid), "the command is gone")
    jobs.retry("stubborn")


def test_what_waiting_tells_is_on_disk(jobs, queue, monkeypatch):
    jobs.enqueue("true", id="a")
    queue.run("worker", "start", "--drain")
    synced = []
    monkeypatch.setattr(Journal, "sync", lambda self: synced.append(self))
    for ids in (("a",), ()):
        jobs.wait(*ids)
        assert synced
        synced.clear()


def test_changes_are_for_jobs_that_they_fit(jobs, queue):
    jobs.enqueue_many([{"command": "true", "id": "a"}, {"command": "true", "id": "b"}])
    assert jobs.hold("a")[0].held and jobs.release("a")[0].held is None
    jobs.cancel("b")
    for refused in (lambda: jobs.cancel("a", "b"), lambda: jobs.retry("a"), lambda: jobs.release("a"), lambda: jobs.hold("b")):
        with pytest.raises(NotDone):
            refused()
    assert jobs.get("a").state == "pending"
    assert [job.state for job in jobs.retry("b")] == ["pending"]
    for change in (jobs.cancel, jobs.retry, jobs.hold, jobs.release):
        with pytest.raises(UnknownJob):
            change("nobody")


def test_queues_are_paused_and_resumed(jobs, queue):
    jobs.pause("mail", reason="new server", duration="2h")
    paused = queue.read("status")["queues"]["mail"]["paused"]
    assert paused["reason"] == "new server" and paused["until"] > paused["since"]
    jobs.pause()
    assert queue.read("status")["paused"]["until"] is None
    with pytest.raises(NotDone, match="paused already"):
        jobs.pause()
    workers = queue.start_workers()
    queue.wait_for_workers(1)
    id = jobs.enqueue("true", queue="mail").id
    jobs.resume()
    assert queue.read("status")["paused"] is None and jobs.get(id).state == "pending"
    jobs.resume("mail")
    assert [job.state for job in jobs.wait(id)] == ["completed"]
    with pytest.raises(NotDone, match="not paused: mail"):
        jobs.resume("mail")
    with pytest.raises(BadInput, match="soon"):
        jobs.pause(duration="soon")
    queue.run("worker", "stop")
    assert workers.wait() == 0


def test_it_stays_with_its_store_wherever_the_script_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUEUECTL_STORE", "named")
    queue = Queue()
    monkeypatch.chdir("/")
    monkeypatch.delenv("QUEUECTL_STORE")
    queue.enqueue("true")
    assert queue.store == str(tmp_path / "named") and repr(queue) == "Queue(%r)" % queue.store
    assert Queue(tmp_path / "named").counts()["pending"] == 1


# --- in a process that goes on

def test_one_queue_serves_many_threads(jobs):
    failures = []

    def work(name):
        try:
            for number in range(20):
                id = "%s-%d" % (name, number)
                jobs.enqueue("true", id=id, held=True)
                assert jobs.release(id)[0].id == jobs.cancel(id)[0].id == jobs.get(id).id
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=("t%d" % number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and jobs.counts()["cancelled"] == 80


def test_an_alarm_of_the_script_is_left_alone_while_the_lock_is_waited_for(jobs):
    jobs.enqueue("true")
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    held = stores.open_store(jobs.store, write=True).lock()
    locking.lock(held._fd, 1, "lock")
    release = threading.Timer(0.2, lambda: locking.unlock(held._fd))
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        release.start()
        jobs.enqueue("true")
        support.wait_until(lambda: rang, "the alarm")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="children are counted in /proc")
def test_rolling_the_journal_leaves_no_heap_of_dead_children(queue):
    code = """if True:
        import os, time
        from queuectl_lib import Queue
        def children():
            with open("/proc/self/task/%d/children" % os.getpid()) as file:
                return set(map(int, file.read().split()))
        queue = Queue()
        seen = set()
        for _ in range(4):
            while children() <= seen:
                queue.enqueue_many({"command": "true"} for _ in range(1000))
            seen |= children()
            # Until it has ended, and stays to be reaped.
            os.waitid(os.P_PID, max(seen), os.WEXITED | os.WNOWAIT)
        print(len(seen), len(children()))
        """
    assert script(queue, code) == "4 1\n"
