"""Many clients, and bad ones: who sends slowly, who reads slowly, who stays and says nothing. The others do not feel them."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from statistics import median
from types import SimpleNamespace

import pytest

from queuectl_lib.faces.cli import dashboard
from queuectl_lib.faces.web import connection, connections, door, room, routes, serving
from queuectl_lib.faces.web.guard import hosts
from queuectl_lib.faces.web.message import Answer
from queuectl_lib.faces.web.ring import Ring
from queuectl_lib.faces.web.site import Site
from tests.rawhttp import Client, head
from tests.support import wait_until
from tests.web.raw import Server

MANY = 1000


def open_files(server):
    """How many there are of the server's when it is at rest."""
    server.is_at_rest()
    return len(os.listdir("/proc/%d/fd" % server.started.pid))


def how_long(server):
    """The usual time of an answer, in seconds: the median of many."""
    times = []
    for _ in range(50):
        begin = time.monotonic()
        assert server.gets("/api/status").status == 200
        times.append(time.monotonic() - begin)
    return median(times)


def is_over(client):
    """Did the server close this connection? What it said before is read."""
    client.socket.setblocking(False)
    try:
        while client.socket.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.short
def test_a_thousand_half_open_connections_hold_up_nobody(server):
    usual = how_long(server)
    threads, memory = server.figure("Threads"), server.figure("VmRSS")
    crowd = []
    for number in range(MANY):
        crowd.append(server.client())
        crowd[-1].send((b"", b"G", b"GET / HTTP/1.1\r\nX: ")[number % 3])
    # What was measured alone is measured again beside them.
    beside = how_long(server)
    assert beside < 10 * usual + 0.05, (usual, beside)
    assert server.figure("Threads") == threads
    assert server.figure("VmRSS") < memory + 20000
    kept = [client for client in crowd if not is_over(client)]
    assert len(kept) <= connections.MOST + 20
    half = [client for number, client in enumerate(crowd) if number % 3 and client in kept]
    wait_until(lambda: all(map(is_over, half)), "those who began a request and did not go on were closed")
    for client in crowd:
        client.close()


def test_who_reads_slowly_holds_up_nobody_and_is_let_go(server, queue):
    queue.enqueue("--id", "big", "yes | head -c 3000000")
    queue.work()
    assert len(server.gets("/api/jobs/big/stdout").body) > 1000000
    usual = how_long(server)
    files = open_files(server)
    slow = []
    for _ in range(8):
        slow.append(server.client())
        # More than the buffers between the two hold.
        slow[-1].send(server.head("GET /api/jobs/big/stdout HTTP/1.1") * 40)
    assert how_long(server) < 10 * usual + 0.05
    # They have taken nothing for so long that they are closed: what comes then is an end, or a reset.
    assert open_files(server) >= files + 8
    wait_until(lambda: open_files(server) <= files, "the server has closed them")
    for client in slow:
        client.close()


def test_clients_that_are_killed_are_forgotten(server):
    files = open_files(server)
    script = ("import socket, sys, time\nkept = []\nfor number in range(100):\n s = socket.create_connection(('127.0.0.1', %d))\n"
              " s.sendall(%r[:number * 3]); kept.append(s)\nprint('there', flush=True)\ntime.sleep(600)"
              % (server.port, server.head("GET /api/status HTTP/1.1")))
    crowd = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert crowd.stdout.readline() == b"there\n"
    os.kill(crowd.pid, signal.SIGKILL)
    crowd.communicate()
    wait_until(lambda: open_files(server) <= files, "the server has closed their connections")
    assert server.gets("/api/status").status == 200


@pytest.mark.parametrize("limit", [40, 200])
def test_where_few_files_may_be_open_the_store_can_still_be_read(queue, limit):
    queue.program.words = ["prlimit", "--nofile=%d:%d" % (limit, limit)] + queue.program.words
    server = Server(queue, "--port", 0)
    crowd = [server.client() for _ in range(300)]
    for _ in range(20):
        assert server.gets("/api/jobs").status == 200
    for client in crowd:
        client.close()
    server.stop()


def test_no_more_are_watched_than_select_takes_on_windows():
    assert connections.MOST + connections._TOLD + len(("door", "waker", "until")) <= 512


def test_half_of_the_files_that_may_be_open_are_left_to_the_store(monkeypatch):
    for limit, most in ((64, 32), (1024, 500), (door.resource.RLIM_INFINITY, 500)):
        monkeypatch.setattr(door.resource, "getrlimit", lambda kind: (limit, limit))
        assert door.most_clients(500) == most


def test_without_a_descriptor_left_it_serves_on(server):
    crowd = [server.client() for _ in range(30)]
    assert server.gets("/healthz").status == 200
    # It believes that there are more.
    subprocess.run(["prlimit", "--pid", str(server.started.pid), "--nofile=30:30"], check=True)
    late = [server.client() for _ in range(3)]
    wait_until(lambda: server.gets("/healthz").status == 200, "there is room again")
    for client in crowd + late:
        client.close()
    wait_until(lambda: server.gets("/api/status").status == 200, "the store can be read again")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system cannot be told")
def test_who_vanishes_is_given_up_by_the_system():
    """Without a reset nothing else tells of it: what is sent to a stream is taken by its buffer."""
    listener = serving.bind("127.0.0.1", 0)
    with selectors.DefaultSelector() as selector, socket.create_connection(listener.getsockname()):
        way_in = door.Door(listener, selector, None)
        client, = way_in.clients()
        with client:
            options = [client.getsockopt(socket.IPPROTO_TCP, each) for each in (socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE)]
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) and options == [30000, 15]
        way_in.close()


# --- the server in a thread of the test, which shortens its patience

class Inside:
    """Connections in a thread."""

    def __init__(self, root, live=None):
        self.listener = serving.bind("127.0.0.1", 0)
        self.port = serving.port_of(self.listener)
        self.loop = connections.Connections(
            self.listener, Site(root, False, "token", root, live, hosts("", "127.0.0.1")))
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def client(self):
        return Client("http://127.0.0.1:%d" % self.port, "token")

    def head(self, first, **fields):
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        return head(first, dict({"Host": "localhost", "Authorization": "Bearer token"}, **fields))

    def stop(self):
        self.loop.stop()
        self.thread.join()


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "_LONGEST", {connection.IDLE: 0.8, connection.HEAD: 0.4, connection.BODY: 0.4, connection.LEAVING: 0.2})
    monkeypatch.setattr(connections, "_SWEEP_PAUSE", 0.02)
    monkeypatch.setattr(connections, "_LONGEST_SILENCE", 0.3)
    monkeypatch.setattr(connections, "MOST", 10)
    one = Inside(dashboard.opened(str(tmp_path / ".queuectl")).root)
    yield one
    one.stop()


def test_a_request_that_does_not_arrive_is_told_so(inside):
    whole = inside.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=50)
    for begun in (b"G", whole[:30], whole, whole + b"{"):
        with inside.client() as client:
            client.send(begun)
            answer = client.answer()
            assert answer.status == 408 and answer.error() and answer.header("connection") == "close"
            assert client.is_closed()


def test_a_request_that_comes_drop_by_drop_does_not_stay(inside):
    with inside.client() as client:
        begin = time.monotonic()
        client.send(b"GET /healthz HTTP/1.1\r\nX: ")
        with pytest.raises(ConnectionError):
            while time.monotonic() < begin + 20:
                client.send(b"x")
                time.sleep(0.01)
        assert time.monotonic() - begin < 10


def test_an_idle_connection_is_closed_without_a_word(inside):
    with inside.client() as client, inside.client() as silent:
        assert client.request("GET", "/healthz").status == 200
        assert client.is_closed() and silent.is_closed()


def big_answers(monkeypatch, length):
    big = routes.Route("GET", "/healthz", lambda request, site: Answer(200, "text/plain", b"x" * length), "")
    monkeypatch.setattr(routes, "ROUTES", (big,))


def test_who_takes_nothing_is_closed(inside, monkeypatch):
    big_answers(monkeypatch, 50000000)
    with inside.client() as client:
        client.send(inside.head("GET /healthz HTTP/1.1"))
        wait_until(lambda: any(each.wants_to_write() for each in list(inside.loop._all)), "it takes no more")
        wait_until(lambda: not inside.loop._all, "the connection was dropped")
        assert len(client.socket.recv(100)) == 100
    with inside.client() as client:
        # Slowly, but again and again.
        client.send(inside.head("GET /healthz HTTP/1.1"))
        got = 0
        while got < 50000000:
            got += len(client.socket.recv(3000000))
            time.sleep(0.05)


def test_who_takes_an_answer_slowly_makes_room_in_the_end(inside, monkeypatch):
    monkeypatch.setattr(connections, "_LONGEST_SILENCE", 60)
    big_answers(monkeypatch, 5000000)
    crowd = [inside.client() for _ in range(10)]
    for client in crowd:
        client.send(inside.head("GET /healthz HTTP/1.1"))
    wait_until(lambda: sum(each.wants_to_write() for each in list(inside.loop._all)) == 10, "none takes any more")
    with inside.client() as late:
        assert late.answer().status == 503
    monkeypatch.setattr(room, "_LONG_ENOUGH", 0)
    wait_until(lambda: len(inside.loop._all) == 10, "the late one has left")
    with inside.client() as late:
        assert late.request("GET", "/healthz").status == 200
    for client in crowd:
        client.close()


def test_what_is_kept_for_all_together_is_bounded(inside, monkeypatch):
    monkeypatch.setattr(connections, "_LONGEST_SILENCE", 60)
    monkeypatch.setattr(room, "MOST_HELD", 15000000)
    big_answers(monkeypatch, 10000000)
    with inside.client() as slow, inside.client() as other:
        slow.send(inside.head("GET /healthz HTTP/1.1"))
        wait_until(lambda: any(each.wants_to_write() for each in list(inside.loop._all)), "it takes no more")
        answer = other.request("GET", "/healthz")
        assert answer.status == 503 and answer.header("retry-after") == "1" and other.is_closed()
        assert len(slow.answer().body) == 10000000
    with inside.client() as other:
        assert other.request("GET", "/healthz").status == 200


def test_large_bodies_that_are_not_sent_keep_no_room_for_ever(inside, monkeypatch):
    monkeypatch.setattr(room, "MOST_HELD", 5000000)
    begun = inside.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=4000000)
    with inside.client() as slow, inside.client() as other:
        slow.send(begun)
        wait_until(lambda: any(each.state == connection.BODY for each in list(inside.loop._all)), "it has begun")
        other.send(begun)
        assert other.answer().status == 503
        # Small ones find their room.
        with inside.client() as third:
            assert third.request("GET", "/healthz").status == 200
        assert slow.answer().status == 408
    with inside.client() as other:
        other.send(begun + b" " * 4000000)
        assert other.answer().status == 400


@pytest.fixture
def streaming(tmp_path, monkeypatch):
    """The same, where /healthz is an event stream, and /api/status is not."""
    monkeypatch.setattr(connections, "_SWEEP_PAUSE", 0.02)
    monkeypatch.setattr(connections, "MOST", 10)
    monkeypatch.setattr(routes, "ROUTES", (
        routes.Route("GET", "/healthz", lambda *_: Answer(200, "text/event-stream", b"", {}, 0), ""),
        routes.Route("GET", "/api/status", lambda *_: Answer(200, "text/plain", b""), "")))
    one = Inside(str(tmp_path), SimpleNamespace(ring=Ring(), listeners=0))
    yield one
    one.stop()


def test_a_stream_shows_that_it_lives(streaming, monkeypatch):
    monkeypatch.setattr(connections, "_COMMENT_PAUSE", 0.1)
    with streaming.client() as client:
        client.send(streaming.head("GET /healthz HTTP/1.1"))
        data = b""
        while data.count(b"\n\n") < 5:
            data += client.socket.recv(1000)
        assert data.partition(b"\r\n\r\n")[2].startswith(b":\n\n:\n\n:\n\n")


def test_streams_leave_room_for_requests(streaming):
    crowd = [streaming.client() for _ in range(8)]
    for client in crowd:
        client.send(streaming.head("GET /healthz HTTP/1.1"))
    wait_until(lambda: len(streaming.loop._streams) == 8, "they listen")
    with streaming.client() as late:
        answer = late.request("GET", "/healthz")
        assert answer.status == 503 and answer.header("retry-after")
    with streaming.client() as client:
        assert client.request("GET", "/api/status").status == 200
    crowd.pop().close()
    wait_until(lambda: len(streaming.loop._streams) == 7, "one has left")
    crowd.append(streaming.client())
    crowd[-1].send(streaming.head("GET /healthz HTTP/1.1"))
    wait_until(lambda: len(streaming.loop._streams) == 8, "another one listens")
    for client in crowd:
        client.close()


def test_when_there_are_too_many_those_who_wait_the_longest_make_room(inside, monkeypatch):
    monkeypatch.setattr(connections, "_LONGEST", {connection.LEAVING: 0.2})
    crowd = [inside.client() for _ in range(10)]
    crowd[0].send(b"GET / HT")
    for client in crowd[1:]:
        assert client.request("GET", "/healthz").status == 200
    newest = inside.client()
    assert newest.request("GET", "/healthz").status == 200
    # Of those who have begun nothing the first one that asked.
    wait_until(lambda: is_over(crowd[1]), "the longest idle one was closed")
    assert not any(is_over(client) for client in crowd[2:] + crowd[:1] + [newest])
    for client in crowd + [newest]:
        client.close()


def test_when_all_are_busy_the_next_is_asked_to_come_again(inside, monkeypatch):
    monkeypatch.setattr(connections, "_LONGEST", {connection.LEAVING: 0.2})
    crowd = [inside.client() for _ in range(10)]
    for client in crowd:
        client.send(inside.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=50) + b"{")
    wait_until(lambda: sum(each.state == connection.BODY for each in list(inside.loop._all)) == 10, "all have begun")
    with inside.client() as client:
        answer = client.answer()
        assert answer.status == 503 and answer.header("retry-after") == "1"
        assert client.is_closed()
    for client in crowd:
        client.close()
    wait_until(lambda: not inside.loop._all, "they have left")
    with inside.client() as client:
        assert client.request("GET", "/healthz").status == 200
