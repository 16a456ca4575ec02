"""What cmd and PowerShell make of the lines that the README gives for them, by their documented rules."""

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


ODD = "When something is odd"
SECTION = "On Windows"
# Longer ones schtasks refuses.
LONGEST_TASK = 261


def lines(kind):
    return [line for block in readme.blocks(kind, ODD) for line in block.text.splitlines() if " enqueue " in line]


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


def tasks():
    """What the scheduler is to run, as the README has it."""
    [block] = readme.blocks("bat", SECTION)
    joined = block.text.replace("^\n", "")
    return [words(line)[-1] for line in joined.splitlines() if line.startswith("schtasks ")]


@pytest.mark.parametrize("task", tasks())
def test_a_task_of_the_scheduler_is_a_command_that_is_understood(queue, task):
    launcher, program, *rest = words(task)
    assert len(task) <= LONGEST_TASK
    assert (launcher, program) == ("C:\\Windows\\py.exe", "C:\\queuectl\\queuectl.py")
    assert rest[:2] == ["--store", "C:\\app\\.queuectl"]
    try:
        assert queue.run("--store", queue.store, *[queue.directory if word == "C:\\app" else word for word in rest[2:]]).err == ""
    finally:
        queue.run("worker", "stop", code=None)


def test_a_task_that_enqueues_says_where_the_job_runs():
    enqueueing = [words(task) for task in tasks() if " enqueue " in task]
    assert enqueueing and all(task[task.index("--cwd") + 1] == "C:\\app" for task in enqueueing)


def test_text_beyond_ascii_comes_through_a_pipe(queue):
    [block] = readme.blocks("powershell", SECTION)
    piped = block.text.splitlines()[-1].split(" | ")[0].strip("'")
    queue.run("enqueue", "--file", "-", input=piped.encode("utf-8"))
    assert [job["command"] for job in queue.jobs()] == ["echo größer"]
