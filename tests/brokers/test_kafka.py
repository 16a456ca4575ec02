"""Kafka by kcat, as README.md has it: what is run, what is lost (nothing), and who takes what."""

import json
import os
import random
import subprocess
import threading

import pytest

import support
from support import wait_until
from tests import readme
from tests.brokers.conftest import SESSION, block
from tests.recipes.programs import needs

pytestmark = needs("kcat", "jq", "flock")

MESSAGES = ["picture %d.jpg" % number for number in range(1000)]
AS_DATA = """jq -c --unbuffered '{id: "\\(.topic)-\\(.partition)-\\(.offset)", command: "./thumb \\"$MESSAGE\\"", env: {MESSAGE: .payload}}'"""


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
        return made
    return make


def feed(host, *partitions):
    return [host.shell("./from-kafka jobs %d" % partition) for partition in partitions]


def reached(host, partition):
    """The offset of the last message that from-kafka knows to be safe; None before the first."""
    lines = host.lines("jobs-%d.safe" % partition)
    return int(lines[0].rpartition("-")[2]) if lines else None


def wait_until_safe(host, partition, offset):
    wait_until(lambda: reached(host, partition) == offset, "message %d of partition %d is safe" % (offset, partition))


# --- from-kafka

def test_a_host_takes_its_partitions_and_goes_on_where_it_stopped(machines, kafka):
    [host] = machines("a")
    kafka.send("jobs", 0, MESSAGES[:50])
    kafka.send("jobs", 1, MESSAGES[50:100])
    pipelines = feed(host, 0, 1)
    wait_until_safe(host, 0, 49)
    wait_until_safe(host, 1, 49)
    for pipeline in pipelines:
        pipeline.stop()
    host.run("purge", "--all", "--yes")
    kafka.send("jobs", 0, MESSAGES[100:110])
    feed(host, 0, 1)
    wait_until_safe(host, 0, 59)
    assert sorted(host.states()) == ["jobs-0-%d" % offset for offset in range(50, 60)]
    host.work()
    assert sorted(host.lines("ran")) == sorted(MESSAGES[100:110])


def test_nothing_is_lost_when_everything_is_killed_at_any_moment(machines, kafka):
    [host] = machines("a")
    sender = threading.Thread(target=send_slowly, args=(kafka,))
    sender.start()
    kills = 0
    while sender.is_alive() or kills < 5:
        feed(host, 0, 1)
        host.start_workers(count=2)
        before = len(host.lines("ran"))
        wait_until(lambda: len(host.lines("ran")) > before or not sender.is_alive(), "something ran")
        threading.Event().wait(random.uniform(0, 0.5))
        host.kill_all()
        kills += 1
    feed(host, 0, 1)
    host.start_workers(count=2)
    wait_until(lambda: set(host.lines("ran")) == set(MESSAGES), "every message's job ran")


def send_slowly(kafka):
    for at in range(0, len(MESSAGES), 10):
        kafka.send("jobs", at // 10 % 2, MESSAGES[at:at + 10])
        threading.Event().wait(0.03)


def test_a_message_is_data_and_never_a_part_of_a_command(machines, kafka):
    [host] = machines("a")
    evil = "'; touch pwned; \"$(touch pwned)\" `touch pwned` \\ $HOME * \u202e %s\\n"
    kafka.send("jobs", 0, [evil])
    feed(host, 0)
    wait_until_safe(host, 0, 0)
    host.work()
    assert host.lines("ran") == [evil]
    assert not os.path.exists(host.path("pwned"))


def test_what_cannot_be_a_job_is_put_aside_and_the_rest_goes_on(machines, kafka):
    [host] = machines("a")
    kafka.send("jobs", 0, ["first"])
    kafka.send_null("jobs", 0)
    kafka.send("jobs", 0, ["zero \0 byte", "last"])
    feed(host, 0)
    wait_until_safe(host, 0, 3)
    assert sorted(host.states()) == ["jobs-0-0", "jobs-0-3"]
    assert [json.loads(line)["id"] for line in host.lines(".queuectl/refused.jsonl")] == ["jobs-0-1", "jobs-0-2"]


def test_messages_that_are_jobs(machines, kafka):
    [host] = machines("a")
    as_job = block("sh", "fromjson").strip()
    host.script("from-kafka", readme.put(block("sh", "# from-kafka"), AS_DATA, as_job))
    kafka.send("jobs", 0, ['{"command": "echo one", "queue": "mail"}', "no JSON", "[1]", "17", '{"command": "echo two", "id": "mine"}'])
    feed(host, 0)
    wait_until_safe(host, 0, 4)
    assert {job["id"]: job["queue"] for job in host.jobs()} == {"jobs-0-0": "mail", "jobs-0-4": "default"}
    refused = [json.loads(line) for line in host.lines(".queuectl/refused.jsonl")]
    assert refused == [{"id": "jobs-0-1", "payload": "no JSON"}, {"id": "jobs-0-2", "payload": "[1]"}, {"id": "jobs-0-3", "payload": "17"}]


def test_a_host_that_does_not_keep_up_takes_no_more_and_the_rest_waits_in_the_broker(machines, kafka):
    slow, quick = machines("slow", "quick")
    for host in (slow, quick):
        host.script("from-kafka", readme.put(block("sh", "# from-kafka"), "--max-pending 1000", "--max-pending 10"))
    for partition in (0, 1):
        kafka.send("jobs", partition, MESSAGES[:200])
    feed(slow, 0)
    feed(quick, 1)
    quick.start_workers(count=2)
    wait_until_safe(quick, 1, 199)
    wait_until(lambda: sorted(quick.lines("ran")) == sorted(MESSAGES[:200]), "the quick one has done all of its partition")
    assert len(slow.jobs()) == 10 and reached(slow, 0) == 9
    slow.start_workers(count=2)
    wait_until(lambda: sorted(slow.lines("ran")) == sorted(MESSAGES[:200]), "the slow one goes on when it works")


def test_only_one_feeds_a_partition(machines, kafka):
    [host] = machines("a")
    [first] = feed(host, 0)
    wait_until(lambda: any("kcat" in words for words in support.leftovers(host.top).values()), "kcat is running")
    [second] = feed(host, 0)
    assert second.wait() == 0
    assert first.poll() is None


@pytest.mark.parametrize("part", ["queuectl.py enqueue", "jq ", "kcat "])
def test_it_ends_when_a_part_of_it_dies(machines, kafka, part):
    [host] = machines("a")
    kafka.send("jobs", 0, ["first"])
    [pipeline] = feed(host, 0)
    wait_until_safe(host, 0, 0)
    [pid] = wait_until(lambda: [pid for pid, words in support.leftovers(host.top).items() if part in words and "/bin/sh" not in words],
                       "%s is running" % part)
    support.send(pid, support.signal.SIGKILL)
    pipeline.wait()
    wait_until(lambda: not support.leftovers(host.top), "nothing is left of it")


def test_it_ends_and_says_why_when_the_broker_is_gone(machines, kafka):
    [host] = machines("a")
    [pipeline] = feed(host, 0)
    kafka.send("jobs", 0, ["first"])
    wait_until_safe(host, 0, 0)
    kafka.close()
    pipeline.wait()
    assert "All broker connections are down" in pipeline.errors()


# --- a group

def test_hosts_of_a_group_share_the_partitions_and_take_over_those_of_a_dead_one(machines, kafka):
    one, other = machines("one", "other")
    line = block("sh", "-G workers")
    jobs = [json.dumps({"id": "m%d" % number, "command": "echo $QUEUECTL_JOB_ID >> ran"}) for number in range(80)]
    for host in (one, other):
        host.shell(line)
        host.start_workers(count=1)
    sent = 0

    def both_have_some():
        nonlocal sent
        for partition in (0, 1):
            kafka.send("jobs", partition, [jobs[sent]])
            sent += 1
        threading.Event().wait(0.5)
        return one.lines("ran") and other.lines("ran")

    wait_until(both_have_some, "both have work")
    one.kill_all()
    kafka.send("jobs", 0, [jobs[-2]])
    kafka.send("jobs", 1, [jobs[-1]])
    wait_until(lambda: {"m78", "m79"} <= set(other.lines("ran")), "the other one has the work of both partitions")


# --- results

def test_results_of_what_happens_from_now_on(machines, kafka):
    [host] = machines("a")
    host.enqueue("--id", "before", "true")
    host.work()
    host.shell(block("sh", "events -f"))
    wait_until(lambda: any("events" in words and "/bin/sh" not in words for words in support.leftovers(host.top).values()), "it follows")
    told = support.wait_until(lambda: told_after_another_job(host, kafka), "it tells")
    assert told[0]["what"] == "completed" and told[0]["exit_code"] == 0
    assert "before" not in [result["id"] for result in told]


def told_after_another_job(host, kafka):
    host.enqueue("true")
    host.work()
    threading.Event().wait(0.3)
    return [json.loads(line) for line in kafka.messages("results")]


def test_a_result_that_is_part_of_the_job(machines, kafka):
    [host] = machines("a")
    assert host.command(block("sh", "thumb-4711")) == "thumb-4711\n"
    host.work()
    assert host.job("thumb-4711")["state"] == "completed"
    assert kafka.messages("results") == ["thumb-4711 done"]


def test_a_job_whose_result_could_not_be_told_is_not_done(machines, kafka):
    [host] = machines("a")
    host.command(block("sh", "thumb-4711"))
    host.run("edit", "thumb-4711", "--max-retries", "0")
    kafka.close()
    host.work()
    assert host.job("thumb-4711")["state"] == "dead"


def test_a_result_by_a_hook(machines, kafka):
    [host] = machines("a")
    host.command(block("sh", "on_complete"))
    host.enqueue("--id", "one", "true")
    host.work()
    assert [json.loads(line) for line in kafka.messages("results")] == [{"id": "one", "state": "completed", "exit_code": 0}]


# --- kept running

@needs("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(hosts):
    [host] = hosts("a")
    host.script("from-kafka", block("sh", "# from-kafka"))
    unit = readme.put(block("systemd", "from-kafka@.service"), "/srv/app", host.directory)
    host.write("from-kafka@.service", unit)
    done = subprocess.run(["systemd-analyze", "--user", "verify", host.path("from-kafka@0.service")], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(host.environment, XDG_RUNTIME_DIR=host.top))
    assert done.stdout == b"" and done.returncode == 0


def test_the_line_of_the_crontab_starts_it(machines, kafka):
    [host] = machines("a")
    [line] = [line for line in block("crontab", "from-kafka").splitlines() if "from-kafka" in line]
    command = readme.put(line, "* * * * *", "").strip()
    kafka.send("jobs", 0, ["first"])
    host.shell(readme.put(command, "/srv/app", host.directory))
    wait_until_safe(host, 0, 0)
