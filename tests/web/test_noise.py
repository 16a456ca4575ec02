"""Noise instead of requests: whatever bytes come, the server answers or closes, says nothing of a bug, and serves on."""

import json
import os
import random
import select

import pytest

SEED = int(os.environ.get("QUEUECTL_TEST_SEED", "1"))
ROUNDS = 1500


def requests(server):
    """Good ones, to be spoiled."""
    body = b'{"command": "true", "env": {"A": "b"}}'
    return [
        server.head("GET /api/jobs?state=dead&limit=5 HTTP/1.1"), server.head("GET /?token=%s HTTP/1.1" % server.token),
        server.head("HEAD /metrics HTTP/1.0", Connection="keep-alive"), server.head("GET /static/page.css HTTP/1.1", If_None_Match='"x"'),
        server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=len(body)) + body,
        server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Expect="100-continue", Content_Length=len(body)) + body,
        server.head("POST /api/jobs/x/retry HTTP/1.1", Authorization=None, Cookie=server.cookie, Origin=server.address),
        server.head("DELETE /api/jobs/x HTTP/1.1", Transfer_Encoding="chunked") + b"5\r\nhello\r\n0\r\n\r\n"]


PIECES = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%", b"%00", b"?", b"/", b"\xff", b"HTTP/1.1", b"Host: x\r\n", b"Content-Length: 9\r\n",
          b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Cookie: ;;=;\r\n", b"Origin: null\r\n",
          b"[", b"{", b'"', b"GET / HTTP/1.1\r\n\r\n", b"A" * 3000, b"X: y\r\n" * 120]


def spoiled(data, dice):
    """One of a request's many neighbours."""
    data = bytearray(data)
    for _ in range(dice.randrange(5)):
        at = dice.randrange(len(data) + 1)
        kind = dice.randrange(5)
        if kind == 0:
            data[at:at] = dice.choice(PIECES)
        elif kind == 1:
            del data[at:at + dice.randrange(1, 30)]
        elif kind == 2:
            data[at:at + 1] = bytes([dice.randrange(256)])
        elif kind == 3:
            data[at:at] = data[:dice.randrange(len(data) + 1)]
        else:
            data = data[:at]
    return bytes(data)


def noise(dice):
    return bytes(dice.randrange(256) for _ in range(dice.randrange(1, 400)))


def answers(client):
    """What comes back before the server rests, or leaves; in whole answers."""
    data = b""
    while select.select([client.socket], [], [], 0.02)[0]:
        try:
            more = client.socket.recv(65536)
        except ConnectionResetError:
            break
        if not more:
            break
        data += more
    return data


@pytest.mark.short
def test_no_bytes_make_the_server_complain_or_hang(server):
    dice = random.Random(SEED)
    good = requests(server)
    statuses = set()
    for number in range(ROUNDS):
        data = noise(dice) if number % 5 == 0 else b"".join(spoiled(dice.choice(good), dice) for _ in range(dice.randrange(1, 3)))
        with server.client() as client:
            try:
                client.send(data)
                if dice.random() < 0.5:
                    client.end_sending()
            except (BrokenPipeError, ConnectionResetError):
                pass
            said = answers(client)
        assert said == b"" or said.startswith(b"HTTP/1.1 "), (SEED, number, data, said)
        assert not said.startswith(b"HTTP/1.1 500"), (SEED, number, data)
        statuses.add(said[9:12])
        if number % 100 == 0:
            assert server.gets("/api/status").status == 200, (SEED, number, data)
    # Spoiled, but not all of it beyond recognition.
    assert {b"200", b"400", b"401", b"403"} <= statuses
    assert server.gets("/api/status").status == 200
    assert server.started.errors() == ""


def test_no_document_makes_the_server_complain(server):
    dice = random.Random(SEED)

    def value(depth):
        kinds = [None, True, -1, 1e308, 10 ** 30, "", "true", "\0", "\u202e\ud800", [], {}, "x" * 10000, "1h", "2026-11-22T03:10:00Z"]
        if depth == 0 or dice.random() < 0.6:
            return dice.choice(kinds)
        if dice.random() < 0.5:
            return [value(depth - 1) for _ in range(dice.randrange(4))]
        names = ["command", "id", "queue", "priority", "max_retries", "timeout", "run_at", "after", "env", "cwd", "ids", "state", "all", "reason", "for"]
        return {dice.choice(names): value(depth - 1) for _ in range(dice.randrange(5))}
    with server.client(server.token) as client:
        for _ in range(400):
            document = value(3)
            for path in ("/api/jobs", "/api/jobs/x/retry"):
                answer = client.ask("POST", path, document)
                assert answer.status < 500, (SEED, path, document, answer)
        for body in (b"", b"[" * 100000, b"{" * 100000, b'{"command": NaN}', b"\xff", b"1" * 10000, b'{"command": "\\ud800"}', b"null"):
            assert client.request("POST", "/api/jobs", body).status < 500, body[:50]
    assert json.loads(server.gets("/api/status").body)["states"]["pending"] >= 0
