"""The container that README.md describes, run without an engine (containers.py): its first process, and two on one volume."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import urllib.request

import pytest

import readme
import support
from recipes import containers
from recipes.programs import needs

SECTION = "In a container"
HELD = "echo $QUEUECTL_ATTEMPT >> runs; while [ ! -e go ]; do sleep 0.02; done"

pytestmark = needs("unshare", "nsenter", "useradd")


@pytest.fixture(scope="module")
def image(one_file, tmp_path_factory):
    if subprocess.run(["unshare", "--pid", "--mount", "--fork", "true"], stderr=subprocess.DEVNULL).returncode:
        assert not os.environ.get("CI"), "no namespaces for this user"
        pytest.skip("no namespaces for this user")
    [block] = readme.blocks("dockerfile", SECTION)
    return containers.Image(block.text, {"queuectl.py": one_file}, str(tmp_path_factory.mktemp("image")))


class Engine:
    """What `docker` would be."""

    def __init__(self, image, top):
        self._image = image
        self._top = str(top)
        self._running = []
        self.volume = image.new_volume(os.path.join(self._top, "volume"))

    def run(self, *words, **options):
        path = os.path.join(self._top, "output-%d" % len(self._running))
        with open(path, "wb") as output:
            container = containers.Container(self._image, self.volume, *words, output=output, **options)
        container.path = path
        self._running.append(container)
        return container

    def here(self, *names):
        return os.path.join(self.volume, *names)

    def text(self, name):
        with open(self.here(name)) as file:
            return file.read()

    def wait_for_file(self, name):
        support.wait_until(lambda: os.path.exists(self.here(name)) and os.path.getsize(self.here(name)), name + " is there")
        return self.text(name)

    def let_go(self):
        with open(self.here("go"), "w") as file:
            file.write("x")

    def close(self):
        for container in self._running:
            container.close()


def said(container):
    with open(container.path) as file:
        return file.read()


@pytest.fixture
def engine(image, tmp_path):
    with contextlib.closing(Engine(image, tmp_path)) as here:
        yield here


def started(engine, *words, count=2, **options):
    container = engine.run(*words, **options)
    container.wait_for_workers(count)
    return container


def enqueue(container, *words):
    return container.exec("queuectl", "enqueue", *words).strip()


# --- the commands of the README


class Docker:
    """The lines of an sh block, done by an Engine; options that are about the engine alone must be known to it."""

    ENGINES_OWN = {"--restart": 1, "--stop-timeout": 1, "--publish": 1, "--tag": 1, "--detach": 0, "--rm": 0}

    def __init__(self, engine):
        self._engine = engine
        self.named = {}

    def do(self, line):
        docker, verb, *words = shlex.split(line, comments=True)
        assert docker == "docker"
        return getattr(self, "_" + verb)(words)

    def _options(self, words):
        found = {}
        while words[0].startswith("--"):
            name = words.pop(0)
            if name in ("--name", "--volume"):
                found[name] = words.pop(0)
            else:
                del words[:self.ENGINES_OWN[name]]
                found[name] = True
        return found

    def _build(self, words):
        self._options(words)
        assert words == ["."]

    def _run(self, words):
        options = self._options(words)
        assert words.pop(0) == "app" and options["--volume"] == "queue:/queue"
        container = self._engine.run(*words)
        if "--detach" in options:
            self.named[options["--name"]] = container
            return ""
        assert container.process.wait(support.DEADLINE) == 0, said(container)
        return said(container)

    def _exec(self, words):
        return self.named[words.pop(0)].exec(*words)

    def _stop(self, words):
        assert self.named[words[0]].stop() == 0
        return ""

    def _logs(self, words):
        support.wait_until(lambda: "token=" in said(self.named[words[0]]), "it tells the address")
        return said(self.named[words[0]])


def test_the_commands_do_what_they_say(engine):
    docker = Docker(engine)
    first, _ = readme.blocks("sh", SECTION)
    printed = {}
    for line in first.text.splitlines():
        printed[line.partition("#")[0].strip()] = docker.do(line)
        if line.startswith("docker run --detach"):
            docker.named["queue"].wait_for_workers(2)
    told = list(printed.values())
    assert told[2:5] == ["report\n", "", "done\n"]
    assert re.findall(r"^ +(\d) .* all ", told[5], re.MULTILINE) == ["1", "2"]


def test_the_dashboard_is_reached_at_the_published_port(engine):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    docker = Docker(engine)
    _, second = readme.blocks("sh", SECTION)
    # Here the container has the machine's network.
    run, logs = readme.put(readme.put(second.text, "8000:8000", "%s:%s" % (port, port)), "--port 8000", "--port " + port).splitlines()
    docker.do(run)
    text = docker.do(logs)
    assert "others can reach this address, and nothing is encrypted" in text
    token = re.search(r"token=(\S+)", text).group(1)
    web = docker.named["web"]
    web.wait_for_workers(2)
    request = urllib.request.Request("http://127.0.0.1:%s/api/jobs" % port, headers={"Authorization": "Bearer " + token})
    assert urllib.request.urlopen(request, timeout=support.DEADLINE).status == 200
    assert web.stop() == 0


# --- the first process


def test_a_stop_finishes_the_running_job(engine):
    container = started(engine)
    enqueue(container, "--id", "long", HELD)
    enqueue(container, "--id", "other", "--after", "long", "true")
    engine.wait_for_file("runs")
    container.signal(signal.SIGTERM)
    support.wait_until(lambda: "finishing 1 running job" in said(container), "it heeds the signal")
    assert container.process.poll() is None
    engine.let_go()
    assert container.process.wait(support.DEADLINE) == 0
    assert "completed long" in said(container)
    again = started(engine)
    assert again.wait_for("other", "completed")["attempts"] == 1
    assert again.job("long")["attempts"] == 1
    assert again.stop() == 0


def test_what_is_killed_after_the_grace_is_retried_in_the_next_container(engine):
    container = started(engine)
    container.exec("queuectl", "config", "set", "backoff_max", "50ms")
    enqueue(container, "--id", "long", "[ $QUEUECTL_ATTEMPT -gt 1 ] || { %s; }" % HELD)
    engine.wait_for_file("runs")
    assert container.stop(grace=0.3) not in (0, None)
    again = started(engine)
    job = again.wait_for("long", "completed")
    assert [entry.get("error") for entry in job["history"]].count("worker lost") == 1
    assert again.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_second_signal_hands_the_job_back(engine, number):
    container = started(engine)
    enqueue(container, "--id", "long", HELD)
    engine.wait_for_file("runs")
    container.signal(signal.SIGQUIT)
    container.signal(number)
    support.wait_until(lambda: "finishing 1 running job" in said(container), "it heeds the first")
    container.signal(number)
    assert container.process.wait(support.DEADLINE) == 0
    looking = engine.run("show", "long", "--json")
    looking.process.wait()
    assert '"state": "pending"' in said(looking) and '"attempts": 0' in said(looking)


def test_nothing_that_ends_in_it_stays_a_zombie(engine):
    container = started(engine)
    container.exec("queuectl", "config", "set", "on_complete", "(sleep 0.2 &); setsid sleep 0.2 &")
    for number in range(4):
        enqueue(container, "--id", "job-%d" % number, "(sleep 0.3 &); (setsid sleep 0.3 &); true")
    # Not a worker's child, but left by a command that was run in the container.
    container.exec("sh", "-c", "(sleep 0.3 &); (setsid sleep 0.3 &)")
    # And what a dead worker's job leaves.
    enqueue(container, "--id", "server", "(setsid sh -c 'echo $$ > server; exec sleep 1000' &); sleep 0.1")
    container.wait_for("server", "completed")
    for worker in container.workers():
        os.kill(container.pid(worker["pid"]), signal.SIGKILL)
    support.wait_until(lambda: said(container).count("killed by signal 9") == 2, "both are missed")
    container.exec("sh", "-c", "kill %s" % engine.wait_for_file("server").strip())
    support.wait_until(lambda: container.named("sleep") == [], "all have ended")
    support.wait_until(lambda: container.zombies() == 0, "all are reaped")
    container.wait_for_workers(2)
    assert container.stop() == 0


def test_a_job_cannot_kill_the_container(engine):
    container = started(engine)
    enqueue(container, "--id", "rude", "kill -9 1; kill -QUIT 1; kill -USR1 1; sleep 0.2; echo still there")
    container.wait_for("rude", "completed")
    assert container.exec("queuectl", "logs", "rude") == "still there\n"
    assert len(container.workers()) == 2 and container.stop() == 0


def test_an_unknown_user_without_a_home_can_have_it(engine):
    os.chown(engine.volume, 1234, 1234)
    container = started(engine, user="1234", environment={"TZ": "Nowhere/Never"})
    assert enqueue(container, "--id", "who", "id -u; echo $HOME; touch /tmp/x || echo read-only") == "who"
    container.wait_for("who", "completed")
    assert container.exec("queuectl", "logs", "who").startswith("1234\n\nread-only\n")
    assert "All is well." in container.exec("queuectl", "doctor") and container.stop() == 0


def test_orders_are_given_from_within(engine):
    container = started(engine)
    assert "Jobs  0 jobs in /queue/.queuectl" in container.exec("queuectl", "status")
    assert enqueue(container, "--id", "talks", "echo said") == "talks"
    assert container.exec("queuectl", "logs", "-f", "talks") == "said\n"
    assert container.exec("queuectl", "worker", "scale", "3") == "3 workers, 1 more than before\n"
    enqueue(container, "--id", "long", HELD)
    engine.wait_for_file("runs")
    # The container ends with its workers, and takes along who told them.
    container.exec("queuectl", "worker", "stop", "--now", code=None)
    assert container.process.wait(support.DEADLINE) == 0
    assert "handed back long" in said(container)


# --- two on one volume


@pytest.fixture
def two(engine):
    """Two containers, whose first processes are both pid 1, each with two workers."""
    one = started(engine)
    return one, started(engine, count=4)


def at_home(two, job):
    """(the container whose worker runs a job, the other one, the worker's pid here)."""
    slot = int(job["worker"].split(".")[0])
    [worker] = [each for each in two[0].workers() if each["slot"] == slot]
    marked = [container for container in two if container.runs(worker["pid"], "QUEUECTL_JOB_ID=" + job["id"])]
    [home] = marked
    return home, two[1 - two.index(home)], home.pid(worker["pid"])


def test_both_work_and_each_is_counted(two):
    one, other = two
    for container in two:
        enqueue(container, "--id", "from-%d" % two.index(container), "true")
    for id in ("from-0", "from-1"):
        other.wait_for(id, "completed")
    assert one.exec("queuectl", "worker", "start", "--ensure", "--count", "4") == ""
    assert other.exec("queuectl", "worker", "scale", "5") == "5 workers, 1 more than before\n"
    assert one.exec("queuectl", "worker", "scale", "4", "--wait") == "4 workers, 1 fewer than before\n"
    assert len(other.workers()) == 4


def test_a_sleeping_worker_is_woken_by_the_other_container(engine):
    one = started(engine)
    one.exec("queuectl", "config", "set", "poll_interval", "1h")
    enqueue(one, "--wait", "true")
    other = engine.run("enqueue", "--wait", "echo woken")
    assert other.process.wait(support.DEADLINE) == 0
    assert said(other) == "woken\n"


def test_a_stop_in_one_container_reaches_the_workers_of_both(engine, two):
    one, other = two
    enqueue(one, "--id", "long", HELD)
    engine.wait_for_file("runs")
    looking = engine.run("worker", "stop", "--timeout", "1s")
    assert looking.process.wait(support.DEADLINE) == 1
    assert "in another container" in said(looking)
    engine.let_go()
    assert [container.process.wait(support.DEADLINE) for container in two] == [0, 0]
    assert (engine.text("runs"), "finishing" in said(one) + said(other)) == ("1\n", True)


def test_only_a_worker_that_sees_its_processes_takes_up_a_lost_job(engine, two):
    one, other = two
    one.exec("queuectl", "config", "set", "backoff_max", "50ms")
    one.exec("queuectl", "config", "set", "kill_grace", "100ms")
    enqueue(one, "--id", "long", "echo $QUEUECTL_ATTEMPT >> runs; [ $QUEUECTL_ATTEMPT -gt 1 ] || exec sleep 1000")
    engine.wait_for_file("runs")
    home, away, worker = at_home(two, one.wait_for("long", "processing"))
    # Nobody there may take the dead worker's place yet.
    everybody = [home.pid(each) for each in home.named("queuectl") if home.pid(each) != worker]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    support.wait_until(lambda: "they run in another container" in said(away), "the other container leaves it alone")
    refused = away.exec("queuectl", "cancel", "long", code=1)
    assert "its processes cannot be ended (they run in another container)" in refused
    assert engine.text("runs") == "1\n" and away.job("long")["state"] == "processing"
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
    assert away.wait_for("long", "completed")["attempts"] == 2
    assert "failed long (worker lost)" in said(home)


def test_a_container_that_is_killed_leaves_its_job_to_the_other(engine, two):
    one, other = two
    one.exec("queuectl", "config", "set", "backoff_max", "50ms")
    enqueue(one, "--id", "long", "echo $QUEUECTL_ATTEMPT >> runs; [ $QUEUECTL_ATTEMPT -gt 1 ] || exec sleep 1000")
    engine.wait_for_file("runs")
    home, away, _ = at_home(two, one.wait_for("long", "processing"))
    home.kill()
    assert away.wait_for("long", "completed")["attempts"] == 2
    assert "failed long (worker lost)" in said(away)
    # Nor does the dead supervisor count.
    assert away.exec("queuectl", "worker", "scale", "2") == "2 workers, as before\n"


def test_a_job_cancelled_from_elsewhere_is_not_retried_before_its_end(engine, two):
    one, other = two
    one.exec("queuectl", "config", "set", "kill_grace", "1h")
    enqueue(one, "--id", "long", "trap '' TERM; " + HELD)
    engine.wait_for_file("runs")
    _, away, _ = at_home(two, one.wait_for("long", "processing"))
    away.exec("queuectl", "cancel", "long")
    assert "its processes are still being ended" in away.exec("queuectl", "retry", "long", code=1)
    engine.let_go()
    away.exec("queuectl", "cancel", "--wait", "long", code=None)
    away.exec("queuectl", "retry", "long")
    away.wait_for("long", "completed")
    assert engine.text("runs") == "1\n1\n"
