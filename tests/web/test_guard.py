"""Who may ask the dashboard for what: its owner, from its own page or with the token, and nobody's page else."""

import re
from email.message import Message

import pytest

from queuectl_lib.faces.web import guard, tickets
from queuectl_lib.faces.web.message import Refused

PLACES = ["/", "/api", "/api/status", "/api/jobs", "/api/jobs/x", "/api/workers", "/api/events", "/metrics", "/static/page.css",
          "/nothing"]
READ = {"Authorization": None}


@pytest.mark.short
def test_nothing_is_told_without_the_token(server, queue):
    queue.enqueue("echo secret")
    for path in PLACES:
        for given in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x" + server.token}, {"Authorization": server.token},
                      {"Authorization": "Basic " + server.token}, {"Cookie": server.cookie + "x"}, {"Cookie": "queuectl_1=" + server.token},
                      {"Authorization": "Bearer \x7e"}, {"Cookie": server.cookie.partition("=")[0]}):
            answer = server.gets(path, **dict(READ, **given))
            assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer"), (path, given)
            assert "secret" not in answer.error()
        answer = server.gets(path + "?token=" + server.token[:-1], **READ)
        assert answer.status == 401
    assert server.gets("/api/status?token=" + server.token, **READ).status == 401


def test_the_token_opens_as_bearer_and_as_cookie(server):
    assert server.gets("/api/status").status == 200
    assert server.gets("/api/status", Authorization="bearer " + server.token).status == 200
    assert server.gets("/api/status", Authorization=None, Cookie=server.cookie).status == 200
    beside = 'odd={"a": [1, 2]}; =; @@; queuectl_1=x; name=J\xc3\xb6rg; %s; last="' % server.cookie
    assert server.gets("/api/status", Authorization=None, Cookie=beside).status == 200


@pytest.mark.short
def test_an_address_with_the_token_becomes_one_without_and_a_cookie(server):
    answer = server.gets("/?state=dead&token=%s&search=a%%26b+c&state=failed" % server.token, **READ)
    assert answer.status == 303 and answer.body == b""
    assert answer.header("location") == "/?state=dead&state=failed&search=a%26b+c"
    name, _, rest = answer.header("set-cookie").partition("=")
    assert name == server.cookie.partition("=")[0]
    assert rest == server.token + "; Path=/; HttpOnly; SameSite=Strict"
    assert server.gets("/?token=" + server.token, **READ).header("location") == "/"
    assert server.gets("/?token=old", Authorization=None, Cookie=server.cookie).status == 303


def test_a_person_without_the_token_is_asked_for_it(server):
    answer = server.gets('/?state=dead&search="><script>x</script>', Authorization=None, Accept="text/html,*/*;q=0.8")
    page = answer.body.decode()
    assert answer.status == 401 and answer.header("content-type").startswith("text/html")
    assert 'name="token"' in page and '<form method="get" action="/">' in page and "queuectl dashboard" in page
    assert "<script" not in page and "style=" not in page and server.token not in page
    rules = answer.header("content-security-policy").split("; ")
    assert rules[0] == "default-src 'none'" and "frame-ancestors 'none'" in rules and "unsafe" not in str(rules)
    assert dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)) == {
        "state": "dead", "search": "&quot;&gt;&lt;script&gt;x&lt;/script&gt;"}


def test_a_wrong_token_does_not_stay_in_the_address_and_is_told_to_be_wrong(server):
    page = {"Authorization": None, "Accept": "text/html,*/*;q=0.8"}
    answer = server.gets("/?token=secret-of-another&state=dead", **page)
    assert (answer.status, answer.header("location"), answer.header("set-cookie")) == (303, "/?state=dead&wrong-token=", None)
    assert server.gets("/?token=x", **page).header("location") == "/?wrong-token="
    answer = server.gets(answer.header("location"), **page)
    assert answer.status == 401 and "That is not the token" in answer.body.decode()
    assert "wrong-token" not in answer.body.decode()
    assert "That is not the token" not in server.gets("/?state=dead", **page).body.decode()
    assert server.gets("/?wrong-token=&state=dead&token=%%20%s%%20" % server.token, **page).header("location") == "/?state=dead"
    assert server.gets("/api/status", Authorization="Bearer x").error().startswith("that is not the token")
    assert server.gets("/api/status", Authorization=None, Cookie=server.cookie + "x").error().startswith("that is not the token")
    assert server.gets("/api/status", Authorization=None).error().startswith("there is no token")


def test_health_is_told_to_anybody_and_tells_nothing(server):
    answer = server.gets("/healthz", **READ)
    assert answer.status == 200 and answer.json() == {"ok": True}
    assert server.posts("/healthz", Authorization=None).status == 401


@pytest.mark.short
def test_the_server_answers_to_its_own_names_alone(server):
    def status(host, path="/healthz"):
        return server.gets(path, Host=host).status
    for name in ("127.0.0.1", "localhost", "LocalHost", "[::1]"):
        assert [status(name), status(name + ":%d" % server.port), status(name + ":9999")] == [200, 200, 200]
    for name in ("elsewhere.example", "127.0.0.1.elsewhere.example", "localhost.", "127.0.0.2", "0.0.0.0", "[::2]", "0", "2130706433"):
        assert [status(name), status(name + ":%d" % server.port)] == [403, 403], name
    for odd in ("", ":80", "localhost:", "localhost:x", "user@localhost", "localhost/", "a b", "[localhost]", "localhost, x", "[::1", "localhost:123456"):
        assert status(odd) == 400, odd
    assert status(None) == 403
    twice = server.head("GET /healthz HTTP/1.1")[:-2] + b"Host: localhost\r\n\r\n"
    assert server.sends(twice).status == 403


def test_no_page_of_another_site_can_change_anything(server, queue):
    job = queue.enqueue("--hold", "true")
    mine = {"Origin": server.address, "Sec_Fetch_Site": "same-origin"}

    def status(**fields):
        return server.posts("/api/jobs/%s/release" % job, **dict({"Authorization": None, "Cookie": server.cookie}, **fields)).status
    for origin in ("http://elsewhere.example", "null", "", server.address + ".example", server.address + "0", "file://",
                   "http://localhost:%d" % server.port, "ftp://" + server.host, server.host):
        assert status(Origin=origin) == 403, origin
        assert status(Origin=origin, Sec_Fetch_Site="same-origin") == 403, origin
        assert server.posts("/api/jobs/%s/release" % job, Origin=origin).status == 403, origin
    for site in ("cross-site", "same-site", "", "x"):
        assert status(Sec_Fetch_Site=site) == 403, site
        assert status(Sec_Fetch_Site=site, Origin=server.address) == 403, site
    assert status() == 403
    assert queue.job(job)["held"]
    assert status(**mine) == 200
    assert not queue.job(job)["held"]


def test_one_proof_of_where_a_change_comes_from_is_enough(server, queue):
    ways = [dict(Origin=server.address), dict(Sec_Fetch_Site="same-origin"), dict(Sec_Fetch_Site="none"),
            dict(Origin=server.address.upper()), dict(Origin="https://" + server.host)]
    for way in ways:
        job = queue.enqueue("--hold", "true")
        answer = server.posts("/api/jobs/%s/release" % job, Authorization=None, Cookie=server.cookie, **way)
        assert answer.status == 200, way
    # What comes through a tunnel has its own port in both.
    job = queue.enqueue("--hold", "true")
    assert server.posts("/api/jobs/%s/release" % job, Authorization=None, Cookie=server.cookie, Host="localhost:9000",
                        Origin="http://localhost:9000").status == 200


def test_a_proxy_may_have_a_name_of_its_own(serve, queue):
    server = serve("--name", "Queue.example")
    for host in ("queue.example", "queue.example:8443", server.host):
        assert server.gets("/api/status", Host=host).status == 200
        for origin in ("https://queue.example", "http://queue.example"):
            job = queue.enqueue("--hold", "true")
            assert server.posts("/api/jobs/%s/release" % job, Host=host, Origin=origin).status == 200
        for origin in ("https://queue.example:9", "https://x.queue.example", "https://elsewhere.example"):
            assert server.posts("/api/jobs/%s/hold" % job, Host=host, Origin=origin).status == 403
    assert server.gets("/api/status", Host="elsewhere.example").status == 403
    assert "want a host's name" in queue.run("dashboard", "--name", "http://queue.example", code=2).err


@pytest.mark.short
def test_a_body_has_to_be_called_json(server):
    for kind in (None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", "application/jsonx", "a/b, application/json"):
        answer = server.posts("/api/jobs", {"command": "true"}, Content_Type=kind)
        assert answer.status == 415, kind
        assert "application/json" in answer.error()
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        assert server.posts("/api/jobs", {"command": "true"}, Content_Type=kind).status == 201


@pytest.mark.short
def test_a_read_only_dashboard_changes_nothing(serve, queue):
    job = queue.enqueue("true")
    server = serve("--read-only")
    before = queue.snapshot()
    for method, path in (("POST", "/api/jobs"), ("POST", "/api/jobs/%s/cancel" % job), ("DELETE", "/api/jobs/" + job),
                         ("PATCH", "/api/jobs/" + job), ("POST", "/api/jobs/retry"), ("POST", "/nothing"), ("PUT", "/api/jobs")):
        with server.client(server.token) as client:
            answer = client.ask(method, path, {"command": "true"})
            assert (answer.status, answer.error()) == (403, "this dashboard is read-only"), (method, path)
    assert server.gets("/api/jobs/" + job).json()["state"] == "pending"
    assert queue.snapshot() == before


def test_the_token_of_a_read_only_dashboard_opens_no_other(serve, queue):
    job = queue.enqueue("--env", "KEY=secret", "true")
    looking, full = serve("--read-only"), serve()
    assert looking.token != full.token and len(looking.token) == len(full.token)
    assert serve("--read-only").token == looking.token
    for given in ({"Authorization": "Bearer " + looking.token}, {"Cookie": full.cookie.replace(full.token, looking.token)}):
        assert full.gets("/api/status", **dict(READ, **given)).status == 401
    assert full.gets("/?token=" + looking.token, **READ).status == 401
    assert looking.gets("/api/status", Authorization="Bearer " + full.token).status == 200
    assert looking.gets("/?token=" + full.token, **READ).header("set-cookie").startswith(looking.cookie + ";")
    answer = looking.gets("/api/jobs/%s?reveal=true" % job)
    assert answer.status == 403 and "secret" not in answer.error()
    assert "secret" not in looking.gets("/api/jobs/" + job).body.decode()


def test_a_wrong_token_costs_nothing(server):
    server.is_at_rest()
    threads = server.figure("Threads")
    before = server.processor_seconds()
    for number in range(1000):
        assert server.sends(server.head("GET /api/jobs HTTP/1.1", Authorization="Bearer %d" % number)).status == 401
    wrong = server.processor_seconds() - before
    before = server.processor_seconds()
    for _ in range(1000):
        assert server.sends(server.head("GET /api/jobs HTTP/1.1")).status == 200
    assert wrong < server.processor_seconds() - before
    assert server.figure("Threads") == threads


# --- as functions

def headers(*pairs):
    found = Message()
    for name, value in pairs:
        found[name] = value
    return found


def test_at_all_addresses_any_address_is_a_name_and_the_machines_too(monkeypatch):
    monkeypatch.setattr(guard.socket, "gethostname", lambda: "Box")
    names = guard.hosts("0.0.0.0", "0.0.0.0")
    for host in ("10.1.2.3", "10.1.2.3:8000", "[2001:db8::1]:8000", "box", "BOX:80", "localhost"):
        assert guard.host_of(headers(("Host", host)), names) == host.lower()
    for host in ("elsewhere.example", "10.1.2.3.example", "1.2.3", "[1::2::3]"):
        with pytest.raises(Refused) as refused:
            guard.host_of(headers(("Host", host)), names)
        assert refused.value.status == 403


def test_at_one_address_only_that_is_a_name():
    names = guard.hosts("Box.example", "10.1.2.3")
    assert guard.host_of(headers(("Host", "box.example:8000")), names) == "box.example:8000"
    for host in ("10.1.2.4", "other.example"):
        with pytest.raises(Refused):
            guard.host_of(headers(("Host", host)), names)
    # That is the one which is printed.
    assert guard.host_of(headers(("Host", "10.1.2.3:8000")), names) == "10.1.2.3:8000"
    assert "[2001:db8::1]" in guard.hosts("2001:db8::1", "2001:db8::1")
    assert guard.host_of(headers(("Host", "[fe80::1]:8000")), guard.hosts("fe80::1%eth0", "fe80::1%eth0")) == "[fe80::1]:8000"
    assert "*" not in guard.hosts("127.0.0.1", "127.0.0.1") | guard.hosts("fe80::1%eth0", "fe80::1%eth0")


def test_each_of_several_origins_counts():
    many = headers(("Origin", "http://a"), ("Origin", "http://b"))
    with pytest.raises(Refused):
        guard.check_change(many, "a", False, False)
    guard.check_change(headers(("Origin", "http://a")), "a", True, False)


def test_a_ticket_lets_in_one_and_only_soon():
    now = [0]
    given = tickets.Tickets(lambda: now[0])
    first, second, third = (given.make() for _ in range(3))
    assert not given.take("x") and given.take(second) and not given.take(second) and given.take(first)
    now[0] = 61
    assert not given.take(third)


def test_cookies_of_two_stores_do_not_take_each_other_away():
    """Whatever the ports of their servers, which through tunnels need not be those of their addresses."""
    assert guard.cookie_name("a") != guard.cookie_name("b") and re.fullmatch(r"queuectl_\w+", guard.cookie_name("a"))


def test_tokens_are_compared_whole_and_may_be_any_text():
    assert guard.same("abc", "abc")
    assert not any(guard.same(text, "abc") for text in ("", "ab", "abcd", "abd", "\udc80", "\u00e9"))
