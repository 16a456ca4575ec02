"""Rows: the dashboard: a page of a large store, what 20 and 200 open event streams cost, how soon an event is there."""

import http.client
import json
import random
import re
import select
import signal
import socket
import statistics
import subprocess
import time

import ground
import processes
import rows
import timing

FEW = 1000
MANY = 20000
MILLION = 1000000
PAGES = 20
OPEN = 20
IDLE = 200
EVENTS = 10
# Every change is told at once and brings a new status, once a second at most: with this pace both come in the same number.
PACE = 0.5


def measurements(here):
    found = [rows.Measurement("first page of /api/jobs, %d jobs" % count, lambda count=count: first_page(here, count))
             for count in ([MANY, MILLION] if here.full else [MANY])]
    found.append(rows.Measurement("from enqueue acknowledged to its event", lambda: latency(here)))
    if processes.SUPPORTED:
        found.append(rows.Measurement("an update to %d open streams" % OPEN, lambda: readings(here)))
        found.append(rows.Measurement("%d idle event streams" % IDLE, lambda: idle(here)))
    return found


class Dashboard:
    """A running dashboard, for `with`."""

    def __init__(self, here, store):
        self._here = here
        self._store = store

    def __enter__(self):
        with open(self._here.log, "ab") as log:
            self._process = self._here.begin(ground.PYTHON + [self._here.tree, "dashboard", "--port", "0"], self._store,
                                             stdout=subprocess.PIPE, stderr=log)
        printed = self._process.stdout.readline().decode()
        self.host, port, self._token = re.match(r"http://([^:]+):(\d+)/\?token=(\S+)", printed).groups()
        self.port = int(port)
        self.pid = self._process.pid
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        self._streams = []
        return self

    def __exit__(self, *exception):
        self._connection.close()
        self.close_streams()
        self._process.send_signal(signal.SIGINT)
        self._here.ended(self._process)

    @property
    def headers(self):
        return {"Authorization": "Bearer " + self._token}

    def get(self, path):
        """(the document at a path, seconds it took), over a connection that stays open."""
        begin = timing.now()
        self._connection.request("GET", path, headers=self.headers)
        answer = self._connection.getresponse()
        body = answer.read()
        taken = timing.now() - begin
        if answer.status != 200:
            raise RuntimeError("%d of %s: %s" % (answer.status, path, body[:200]))
        return json.loads(body.decode()), taken

    def stream(self):
        """An event stream that has begun: its Stream."""
        self._streams.append(Stream(self))
        return self._streams[-1]

    def close_streams(self):
        for stream in self._streams:
            stream.socket.close()
        del self._streams[:]


class Stream:
    """An open event stream: what has come by it is in `data`."""

    def __init__(self, dashboard):
        self.socket = socket.create_connection((dashboard.host, dashboard.port), timeout=60)
        lines = ["GET /api/events HTTP/1.1", "Host: %s:%d" % (dashboard.host, dashboard.port)]
        lines += ["%s: %s" % header for header in dashboard.headers.items()]
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        self.data = b""
        self.wait_for(b"event: status")
        if b" 200 " not in self.data.partition(b"\n")[0]:
            raise RuntimeError(self.data[:200])

    def receive(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise RuntimeError("the server has closed an event stream")
        self.data += data

    def wait_for(self, text):
        while text not in self.data:
            self.receive()


def first_page(here, count):
    """The cost of a page view, not of one that is kept: each asks for another number of jobs."""
    few, many = filled(here, FEW), filled(here, count)
    with Dashboard(here, few) as small, Dashboard(here, many) as large:
        limits = iter(range(50, 50 + 2 * (PAGES + 1)))
        sides = [lambda one=one: page(one, next(limits)) for one in (small, large)]
        for side in sides:
            side()
        taken = timing.interleaved(PAGES, *sides)
    title = "first page of /api/jobs, %d jobs stored" % count
    yield rows.compared("%s against %d" % (title, FEW), rows.milliseconds, *taken, at_most=1.5)
    yield rows.alone(title + " (median)", "%.1f ms", 1e3 * statistics.median(taken[1]), at_most=100,
                     note=" (worst %.1f)" % (1e3 * max(taken[1])))


def filled(here, count):
    store = here.fresh_store()
    here.fill(store, count)
    return store


def page(dashboard, limit):
    document, taken = dashboard.get("/api/jobs?limit=%d" % limit)
    if len(document["jobs"]) != limit:
        raise RuntimeError("%d jobs instead of %d" % (len(document["jobs"]), limit))
    return taken


def latency(here):
    """Both are seen by one client: the answer to its POST, and the event on its stream."""
    store = filled(here, FEW)
    with Dashboard(here, store) as dashboard:
        stream = dashboard.stream()
        waits = [one_wait(dashboard, stream, "job-%d" % number) for number in range(60 if here.full else 25)]
    yield rows.alone("from enqueue acknowledged to its event in an open stream (median)", "%.0f ms",
                     1e3 * statistics.median(waits), at_most=200, note=" (worst %.0f)" % (1e3 * max(waits)))


def one_wait(dashboard, stream, id):
    # At any moment between two looks of the server.
    time.sleep(random.uniform(0, 0.3))
    connection = http.client.HTTPConnection(dashboard.host, dashboard.port, timeout=60)
    body = json.dumps({"id": id, "command": "true"})
    connection.request("POST", "/api/jobs", body, dict(dashboard.headers, **{"Content-Type": "application/json"}))
    wanted = ('"id":"%s"' % id).encode()
    told = acknowledged = None
    while told is None or acknowledged is None:
        waiting = [stream.socket] * (told is None) + [connection.sock] * (acknowledged is None)
        for ready in select.select(waiting, [], [], 60)[0]:
            if ready is stream.socket:
                stream.receive()
                told = timing.now() if wanted in stream.data else None
            else:
                acknowledged = timing.now()
                if connection.getresponse().status != 201:
                    raise RuntimeError("a job was not taken")
    connection.close()
    return max(0.0, told - acknowledged)


def readings(here):
    """Bytes that the server reads for each event, told to one stream and to many."""
    store = filled(here, FEW)
    with Dashboard(here, store) as dashboard:
        sides = [lambda count=count: bytes_per_event(here, store, dashboard, count) for count in (1, OPEN)]
        for side in sides:
            side()
        taken = timing.interleaved(5 if here.full else 3, *sides)
    yield rows.compared("bytes read for an event: %d open streams against one" % OPEN, kilobytes, *taken, at_most=1.5)


def bytes_per_event(here, store, dashboard, count):
    streams = [dashboard.stream() for _ in range(count)]
    before, begin = processes.bytes_read(dashboard.pid), timing.now()
    for number in range(1, EVENTS + 1):
        id = here.call("enqueue", "true", store=store).printed.strip()
        for stream in streams:
            stream.wait_for(('"id":"%s"' % id).encode())
        # As long for many streams as for one: a status is read once a second, whoever listens.
        time.sleep(max(0.0, begin + number * PACE - timing.now()))
    taken = processes.bytes_read(dashboard.pid) - before
    dashboard.close_streams()
    return taken / EVENTS


def kilobytes(number):
    return "%.1f KB" % (number / 1000)


def idle(here):
    store = filled(here, FEW)
    with Dashboard(here, store) as dashboard:
        dashboard.get("/api/status")
        yield rows.alone("CPU of an idle dashboard, nobody listening, of one core", "%.2f %%", share(here, dashboard), at_most=0.2)
        streams = [dashboard.stream() for _ in range(IDLE)]
        yield rows.alone("CPU of %d idle event streams, of one core" % IDLE, "%.2f %%", share(here, dashboard), at_most=1)
        for stream in streams:
            if select.select([stream.socket], [], [], 0)[0]:
                stream.receive()
        yield rows.alone("memory of %d idle event streams" % IDLE, "%.1f MB", processes.memory(dashboard.pid) / 1e6, at_most=60)


def share(here, dashboard):
    """Percent of a core that the server takes, in a while that begins when it has come to rest."""
    time.sleep(2)
    span = 60 if here.full else 10
    before = processes.all_cpu(dashboard.pid)
    time.sleep(span)
    return 100 * (processes.all_cpu(dashboard.pid) - before) / span
