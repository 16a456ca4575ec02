"""What the server makes of bytes: whole requests are answered in their order, odd ones refused, and nothing in between."""

import json
import socket
import subprocess

import pytest

KB = 1024
MB = 1024 * KB


def test_a_connection_serves_one_request_after_another(server):
    with server.client(server.token) as client:
        assert [client.request("GET", "/api/status").status for _ in range(3)] == [200, 200, 200]
        assert client.request("GET", "/nothing").status == 404
        assert client.request("GET", "/api/jobs").json()["jobs"] == []


@pytest.mark.short
def test_requests_that_are_sent_at_once_are_answered_in_their_order(server):
    body = b'{"command": "true", "id": "first"}'
    with server.client() as client:
        client.send(
            server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=len(body)) + body
            + server.head("GET /api/jobs/first HTTP/1.1") + server.head("GET /nothing HTTP/1.1")
            + server.head("HEAD /api/jobs HTTP/1.1") + server.head("GET /healthz HTTP/1.1", Connection="close"))
        assert client.answer().status == 201
        assert client.answer().json()["id"] == "first"
        assert client.answer().status == 404
        assert client.answer("HEAD").header("content-length")
        assert client.answer().json() == {"ok": True}
        assert client.is_closed()


def test_a_request_may_come_byte_by_byte(server):
    body = b'{"command": "true"}'
    with server.client() as client:
        data = server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=len(body)) + body
        for at in range(len(data)):
            client.send(data[at:at + 1])
        assert client.answer().status == 201


def test_a_client_that_has_said_all_still_gets_its_answer(server):
    with server.client() as client:
        client.send(server.head("GET /api/status HTTP/1.1") * 2)
        client.end_sending()
        assert client.answer().status == 200
        assert client.answer().status == 200
        assert client.is_closed()


def test_a_head_has_the_length_of_the_body_that_is_left_out(server):
    got = server.gets("/api/jobs")
    with server.client(server.token) as client:
        left_out = client.request("HEAD", "/api/jobs")
        assert left_out.body == b"" and client.request("GET", "/healthz").status == 200
    assert left_out.header("content-length") == str(len(got.body))


def test_the_connection_stays_as_long_as_the_client_wants(server):
    def stays(first, **fields):
        with server.client() as client:
            client.send(server.head(first, **fields))
            answer = client.answer()
            assert answer.status == 200
            if answer.header("connection") == "close":
                assert client.is_closed()
                return False
            client.send(server.head("GET /healthz HTTP/1.1"))
            return client.answer().status == 200
    assert stays("GET /healthz HTTP/1.1")
    assert not stays("GET /healthz HTTP/1.1", Connection="close")
    assert not stays("GET /healthz HTTP/1.0")
    assert stays("GET /healthz HTTP/1.0", Connection="keep-alive")


def test_empty_lines_before_a_request_are_passed_over(server):
    assert server.sends(b"\r\n\r\n" + server.head("GET /api/status HTTP/1.1")).status == 200


# --- bodies

def test_a_body_of_the_largest_size_comes_through(server):
    text = json.dumps([{"command": "true"}]).encode()
    body = text[:-1] + b" " * (4 * MB - len(text)) + b"]"
    assert len(body) == 4 * MB
    with server.client(server.token) as client:
        assert client.request("POST", "/api/jobs", body).status == 201


def test_a_body_that_is_larger_is_refused_before_it_is_read(server):
    first = server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=4 * MB + 1)
    answer = server.sends_and_is_left(first)
    assert answer.status == 413 and "4 MB" in answer.error()


def test_a_client_that_sends_all_of_a_refused_body_can_read_why(server):
    first = server.head("POST /api/jobs HTTP/1.1", Content_Type="application/json", Content_Length=6 * MB)
    with server.client() as client:
        client.send(first)
        for _ in range(6):
            client.send(b"x" * MB)
        assert client.answer().status == 413


def test_a_body_is_not_asked_for_in_vain(server):
    def expecting(**fields):
        with server.client() as client:
            client.send(server.head("POST /api/jobs HTTP/1.1", Expect="100-continue", Content_Type="application/json",
                                    Content_Length=19, **fields))
            first = client.answer("HEAD").status
            if first != 100:
                # The error, and the end of the connection.
                assert client.rest().endswith(b"}\n")
                return [first]
            client.send(b'{"command": "true"}')
            return [first, client.answer().status]
    assert expecting() == [100, 201]
    assert expecting(Authorization="Bearer wrong") == [401]
    assert expecting(Origin="http://elsewhere.example") == [403]


def test_curl_can_send_what_it_asks_about_first(server, queue):
    path = queue.write("jobs.json", json.dumps([{"command": "true", "env": {"A": "x" * 1000}}] * 1500))
    done = subprocess.run(["curl", "-sS", "-w", " %{http_code}", "-H", "Authorization: Bearer " + server.token,
                           "-H", "Content-Type: application/json", "-H", "Expect: 100-continue", "--data-binary", "@" + path,
                           "-o", queue.path("answer"), server.address + "/api/jobs"], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b" 201" and len(json.loads(queue.text("answer"))["ids"]) == 1500


# --- what is refused

def test_what_two_readers_could_read_differently_is_refused(server):
    good = server.head("POST /api/jobs HTTP/1.1")[:-2]
    body = b'{"command": "true"}'
    lines = {
        b"Content-Length: 19\r\nContent-Length: 19": 400, b"Content-Length: 19\r\nContent-Length: 5": 400,
        b"Content-Length: 19, 19": 400, b"Content-Length: +19": 400, b"Content-Length: -1": 400,
        b"Content-Length: 0x13": 400, b"Content-Length: 1_9": 400, b"Content-Length: ": 400,
        b"Content-Length: \xb2\xb3": 400, b"Content-Length: 19\r\nTransfer-Encoding: chunked": 400,
        b"Transfer-Encoding: chunked": 411, b"Transfer-Encoding: gzip, chunked": 501,
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity": 501,
        b"Content-Length : 19": 400, b" Content-Length: 19": 400, b"X: a\r\n b": 400, b"X: a\r\n\tb": 400,
        b"Content-Length: 19\r\nX": 400, b": x": 400, b"X\0: y": 400, b"X: y\0": 400, b"X: a\rb": 400, b"X: a\nY: b": 400,
        b"X(: y": 400, b"X\xc3\xa9: y": 400, b"X: \x7f": 400,
        b"Content-Length: 19\xa0": 400, b"Content-Length: \x8519": 400, b"Transfer-Encoding: chunked\xa0": 501}
    found = {}
    for line in lines:
        answer = server.sends_and_is_left(good + b"Content-Type: application/json\r\n" + line + b"\r\n\r\n" + body)
        found[line] = answer.status
        assert answer.error()
    assert found == lines
    assert server.gets("/api/jobs").json()["jobs"] == []


@pytest.mark.short
def test_odd_request_lines_are_refused(server):
    wanted = {
        b"GET /": 400, b"GET  / HTTP/1.1": 400, b"GET /  HTTP/1.1": 400, b"GET / HTTP/1.1 ": 400, b"GET / x HTTP/1.1": 400,
        b"GET\t/ HTTP/1.1": 400, b"GET / HTTP/2.0": 505, b"GET / HTTP/0.9": 505, b"GET / HTTP/1.2": 505,
        b"GET / HTTP/1": 400, b"GET / HTTP/1.1.1": 400, b"GET / http/1.1": 400, b"GET / FTP/1.1": 400, b"GET / HTTP/.": 400,
        b"PRI * HTTP/2.0": 505, b"CONNECT here:1 HTTP/1.1": 501, b"TRACE / HTTP/1.1": 501, b"get / HTTP/1.1": 501,
        b"OPTIONS * HTTP/1.1": 400, b"OPTIONS /api/jobs HTTP/1.1": 405, b"PUT /api/jobs HTTP/1.1": 405,
        b"GET /%zz HTTP/1.1": 400, b"GET /% HTTP/1.1": 400, b"GET /api/jobs/%00 HTTP/1.1": 400, b"GET /%ff HTTP/1.1": 400,
        b"GET /api/jobs?search=%ff HTTP/1.1": 400, b"GET /api/jobs?search=%2 HTTP/1.1": 400, b"GET /api/jobs#x HTTP/1.1": 400,
        b"GET /\xc3\xa9 HTTP/1.1": 400, b"GET /\x00 HTTP/1.1": 400, b"GET x HTTP/1.1": 400, b"GET * HTTP/1.1": 400,
        b"GET /api/jobs/%2e%2e HTTP/1.1": 404, b"GET /static/..%2findex.html HTTP/1.1": 404,
        b"GET /static/..%5cindex.html HTTP/1.1": 404, b"GET /api/status// HTTP/1.1": 404}
    found = {}
    for line in wanted:
        answer = server.sends(line + server.head(""))
        found[line] = answer.status
        assert answer.error()
    assert found == wanted


def test_a_whole_address_is_taken_where_it_is_one_of_this_server(server):
    def status(target):
        return server.sends(server.head("GET %s HTTP/1.1" % target)).status
    assert status("http://%s/api/status" % server.host) == 200
    assert status("http://elsewhere.example/api/status") == 400
    assert status("http://%s@elsewhere.example/api/status" % server.host) == 400
    assert status("ftp://%s/api/status" % server.host) == 400
    assert status("http://[/api/status") == 400


def test_a_method_that_a_place_does_not_have_is_told_which_it_has(server):
    with server.client(server.token) as client:
        answer = client.request("DELETE", "/api/status")
    assert answer.status == 405 and answer.header("allow").split(", ")[0] == "GET"


def test_heads_are_bounded(server):
    assert server.sends_and_is_left(b"GET /" + b"x" * 17 * KB).status == 414
    assert server.sends_and_is_left(b"GET /" + b"x" * 17 * KB + b" HTTP/1.1\r\n\r\n").status == 414
    assert server.sends_and_is_left(b"GET / HTTP/1.1\r\nX: " + b"x" * 17 * KB).status == 431
    assert server.sends_and_is_left(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4 * KB).status == 431
    assert server.sends_and_is_left(server.head("GET / HTTP/1.1")[:-2] + b"X: y\r\n" * 200 + b"\r\n").status == 431
    assert server.gets("/api/jobs?search=" + "x" * 15 * KB).status == 200


def test_what_is_no_http_is_answered_at_once(server):
    assert server.sends_and_is_left(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").status == 400
    assert server.sends_and_is_left(b"\0").status == 400


def test_line_ends_alone_end_a_head_and_are_refused(server):
    assert server.sends_and_is_left(b"GET /healthz HTTP/1.1\nHost: " + server.host.encode() + b"\n\n").status == 400


def test_every_answer_says_what_may_be_done_with_it(server):
    answers = [server.gets("/api/status"), server.gets("/nothing"), server.gets("/healthz"), server.sends(b"\0"),
               server.sends(b"GET / HTTP/3.0\r\n\r\n"), server.sends(server.head("GET / HTTP/1.1", Authorization=None)),
               server.sends(server.head("GET /?token=%s HTTP/1.1" % server.token)), server.gets("/api/status", Host="x.example")]
    for answer in answers:
        assert answer.header("x-content-type-options") == "nosniff", answer
        assert answer.header("x-frame-options") == "DENY"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("cross-origin-resource-policy") == "same-origin"
        assert answer.header("cache-control") == "no-store"
        rules = answer.header("content-security-policy").split("; ")
        assert rules[0] == "default-src 'none'" and "script-src 'self'" in rules and "frame-ancestors 'none'" in rules
        assert answer.header("access-control-allow-origin") is None
        assert answer.header("server") == "queuectl" and answer.header("date").endswith("GMT")


def test_a_client_may_leave_at_any_time(server):
    whole = server.head("GET /api/status HTTP/1.1")
    for cut in (0, 1, 20, len(whole) - 1, len(whole)):
        for reset in (False, True):
            client = server.client()
            if reset:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.send(whole[:cut])
            client.close()
    assert server.gets("/api/status").status == 200
