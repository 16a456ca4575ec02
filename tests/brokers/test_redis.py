"""Lists in Redis by redis-cli, as README.md has it: what is run, what is lost (nothing), and who takes what."""

import json
import random
import threading

import pytest

import support
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


def wait_until_it_waits(redis):
    wait_until(lambda: "cmd=blmove" in " ".join(redis.ask("CLIENT", "LIST")), "somebody waits for a message")


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


def test_a_host_that_does_not_keep_up_leaves_the_rest_to_the_others(machines, redis):
    slow, quick = machines("slow", "quick")
    for host in (slow, quick):
        host.script("from-redis", readme.put(host.text("from-redis"), "--max-pending 1000", "--max-pending 10"))
    feed(slow, "slow")
    # What lies in pipes between the two is taken as well: more than that, and it takes no more.
    names = ["m%d" % number for number in range(6000)]
    redis.send("jobs", [json.dumps({"id": name, "command": "true", "queue": "x" * 60}) for name in names])
    wait_until(lambda: len(slow.jobs()) == 10 and redis.length("taken:slow") == settled(redis, "taken:slow"), "the slow one is held back")
    assert len(slow.jobs()) == 10
    taken = redis.length("taken:slow")
    assert redis.length("jobs") == len(names) - 10 - taken > 1000
    quick.script("from-redis", readme.put(quick.text("from-redis"), "--max-pending 10", "--max-pending 100000"))
    feed(quick, "quick")
    wait_until(lambda: redis.length("jobs") == redis.length("taken:quick") == 0, "the other one has taken the rest")
    assert len(quick.jobs()) == len(names) - 10 - taken
    assert redis.length("taken:slow") == taken


def settled(redis, name):
    """The length of a list once it does not change."""
    before = None
    while before != redis.length(name):
        before = redis.length(name)
        threading.Event().wait(0.3)
    return before


def test_what_a_dead_host_had_not_stored_goes_back_to_the_others(machines, redis):
    [host] = machines("a")
    redis.send("taken:b", [message("one"), message("two")])
    redis.send("jobs", [message("three")])
    host.command(readme.put(block("sh", " LMOVE taken:b"), SERVER, "-s " + redis.socket))
    assert [json.loads(found)["id"] for found in redis.ask("LRANGE", "jobs", "0", "-1")] == ["one", "two", "three"]


def test_what_is_no_job_stays_in_the_list_and_the_rest_goes_on(machines, redis):
    [host] = machines("a")
    redis.send("jobs", ["no job", "17", "[]", message("good")])
    feed(host, "a")
    wait_until(lambda: redis.ask("LRANGE", "taken:a", "0", "-1") == ["no job", "17", "[]"], "the job alone has left the list")
    assert host.states() == {"good": "pending"}
    assert host.lines(".queuectl/refused.jsonl") == ["no job", "17", "[]"]


def test_a_message_that_came_in_between_for_one_who_is_gone_is_not_taken_out_for_another(machines, redis):
    """A host that lost its power may still be given a message, which lands in its list and reaches nobody."""
    [host] = machines("a")
    pipeline = feed(host, "a")
    wait_until_it_waits(redis)
    redis.send("taken:a", [message("stray")])
    redis.send("jobs", [message("one")])
    wait_until(lambda: redis.length("taken:a") == 1 and host.states() == {"one": "pending"}, "its own message alone is taken out")
    pipeline.stop()
    feed(host, "a")
    wait_until(lambda: set(host.states()) == {"one", "stray"} and redis.length("taken:a") == 0, "the other is fed at the next start")


def test_it_ends_and_says_why_when_the_server_is_gone(machines, redis):
    [host] = machines("a")
    pipeline = feed(host, "a")
    redis.send("jobs", [message("one")])
    wait_until(lambda: "one" in host.states(), "it is fed")
    redis.close()
    pipeline.wait()
    assert "Server closed the connection" in pipeline.errors()


def test_it_ends_and_says_why_when_the_server_refuses(machines, redis):
    [host] = machines("a")
    redis.ask("SET", "jobs", "no list")
    pipeline = feed(host, "a")
    pipeline.wait()
    assert "WRONGTYPE" in pipeline.errors()


def test_it_ends_when_what_it_feeds_dies(machines, redis):
    [host] = machines("a")
    pipeline = feed(host, "a")
    wait_until_it_waits(redis)
    [pid] = [pid for pid, words in support.leftovers(host.top).items() if "queuectl.py enqueue" in words]
    support.send(pid, support.signal.SIGKILL)
    pipeline.wait()
    wait_until(lambda: not support.leftovers(host.top), "nothing is left of it")


def test_only_one_feeds_a_host(machines, redis):
    [host] = machines("a")
    first = feed(host, "a")
    wait_until(lambda: any("BLMOVE" in words for words in support.leftovers(host.top).values()), "the first one runs")
    assert feed(host, "a").wait() == 0
    assert first.poll() is None


def test_a_result_that_is_part_of_the_job(machines, redis):
    [host] = machines("a")
    host.command(readme.put(block("sh", "RPUSH results"), SERVER, "-s " + redis.socket))
    host.work()
    assert redis.ask("LRANGE", "results", "0", "-1") == ["thumb-4712 done"]
