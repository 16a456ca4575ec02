"""Kafka by kcat, as README.md has it: what is run, what is lost (nothing), and who takes what."""

import os
import random
import threading

import pytest

from support import wait_until
from tests import readme
from tests.brokers.conftest import SESSION, block
from tests.recipes.programs import needs

pytestmark = needs("kcat", "jq", "flock")

MESSAGES = ["picture %d.jpg" % number for number in range(400)]


@pytest.fixture
def machines(hosts, kafka):
    """Hosts that know the cluster, and run from-kafka; their jobs write down which message they had."""
    def make(*names):
        made = hosts(*names)
        for host in made:
            settings = readme.put(block("kcat", "bootstrap"), "kafka1:9092,kafka2:9092", kafka.address)
            folder = os.path.join(host.environment["HOME"], ".config")
            os.makedirs(folder)
            host.write(os.path.join(folder, "kcat.conf"), settings + "session.timeout.ms=%d\n" % SESSION)
            host.script("from-kafka", block("sh", "# from-kafka"))
            host.script("thumb", 'printf "%s\\n" "$1" >> ran\n')
        return made
    return make


def feed(host, *partitions):
    return [host.shell("./from-kafka jobs %d" % partition) for partition in partitions]


def test_a_host_takes_its_partitions_and_goes_on_where_it_stopped(machines, kafka):
    [host] = machines("a")
    kafka.send("jobs", 0, MESSAGES[:50])
    kafka.send("jobs", 1, MESSAGES[50:100])
    pipelines = feed(host, 0, 1)
    wait_until(lambda: [host.lines("jobs-%d.safe" % partition)[:1] for partition in (0, 1)] == [["jobs-0-49".ljust(250)], ["jobs-1-49".ljust(250)]],
               "all messages are safe")
    for pipeline in pipelines:
        pipeline.stop()
    host.run("purge", "--all", "--yes")
    kafka.send("jobs", 0, MESSAGES[100:110])
    feed(host, 0, 1)
    wait_until(lambda: len(host.jobs()) == 10, "what is new is there, and nothing else")
    assert sorted(host.states()) == ["jobs-0-%d" % offset for offset in range(50, 60)]
    host.work()
    assert sorted(host.lines("ran")) == sorted(MESSAGES[100:110])


def test_nothing_is_lost_when_everything_is_killed_at_any_moment(machines, kafka):
    [host] = machines("a")
    sender = threading.Thread(target=send_slowly, args=(kafka, MESSAGES))
    sender.start()
    for _ in range(8):
        feed(host, 0, 1)
        host.start_workers(count=2)
        # As long as it takes to store the first ones, and a moment more.
        before = len(host.lines("ran"))
        wait_until(lambda: len(host.lines("ran")) > before or not sender.is_alive(), "something ran")
        random_wait()
        host.kill_all()
    sender.join()
    feed(host, 0, 1)
    host.start_workers(count=2)
    wait_until(lambda: set(host.lines("ran")) == set(MESSAGES), "every message's job ran")


def send_slowly(kafka, messages):
    for at in range(0, len(messages), 10):
        kafka.send("jobs", at // 10 % 2, messages[at:at + 10])


def random_wait():
    threading.Event().wait(random.uniform(0, 0.5))
