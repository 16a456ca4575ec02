"""Workers and the dashboard in one terminal: both are there, both leave, and neither takes the other along."""

import http.client
import json
import os
import re
import signal

import pytest

import support
from support import is_running, parent, send, wait_until

HELD = "echo $$ > begun; while [ ! -e go ]; do sleep 0.05; done"
BROWSER = """#!%s -S
import signal, sys
with open("opened", "a") as file:
    file.write("%%s %%s\\n" %% (sys.argv[1], signal.pthread_sigmask(signal.SIG_BLOCK, ())))
"""


class Up:
    """`queuectl up` as it runs."""

    def __init__(self, queue, *words, count=1, env=None):
        self.queue = queue
        self.count = count
        self.started = queue.start("up", "--port", 0, "--count", count, *words, env=env)
        self.started.wait_for_text("\n")
        self.port = int(re.match(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]+\n", self.started.text()).group(1))

    def answers(self):
        """Whether the dashboard does; anybody may ask for its health."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=support.DEADLINE)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except ConnectionError:
            return False
        finally:
            connection.close()

    def dashboard(self):
        """The pid of its process."""
        workers = self.queue.wait_for_workers(self.count)
        # Python's own is a child, too, where workers are not forked.
        found, = [pid for pid, line in support.leftovers(self.queue.top).items()
                  if parent(pid) == self.started.pid and pid not in workers and "resource_tracker" not in line]
        return found

    def begin_job(self):
        """A job that runs until it is let go; its id."""
        id = self.queue.enqueue(HELD)
        self.queue.wait_for_file("begun")
        return id

    def wait(self):
        """Its exit code, once nobody listens any more."""
        code = self.started.wait()
        assert not self.answers()
        assert self.started.errors() == ""
        return code


def release(queue):
    queue.write("go", "x")


@pytest.mark.short
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_jobs_run_and_the_dashboard_answers(queue, method):
    # A worker that is not forked is started with Python's own means, which have warnings of their own.
    up = Up(queue, count=2, env={"QUEUECTL_START_METHOD": method, "PYTHONWARNINGS": "error" if method == "fork" else None})
    assert up.answers()
    queue.wait_for_workers(2)
    queue.wait_for_state(queue.enqueue("true"), "completed")
    # The address comes first, where one looks for it.
    assert re.match(r"http://\S+\n[\d:]+ 2 workers; Ctrl\+C", up.started.text())
    up.started.press_ctrl_c()
    assert up.wait() == 0


def test_only_the_queues_that_were_named_are_served(queue):
    up = Up(queue, "--queue", "mail")
    other = queue.enqueue("true")
    queue.wait_for_state(queue.enqueue("--queue", "mail", "true"), "completed")
    assert queue.job(other)["state"] == "pending"
    queue.run("worker", "stop")
    assert up.wait() == 0


def press_ctrl_c(queue, up):
    up.started.press_ctrl_c()


def send_term(queue, up):
    send(up.started.pid, signal.SIGTERM)


def send_term_to_all(queue, up):
    # As a service manager does.
    for pid in [up.started.pid] + queue.pids("worker") + [up.dashboard()]:
        send(pid, signal.SIGTERM)


def order(queue, up):
    queue.start("worker", "stop")


@pytest.mark.short
@pytest.mark.parametrize("leave, method", [
    (press_ctrl_c, "fork"), (send_term, "fork"), (order, "fork"), (send_term_to_all, "fork"), (send_term_to_all, "spawn")])
def test_the_dashboard_shows_the_running_jobs_to_their_end(queue, leave, method):
    up = Up(queue, env={"QUEUECTL_START_METHOD": method})
    id = up.begin_job()
    dashboard = up.dashboard()
    leave(queue, up)
    up.started.wait_for_text("finishing 1 running job")
    assert up.answers() and is_running(dashboard)
    release(queue)
    assert up.wait() == 0
    job = queue.job(id)
    assert (job["state"], job["attempts"]) == ("completed", 1)


@pytest.mark.parametrize("leave", [press_ctrl_c, order])
def test_while_the_workers_leave_nobody_is_told_to_wait_for_them(queue, leave):
    up = Up(queue)
    up.begin_job()
    waiting = queue.enqueue("true")
    leave(queue, up)
    wait_until(lambda: "are leaving" in queue.run("show", waiting).out, "that they leave")
    assert all(worker["leaving"] for worker in json.loads(queue.run("worker", "list", "--json").out))
    release(queue)
    assert up.wait() == 0


def press_ctrl_c_twice(queue, up):
    up.started.press_ctrl_c()
    up.started.wait_for_text("finishing 1 running job")
    up.started.press_ctrl_c()


def order_now(queue, up):
    queue.run("worker", "stop", "--now")


@pytest.mark.short
@pytest.mark.parametrize("leave", [press_ctrl_c_twice, order_now])
def test_now_is_now(queue, leave):
    up = Up(queue)
    id = up.begin_job()
    leave(queue, up)
    assert up.wait() == 0
    assert (queue.job(id)["state"], queue.job(id)["attempts"]) == ("pending", 0)


@pytest.mark.short
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_killed_it_leaves_no_dashboard_behind(queue, method):
    up = Up(queue, count=2, env={"QUEUECTL_START_METHOD": method})
    queue.wait_for_workers(2)
    id = up.begin_job()
    assert up.answers()
    up.started.kill()
    # Though the job still runs, and its worker with it.
    wait_until(lambda: not up.answers(), "nobody listens any more")
    wait_until(lambda: len(queue.pids("worker")) == 1, "the idle worker has left")
    release(queue)
    queue.wait_for_state(id, "completed")
    wait_until(lambda: not support.leftovers(queue.top), "all processes are gone")


def test_a_killed_worker_is_replaced_and_the_dashboard_goes_on(queue):
    up = Up(queue)
    dashboard = up.dashboard()
    worker, = queue.pids("worker")
    send(worker, signal.SIGKILL)
    up.started.wait_for_text("worker with pid %d died (killed by signal 9): starting another" % worker)
    wait_until(lambda: queue.pids("worker") not in ([], [worker]), "another worker is there")
    assert up.answers() and up.dashboard() == dashboard
    queue.run("worker", "stop")
    assert up.wait() == 0


@pytest.mark.parametrize("is_leaving", [False, True])
def test_a_killed_dashboard_is_started_anew_and_no_worker_notices(queue, is_leaving):
    up = Up(queue)
    id = up.begin_job()
    workers = queue.pids("worker")
    if is_leaving:
        up.started.press_ctrl_c()
        up.started.wait_for_text("finishing 1 running job")
    # Again and again: the next one is to have what it needs, too.
    for _ in range(2):
        dashboard = up.dashboard()
        send(dashboard, signal.SIGKILL)
        up.started.wait_for_text("dashboard with pid %d died (killed by signal 9): starting another" % dashboard)
        wait_until(up.answers, "another one answers at the same port")
    assert queue.pids("worker") == workers and queue.job(id)["state"] == "processing"
    release(queue)
    queue.run("worker", "stop")
    assert up.wait() == 0
    assert queue.job(id)["attempts"] == 1


def test_a_dashboard_that_came_later_ends_with_it_too(queue):
    up = Up(queue, count=2)
    id = up.begin_job()
    send(up.dashboard(), signal.SIGKILL)
    up.started.wait_for_text("dashboard with pid")
    wait_until(up.answers, "another one answers")
    # A worker that came later, too, has no copy of what belongs to the dashboard.
    idle, = [pid for pid in queue.pids("worker") if pid != parent(int(queue.text("begun")))]
    send(idle, signal.SIGKILL)
    wait_until(lambda: len(queue.pids("worker")) == 2 and idle not in queue.pids("worker"), "another worker is there")
    up.started.kill()
    wait_until(lambda: not up.answers(), "nobody listens any more")
    wait_until(lambda: len(queue.pids("worker")) == 1, "the idle worker has left")
    release(queue)
    queue.wait_for_state(id, "completed")


def test_when_the_store_is_moved_away_all_leave(queue):
    up = Up(queue)
    queue.wait_for_workers(1)
    os.rename(queue.store, queue.path("moved"))
    assert up.wait() == 3
    os.rename(queue.path("moved"), queue.store)


def test_a_taken_port_is_said_and_nothing_is_started(queue):
    up = Up(queue)
    refused = queue.run("up", "--port", up.port, code=1)
    assert "port %d is taken" % up.port in refused.err and refused.out == ""
    assert len(queue.pids("supervisor")) == 1
    queue.run("worker", "stop")
    assert up.wait() == 0


def test_the_page_is_opened_once(queue):
    browser = queue.write("browser", BROWSER % support.PYTHON)
    os.chmod(browser, 0o700)
    up = Up(queue, "--open", env={"BROWSER": browser})
    # And whoever wants to end the browser can: no signal is blocked in it.
    address, signals = queue.wait_for_file("opened").split(" ", 1)
    assert address.partition("=")[0] == up.started.text().partition("=")[0] and signals == "set()\n"
    # Not by the token itself, which stays.
    assert address != up.started.text().splitlines()[0]
    send(up.dashboard(), signal.SIGKILL)
    up.started.wait_for_text("starting another")
    wait_until(up.answers, "another one answers")
    queue.run("worker", "stop")
    assert up.wait() == 0
    assert len(queue.text("opened").splitlines()) == 1
