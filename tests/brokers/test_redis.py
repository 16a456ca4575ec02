"""Lists in Redis by redis-cli, as README.md has it: what is run, what is lost (nothing), and who takes what."""

import json
import random
import threading

import pytest

from support import wait_until
from tests import readme
from tests.brokers.conftest import block
from tests.recipes.programs import needs

pytestmark = needs("redis-server", "redis-cli", "flock")

SERVER = "-h redis.example.com"


def message(name, **fields):
    return json.dumps(dict(fields, id=name, command='echo "$QUEUECTL_JOB_ID" >> ran'))


NAMES = ["m%d" % number for number in range(1500)]


@pytest.fixture
def machines(hosts, redis):
    """Hosts that run from-redis with this server."""
    def make(*names):
        made = hosts(*names)
        for host in made:
            host.script("from-redis", readme.put(block("sh", "# from-redis"), SERVER, "-s " + redis.socket))
        return made
    return make


def feed(host, name):
    return host.shell("./from-redis " + name)


def test_a_message_becomes_a_job_and_leaves_the_list_once_it_is_stored(machines, redis):
    [host] = machines("a")
    redis.send("jobs", [message("first"), message("second")])
    feed(host, "a")
    wait_until(lambda: redis.length("jobs") == redis.length("taken:a") == 0 and len(host.jobs()) == 2, "both are stored, and in no list")
    redis.send("jobs", [message("third")])
    wait_until(lambda: "third" in host.states(), "the third one is stored")
    host.work()
    assert sorted(host.lines("ran")) == ["first", "second", "third"]


def test_nothing_is_lost_when_everything_is_killed_at_any_moment(machines, redis):
    [host] = machines("a")
    sender = threading.Thread(target=send_slowly, args=(redis,))
    sender.start()
    kills = 0
    while sender.is_alive() or kills < 5:
        feed(host, "a")
        host.start_workers(count=2)
        before = len(host.lines("ran"))
        wait_until(lambda: len(host.lines("ran")) > before or not sender.is_alive(), "something ran")
        threading.Event().wait(random.uniform(0, 0.5))
        host.kill_all()
        kills += 1
    feed(host, "a")
    host.start_workers(count=2)
    wait_until(lambda: set(host.lines("ran")) == set(NAMES), "every message's job ran")
    wait_until(lambda: redis.length("taken:a") == 0, "nothing is left to be fed")


def send_slowly(redis):
    for at in range(0, len(NAMES), 10):
        redis.send("jobs", [message(name) for name in NAMES[at:at + 10]])
        threading.Event().wait(0.03)
