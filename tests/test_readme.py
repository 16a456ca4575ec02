"""Every command in README.md runs as it stands there.

Of the blocks marked ```console, each line that begins with "$ " is a command;
those of one section run one after another in a fresh directory that holds
queuectl.py, and must end with exit code 0. Lines below a command are its output: they must be
in it in this order, what changes from run to run (moments, durations, made-up
ids, pids) set aside. Blocks marked ```sh are for a reader's own machine and
only have to be commands that exist.
"""

import os
import re
import shutil
import subprocess

import pytest

import support

README = os.path.join(support.ROOT, "README.md")
CHANGING = [(r"\b\d+\.[0-9a-f]{6}\b", "WORKER"), (r"\d\d\d\d-\d\d-\d\dT[\d:.]+Z?", "MOMENT"), (r"\b\d\d:\d\d:\d\d\b", "CLOCK"),
            (r"\b\d+(\.\d+)? ?(ms|s|min|h|d)\b", "TIME"), (r"\b1[a-z0-9]{15}\b", "ID"), (r"\[\d+\]", "[N]"),
            (r"\bpid \d+", "pid N"), (r" +", " ")]


def sections():
    """{title: [(command, [lines of its output])]} of the sections that have console blocks, in order."""
    with open(README, encoding="utf-8") as file:
        parts = re.split(r"^## (.*)\n", file.read(), flags=re.MULTILINE)[1:]
    found = {title: sessions(text) for title, text in zip(parts[::2], parts[1::2])}
    return {title: commands for title, commands in found.items() if commands}


def sessions(text):
    """[(command, [lines of its output])] of all console blocks in a text, in order."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip():
                found[-1][1].append(line)
    return found


def plain(line):
    for pattern, word in CHANGING:
        line = re.sub(pattern, word, line)
    return line.strip()


@pytest.fixture
def server(queue, one_file):
    """A directory as the README leaves it: the one file in it, and little else."""
    shutil.copy(one_file, queue.path("queuectl.py"))
    bin = os.path.join(queue.top, "bin")
    os.mkdir(bin)
    os.symlink(support.PYTHON, os.path.join(bin, "python3"))
    queue.environment["PATH"] = bin + os.pathsep + queue.environment["PATH"]
    return queue


def test_the_readme_has_sessions():
    assert sum(map(len, sections().values())) >= 60


@pytest.mark.parametrize("section", sections())
def test_every_session_runs_and_prints_what_it_says(server, section):
    for command, expected in sections()[section]:
        done = subprocess.run(["/bin/sh", "-c", command], cwd=server.directory, env=server.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        output = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, "$ %s\n%s" % (command, output)
        assert_in_order([plain(line) for line in expected], [plain(line) for line in output.splitlines()], command)


def assert_in_order(expected, printed, command):
    rest = iter(printed)
    for line in expected:
        if not set(line) <= set(".… "):
            assert line in rest, "$ %s\ndid not print %r, but:\n%s" % (command, line, "\n".join(printed))


def test_named_commands_and_options_exist(server):
    """Commands in running text too: `queuectl.py worker stop --now` must not outlive the option."""
    with open(README, encoding="utf-8") as file:
        named = set(re.findall(r"(?:python3 (?:\S*/)?|`)queuectl(?:\.py)? ((?:worker |dlq |config )?[a-z]+)", file.read()))
    known = server.run("--help").out
    words = {name.split()[0] for name in named}
    assert [word for word in words if not re.search(r"\b%s\b" % word, known)] == []


def test_the_make_targets_it_names_exist():
    with open(README, encoding="utf-8") as file:
        named = set(re.findall(r"`?make ([a-z]+)`?", file.read()))
    with open(os.path.join(support.ROOT, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([a-z]+):", file.read(), re.MULTILINE))
    assert "test" in named and named - {"a"} <= targets
