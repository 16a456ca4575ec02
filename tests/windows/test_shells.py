"""What cmd and PowerShell make of the lines that the README gives for them, by their documented rules."""

import os
import re
import subprocess

import pytest

from tests import readme

JOB = ("job1", "sleep 2")


def words(line):
    """A command line as a C program's arguments: backslashes count only before a quote (CommandLineToArgvW)."""
    found, word, quoted, place = [], None, False, 0
    while place < len(line):
        slashes = len(line) - place - len(line[place:].lstrip("\\"))
        place += slashes
        before_quote = line[place:place + 1] == '"'
        if slashes:
            word = (word or "") + "\\" * (slashes // 2 if before_quote else slashes)
        if before_quote and slashes % 2:
            word += '"'
        elif before_quote:
            word, quoted = word or "", not quoted
        elif line[place:place + 1] == " " and not quoted:
            found += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + line[place:place + 1]
        place += 1
    return found if word is None else found + [word]


def by_powershell(line):
    """(the command line that PowerShell 5 makes, what it pipes in): quotes inside an argument are left as they are."""
    piped, _, rest = line.rpartition(" | ")
    arguments = [argument[1:-1] if argument[0] == "'" else argument for argument in re.findall(r"'[^']*'|\S+", rest)]
    return " ".join('"%s"' % each if " " in each else each for each in arguments), piped.strip("'").encode()


def lines(kind):
    return [line for block in readme.blocks() if block.kind == kind for line in block.text.splitlines() if " enqueue " in line]


def stored(queue, command_line, piped=b""):
    """(id, command, priority) of the one job that such a line stores."""
    launcher, program, *rest = words(command_line)
    assert (launcher, program) == ("py", "queuectl.py")
    environment = dict(queue.environment, QUEUECTL_STORE=queue.store)
    subprocess.run(queue.program.words + rest, input=piped, env=environment, cwd=queue.directory, check=True, stdout=subprocess.DEVNULL)
    [job] = queue.jobs()
    return job["id"], job["command"]


@pytest.mark.parametrize("line", lines("bat"))
def test_a_line_for_cmd_stores_the_job(queue, line):
    assert stored(queue, line) == JOB


@pytest.mark.parametrize("line", lines("powershell"))
def test_a_line_for_powershell_stores_the_job(queue, line):
    assert stored(queue, *by_powershell(line)) == JOB


def test_quotes_that_a_shell_takes_away_are_told_of(queue):
    [unquoted] = words('"{"id": "job1", "command": "ls"}"')[:1]
    assert "lost its quotes" in queue.run("enqueue", unquoted, code=2).err


def test_the_lines_are_of_the_shells_that_the_readme_names():
    assert readme.blocks("bat", "When something is odd") and readme.blocks("powershell", "When something is odd")
