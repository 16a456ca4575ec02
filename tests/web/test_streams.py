"""Event streams: each gets what the ring has, in order and once; the slow and the dead are let go, the idle cost next to nothing."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.support import PYTHON, ROOT, wait_until
from tests.web.raw import Server
from tests.web.streaming import HELLO, message

MANY = 200


class Streaming(Server):
    """tests/web/streaming.py as a process."""

    def __init__(self, top):
        self.process = subprocess.Popen([PYTHON, "-S", "-m", "tests.web.streaming"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, cwd=ROOT, env=dict(os.environ, PYTHONPATH=ROOT, HOME=top))
        self.started = self.process
        self.address, _, self.token = self.process.stdout.readline().decode().strip().partition("/?token=")
        self.host = self.address[len("http://"):]

    def publish(self, count=1, length=10):
        self.process.stdin.write(b"%d %d\n" % (count, length))
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"\n"

    def listens(self, seen=None):
        """A client whose stream has begun."""
        client = self.client(self.token)
        client.send(self.head("GET /stream HTTP/1.1", Last_Event_ID=seen))
        top = self.reads(client, 0)
        while not top.endswith(HELLO):
            top += self.reads(client, 1)
        assert b" 200 " in top and b"Connection: close" in top and b"Content-Length" not in top
        return client

    def reads(self, client, length):
        """Exactly so many bytes of what comes."""
        data = b""
        while len(data) < length:
            more = client.socket.recv(length - len(data))
            assert more, "the stream has ended"
            data += more
        return data

    def listeners(self):
        return int(self.gets("/listeners").body)

    def wait_for_listeners(self, count):
        wait_until(lambda: self.listeners() == count, "%d streams are open" % count)

    def stop(self):
        out, err = self.process.communicate()
        assert (self.process.returncode, err) == (0, b"")


@pytest.fixture
def server(tmp_path):
    one = Streaming(str(tmp_path))
    yield one
    one.stop()


def test_each_stream_gets_each_message_once_and_in_order(server):
    clients = [server.listens() for _ in range(5)]
    server.wait_for_listeners(5)
    server.publish(3)
    server.publish(1, 1000)
    wanted = b"".join(message(number, 10) for number in (1, 2, 3)) + message(4, 1000)
    for client in clients:
        assert server.reads(client, len(wanted)) == wanted
    late = server.listens()
    server.publish()
    for client in clients + [late]:
        assert server.reads(client, len(message(5, 10))) == message(5, 10)
        client.close()
    server.wait_for_listeners(0)


def test_a_stream_goes_on_behind_what_its_client_has_seen(server):
    server.publish(5)
    client = server.listens(seen=3)
    wanted = message(4, 10) + message(5, 10)
    assert server.reads(client, len(wanted)) == wanted
    client.close()


def test_what_a_listening_client_says_is_passed_over(server):
    client = server.listens()
    client.send(server.head("GET /listeners HTTP/1.1") * 1000)
    server.publish()
    assert server.reads(client, len(message(1, 10))) == message(1, 10)
    client.close()
    server.wait_for_listeners(0)


def test_the_head_of_a_stream_is_no_stream(server):
    with server.client(server.token) as client:
        answer = client.request("HEAD", "/stream")
        assert answer.status == 200 and answer.header("content-length") is None
        assert client.request("GET", "/listeners").body == b"0"


def test_a_slow_client_is_let_go_and_holds_up_nobody(server):
    slow, quick = server.listens(), server.listens()
    # It takes nothing, until it has fallen off the ring: its buffers hold some, the ring 4 MB.
    for _ in range(30):
        server.publish(1, 1000000)
        quick_got = server.reads(quick, len(message(1, 1000000)))
    assert quick_got.endswith(b"x\n\n")
    wait_until(lambda: _is_over(slow), "the slow stream has ended")
    server.wait_for_listeners(1)
    quick.close()
    slow.close()


def _is_over(client):
    try:
        return client.socket.recv(1 << 20) == b""
    except ConnectionResetError:
        return True


def test_clients_that_are_killed_leave_nothing(server):
    script = ("import socket, sys, time\nfor _ in range(50):\n s = socket.create_connection(('127.0.0.1', %d)); s.sendall(%r); s.recv(100)\n"
              " globals().setdefault('kept', []).append(s)\nprint('there', flush=True)\ntime.sleep(600)"
              % (int(server.host.rpartition(":")[2]), server.head("GET /stream HTTP/1.1")))
    for _ in range(3):
        crowd = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert crowd.stdout.readline() == b"there\n"
        server.wait_for_listeners(50)
        server.publish(3)
        os.kill(crowd.pid, signal.SIGKILL)
        crowd.communicate()
        server.publish(3)
        server.wait_for_listeners(0)
    assert len(os.listdir("/proc/%d/fd" % server.process.pid)) < 20


def test_many_idle_streams_cost_next_to_nothing(server):
    before = server.figure("VmRSS")
    clients = [server.listens() for _ in range(MANY)]
    server.wait_for_listeners(MANY)
    server.publish(10, 2000)
    for client in clients:
        assert server.reads(client, 10 * len(message(1, 2000))).endswith(b"x\n\n")
    memory = server.figure("VmRSS")
    threads = server.figure("Threads")
    server.is_at_rest()
    begin, used = time.monotonic(), server.processor_seconds()
    time.sleep(3)
    share = (server.processor_seconds() - used) / (time.monotonic() - begin)
    print("%d kB with %d streams, %d kB before; %.2f %% of a core" % (memory, MANY, before, share * 100))
    assert memory < 60000
    assert share < 0.02
    assert threads < 10
    for client in clients:
        client.close()


def test_what_many_streams_get_is_there_once(server):
    """Slow or not: they share the bytes."""
    clients = [server.listens() for _ in range(50)]
    for client in clients:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server.wait_for_listeners(50)
    before = server.figure("VmRSS")
    server.publish(4, 1000000)
    server.listeners()
    assert server.figure("VmRSS") - before < 30000
    for client in clients:
        client.close()
    server.wait_for_listeners(0)
