"""`queuectl dashboard`: where it listens, what it says, how it ends, and of which stores."""

import fcntl
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from queuectl_lib.faces.web import serving
from queuectl_lib.store import store as stores
from tests.support import ROOT, wait_until
from tests.web.raw import Server


def taken(address="127.0.0.1"):
    """A port that somebody else listens at."""
    holder = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    holder.bind((address, 0))
    holder.listen()
    return holder


def ports_are_free(*ports):
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


@pytest.mark.short
def test_one_line_says_where_it_is_and_how_it_ends(serve, queue):
    server = serve()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=\w+  \(Ctrl\+C stops it\)\n", server.started.text())
    assert os.path.exists(queue.journal())
    assert server.gets("/api/jobs").json()["jobs"] == []


def test_the_token_is_the_stores_and_stays(serve, queue):
    server = serve()
    with open(os.path.join(queue.store, "token")) as file:
        assert file.read().strip() == server.token
    server.stop()
    assert serve().token == server.token


@pytest.mark.short
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_at_once_whoever_is_connected(serve, number):
    server = serve()
    waiting = [server.client() for _ in range(3)]
    waiting[1].send(b"GET / HT")
    waiting[2].send(server.head("GET /healthz HTTP/1.1"))
    assert waiting[2].answer().status == 200
    os.kill(server.started.pid, number)
    assert server.started.wait() == 0
    assert server.started.errors() == ""
    assert all(client.is_closed() for client in waiting)
    for client in waiting:
        client.close()


def test_what_it_is_answering_when_it_is_told_to_end_is_answered(server, queue):
    queue.enqueue("true")
    body = b'{"command": "true", "id": "late"}'
    with open(os.path.join(queue.store, "lock"), "r+b") as lock, server.client() as client, server.client() as idle:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client.send(server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=len(body)) + body)
        assert idle.request("GET", "/healthz").status == 200
        os.kill(server.started.pid, signal.SIGTERM)
        assert idle.is_closed()
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert client.answer().status == 201
        assert client.is_closed()
    assert server.started.wait() == 0
    assert queue.job("late")["state"] == "pending"


def test_requests_that_wait_for_a_lock_hold_up_nobody_and_not_its_end(serve, queue):
    server = serve()
    queue.enqueue("true")
    lock = open(os.path.join(queue.store, "lock"), "r+b")
    fcntl.flock(lock, fcntl.LOCK_EX)
    body = b'{"command": "true"}'
    changing = [server.client() for _ in range(20)]
    for client in changing:
        client.send(server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=len(body)) + body)
    # Nor the looks of others.
    for _ in range(20):
        assert server.gets("/api/jobs").status == 200
    assert not any(client.socket in select.select([client.socket], [], [], 0)[0] for client in changing)
    begin = time.monotonic()
    server.stop()
    # They would have waited for the lock much longer.
    assert time.monotonic() - begin < stores.LOCK_TIMEOUT / 2
    for client in changing:
        client.close()
    lock.close()
    assert len(queue.jobs()) == 1


@pytest.mark.short
def test_what_happens_is_told_as_it_happens_until_the_end(server, queue):
    with server.client(server.token) as client:
        events = client.events()
        assert next(event for event in events if event.kind == "status").data["states"]["pending"] == 0
        job = queue.enqueue("true")
        happened = next(event for event in events if event.kind == "happened")
        assert happened.data[0]["id"] == job
        assert server.gets("/api/events", Authorization=None).status == 401
        server.stop()
        # A stream may end behind a last message, but it ends.
        list(events)


# --- ports and hosts

def test_an_asked_for_port_that_is_taken_is_an_error(queue):
    with taken() as holder:
        port = holder.getsockname()[1]
        done = queue.run("dashboard", "--port", port, code=1)
        assert "port %d is taken, perhaps by another dashboard" % port in done.err and "--port 0" in done.err and not done.out


def test_the_next_free_port_is_taken_where_none_was_asked_for(queue):
    first, second = Server(queue), Server(queue)
    try:
        assert second.port > first.port >= serving.PORT
        assert "port 8000 is taken; Ctrl+C" in second.started.text()
        assert ("is taken" in first.started.text()) == (first.port != serving.PORT)
        # Side by side, and whoever may come in here may there.
        assert [each.gets("/api/status").status for each in (first, second)] == [200, 200]
        assert second.gets("/api/status", Authorization=None, Cookie=first.cookie).status == 200
    finally:
        first.stop()
        second.stop()


def test_it_can_be_started_again_on_its_port_at_once(serve):
    server = serve()
    with server.client(server.token) as client:
        # Closed by the server first: its side of the connection lingers on the port.
        client.request("GET", "/healthz", Connection="close")
        server.stop()
        assert serve(port=server.port).gets("/healthz").status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_an_address_of_the_other_kind_is_as_good(serve):
    server = serve("--host", "::1")
    assert server.address == "http://[::1]:%d" % server.port
    assert server.gets("/api/status").status == 200


@pytest.mark.parametrize("words, text", [
    (["--host", "no.such.host.invalid"], "cannot listen at no.such.host.invalid: "), (["--host", "192.0.2.1"], "cannot listen at 192.0.2.1"),
    (["--host", "x" * 300], "cannot listen at xxx"), (["--port", "65536"], "--port: want 65535 at most"), (["--port", "-1"], "--port: want 0 or more"),
    (["--port", "http"], "--port: want a whole number")])
def test_where_nothing_can_listen_is_told(queue, words, text):
    done = queue.run("dashboard", *(["--port", "0"] if "--host" in words else []), *words, code=None)
    assert done.code in (1, 2) and text in done.err and done.err.count("\n") == 1


def test_an_address_that_others_can_reach_is_warned_of(queue):
    server = Server(queue, "--host", "0.0.0.0", "--port", "0")
    assert server.host == "127.0.0.1:%d" % server.port
    assert server.gets("/api/status", Host="192.168.7.7:80").status == 200
    assert server.gets("/api/status", Host="elsewhere.example").status == 403
    assert "http://%s:%d/?token=%s  (from other machines)\n" % (socket.gethostname(), server.port, server.token) in server.started.text()
    server.started.press_ctrl_c()
    assert server.started.wait() == 0
    assert "nothing is encrypted" in server.started.errors() and "ssh -L %d:127.0.0.1:%d" % (server.port, server.port) in server.started.errors()


def test_the_address_that_is_printed_is_one_of_its_names(serve):
    server = serve("--host", "127.2")
    assert server.host.startswith("127.0.0.2:")
    assert server.gets("/api/status").status == 200


def test_it_is_opened_in_the_browser_that_there_is(queue):
    shown = queue.path("shown")
    browser = queue.write("browser", "#!/bin/sh\necho \"$1\" > '%s'\n" % shown)
    os.chmod(browser, 0o755)
    server = Server(queue, "--port", "0", "--open", env={"BROWSER": browser})
    wait_until(lambda: os.path.exists(shown) and queue.text("shown"), "the browser was started")
    address, _, ticket = queue.text("shown").strip().partition("/?token=")
    # Others of the machine may have read it meanwhile: it lets in one.
    assert address == server.address and ticket != server.token
    assert server.gets("/?token=" + ticket, "HEAD", Authorization=None).status == 401
    answer = server.gets("/?token=" + ticket, Authorization=None)
    assert answer.status == 303 and answer.header("set-cookie").startswith(server.cookie + ";")
    assert server.gets("/?token=" + ticket, Authorization=None).status == 401
    server.stop()
    server = Server(queue, "--port", "0", "--open", env={"BROWSER": "/nowhere/browser", "PATH": "/nowhere", "DISPLAY": None})
    assert server.gets("/healthz").status == 200
    server.stop()


# --- stores

def errors_of(server):
    """What it wrote to standard error, once it has ended."""
    server.started.press_ctrl_c()
    assert server.started.wait() == 0
    return server.started.errors()


def test_read_only_takes_what_there_is(queue):
    server = Server(queue, "--port", "0", "--read-only")
    assert server.gets("/api/jobs").json()["jobs"] == []
    assert not os.path.exists(queue.store)
    queue.enqueue("true")
    assert len(server.gets("/api/jobs").json()["jobs"]) == 1
    assert server.gets("/api/status").json()["read_only"] is True
    assert errors_of(server) == "queuectl: there is no store at %s yet\n" % queue.store


def test_a_store_that_was_named_and_is_made_is_told_of(queue):
    other = queue.path("otherr")
    words = ("--port", "0", "--store", other)
    assert errors_of(Server(queue, *words)) == "queuectl: made a new store at %s\n" % other
    assert errors_of(Server(queue, *words)) == ""


@pytest.mark.short
def test_a_store_that_cannot_be_written_is_no_reason_not_to_look(serve, queue):
    queue.enqueue("true")
    os.chmod(queue.store, 0o777)
    done = queue.run("dashboard", "--port", "0", code=3)
    assert "queuectl dashboard --read-only" in done.err and done.err.count("\n") == 1 and not done.out
    before = queue.snapshot()
    server = serve("--read-only")
    assert len(server.gets("/api/jobs").json()["jobs"]) == 1 and len(server.token) > 30
    assert queue.snapshot() == before


def test_a_store_that_cannot_be_read_is_told_to_who_asks(serve, queue):
    queue.enqueue("true")
    server = serve()
    os.rename(queue.journal(), queue.journal() + ".away")
    answer = server.gets("/api/jobs")
    assert answer.status == 503 and "jobs.jsonl is missing" in answer.error()
    health = server.gets("/healthz")
    assert health.status == 503 and health.json()["ok"] is False and queue.top not in health.body.decode()
    os.rename(queue.journal() + ".away", queue.journal())
    assert server.gets("/healthz").status == 200
    os.rename(queue.store, queue.path("moved"))
    assert server.gets("/healthz").status == 503
    os.rename(queue.path("moved"), queue.store)
    assert server.gets("/healthz").status == 200


def test_a_bug_is_told_to_its_owner_alone(queue):
    """A route that fails, in the real server."""
    script = queue.write("script.py", """if True:
        import sys
        sys.path.insert(0, %r)
        from queuectl_lib.faces.web import standing, routes
        from queuectl_lib.faces.cli.main import main
        def fails(request, site):
            raise KeyError("secret")
        routes.ROUTES = tuple(route._replace(function=fails) if route.pattern == "/metrics" else route for route in routes.ROUTES)
        sys.exit(main(sys.argv[1:]))
        """ % ROOT)
    queue.program.words = [queue.program.python, "-S", script]
    server = Server(queue, "--port", "0")
    with server.client(server.token) as client:
        answer = client.request("GET", "/metrics")
        assert answer.status == 500 and answer.error() == "internal error"
        assert client.request("GET", "/api/status").status == 200
    server.started.press_ctrl_c()
    assert server.started.wait() == 0
    assert "Traceback" in server.started.errors() and "KeyError: 'secret'" in server.started.errors()
    assert server.token not in server.started.errors()


def test_many_threads_at_once_change_the_store_like_many_processes(serve, queue):
    from threading import Thread
    server = serve()
    statuses = []

    def work(name):
        with server.client(server.token) as client:
            for number in range(20):
                statuses.append(client.ask("POST", "/api/jobs", {"id": "%s-%d" % (name, number), "command": "true"}).status)
                statuses.append(client.ask("POST", "/api/jobs/%s-%d/hold" % (name, number)).status)
    threads = [Thread(target=work, args=("t%d" % number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(statuses)) == [200, 201] and len(statuses) == 320
    assert len(queue.jobs()) == 160 and all(job["held"] for job in queue.jobs())


def test_it_ends_with_what_it_is_told_to_live_as_long_as(queue, tmp_path):
    """As beside workers: serve() in a process whose signals are its owner's."""
    script = queue.write("script.py", """if True:
        import os, sys
        sys.path.insert(0, %r)
        from queuectl_lib.faces.web import serving
        from queuectl_lib.store import store as stores
        store = stores.open_store(create=True, write=True)
        listener = serving.bind("127.0.0.1", 0)
        serving.serve(listener, store, False, until=0, ready=lambda: print(serving.url(listener, "x"), flush=True))
        print("over", listener.fileno(), flush=True)
        """ % ROOT)
    process = subprocess.Popen([queue.program.python, "-S", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               cwd=queue.directory, env=queue.environment)
    port = int(re.search(rb":(\d+)/", process.stdout.readline()).group(1))
    assert not ports_are_free(port)
    assert process.communicate()[0] == b"over -1\n" and process.returncode == 0
    assert ports_are_free(port)
