"""Waiting for jobs and watching them: exit codes, output as it comes, and terminals left clean."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

import pytest

from tests.support import send, wait_until


class Terminal:
    """A terminal for the streams of one command: all that was written to it."""

    def __init__(self, queue, *words, errors_only=False, size=(40, 100)):
        ours, end = pty.openpty()
        self._ours = ours
        self.resize(*size)
        self.written = ""
        self.process = subprocess.Popen(
            queue.program.words + list(words), stdin=end, stdout=subprocess.DEVNULL if errors_only else end, stderr=end,
            start_new_session=True, env=queue.environment_with({"TERM": "xterm"}), cwd=queue.directory)
        os.close(end)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            if not data:
                return
            self.written += data.decode()

    def resize(self, lines, columns):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait_for(self, text):
        wait_until(lambda: text in self.written, "%r on the terminal, where there is %r" % (text, self.written[-2000:]))

    def end(self):
        """The exit code, once all that was written is read."""
        code = self.process.wait(60)
        self._reader.join(30)
        return code


@pytest.fixture
def terminal(queue):
    started = []

    def start(*words, **how):
        started.append(Terminal(queue, *words, **how))
        return started[-1]
    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


# --- wait

ENDS = {"completed": ("true", 0), "its own code": ("exit 7", 7), "a signal": ("kill -9 $$", 137), "no code": ("sleep 60", 1)}


@pytest.mark.short
def test_of_one_job_wait_ends_with_its_exit_code(queue):
    for id, (command, _) in ENDS.items():
        queue.enqueue("--id", id.replace(" ", "-"), "--max-retries", "0", "--timeout", "1s", command)
    queue.start_workers(count=4)
    for id, (_, code) in ENDS.items():
        waited = queue.run("wait", id.replace(" ", "-"), code=code)
        assert waited.out == "" and (id == "completed") == (waited.err == "")
    assert "1 of 2 jobs" in queue.run("wait", "completed", "no-code", code=1).err
    queue.run("wait", "completed", "completed", code=0)


def test_retries_and_the_jobs_that_come_meanwhile_are_waited_for(queue):
    queue.run("config", "set", "backoff_max", "1s")
    queue.enqueue("--id", "flaky", "--max-retries", "1", "[ $QUEUECTL_ATTEMPT = 2 ]")
    waiting = queue.start("wait")
    queue.enqueue("--id", "later", "--delay", "1s", "true")
    queue.start_workers()
    assert waiting.wait() == 0
    assert queue.states() == {"flaky": "completed", "later": "completed"}
    assert queue.run("wait", "flaky", "later").err == ""


def test_of_all_jobs_the_dead_ones_are_told(queue):
    queue.run("wait")
    queue.enqueue("--max-retries", "0", "exit 3")
    queue.work(count=1)
    assert "1 dead" in queue.run("wait", code=1).err


def test_time_that_is_up_and_ids_that_are_not_there_are_1_and_told_apart(queue):
    queue.enqueue("--id", "a", "true")
    assert "1 job is left (1 pending)" in queue.run("wait", "a", "--timeout", "0", code=1).err
    assert "1 job is left (1 pending)" in queue.run("wait", "--timeout", "50ms", code=1).err
    assert "no job has the id b" in queue.run("wait", "a", "b", code=1).err


@pytest.mark.parametrize("words, ids, said", [
    ([], [], "no worker is running"), (["--hold"], ["a"], "job a is held: release it with: queuectl release a")], ids=str)
def test_what_will_never_happen_is_said_once(queue, words, ids, said):
    queue.enqueue("--id", "a", *words, "true")
    if words:
        queue.start_workers()
    waiting = queue.start("wait", *ids)
    wait_until(lambda: said in waiting.errors(), "it is said that %s" % said)
    waiting.press_ctrl_c()
    assert waiting.wait() == 130
    assert waiting.errors().count("queuectl:") == 1


def test_the_bar_shows_how_far_they_are_and_is_gone_at_the_end(queue, terminal):
    for number in range(4):
        queue.enqueue("--id", str(number), "while [ ! -e go%d ]; do sleep 0.05; done" % number)
    queue.start_workers(count=4)
    screen = terminal("wait", errors_only=True)
    queue.write("go1", "x")
    screen.wait_for("1 jobs")
    screen.wait_for("25 %")
    screen.wait_for(" left")
    for number in range(4):
        queue.write("go%d" % number, "x")
    assert screen.end() == 0
    assert screen.written.endswith("\r") and "\x1b" not in screen.written
    assert screen.written.split("\r")[-2].strip() == ""


# --- enqueue --wait

@pytest.mark.short
def test_enqueue_wait_is_the_command_as_if_it_ran_here(queue):
    queue.start_workers()
    command = "echo out; echo err >&2; printf '\\377\\n'; exit 3"
    done = queue.run("enqueue", "--wait", "--id", "a", "--max-retries", "0", command, code=3)
    assert done.out == "out\n\udcff\n"
    assert done.err == "err\nqueuectl: job a is dead (exit 3)\n"
    assert queue.run("enqueue", "--wait", "--if-absent", "--id", "a", "true", code=3).out == done.out


def test_its_output_is_shown_as_it_comes_through_all_attempts(queue):
    queue.run("config", "set", "backoff_max", "1s")
    queue.start_workers()
    waiting = queue.start("enqueue", "--wait", "echo begun $QUEUECTL_ATTEMPT; while [ ! -e go ]; do sleep 0.05; done;"
                          "echo end; [ $QUEUECTL_ATTEMPT = 2 ]")
    waiting.wait_for_text("begun 1\n")
    assert "end" not in waiting.text()
    queue.write("go", "x")
    assert waiting.wait() == 0
    assert waiting.text() == "begun 1\nend\nbegun 2\nend\n"
    assert "retry 1/3 in 1 s" in waiting.errors()


def test_an_attempt_that_is_over_at_once_is_shown_and_told_like_the_others(queue):
    queue.run("config", "set", "backoff_max", "100ms")
    queue.start_workers()
    done = queue.run("enqueue", "--wait", "--id", "a", "--max-retries", "2", "echo attempt $QUEUECTL_ATTEMPT; exit 7", code=7)
    assert done.out == "attempt 1\nattempt 2\nattempt 3\n"
    assert done.err.splitlines() == [
        "queuectl: failed a (exit 7): retry 1/2 in 0.1 s", "queuectl: failed a (exit 7): retry 2/2 in 0.1 s",
        "queuectl: job a is dead (exit 7)"]


def test_logs_f_goes_on_through_retries_and_says_when_they_are(queue):
    queue.run("config", "set", "backoff_max", "100ms")
    queue.start_workers()
    queue.enqueue("--id", "a", "--max-retries", "1", "echo begun $QUEUECTL_ATTEMPT; while [ ! -e go ]; do sleep 0.05; done; exit 7")
    following = queue.start("logs", "-f", "a")
    following.wait_for_text("begun 1\n")
    queue.write("go", "x")
    assert following.wait() == 0
    assert following.text() == "begun 1\nbegun 2\n"
    assert following.errors() == "queuectl: failed a (exit 7): retry 1/1 in 0.1 s\n"


def test_logs_f_of_a_failed_job_begins_with_what_it_left_and_waits_for_the_next_attempt(queue):
    queue.enqueue("--id", "a", "echo line; echo attempt $QUEUECTL_ATTEMPT; [ $QUEUECTL_ATTEMPT = 2 ]")
    queue.work("--drain", count=1)
    queue.run("hold", "a")
    following = queue.start("logs", "-f", "a", "--tail", "1")
    wait_until(lambda: "job a failed (exit 1): it is held\n" in following.errors(), "it is said what is to come")
    assert following.text() == "attempt 1\n"
    queue.run("edit", "a", "--run-at", "2020-01-01")
    queue.run("release", "a")
    queue.work(count=1)
    assert following.wait() == 0
    assert following.text() == "attempt 1\nline\nattempt 2\n"


def test_ctrl_c_leaves_the_job_and_says_what_can_be_done(queue):
    queue.start_workers()
    waiting = queue.start("enqueue", "--wait", "--id", "a", "echo begun; sleep 60")
    waiting.wait_for_text("begun")
    waiting.press_ctrl_c()
    assert waiting.wait() == 130
    assert "queuectl logs -f a" in waiting.errors() and "queuectl cancel a" in waiting.errors()
    assert queue.job("a")["state"] == "processing"


def test_it_waits_for_one_job_and_for_no_file(queue):
    for words in (["--file", "-"], ['[{"command": "a"}, {"command": "b"}]']):
        assert "--wait" in queue.run("enqueue", "--wait", *words, input="", code=2).err
    assert queue.jobs() == []


# --- events

def whats(events):
    return [(event["id"], event["what"]) for event in events]


@pytest.mark.short
def test_events_stand_in_columns_on_a_terminal_and_all_are_shown_on_request(queue, terminal):
    queue.run("enqueue", "--file", "-", input="".join('{"command": "true", "id": "j%d", "queue": "q%d"}\n' % (n, 10 ** (n % 6))
                                                      for n in range(60)))
    for words, count in ((["events"], 1 + 50), (["events", "--limit", "all"], 1 + 60), (["events", "--json"], 62)):
        shown = terminal(*words)
        assert shown.end() == 0
        lines = shown.written.split("\r\n")[:-1]
        assert len(lines) == count
        assert words[1:] == ["--json"] or len({line.index("enqueued") for line in lines[1:]} | {lines[0].index("EVENT")}) == 1


def test_events_follow_every_change_through_rolls(queue):
    queue.enqueue("--id", "before", "--hold", "true")
    following = queue.start("events", "-f", "--jsonl")
    plain = queue.start("events", "-f")
    wait_until(lambda: followed(queue, following) and followed(queue, plain), "both follow the journal")
    queue.enqueue("--id", "a", "--max-retries", "0", "exit 3")
    queue.run("enqueue", "--file", "-", input="".join('{"command": "true", "id": "j%d"}\n' % n for n in range(1500)))
    queue.work()
    queue.run("roll")
    queue.run("retry", "a")
    assert '"generation":1,' not in queue.text(".queuectl", "jobs.jsonl")[:100]
    lines = wait_until(lambda: following.text().endswith("\n") and '"retried"' in following.text() and
                       [json.loads(line) for line in following.text().splitlines()], "the last event is told")
    seen = whats(lines)
    assert len(seen) == len(set(seen)) == 3 + 1 + 1 + 2 * 1500
    assert [what for id, what in seen if id == "a"] == ["enqueued", "started", "dead", "retried"]
    assert {id for id, what in seen if what == "completed"} == {"j%d" % n for n in range(1500)}
    assert [event["jobs"] for event in lines if event["jobs"]] == [1500]
    (dead,) = [event for event in lines if event["what"] == "dead"]
    assert (dead["exit_code"], dead["was"], dead["state"], dead["attempt"]) == (3, "processing", "dead", 1)
    wait_until(lambda: "retried" in plain.text(), "the plain one tells it, too")
    assert "enqueued 1,500 jobs" in plain.text() and "dead (exit 3)" in plain.text()
    assert plain.text().count("\n") == len(lines)
    following.press_ctrl_c()
    assert following.wait() == 130 and following.errors() == ""
    plain.kill()


def followed(queue, started):
    """Has a command opened the journal?"""
    files = "/proc/%d/fd" % started.pid
    return any(os.path.realpath(os.path.join(files, name)) == queue.journal() for name in os.listdir(files))


def test_without_following_the_newest_are_shown_and_of_one_job_its_whole_story(queue):
    assert queue.run("events").out == "" and queue.read("events") == []
    queue.run("config", "set", "backoff_max", "1s")
    queue.enqueue("--id", "a", "--max-retries", "1", "exit 3")
    queue.enqueue("--id", "b", "--after", "a", "true")
    queue.work(count=1)
    story = [("a", what) for what in ("enqueued", "started", "failed", "started", "dead")]
    assert whats(queue.read("events", "a")) == story
    assert whats(queue.read("events")) == story[:1] + [("b", "enqueued")] + story[1:] + [("b", "dead")]
    assert queue.run("events", "--limit", "1").out.rstrip().endswith("dead (it comes after a, which is dead)")
    queue.run("events", "unknown", code=1)
    following = queue.start("events", "-f", "b")
    wait_until(lambda: "comes after" in following.text(), "its story is told first")
    queue.run("retry", "a")
    wait_until(lambda: "retried" in following.text(), "and what becomes of it")
    assert " a " not in following.text()
    following.kill()


# --- status --watch

def test_status_is_kept_up_to_date_on_a_screen_of_its_own(queue, terminal):
    queue.enqueue("--id", "a", "true")
    screen = terminal("status", "--watch")
    screen.wait_for("1 job in")
    assert screen.written.startswith("\x1b[?1049h\x1b[?25l")
    queue.enqueue("--id", "b", "true")
    screen.wait_for("2 jobs in")
    frames = screen.written.split("\x1b[H")
    screen.wait_for("\x1b[H" + frames[-1])
    assert all(frame.endswith("\x1b[K\x1b[J") for frame in frames[1:])
    assert "\x1b[2J" not in screen.written
    send(screen.process.pid, signal.SIGINT)
    assert screen.end() == 130
    assert screen.written.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")


def test_it_fits_the_terminal_also_when_that_is_resized_and_leaves_it_clean_when_it_is_ended(queue, terminal):
    queue.enqueue("true")
    screen = terminal("status", "--watch", size=(10, 60))
    screen.wait_for("more lines)")
    assert screen.written.rpartition("\x1b[H")[2].count("\n") == 9
    screen.resize(40, 60)
    screen.wait_for("Ctrl+C leaves")
    send(screen.process.pid, signal.SIGTERM)
    assert screen.end() == 143
    assert screen.written.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l")


def test_without_a_terminal_there_is_nothing_to_draw_on(queue):
    assert "status --json" in queue.run("status", "--watch", code=2).err


def test_nothing_stands_in_the_last_column_since_clearing_the_rest_of_a_line_would_take_it(queue, terminal):
    queue.enqueue("--id", "long", "sleep 1000; " + "true; " * 30)
    queue.start_workers()
    queue.wait_for_state("long", "processing")
    screen = terminal("status", "--watch", size=(40, 60))
    screen.wait_for("sleep 1000")
    send(screen.process.pid, signal.SIGINT)
    assert screen.end() == 130
    shown = re.sub(r"\x1b\[[?\d]*\w", "", screen.written.replace("\x1b[H", "\n"))
    assert {len(line) for line in shown.splitlines() if "sleep 1000" in line} == {59}


# --- show --sh

@pytest.mark.short
def test_show_sh_is_a_script_that_does_what_the_job_does(queue):
    command = 'printf "%s|" "$PWD" "$A.B" "$C" "$QUEUECTL_JOB_ID" "$QUEUECTL_ATTEMPT" "$QUEUECTL_STORE"; cat; printf "\\377"; exit 3'
    odd = queue.path("it's a\ndirectory")
    os.mkdir(odd)
    queue.run("enqueue", "--id", "a", "--max-retries", "0", "--cwd", odd, "--env", "C=\x1b[31m 'x'\n$(false)\udcff", "--", command)
    queue.work(count=1)
    script = queue.run("show", "a", "--sh").out
    assert "# job a of queuectl" in script and "dead (exit 3)" in script
    done = subprocess.run(["/bin/sh"], input=script.encode("utf-8", "surrogateescape"), cwd="/", stdout=subprocess.PIPE)
    assert done.returncode == 3
    assert done.stdout.decode("utf-8", "surrogateescape") == queue.run("logs", "a", code=0).out
    assert odd in queue.run("logs", "a").out


def test_nothing_that_a_job_contains_becomes_a_line_of_the_script(queue):
    odd = queue.path("gone\necho from the directory")
    os.mkdir(odd)
    queue.run("enqueue", "--id", "a", "--max-retries", "0", "--cwd", odd, "--", "true\n# from the command")
    os.rmdir(odd)
    queue.work(count=1)
    assert "\necho from" in queue.job("a")["error"]
    script = queue.run("show", "a", "--sh").out
    os.mkdir(odd)
    done = subprocess.run(["/bin/sh"], input=script.encode(), stdout=subprocess.PIPE, cwd="/")
    assert (done.returncode, done.stdout) == (0, b"")


def test_what_watches_a_running_job_leaves_no_file_open(queue):
    queue.start_workers()
    queue.wait_for_workers(1)
    strict = {"PYTHONWARNINGS": "error"}
    queue.enqueue("--id", "long", "echo begun; while [ ! -e go ]; do sleep 0.05; done")
    queue.wait_for_state("long", "processing")
    follower = queue.start("logs", "-f", "long", env=strict)
    follower.wait_for_text("begun")
    assert queue.run("logs", "long", env=strict).err == ""
    queue.write("go", "x")
    assert follower.wait() == 0 and follower.errors() == ""
    assert "unclosed" not in queue.run("enqueue", "--wait", "echo a; sleep 0.3", env=strict).err
    queue.run("worker", "stop")
    assert queue.run("run", "long", env=strict).err == ""
