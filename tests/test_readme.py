"""Every block of README.md runs as it stands there.

The blocks of one section run one after another in a fresh directory that holds queuectl.py. Of those marked ```console
each line that begins with "$ " is a command, which must end with exit code 0; the lines below it are all that a person
sees on a terminal 80 columns wide, but for what changes from run to run (readme.same). Those marked ```sh are for a
reader's own machine: they run with stand-ins for what is somewhere else. The other kinds belong to the tests of what
they are for.
"""

import glob
import os
import re
import shutil
import signal
import stat
import subprocess

import pytest

import support
from tests import readme, screen

# Commands that go on until Ctrl+C.
ENDLESS = re.compile(r"(status --watch|events -f|worker start --count 4|queuectl dashboard|queuectl up)\b")

# What an example names and only its reader has: name -> what stands in for it.
STAND_INS = {
    "queuectl": 'exec python3 "$HERE/queuectl.py" "$@"',
    # The command comes last, behind the machine's name; without one it is a tunnel.
    "ssh": 'while [ "$1" = -L ]; do shift 2; done; shift; [ $# = 0 ] || exec sh -c "$*"',
    "scp": 'for to; do :; done; for from; do [ "$from" = "$to" ] || cp "$from" "${to#*:}"; done',
    "make": "echo make $*",
    "jq": "exec cat",
    "rsync": ":", "ffmpeg": ":",
}
# Programs of one's own that examples enqueue.
OWN_PROGRAMS = ("./backup.sh", "./report.sh", "./nightly.sh", "./upload.sh", "./send.sh")
# Where queuectl.py and an application lie on a server.
PLACES = {"/usr/local/lib": "lib", "/srv/app": "app", "/srv/other": "other"}

# Sections of which a test in recipes/ or brokers/ runs the sh blocks, each where it means something.
RUN_ELSEWHERE = ("From cron", "From systemd", "In a container", "Logs, metrics and mail", "Backup", "Beyond one machine")


def runs_here(block):
    return block.kind == "console" or block.kind == "sh" and block.section not in RUN_ELSEWHERE


def sections():
    """The headings below which there are blocks that run here, in order."""
    return list(dict.fromkeys(block.section for block in readme.blocks() if runs_here(block)))


@pytest.fixture
def server(queue, one_file):
    """A directory as the README leaves it: the one file in it, and little else."""
    shutil.copy(one_file, queue.path("queuectl.py"))
    bin = os.path.join(queue.top, "bin")
    os.mkdir(bin)
    os.symlink(support.PYTHON, os.path.join(bin, "python3"))
    queue.environment["PATH"] = bin + os.pathsep + queue.environment["PATH"]
    queue.environment["HERE"] = queue.directory
    return queue


@pytest.fixture
def machine(server):
    """The same with what a reader has on a machine of his own."""
    for name, what in STAND_INS.items():
        program(os.path.join(server.top, "bin", name), what)
    for name in OWN_PROGRAMS:
        program(server.path(name), "exit 4" if name == "./send.sh" else ":")
    for place in PLACES.values():
        os.makedirs(server.path(place), exist_ok=True)
    shutil.copy(server.path("queuectl.py"), server.path("lib", "queuectl.py"))
    os.makedirs(server.path("dist"))
    shutil.copy(server.path("queuectl.py"), server.path("dist", "queuectl.py"))
    subprocess.run("sha256sum queuectl.py > queuectl.py.sha256", shell=True, cwd=server.path("dist"), check=True)
    # One of them is there to die, and to be purged.
    server.write("jobs.jsonl", '{"id": "rude", "command": "exit 4", "max_retries": 0}\n{"command": "true"}\n')
    return server


def program(path, what):
    with open(path, "w") as file:
        file.write("#!/bin/sh\n%s\n" % what)
    os.chmod(path, 0o755)


@pytest.fixture
def terminal(queue):
    opened = screen.Screen(queue.directory, queue.environment)
    yield opened
    opened.close()


@pytest.mark.parametrize("section", sections())
def test_every_block_runs_and_prints_what_it_says(request, queue, section):
    kinds = {block.kind for block in readme.blocks(section=section)}
    request.getfixturevalue("machine" if "sh" in kinds else "server")
    terminal = request.getfixturevalue("terminal")
    for block in filter(runs_here, readme.blocks(section=section)):
        if block.kind == "console":
            prints_what_it_says(queue, terminal, block.text)
        else:
            for line in readme.script(block.text):
                runs(queue, terminal, line)
    for store in glob.glob(queue.path("**", ".queuectl"), recursive=True):
        queue.run("--store", store, "worker", "stop", "--now")
        others_cannot_read_the_token(queue, os.path.join(store, "token"))


def others_cannot_read_the_token(queue, file):
    token = queue.text(file).strip() if os.path.exists(file) else None
    for folder, _, names in os.walk(queue.directory):
        for path in (os.path.join(folder, name) for name in names):
            if token and stat.S_ISREG(os.stat(path).st_mode) and os.stat(path).st_mode & 0o044:
                with open(path, "rb") as open_to_all:
                    assert token.encode() not in open_to_all.read(), path


def prints_what_it_says(queue, terminal, text):
    for command, shown in readme.session(text):
        code, output = terminal.typed(command)
        assert code == 0, "$ %s\n%s" % (command, output)
        # What the README calls so, for whoever knows no other place.
        output = output.replace(queue.directory, "/srv/app")
        assert readme.same(shown, output.splitlines()), "$ %s\nthe README shows\n%s\nit printed\n%s" % (command, "\n".join(shown), output)


def runs(queue, terminal, line):
    for place, there in PLACES.items():
        line = line.replace(place, queue.path(there))
    if ENDLESS.search(line):
        return ends_by_ctrl_c(terminal, line)
    code, output = terminal.typed(line)
    assert code == 0, "$ %s\n%s" % (line, output)


def ends_by_ctrl_c(terminal, command):
    # A plain terminal is not drawn on, which is all that --watch does.
    line = terminal.start("export TERM=xterm; " + command)
    try:
        # What tells only what happens has nothing to tell.
        assert line.read(lambda: line.text().strip(), 2 if "events" in command else 60) or "events" in command, command
        line.press_ctrl_c()
        assert line.read(line.has_ended, 60), "$ %s\ngoes on after Ctrl+C\n%s" % (command, line.text())
    finally:
        code = line.end()
    # 130: what a shell says of a part of a pipe that was interrupted.
    assert code in (0, 130, -signal.SIGINT) and "Traceback" not in line.text(), "$ %s\n%s" % (command, line.text())


@pytest.mark.parametrize("block", readme.blocks("python"), ids=lambda block: block.section)
def test_the_python_of_the_readme_runs(machine, terminal, block):
    code = block.text
    for place, there in PLACES.items():
        code = code.replace(place, machine.path(there))
    assert "/srv/" not in code and "/usr/" not in code
    machine.write("example.py", code)
    machine.run("--store", machine.path("app", ".queuectl"), "worker", "start", "--detach")
    ended, output = terminal.typed("cp ./report.sh app; cd app && python3 -S ../example.py")
    machine.run("--store", machine.path("app", ".queuectl"), "worker", "stop")
    assert (ended, output) == (0, "completed 0  ['pending', 'processing', 'completed']\n")


# --- every block has a test

def test_every_block_is_of_a_kind_that_a_test_takes():
    """Literally: `blocks("kind"` stands in a test, or `block("kind"` in one of those with brokers; of the section that it names, or SECTION."""
    # Of a drawing of what no program knows there is nothing to compare.
    taken = {("console", None), ("python", None), ("text", "Beyond one machine")}
    for path in glob.glob(os.path.join(support.ROOT, "tests", "**", "*.py"), recursive=True):
        with open(path, encoding="utf-8") as file:
            code = file.read()
        own = re.search(r'^SECTION = "(.*)"', code, re.MULTILINE)
        for kind, section in re.findall(r'\bblocks\("(\w+)", (SECTION|"[^"]*")\)', code):
            taken.add((kind, own.group(1) if section == "SECTION" else section.strip('"')))
        taken.update((kind, "Beyond one machine") for kind in re.findall(r'\bblock\("(\w+)", ', code))
    left = [block for block in readme.blocks() if not runs_here(block) and not {(block.kind, None), (block.kind, block.section)} & taken]
    assert left == []


def test_no_block_stands_without_its_quotes():
    assert [line for _, part in readme.parts() for line in readme.prose(part).splitlines() if line.startswith("    ")] == []


# --- what is compared with what

@pytest.mark.parametrize("shown, printed", [
    ([], []),
    (["a", "…"], ["a"]),
    (["a", "…", "d"], ["a", "b", "c", "d"]),
    (["…", "b", "…", "d"], ["a", "b", "c", "b", "d"]),
    (["12:00:01 [1] completed x in 2 ms"], ["23:59:59 [1] completed x in 1.2 s"]),
    (["ID  AGE  NOTE", "x   0s  -"], ["ID  AGE  NOTE", "x    2s  -"]),
    (["next in 1 h 30 min"], ["next in 1 h 29 min"]),
    (["in 1 ms  copy a b …"], ["in 12 ms  copy a b…"]),
    (["1m88fsse1pe7r4qw"], ["1m99aaaaaaaaaaaa"]),
    (["2026-11-24T19:45:53.586Z  by worker 1.cd344d"], ["2027-01-01T00:00:00.000Z  by worker 2.000000"])])
def test_what_says_the_same(shown, printed):
    assert readme.same(shown, printed)


@pytest.mark.parametrize("shown, printed", [
    ([], ["a"]),
    (["a"], []),
    (["a"], ["a", ""]),
    (["a"], [" a"]),
    (["a", "…", "b"], ["b", "a"]),
    (["a", "…", "a"], ["a"]),
    (["…", "b", "c", "…"], ["b", "a", "c"]),
    (["[1] failed x (exit 3): retry 1/1 in 2 s"], ["[1] failed x (exit 3): retry 1/1 in 4 s"]),
    (["[1] started x"], ["[2] started x"]),
    (["in 2 ms"], ["in 2 min"]),
    (["3 jobs"], ["4 jobs"]),
    (["copy a b …"], ["copy a c …"]),
    (["copy a b c d e f …"], ["copy a …"]),
    (["copy a b"], ["copy a b…"]),
    (["12:00:01 to 12:00:02"], ["12:00:01 to 12:00:03"]),
    (["queuectl: too late"], ["queuectl: too early"])])
def test_what_does_not(shown, printed):
    assert not readme.same(shown, printed)
