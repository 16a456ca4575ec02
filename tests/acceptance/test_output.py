"""What a command prints is kept faithfully, whatever it is."""

import os

import pytest


def logged(queue, id, *words):
    """The bytes that `logs` prints."""
    return queue.run("logs", id, *words).out.encode("utf-8", "surrogateescape")


def kept(job, stream="stdout"):
    return (job[stream] or "").encode("utf-8", "surrogateescape")


@pytest.mark.short
def test_odd_bytes_no_newline_and_no_output_are_kept(queue):
    cases = {
        "binary": (r"printf '\377\376\000\001\033[31m'", b"\xff\xfe\x00\x01\x1b[31m"),
        "no-newline": ("printf end", b"end"),
        "silent": ("true", b""),
        "text": ("printf 'caf\\303\\251 \\342\\202\\254\\n'", "café €\n".encode()),
    }
    for id, (command, _) in cases.items():
        queue.enqueue("--id", id, command)
    queue.work()
    for id, (_, output) in cases.items():
        assert kept(queue.job(id)) == output
        assert logged(queue, id) == output


def test_the_two_streams_are_kept_apart(queue):
    id = queue.enqueue("echo out; echo err >&2")
    queue.work(count=1)
    assert logged(queue, id, "--stdout") == b"out\n"
    assert logged(queue, id, "--stderr") == b"err\n"


def test_output_too_big_for_the_line_is_whole_in_its_file(queue):
    id = queue.enqueue("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done")
    queue.work(count=1)
    job = queue.job(id)
    whole = "".join("%d\n" % number for number in range(20000)).encode()
    assert job["stdout_size"] == len(whole)
    assert whole.endswith(kept(job)) and 0 < len(kept(job)) <= 4096
    assert logged(queue, id) == whole
    assert logged(queue, id, "--tail", "2") == b"19998\n19999\n"
    with open(os.path.join(queue.store, job["stdout_file"]), "rb") as file:
        assert file.read() == whole


def test_of_several_attempts_only_the_last_ones_output_takes_room(queue):
    queue.run("config", "set", "backoff_max", "10ms")
    id = queue.enqueue("--max-retries", 1, "head -c 9000 /dev/zero; head -c 9000 /dev/zero >&2; exit $((QUEUECTL_ATTEMPT - 1))")
    queue.work(count=1)
    queue.run("retry", id)
    queue.run("config", "set", "no_retry_exit_codes", "9")
    big = queue.enqueue("--max-retries", 1, "head -c 9000 /dev/zero; exit $((4 - 3 * (QUEUECTL_ATTEMPT - 1)))")
    queue.work(count=1)
    assert [queue.job(one)["state"] for one in (id, big)] == ["completed", "dead"]
    assert sorted(os.listdir(os.path.join(queue.store, "output"))) == sorted(
        [id + ".1.out", id + ".1.err", big + ".2.out"])
    queue.run("dlq", "retry", big)
    queue.run("cancel", big)
    queue.run("purge")
    assert os.listdir(os.path.join(queue.store, "output")) == []


def test_of_huge_output_head_and_tail_are_kept_within_the_limit(queue):
    queue.run("config", "set", "output_limit", "100KB")
    id = queue.enqueue("echo begin; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end")
    queue.work(count=1)
    job = queue.job(id)
    assert (job["state"], job["stdout_size"]) == ("completed", 5000011)
    assert os.path.getsize(os.path.join(queue.store, job["stdout_file"])) < 110000
    output = logged(queue, id)
    assert output.startswith(b"begin\n") and output.endswith(b"end\n") and len(output) < 110000


@pytest.mark.short
def test_what_a_job_leaves_behind_neither_hangs_the_worker_nor_writes_into_the_next(queue):
    first = queue.enqueue("(while [ ! -e go ]; do sleep 0.05; done; echo late; echo x > written) & echo first")
    second = queue.enqueue("touch go; while [ ! -e written ]; do sleep 0.05; done; echo second")
    queue.work(count=1)
    assert queue.job(first)["state"] == queue.job(second)["state"] == "completed"
    assert kept(queue.job(second)) == b"second\n"
    assert kept(queue.job(first)) == b"first\n"


def test_each_attempt_has_its_own_output(queue):
    queue.run("config", "set", "backoff_max", "50ms")
    id = queue.enqueue("--max-retries", 1, "echo attempt $QUEUECTL_ATTEMPT; [ $QUEUECTL_ATTEMPT -gt 1 ]")
    queue.work(count=1)
    assert kept(queue.job(id)) == b"attempt 2\n"
