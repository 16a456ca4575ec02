"""Lines that are enqueued as they arrive: each is acknowledged when it is on disk, and none is lost or taken twice."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import support
from feeding import Feed, lines, names
from support import wait_until


@pytest.mark.short
def test_a_line_is_acknowledged_while_the_next_one_is_still_to_come(queue):
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    assert queue.states() == {"a": "pending"}
    feed.write('\n  \n{"command": "echo b"')
    feed.write(', "priority": 7}\n' + lines("c"))
    feed.wait_for("c")
    first, second, third = feed.acknowledged()
    assert (first, third) == ("a", "c") and queue.job(second)["priority"] == 7
    feed.write('{"id": "d", "command": "echo the last has no newline"}')
    assert feed.end() == 0
    assert feed.acknowledged() == [first, second, third, "d"]
    assert feed.errors() == ""


def test_ids_are_printed_in_the_order_of_the_input_however_many_come(queue):
    ids = names(5000)
    done = queue.run("enqueue", "--file", "-", "--stream", input=lines(*ids))
    assert done.out.split() == ids and done.err == ""
    assert len(queue.jobs()) == 5000


def test_options_are_defaults_for_every_line(queue):
    feed = Feed(queue, "--queue", "mail", "--delay", "1h", "--expires", "1d")
    feed.give("early")
    feed.wait_for("early")
    feed.write('{"id": "own", "command": "true", "queue": "other"}\n')
    feed.wait_for("own")
    queue.run("config", "set", "max-retries", "9")
    feed.give("late")
    assert feed.end() == 0
    early, own, late = (queue.job(id) for id in ("early", "own", "late"))
    assert (early["queue"], own["queue"], late["queue"]) == ("mail", "other", "mail")
    # Of the moment at which each came, by the settings that held then.
    assert early["run_at"] < late["run_at"] and early["expires_at"] < late["expires_at"]
    assert (early["max_retries"], late["max_retries"]) == (3, 9)


def test_with_if_absent_the_same_lines_can_be_given_again(queue):
    feed = Feed(queue, "--if-absent")
    feed.give("a", "b", "a")
    feed.wait_for("b")
    feed.give("b", "c")
    assert feed.end() == 0
    assert feed.acknowledged() == ["a", "b", "a", "b", "c"]
    assert sorted(job["id"] for job in queue.jobs()) == ["a", "b", "c"]
    assert feed.errors() == ""


def test_lines_come_from_a_fifo_too(queue):
    os.mkfifo(queue.path("fifo"))
    started = queue.start("enqueue", "--file", "fifo", "--stream")
    with open(queue.path("fifo"), "w") as fifo:
        fifo.write(lines("a"))
        fifo.flush()
        started.wait_for_text("a\n")
        fifo.write(lines("b"))
    assert started.wait() == 0
    assert started.text() == "a\nb\n"


def test_workers_are_woken_for_each_group(queue):
    queue.run("config", "set", "poll-interval", "3600")
    queue.start_workers()
    queue.wait_for_workers(1)
    feed = Feed(queue)
    for id in ("a", "b"):
        feed.give(id)
        feed.wait_for(id)
        queue.wait_for_state(id, "completed")
    assert feed.end() == 0


@pytest.mark.parametrize("words, told", [
    (["--stream", "true"], "--stream reads lines"), (["--stream"], "what is to be run?"),
    (["--stream", "--file", "-", "--id", "a"], "--id names one job"), (["--stream", "--file", "-", "--unique"], "--unique is for one job"),
    (["--stream", "--file", "-", "--wait"], "--wait waits for one job"), (["--stream", "--file", "absent"], "--file absent: No such file"),
])
def test_options_that_make_no_sense_are_refused(queue, words, told):
    assert told in queue.run("enqueue", *words, code=2, input="").err


# --- lines that are no jobs

def refused(queue):
    return queue.text(".queuectl", "refused.jsonl").splitlines()


@pytest.mark.short
def test_a_bad_line_is_kept_aside_and_stops_no_other(queue):
    queue.enqueue("--id", "there", "true")
    bad = ['{"command": "true", "env": {"TOKEN": "hunter2"', '{"command": 7}', 'ls hunter2', '["true"]',
           '{"id": "there", "command": "echo again"}', '{"id": "twice", "command": "echo again"}', '{"command": "x"} hunter2',
           '{"id": "later", "command": "true", "after": ["absent"]}', '{"command": "true", "env": {"A=hunter2": "hunter2"}}']
    feed = Feed(queue)
    feed.write(lines("a", "twice") + "\n".join(bad) + "\n" + lines("b"))
    feed.wait_for("b")
    assert feed.acknowledged() == ["a", "twice", "b"]
    assert refused(queue) == bad
    assert os.stat(queue.path(".queuectl", "refused.jsonl")).st_mode & 0o777 == 0o600
    told = feed.errors().splitlines()
    assert [line.split(":")[1] for line in told] == [" line %d" % number for number in range(3, 3 + len(bad))]
    assert all(line.endswith("; kept in %s/refused.jsonl" % queue.store) for line in told)
    assert "hunter2" not in feed.errors()
    assert "a job with the id there is already there" in told[4] and "no job has that id" in told[7]
    assert feed.end() == 1
    doctor = queue.run("doctor", code=None).out
    assert "9 lines that `enqueue --stream` refused" in doctor


def test_refused_lines_can_be_mended_and_given_again(queue):
    queue.run("enqueue", "--file", "-", "--stream", input='{"id": "a", "command": "true", "priority": "high"}\n', code=1)
    queue.write(".queuectl/refused.jsonl", queue.text(".queuectl", "refused.jsonl").replace('"high"', "-1"))
    assert queue.run("enqueue", "--file", ".queuectl/refused.jsonl").out == "a\n"


def test_a_long_file_of_refused_lines_is_begun_anew(queue):
    queue.enqueue("true")
    queue.write(".queuectl/refused.jsonl", "x" * (10 * 1024 * 1024 + 1))
    os.chmod(queue.path(".queuectl", "refused.jsonl"), 0o600)
    queue.run("enqueue", "--file", "-", "--stream", input="no job\n", code=1)
    assert refused(queue) == ["no job"]
    assert len(queue.text(".queuectl", "refused.jsonl.1")) == 10 * 1024 * 1024 + 1


def test_a_line_of_two_megabytes_is_refused_and_kept_whole(queue):
    long = '{"id": "long", "command": "true", "env": {"LONG": "%s"}}' % ("x" * 2_000_000)
    done = queue.run("enqueue", "--file", "-", "--stream", input=lines("a") + long + "\n" + lines("b"), code=1)
    assert done.out.split() == ["a", "b"]
    assert refused(queue) == [long] and len(done.err) < 300


def test_a_line_that_is_longer_than_any_job_is_kept_in_pieces(queue):
    long = "[" + "x" * (9 << 20) + "]"
    done = queue.run("enqueue", "--file", "-", "--stream", input=lines("a") + long + "\n" + lines("b"), code=1)
    assert done.out.split() == ["a", "b"]
    assert "".join(refused(queue)) == long
    assert done.err.startswith("queuectl: line 2: longer than 8 MB")


def test_long_lines_do_not_gather_in_memory(queue):
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    before = most_memory(feed.pid)
    for _ in range(15):
        feed.write("[" + "x" * 7_900_000 + "\n")
    feed.give("b")
    feed.wait_for("b")
    # Of those that came together, in their several forms: all of them would be twice as much.
    assert most_memory(feed.pid) - before < 100_000
    assert feed.end() == 1


def most_memory(pid):
    """Kilobytes."""
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def test_bytes_that_are_no_utf_8_reach_the_command_as_they_are(queue):
    queue.run("enqueue", "--file", "-", "--stream", input=b'\xef\xbb\xbf{"id": "odd", "command": "printf caf\xe9 > out"}\r\n')
    queue.work(count=1)
    with open(queue.path("out"), "rb") as file:
        assert file.read() == b"caf\xe9"


# --- leaving

@pytest.mark.short
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_is_asked_to_leave_stores_what_was_written_to_it_first(queue, number):
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    os.kill(feed.pid, signal.SIGSTOP)
    ids = names(400)
    feed.give(*ids)
    os.kill(feed.pid, number)
    os.kill(feed.pid, signal.SIGCONT)
    assert feed.wait() == 128 + number
    assert feed.acknowledged() == ["a"] + ids
    assert set(queue.states()) == {"a"} | set(ids)
    assert feed.errors() == ""


def test_who_is_asked_to_leave_waits_for_no_producer_that_goes_on_and_on(queue):
    feed = Feed(queue)
    producer = subprocess.Popen(["sh", "-c", """n=0; while echo '{"id": "n'$n'", "command": "true"}'; do n=$((n+1)); sleep 0.02; done"""],
                                stdout=feed.process.stdin, stderr=subprocess.DEVNULL)
    feed.process.stdin.close()
    feed.wait_for("n3")
    os.kill(feed.pid, signal.SIGTERM)
    assert feed.wait() == 143
    producer.wait(support.DEADLINE)
    assert set(queue.states()) == set(feed.acknowledged())


def test_half_a_line_is_kept_aside_when_it_has_to_leave(queue):
    feed = Feed(queue)
    feed.write(lines("a") + '{"id": "half", ')
    feed.wait_for("a")
    os.kill(feed.pid, signal.SIGTERM)
    assert feed.wait() == 143
    assert feed.acknowledged() == ["a"] and refused(queue) == ['{"id": "half", ']
    assert "line 2: broken JSON" in feed.errors()


def test_a_signal_that_is_ignored_stays_ignored(queue):
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    words = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] + queue.program.words + ["enqueue", "--file", "-", "--stream"]
    ignoring = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=queue.environment, cwd=queue.directory)
    ignoring.stdin.write(lines("b").encode())
    ignoring.stdin.flush()
    assert ignoring.stdout.readline() == b"b\n"
    os.kill(ignoring.pid, signal.SIGINT)
    assert ignoring.communicate(lines("c").encode()) == (b"c\n", None) and ignoring.returncode == 0
    assert feed.end() == 0


@pytest.mark.short
def test_what_was_acknowledged_before_a_kill_is_there_and_nothing_is_there_twice(queue):
    ids = names(20000)
    queue.write("input", lines(*ids))
    feed = Feed(queue, "--if-absent")
    producer = feed.give_slowly(*ids)
    wait_until(lambda: len(feed.acknowledged()) > 3000, "some are acknowledged")
    feed.kill()
    producer.join()
    known = feed.acknowledged()
    assert len(known) < len(ids)
    assert known == ids[:len(known)] and set(known) <= set(queue.states())
    done = queue.run("enqueue", "--file", "input", "--stream", "--if-absent")
    assert done.out.split() == ids
    assert sorted(job["id"] for job in queue.jobs()) == ids


def test_when_nobody_reads_the_ids_what_was_read_is_stored_all_the_same(queue):
    read, write = os.pipe()
    feed = Feed(queue, out=write)
    os.close(write)
    feed.give("a")
    assert os.read(read, 100) == b"a\n"
    os.close(read)
    feed.give("b", "c")
    assert feed.wait() == 0
    assert set(queue.states()) == {"a", "b", "c"} and feed.errors() == ""


def test_a_connection_that_breaks_is_told_when_all_that_was_read_is_stored(queue):
    ours, theirs = connection()
    feed = Feed(queue, source=theirs)
    theirs.close()
    ours.sendall(lines("a").encode())
    feed.wait_for("a")
    os.kill(feed.pid, signal.SIGSTOP)
    ours.sendall(lines("b").encode())
    # With a reset, as from a machine that was switched off.
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ours.close()
    os.kill(feed.pid, signal.SIGCONT)
    assert feed.wait() == 2
    assert feed.errors() == "queuectl: the lines cannot be read: Connection reset by peer\n"
    assert feed.acknowledged() == ["a", "b"] == sorted(queue.states())


def connection():
    """Both ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        return ours, server.accept()[0]


# --- a store that takes nothing

def test_a_store_that_is_locked_too_long_is_waited_for(queue):
    queue.enqueue("--id", "first", "true")
    feed = Feed(queue, program=IMPATIENT)
    feed.give("a")
    feed.wait_for("a")
    with locked(queue):
        feed.give("b")
        feed.wait_for_error("waiting for that")
        assert feed.acknowledged() == ["a"]
    feed.wait_for("b")
    feed.wait_for_error("going on")
    assert feed.end() == 0
    assert len(feed.errors().splitlines()) == 2


def test_a_second_signal_ends_it_at_once(queue):
    queue.enqueue("--id", "first", "true")
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    with locked(queue):
        feed.give("b", "c")
        wait_until(lambda: waits_for_a_lock(feed.pid), "it waits for the lock")
        os.kill(feed.pid, signal.SIGINT)
        os.kill(feed.pid, signal.SIGTERM)
        assert feed.wait() == 143
    assert feed.acknowledged() == ["a"]
    assert feed.errors() == "queuectl: left at once: 2 lines read and not stored\n"


def test_a_second_signal_ends_it_even_if_nobody_reads_the_ids(queue):
    read, write = os.pipe()
    fill(write)
    feed = Feed(queue, out=write)
    os.close(write)
    feed.give("a")
    wait_until(lambda: "a" in queue.states(), "it is stored")
    # Now it waits for the reader, or is about to.
    time.sleep(0.2)
    os.kill(feed.pid, signal.SIGINT)
    os.kill(feed.pid, signal.SIGTERM)
    assert feed.wait() == 143
    assert "left at once: 1 line read" in feed.errors()
    os.close(read)


def fill(pipe):
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"\n" * 4096)
    os.set_blocking(pipe, True)


def test_who_is_asked_to_leave_does_not_wait_for_a_store_for_ever(queue):
    feed = Feed(queue, program=IMPATIENT)
    feed.give("a")
    feed.wait_for("a")
    with locked(queue):
        feed.give("b", "c")
        feed.wait_for_error("waiting for that")
        os.kill(feed.pid, signal.SIGTERM)
        assert feed.wait() == 3
    assert feed.acknowledged() == ["a"]
    assert "2 lines read and not stored" in feed.errors().splitlines()[1]


def test_a_store_that_was_removed_ends_it(queue):
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    shutil.rmtree(queue.store)
    feed.give("b", "c")
    assert feed.wait() == 3
    assert "2 lines read and not stored" in feed.errors() and len(feed.errors().splitlines()) == 1
    assert not os.path.exists(queue.store)


def test_a_damaged_store_ends_it(queue):
    feed = Feed(queue)
    feed.give("a")
    feed.wait_for("a")
    queue.flip_bit(-3)
    feed.give("b")
    assert feed.wait() == 3
    assert "doctor --repair" in feed.errors() and "1 line read and not stored" in feed.errors()


# A program that waits for the store lock for a moment only.
IMPATIENT = [support.PYTHON, "-S", "-c", """if True:
    import sys
    sys.path.insert(0, %r)
    from queuectl_lib.faces import streaming
    from queuectl_lib.faces.cli import main
    from queuectl_lib.store import store
    store.LOCK_TIMEOUT = streaming._LAST_SECONDS = 0.1
    sys.exit(main.main())""" % support.ROOT]


@contextlib.contextmanager
def locked(queue):
    """Hold the store lock."""
    with open(os.path.join(queue.store, "lock"), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def waits_for_a_lock(pid):
    with open("/proc/locks") as file:
        return any("->" in line and line.split()[5] == str(pid) for line in file)


# --- back-pressure

@pytest.mark.short
def test_no_more_are_stored_and_read_while_so_many_wait(queue):
    feed = Feed(queue, "--max-pending", 3)
    ids = names(60000)
    # More than the pipe and one look at it hold: the producer is held up.
    producer = feed.give_slowly(*ids)
    feed.wait_for(*ids[:3])
    queue.run("cancel", ids[0])
    feed.wait_for(ids[3])
    assert feed.acknowledged() == ids[:4]
    assert producer.is_alive()
    assert queue.read("status")["states"]["pending"] == 3
    feed.kill()
    producer.join()


@pytest.mark.parametrize("words, given", [((), ["a"]), (("--max-pending", 1), ["a", "b"])], ids=["idle", "held back"])
def test_while_nothing_can_be_done_next_to_nothing_is_spent(queue, words, given):
    feed = Feed(queue, *words)
    feed.give(*given)
    feed.wait_for("a")
    before, begun = cpu_seconds(feed.pid), time.monotonic()
    time.sleep(1)
    assert cpu_seconds(feed.pid) - before < 0.2 * (time.monotonic() - begun)
    feed.kill()


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_who_is_held_back_and_has_to_leave_stores_what_was_read(queue):
    feed = Feed(queue, "--max-pending", 1)
    feed.give("a", "b", "c")
    feed.wait_for("a")
    os.kill(feed.pid, signal.SIGTERM)
    assert feed.wait() == 143
    assert feed.acknowledged() == ["a", "b", "c"]


def test_held_back_it_goes_on_as_fast_as_the_workers(queue):
    ids = names(300)
    queue.start_workers(count=2)
    feed = Feed(queue, "--max-pending", 20)
    feed.give(*ids)
    assert feed.end() == 0
    assert feed.acknowledged() == ids
    wait_until(lambda: queue.read("status")["states"].get("completed") == 300, "all have run")
