"""The program where there is no fcntl, no fork, no FIFO, no killpg and no signal: on a stand-in for Windows (shim.py)."""

import ast
import os
import subprocess
import sys
import urllib.request

import pytest

import support
from feeding import Feed, lines
from support import LAUNCHER, ROOT, Program, is_running, wait_until
from tests.windows import shim

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"),
                                reason="the stand-in is made of what Linux has")

# Where a call stands that Windows lacks: the one file of its subject.
PLACES = {
    "store/disk.py": "pread pwrite fchmod", "store/ownership.py": "geteuid", "store/access.py": "geteuid", "store/medium.py": "geteuid mkfifo statvfs",
    "store/usage.py": "statvfs",
    "store/locking.py": "SIGALRM ITIMER_REAL getitimer setitimer",
    "store/roller.py": "posix_spawn waitpid WNOHANG",
    "work/children.py": "waitpid WNOHANG WIFSIGNALED WTERMSIG WEXITSTATUS", "work/hooks.py": "memfd_create",
    "work/orphans.py": "waitpid WNOHANG waitid WNOWAIT",
    "work/rolling.py": "fork setsid pthread_sigmask SIG_BLOCK SIG_SETMASK", "work/signals.py": "setsid pthread_sigmask SIG_BLOCK SIG_UNBLOCK",
    "work/spawn.py": "posix_spawn posix_spawnp environb sysconf SIGHUP SIGQUIT", "work/tree.py": "killpg getsid SIGCONT SIGKILL",
    "work/waiting.py": "SIGCHLD set_blocking pthread_sigmask SIG_BLOCK SIG_UNBLOCK sigtimedwait",
    "work/wake.py": "mkfifo O_NONBLOCK O_NOFOLLOW",
    "faces/cli/doctor.py": "geteuid", "faces/screen.py": "SIGTSTP", "faces/outputs.py": "SEEK_HOLE"}


@pytest.fixture
def program(form, bytecode, request):
    path = request.getfixturevalue("one_file") if form == "onefile" else LAUNCHER
    made = Program(support.PYTHON, path, bytecode)
    made.words = [support.PYTHON, "-S", shim.LAUNCHER, path]
    return made


def python(queue, code):
    """What a Python on the stand-in prints, with the library of the program."""
    words = [support.PYTHON, "-S", "-c", "import sys; sys.path[:0] = [%r, %r]; import shim; shim.install()\n%s"
             % (shim.HERE, queue.program.path if queue.program.path != LAUNCHER else ROOT, code)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          env=queue.environment, cwd=queue.directory, timeout=support.DEADLINE)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def holders(path):
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and shim._has_open(pid, path)]


# --- the whole program

def test_jobs_are_enqueued_run_retried_and_looked_at(queue):
    queue.run("config", "set", "backoff_base", "1")
    queue.run("config", "set", "kill_grace", "0.3")
    queue.enqueue("--id", "plain", "echo out; echo err >&2")
    queue.enqueue("--id", "flaky", "test -e been || { touch been; exit 3; }")
    queue.enqueue("--id", "broken", "--max-retries", 0, "exit 7")
    queue.enqueue("--id", "slow", "--max-retries", 0, "--timeout", "0.5", "trap '' TERM; sleep 600 & echo $! > child; wait")
    queue.enqueue("--id", "leaving", "sleep 600 & echo $! > left")
    queue.enqueue("--id", "words", "printf", "%s|", "two words", "a&b", "x>y")
    queue.write("batch", '{"id": "one", "command": "true"}\n{"id": "two", "command": "true", "after": ["one"]}\n')
    queue.run("enqueue", "--file", queue.path("batch"))
    told = queue.work(count=2)
    assert "failed flaky (exit 3): retry 1/3" in told and "dead slow (timed out after 0.5 s)" in told
    jobs = {job["id"]: job for job in queue.jobs()}
    assert {id: job["state"] for id, job in jobs.items()} == {
        "plain": "completed", "flaky": "completed", "broken": "dead", "slow": "dead", "leaving": "completed",
        "words": "completed", "one": "completed", "two": "completed"}
    assert (jobs["plain"]["stdout"], jobs["plain"]["stderr"]) == ("out\n", "err\n")
    assert (jobs["flaky"]["attempts"], jobs["broken"]["exit_code"]) == (2, 7)
    assert jobs["words"]["stdout"] == "two words|a&b|x>y|"
    assert not is_running(int(queue.text("child"))) and not is_running(int(queue.text("left")))
    assert queue.run("logs", "plain").out == "out\nerr\n"
    assert queue.run("dlq", "retry", "broken").out == "broken\n"
    assert queue.read("status")["states"]["pending"] == 1
    assert '"broken"' in queue.run("events", "--json").out


@pytest.mark.short
def test_workers_in_the_background_are_told_by_the_store_alone(queue):
    queue.run("worker", "start", "--count", 2, "--detach")
    supervisor, = queue.pids("supervisor")
    queue.enqueue("--id", "long", "sleep 600 & echo $! > child; wait")
    child = int(queue.wait_for_file("child"))
    assert queue.read("worker", "list")
    queue.run("cancel", "--wait", "long")
    assert queue.job("long")["state"] == "cancelled" and not is_running(child)
    assert queue.run("worker", "start", "--count", 2, "--detach", "--ensure").out == ""
    queue.enqueue("--id", "stopped", "touch begun; sleep 600")
    wait_until(lambda: os.path.exists(queue.path("begun")), "the job runs")
    queue.run("worker", "stop", "--now")
    assert not is_running(supervisor) and queue.job("stopped")["state"] == "pending"
    assert "handed back stopped" in queue.text(".queuectl", "worker.log")


def test_workers_and_the_dashboard_run_together(queue):
    up = queue.start("up", "--port", 0)
    up.wait_for_text("\n")
    health = up.text().partition("?token=")[0] + "healthz"

    def answers():
        try:
            return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(health).status == 200
        except OSError:
            return False
    assert answers()
    queue.enqueue("--id", "running", "touch begun; while ! test -e go; do sleep 0.05; done")
    wait_until(lambda: os.path.exists(queue.path("begun")), "the job runs")
    worker, = queue.pids("worker")
    dashboard, = [pid for pid, line in support.leftovers(queue.top).items()
                  if support.parent(pid) == up.pid and pid != worker and "resource_tracker" not in line]
    os.kill(dashboard, shim.signal.SIGKILL)
    up.wait_for_text("dashboard with pid %d died" % dashboard)
    wait_until(answers, "another one answers")
    up.kill()
    wait_until(lambda: not answers(), "nobody listens any more")
    queue.write("go", "")
    queue.wait_for_state("running", "completed")
    assert queue.pids("supervisor") == []


def test_a_roll_replaces_the_journal_that_all_work_with(queue):
    workers = queue.start_workers(count=2)
    followed = queue.start("events", "-f")
    queue.wait_for_workers(2)
    queue.run("enqueue", "--wait", "true")
    before = os.stat(queue.journal()).st_ino
    assert holders(queue.journal()) == []
    rows = "".join('{"id": "j%d", "command": "true %s", "run_at": "2999-01-01"}\n' % (number, "x" * 2000) for number in range(900))
    queue.run("enqueue", "--file", "-", input=rows)
    wait_until(lambda: os.stat(queue.journal()).st_ino != before, "the journal was rolled")
    queue.run("enqueue", "--wait", "--id", "last", "echo after")
    assert queue.job("last")["stdout"] == "after\n"
    assert queue.read("status")["states"]["pending"] == 900
    followed.wait_for_text("last")
    followed.kill()
    assert queue.run("purge", "--all", "--yes").out
    assert queue.jobs() == []
    queue.run("worker", "stop")
    assert workers.wait() == 0
    assert "died" not in workers.text() and workers.errors() == ""


def test_the_job_of_a_killed_worker_is_ended_and_recovered(queue):
    workers = queue.start_workers()
    queue.enqueue("--id", "lost", "--max-retries", 0, "echo $$ > leader; exec sleep 600")
    leader = int(queue.wait_for_file("leader"))
    wait_until(lambda: os.path.getsize(os.path.join(queue.store, "workers", "1.job")), "its leader is noted")
    worker, = queue.pids("worker")
    os.kill(worker, shim.signal.SIGKILL)
    assert queue.wait_for_state("lost", "dead")["error"] == "worker lost"
    assert not is_running(leader)
    queue.run("worker", "stop")
    assert workers.wait() == 0


def test_workers_whose_supervisor_is_killed_finish_their_jobs_and_leave(queue):
    queue.start_workers(count=2)
    workers = queue.wait_for_workers(2)
    queue.enqueue("--id", "running", "touch begun; while ! test -e go; do sleep 0.05; done")
    wait_until(lambda: os.path.exists(queue.path("begun")), "the job runs")
    queue.started[0].kill()
    wait_until(lambda: sum(map(is_running, workers)) == 1, "the idle worker has left")
    queue.write("go", "")
    wait_until(lambda: not any(map(is_running, workers)), "the other has left, too")
    assert queue.job("running")["state"] == "completed"
    assert queue.started[0].errors() == ""


def test_what_a_dead_batch_left_is_removed_by_a_roll(queue):
    queue.enqueue("true")
    left = [queue.path(".queuectl", "base", name) for name in (".incoming-x.jsonl", "..incoming-x.index")]
    for path in left:
        queue.write(path, "x")
        os.utime(path, (0, 0))
    python(queue, "from queuectl_lib.store import roll, store; roll.roll(store.open_store('.queuectl', write=True), needless=True)")
    assert not any(map(os.path.exists, left))


def test_output_without_end_is_bounded_and_kept(queue):
    queue.run("config", "set", "output_limit", "10000")
    queue.enqueue("--id", "big", "head -c 300000 /dev/zero | tr '\\0' x; sleep 0.3; echo end")
    queue.enqueue("--id", "whole", "head -c 6000 /dev/zero | tr '\\0' y")
    queue.work(count=1)
    assert queue.text(".queuectl", queue.job("whole")["stdout_file"]) == "y" * 6000
    job = queue.job("big")
    assert job["stdout_size"] >= 300000 and job["stdout"].endswith("end\n")
    assert os.path.getsize(queue.path(".queuectl", job["stdout_file"])) < 11000


def test_hooks_run_and_a_job_runs_here(queue):
    queue.run("config", "set", "on_complete", "cat > told")
    queue.enqueue("--id", "here", "--hold", "echo seen")
    assert "seen" in queue.run("run", "here").out
    assert '"id": "here"' in queue.wait_for_file("told")


def test_lines_are_enqueued_as_they_arrive(queue):
    feed = Feed(queue, "--max-pending", 3)
    feed.give("a", "b")
    feed.wait_for("a", "b")
    feed.write("no job\n" + lines("c", "d"))
    feed.wait_for("c")
    assert queue.read("status")["states"]["pending"] == 3
    queue.run("cancel", "a")
    feed.wait_for("d")
    # Ctrl+C, which waits there until a wait is over.
    os.kill(feed.pid, shim.signal.SIGINT)
    assert feed.wait() == 130
    assert feed.acknowledged() == ["a", "b", "c", "d"]
    assert queue.text(".queuectl", "refused.jsonl") == "no job\n" and len(feed.errors().splitlines()) == 1


@pytest.mark.short
def test_the_library_can_be_used(queue):
    assert python(queue, "from queuectl_lib import Queue; q = Queue('.queuectl'); q.enqueue('true', id='a');"
                         "q.enqueue(['echo', 'b c'], id='b'); print(q.get('b').command, len(list(q.jobs())))") == 'echo "b c" 2\n'


# --- its parts

def test_every_module_can_be_imported(queue):
    names = [path[:-3].replace("/", ".") for path in library() if not path.endswith("__main__.py")]
    python(queue, "import importlib\nfor name in %r: importlib.import_module('queuectl_lib.' + name)" % names)


def test_a_proc_on_the_current_drive_is_another_systems(queue):
    assert python(queue, "from queuectl_lib.work import proc; print(proc.AVAILABLE, proc.process(1), proc.living())") == "False None {}\n"
    assert "Job Object" in queue.run("doctor", code=None).out


def library():
    """{path: source}"""
    found = {}
    top = os.path.join(ROOT, "queuectl_lib")
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(".py") and name != "__init__.py":
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    found[os.path.relpath(path, top).replace(os.sep, "/")] = file.read()
    return found


def test_what_windows_lacks_is_called_in_the_file_of_its_subject_alone():
    lacking = {"os": set(shim.NOT_IN_OS), "signal": set(shim.NOT_IN_SIGNAL)}
    found = {}
    for path, source in library().items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in lacking.get(node.value.id, ()):
                found.setdefault(path, set()).add(node.attr)
    assert found == {path: set(names.split()) for path, names in PLACES.items()}


def test_a_reader_that_a_roll_overtakes_looks_again(queue):
    queue.enqueue("--id", "a", "true")
    assert python(queue, """if True:
        from queuectl_lib.store import journal, roll, store
        one = store.open_store('.queuectl', write=True)
        read = journal.Journal.read
        def overtaken(self, *args):
            journal.Journal.read = read
            roll.roll(store.open_store('.queuectl', write=True), needless=True)
            return self.read(*args)
        journal.Journal.read = overtaken
        print(one.find('a').id, journal.Journal.read is read)""") == "a True\n"


def test_who_reads_along_misses_nothing_that_it_had_read_to_the_end(queue):
    queue.enqueue("--id", "a", "true")
    assert python(queue, """if True:
        from queuectl_lib.job import record
        from queuectl_lib.store import news, roll, store
        one = store.open_store('.queuectl', write=True)
        def add(id): one.add([record.create({'command': 'true', 'id': id}, 1, record.Defaults(cwd='/'))])
        def look(): print([news.job_of(each).id for each in told.look()], told.missed)
        told = news.News(one)
        told.start()
        add('b')
        look()
        roll.roll(one, needless=True)
        add('c')
        look()
        add('d')
        roll.roll(one, needless=True)
        look()""") == "['b'] False\n['c'] False\n[] True\n"


def test_who_begins_to_read_along_while_a_roll_goes_on_is_told_nothing_old(queue):
    queue.enqueue("--id", "a", "true")
    assert python(queue, """if True:
        from queuectl_lib.job import record
        from queuectl_lib.store import news, roll, store
        one = store.open_store('.queuectl', write=True)
        told = news.News(one)
        carry = roll._Roll._carry
        def begun(self):
            carry(self)
            one.add([record.create({'command': 'true', 'id': 'b'}, 1, record.Defaults(cwd='/'))])
            told.start()
        roll._Roll._carry = begun
        roll.roll(store.open_store('.queuectl', write=True), needless=True)
        print(told.look(), told.missed)""") == "[] False\n"


def test_a_worker_that_asks_a_dead_supervisor_for_orders_drains(queue):
    assert python(queue, """if True:
        from queuectl_lib.work import control, supervisor, waiting
        reader, writer = supervisor._context(None).Pipe(duplex=False)
        told = control.Control(waiting.Waiter(), reader)
        told.read()
        print(told.order)
        writer.close()
        told.read()
        print(told.order)""") == "None\ndrain\n"


def test_two_processes_exclude_each_other_and_readers_share(queue):
    queue.enqueue("true")
    assert python(queue, """if True:
        import os
        from queuectl_lib.store import disk, locking
        fds = [disk.open_private('.queuectl/lock', os.O_RDWR) for _ in range(4)]
        print(locking.try_lock(fds[0]), locking.try_lock(fds[1]), locking.try_shared(fds[1]))
        locking.unlock(fds[0])
        print(all(locking.try_shared(fd) for fd in fds[:3]), locking.try_lock(fds[3]))
        for fd in fds[:3]: locking.unlock(fd)
        print(locking.try_lock(fds[3]))""") == "True False False\nTrue False\nTrue\n"
