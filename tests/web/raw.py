"""The dashboard of a queue as a real process, and clients that say to it what they like."""

import re
import time

from queuectl_lib.faces.web.guard import cookie_name
from tests.rawhttp import Client, head
from tests.support import DEADLINE, wait_until

_ADDRESS = re.compile(r"(http://\S+:(\d+))/\?token=(\S+)")


class Server:
    """`queuectl dashboard`."""

    def __init__(self, queue, *words, env=None):
        self.started = queue.start("dashboard", *words, env=env)
        found = wait_until(self._address, "the dashboard says where it is")
        self.address, self.token = found.group(1), found.group(3)
        self.port = int(found.group(2))
        self.host = self.address[len("http://"):]
        self.cookie = "%s=%s" % (cookie_name(self.token), self.token)

    def _address(self):
        assert self.started.poll() is None, self.started.errors()
        return _ADDRESS.search(self.started.text())

    def client(self, token=None):
        return Client(self.address, token)

    def sends(self, data, method="GET"):
        """The answer to these bytes, on a connection of their own."""
        with self.client() as client:
            client.send(data)
            return client.answer(method)

    def sends_and_is_left(self, data):
        """The same, where the server is to close the connection behind its answer."""
        with self.client() as client:
            client.send(data)
            answer = client.answer()
            assert client.is_closed()
            return answer

    def gets(self, path, method="GET", **headers):
        """The answer to a request with the token."""
        with self.client(self.token) as client:
            return client.request(method, path, **headers)

    def posts(self, path, document=None, **headers):
        with self.client(self.token) as client:
            return client.ask("POST", path, document, **headers)

    def head(self, first, **fields):
        """The bytes of a head that the server has no reason to refuse, but for what is given."""
        given = {"Host": self.host, "Authorization": "Bearer " + self.token}
        given.update({name.replace("_", "-"): value for name, value in fields.items()})
        return head(first, given)

    def figure(self, name):
        """A number of /proc/PID/status: 'Threads', 'VmRSS' (kB)."""
        with open("/proc/%d/status" % self.started.pid) as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def processor_seconds(self):
        with open("/proc/%d/stat" % self.started.pid) as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def is_at_rest(self):
        """Waits until it does nothing: what it was told is done."""
        def rests():
            before = self.processor_seconds()
            time.sleep(0.3)
            return self.processor_seconds() == before
        return wait_until(rests, "the server is at rest")

    def stop(self):
        """Ctrl+C: it ends at once, and has nothing to say."""
        if self.started.poll() is None:
            self.started.press_ctrl_c()
        assert self.started.wait(deadline=DEADLINE) == 0
        assert self.started.errors() == ""
