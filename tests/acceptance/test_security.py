"""Nobody is let in: what others could write is not run, what a job says cannot act on a terminal, and secrets stay where they are."""

import fcntl
import io
import json
import os
import pty
import re
import stat
import struct
import subprocess
import sys
import termios
import unicodedata

import pytest

from queuectl_lib.faces.cli import main

# Of each kind one: ESC (a title, a screen that is cleared), CR, BEL, backspace, DEL, C1, directions, what has no width, a lone byte, a heap of marks.
EVIL = ("\x1b]0;owned\x07\x1b[2J\r\x08\x7f\x9b31m\x85\u202egpj\u2066\u200b\u200d\ufeff\u00ad\U000e0041\udcff" + "z" + "\u0301" * 40)
WRITES = [["enqueue", "true"], ["worker", "start", "--drain"], ["run", "a"], ["config", "set", "max-retries", "1"], ["purge", "--yes"],
          ["retry", "a"], ["cancel", "a"], ["hold", "a"], ["pause"], ["worker", "stop"], ["dlq", "purge", "--all", "--yes"]]
READS = [["status"], ["list"], ["show", "a"], ["stats"], ["metrics"], ["events"], ["config", "list"], ["worker", "list"], ["dlq", "list"]]


def one_line(errors, *words):
    """Said in one line, with these words in it."""
    assert errors.count("\n") == 1 and errors.startswith("queuectl: "), errors
    for word in words:
        assert word in errors


class Here:
    """The program in this process, at a terminal as far as it can tell: a test may then look at a hundred commands."""

    def __init__(self, queue, monkeypatch):
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(queue.directory)
        monkeypatch.setattr(os, "environ", dict(os.environ, **queue.environment))

    def run(self, *words):
        """(exit code, what it has shown, what of that as a remark)."""
        screen, errors = Screen(), Screen()
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            patch.setattr(sys, "stderr", errors)
            code = main.main(list(words))
        return code, screen.shown(), errors.shown()


class Screen(io.TextIOWrapper):
    """Standard output or error that is a terminal, as far as anybody can tell without asking the system."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", errors="surrogateescape")

    def isatty(self):
        return True

    def shown(self):
        self.flush()
        return self.buffer.getvalue().decode("utf-8", "surrogateescape")


# --- who may do what

def test_a_store_that_others_may_write_is_refused_by_all_that_writes_and_read_by_all_that_reads(queue, monkeypatch):
    queue.enqueue("--id", "a", "true")
    os.chmod(os.path.join(queue.store, "base"), 0o770)
    before = queue.snapshot()
    here = Here(queue, monkeypatch)
    for words in WRITES:
        code, shown, errors = here.run(*words)
        assert (code, shown) == (3, ""), words
        one_line(errors, "base may be written by others", "chmod -R go-w")
    for words in READS:
        assert here.run(*words)[0] == 0, words
    assert queue.snapshot() == before
    os.chmod(os.path.join(queue.store, "base"), 0o700)
    queue.run("enqueue", "true")


@pytest.mark.short
def test_under_no_umask_anything_in_a_store_is_for_others(queue):
    """While jobs run, and after: jobs, segments, indexes, locks, spools, outputs, FIFOs, settings, logs."""
    before = os.umask(0)
    try:
        queue.run("config", "set", "on_complete", "true")
        queue.enqueue("--id", "big", "--max-retries", "0", "echo half > $QUEUECTL_PROGRESS; head -c 100000 /dev/zero; exit 1")
        queue.run("enqueue", "--file", "-", input='{"command": "true", "held": true}\n' * 1100)
        queue.run("worker", "start", "--detach")
        queue.wait_for_state("big", "dead")
        queue.enqueue("--id", "runs", "echo begun; sleep 1000")
        queue.wait_for_state("runs", "processing")
        kinds = check_modes(queue.store)
        queue.run("worker", "stop", "--now")
        queue.run("roll")
        kinds |= check_modes(queue.store)
    finally:
        os.umask(before)
    assert {"jobs.jsonl", "lock", "roll.lock", "config.json", "workers.pid", "worker.log", "all", "1.lock", "1.out", "1.progress",
            "big.1.out"} <= kinds and any(name.endswith(".index") for name in kinds)


def check_modes(store):
    """The names of all there is in a store, which is its owner's alone."""
    found = set()
    for folder, _, names in os.walk(store):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700, folder
        for name in names:
            try:
                assert stat.S_IMODE(os.lstat(os.path.join(folder, name)).st_mode) == 0o600, name
            except FileNotFoundError:
                # Removed meanwhile.
                continue
            found.add(name)
    return found


@pytest.mark.parametrize("kind", ["link", "hard link", "FIFO"])
def test_a_worker_follows_nothing_that_was_planted(queue, kind):
    victim = queue.write("victim", "precious")
    queue.enqueue("--id", "a", "head -c 100000 /dev/zero; echo gone >&2")
    names = ["workers/1." + end for end in ("out", "err", "job", "progress")]
    for name in names + ["wake/all", "output/a.1.out", "workers.pid.new"]:
        path = os.path.join(queue.store, name)
        {"link": lambda: os.symlink(victim, path), "hard link": lambda: os.link(victim, path), "FIFO": lambda: os.mkfifo(path)}[kind]()
    queue.work(count=1)
    assert queue.text("victim") == "precious" and stat.S_IMODE(os.stat(victim).st_mode) == 0o644
    job = queue.job("a")
    assert (job["state"], job["stdout_size"], job["stderr"]) == ("completed", 100000, "gone\n")


@pytest.mark.parametrize("name, words", [("roll.lock", ["roll"]), ("worker.log", ["worker", "start", "--detach"])])
def test_a_file_that_it_needs_and_that_leads_elsewhere_is_an_error(queue, name, words):
    victim = queue.write("victim", "precious")
    queue.enqueue("true")
    os.link(victim, os.path.join(queue.store, name))
    result = queue.run(*words, code=3)
    assert result.err.count("Traceback") == 0 and name in result.out + result.err
    assert queue.text("victim") == "precious"


def test_a_job_that_gives_its_output_another_name_keeps_no_worker_from_its_slot(queue):
    queue.enqueue("--id", "a", "--max-retries", "0", "ln $QUEUECTL_STORE/workers/1.out mine; echo kept")
    queue.work(count=1)
    queue.enqueue("--id", "b", "echo next")
    queue.work(count=1)
    assert [queue.job(id)["stdout"] for id in "ab"] == ["kept\n", "next\n"]


def test_an_output_elsewhere_is_not_shown(queue):
    queue.enqueue("--id", "a", "head -c 100000 /dev/zero")
    queue.work(count=1)
    path = os.path.join(queue.store, "output", "a.1.out")
    os.unlink(path)
    os.symlink(queue.write("victim", "precious"), path)
    result = queue.run("logs", "a", code=3)
    one_line(result.err, "a.1.out is a link")
    assert result.out == ""


# --- what is shown

@pytest.fixture
def hostile(queue):
    """A store in a folder with an odd name, in which everything that takes text was given the worst of it."""
    folder = queue.path("here" + EVIL)
    os.mkdir(folder)
    queue.environment["QUEUECTL_STORE"] = os.path.join(folder, "q")
    evil = EVIL.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    said = "printf %s '" + evil + "'"
    # What a hook prints goes where the worker prints as it is: these print nothing.
    queue.run("config", "set", "on_dead", "# " + evil)
    script = said + "; " + said + " >&2; " + said + " > $QUEUECTL_PROGRESS; exit 3"
    queue.run("enqueue", "--id", "a", "--max-retries", "0", "--cwd", folder, "--env", "A=" + evil, script)
    queue.run("enqueue", "--id", "b", said)
    queue.run("enqueue", "--id", "c", "--env", "A" + evil + "=1", "true " + evil)
    queue.run("enqueue", "--id", "d", "--after", "a", "true")
    started = queue.start_workers("--drain", count=1)
    assert started.wait() == 0
    queue.run("worker", "start", "--detach", "--max-idle", "1ms")
    queue.run("pause", "--reason", "because " + evil)
    queue.run("enqueue", "--id", "e", "--hold", "true " + evil)
    queue.evil, queue.printed = evil, started.text() + started.errors()
    return queue


def looks(queue):
    """Every command that shows something, and some that complain of what they were given."""
    evil = queue.evil
    asked = [["status"], ["list"], ["list", "-v", "--reveal"], ["show", "a"], ["show", "a", "--reveal"], ["show", "c"], ["logs", "a"],
             ["show", "a", "--sh"], ["stats"], ["metrics"], ["events"], ["events", "a"], ["config", "list"], ["config", "get", "on_dead"],
             ["worker", "list"], ["dlq", "list"], ["dlq", "list", "--group"], ["dlq", "show", "a"], ["wait", "--timeout", "0", "e"],
             ["complete", "--", "show", ""], ["list", "--json"], ["show", "a", "--json"], ["status", "--json"]]
    wrong = [[name, evil] for name in ("show", "logs", "wait", "run", "cancel", "retry", "hold", "release", "events")]
    wrong += [["logs", "-f", evil], ["edit", evil, "--priority", "1"], ["dlq", "retry", evil], ["enqueue", "--after", evil, "x"]]
    wrong += [["--" + evil], ["list", "--" + evil], [evil], ["list", "--state", evil], ["enqueue", "--file", evil],
             ["enqueue", "--id", evil, "x"], ["enqueue", "--cwd", evil, "x"], ["enqueue", "--env", evil, "x"], ["config", "get", evil],
             ["config", "set", "timeout", evil], ["enqueue", '{"command": 1, "%s": 2}' % evil], ["enqueue", "--delay", evil, "x"],
             ["--store", "no" + evil, "show", "a"], ["--store", "victim" + evil, "enqueue", "x"], ["metrics", "--output", evil + "/x"]]
    return asked + wrong


def raw(text):
    """What is left in a text that could act on a terminal, our own colours and line ends taken out."""
    text = re.sub("\x1b\\[[0-9;]*m", "", text).replace("\r\n", "\n").replace("\t", " ")
    found = [letter for letter in text if letter != "\n" and (unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp"))]
    return found + re.findall("\u0301{5,}", text)


def test_no_command_lets_through_to_a_terminal_what_could_act_on_it(hostile, monkeypatch):
    here = Here(hostile, monkeypatch)
    open(hostile.path("victim" + EVIL), "w").close()
    assert "dead a" in hostile.printed and raw(hostile.printed) == []
    shown = {}
    for words in looks(hostile):
        shown[" ".join(words)] = "".join(here.run(*words)[1:])
    assert {words: text for words, text in shown.items() if raw(text)} == {}
    for words in ("list", "show a", "logs a", "config list"):
        assert "\\x1b]0;owned\\x07" in shown[words], words


def test_nor_to_a_pipe_or_a_log_but_what_a_job_wrote_nor_to_a_real_terminal(hostile):
    for words in (["status"], ["list", "-v"], ["show", "a"], ["events"], ["dlq", "list", "--group"], ["show", hostile.evil],
                  ["stats"], ["list", "--json"]):
        for poor in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
            result = hostile.run(*words, code=None, env=poor)
            assert raw(result.out + result.err) == [] and "Traceback" not in result.err, (words, poor, result.err)
    assert hostile.run("logs", "a", "--stdout").out == hostile.evil
    log = os.path.join(hostile.environment["QUEUECTL_STORE"], "worker.log")
    with open(log, encoding="utf-8", errors="surrogateescape") as file:
        assert raw(file.read()) == []
    for words in (["list"], ["logs", "a"]):
        text = on_a_terminal(hostile, words)
        assert "owned" in text and raw(text) == []


def on_a_terminal(queue, words):
    """What a command prints on a pseudo terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(queue.directory)
        os.execve(queue.program.words[0], queue.program.words + words, queue.environment)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    data = b""
    try:
        while True:
            piece = os.read(fd, 65536)
            if not piece:
                break
            data += piece
    except OSError:
        # The other end is closed.
        pass
    os.close(fd)
    os.waitpid(pid, 0)
    return data.decode("utf-8", "surrogateescape")


# --- what is run

PWN = "$(touch pwned)`touch pwned`;touch pwned;'\"|touch pwned&"


def test_a_hook_is_never_made_of_what_a_job_says(queue):
    queue.run("config", "set", "on_dead", 'echo "$QUEUECTL_JOB_COMMAND" >> told; cat >> told')
    # The job itself comes no further than its first word.
    command = "exit 4; $(touch pwned)`touch pwned`; touch pwned"
    queue.enqueue("--id", "a", "--max-retries", "0", command)
    queue.work(count=1)
    told = queue.text("told")
    assert told.startswith(command + "\n") and json.loads(told.partition("\n")[2])["id"] == "a"
    assert not os.path.exists(queue.path("pwned"))


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_completing_runs_nothing_of_a_job(queue, shell):
    queue.enqueue("--id", "a", PWN)
    script = queue.run("completion", shell).out
    queue.write("script", script)
    program = queue.write("queuectl", '#!/bin/sh\nexec %s "$@"\n' % " ".join(queue.program.words))
    os.chmod(program, 0o755)
    environment = queue.environment_with({"PATH": queue.directory + os.pathsep + queue.environment["PATH"]})
    asked = {
        "bash": "source ./script; COMP_LINE='queuectl show '; COMP_POINT=${#COMP_LINE}; _queuectl queuectl '' show; echo ${COMPREPLY[@]}",
        "fish": "source ./script; complete -C 'queuectl show '",
        "zsh": "autoload -U compinit; compinit -u -D; source ./script; _describe() { echo ${(P)3} }; compset() { }; "
               "words=(queuectl show ''); CURRENT=3; PREFIX=; LBUFFER='queuectl show '; _queuectl"}
    try:
        done = subprocess.run([shell, "-c", asked[shell]], cwd=queue.directory, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
    except FileNotFoundError:
        pytest.skip("no %s here" % shell)
    assert b"a" in done.stdout.split(None, 1)[0], done.stderr
    assert not os.path.exists(queue.path("pwned"))


# --- secrets

SECRET = "hunter2-of-this-test"


def test_values_of_variables_are_shown_to_who_asks(queue):
    queue.run("enqueue", "--id", "a", "--max-retries", "0", "--env", "TOKEN=" + SECRET, "exit 1")
    queue.work(count=1)
    for words in (["show", "a"], ["list", "-v"], ["dlq", "show", "a"], ["dlq", "list", "-v"]):
        hidden = queue.run(*words).out
        assert "TOKEN=********" in hidden and SECRET not in hidden
        assert "TOKEN=" + SECRET in queue.run(*words + ["--reveal"]).out
    for words in (["status"], ["stats"], ["events"], ["metrics"], ["worker", "list"], ["events", "--json"], ["status", "--json"]):
        assert SECRET not in queue.run(*words).out
    printed = queue.run("list", "--jsonl").out
    queue.run("--store", "other", "enqueue", "--file", "-", input=printed)
    assert json.loads(queue.run("--store", "other", "show", "a", "--json").out)["env"] == {"TOKEN": SECRET}


def test_a_variable_may_be_named_without_its_value_so_that_no_command_line_shows_it(queue):
    mine = {"TOKEN": SECRET}
    queue.run("enqueue", "--id", "a", "--env", "TOKEN", "--", "echo $TOKEN $MODE", env=mine)
    queue.run("enqueue", "--id", "b", "--env", "TOKEN", "MODE=fast", "echo $TOKEN $MODE", env=mine)
    assert [queue.job(id)["env"] for id in "ab"] == [mine, dict(mine, MODE="fast")]
    one_line(queue.run("enqueue", "--env", "TOKEN", "true", code=2).err, "there is no variable TOKEN here")


@pytest.mark.parametrize("words, given", [
    (["enqueue", '{"command": "true", "env": {"TOKEN": ["%s"]}}' % SECRET], None),
    (["enqueue", '{"command": "true", "env": {"TOKEN": "%s\\u0000"}}' % SECRET], None),
    (["enqueue", '{"command": "true", "env": {"TOKEN=%s": "x"}}' % SECRET], None),
    (["enqueue", '{"command": "true", "env": {"TOKEN": %s}}' % SECRET], None),
    (["enqueue", "{command: true, env: {TOKEN: %s}}" % SECRET], None),
    (["enqueue", "--env", "TOKEN " + SECRET, "true"], None),
    (["enqueue", "--file", "-"], '{"command": "true", "env": {"TOKEN": "a" "%s"}}\n' % SECRET),
])
def test_no_message_quotes_a_value(queue, words, given):
    result = queue.run(*words, input=given, code=2)
    one_line(result.err)
    assert SECRET[:7] not in result.err
