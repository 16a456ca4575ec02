"""Mail on dead jobs: the hook and the morning's line of README.md, with a stand-in for sendmail that keeps what it gets."""

import os
import re
import subprocess
from email import message_from_bytes
from email.policy import default

import pytest

import readme

SECTION = "Logs, metrics and mail"
# It stops at a line with a lone dot unless told otherwise, as the real one does.
SENDMAIL = """#!/bin/sh
new=$(mktemp %(box)s/.XXXXXX)
echo "$*" > "$new.args"
case "$*" in *-i*) cat ;; *) sed '/^\\.$/,$d' ;; esac > "$new"
mv "$new" "$new.mail"
"""
HOSTILE = """printf 'x\\nBcc: all@example.com\\n.\\nY\\n' >&2
# Bcc: all@example.com
.
: $(touch pwned) `touch pwned`; touch \\\\pwned; : "'; touch pwned; '"
echo 'grüße \x1b[31m' >&2; exit 7"""


class Box:
    """Where the stand-in keeps the mails."""

    def __init__(self, top):
        self.path = os.path.join(top, "box")
        os.mkdir(self.path)
        self.sendmail = os.path.join(top, "sendmail")
        with open(self.sendmail, "w") as file:
            file.write(SENDMAIL % {"box": self.path})
        os.chmod(self.sendmail, 0o755)

    def files(self, ending):
        return [os.path.join(self.path, name) for name in os.listdir(self.path) if name.endswith(ending)]

    def mails(self):
        found = []
        for path in self.files(".mail"):
            with open(path, "rb") as file:
                found.append(message_from_bytes(file.read(), policy=default))
        return sorted(found, key=lambda mail: mail["Subject"])

    def arguments(self):
        return {open(path).read() for path in self.files(".args")}


@pytest.fixture
def box(queue):
    return Box(queue.top)


def set_hook(queue, box):
    """The documented script where it is documented to lie."""
    [script] = [block.text for block in readme.blocks("shell", SECTION) if "mail-dead.sh" in block.text]
    script = readme.put(script, "python3 /usr/local/lib/queuectl.py", " ".join(queue.program.words))
    path = queue.write("mail-dead.sh", readme.put(script, "/usr/sbin/sendmail", box.sendmail))
    os.chmod(path, 0o755)
    [command] = re.findall(r"`queuectl config set on_dead (\S+)`", readme.text())
    queue.run("config", "set", "on_dead", readme.put(command, "/srv/app", queue.directory))


def test_each_job_that_dies_is_one_mail_about_it(queue, box):
    set_hook(queue, box)
    queue.enqueue("--id", "well", "true")
    for number in range(5):
        queue.enqueue("--id", "ill.%d" % number, "--max-retries", "0", "echo out of paper >&2; exit 4")
    queue.work()
    mails = box.mails()
    assert [mail["Subject"] for mail in mails] == ["job ill.%d is dead" % number for number in range(5)]
    assert box.arguments() == {"-t -i\n"} and {mail["To"] for mail in mails} == {"root"}
    text = mails[0].get_content()
    assert "exit 4" in text and "out of paper" in text and "queuectl dlq retry ill.0" in text


def test_it_is_written_when_the_job_dies_and_not_when_it_is_tried_again(queue, box):
    set_hook(queue, box)
    queue.run("config", "set", "backoff_max", "100ms")
    queue.enqueue("--id", "twice", "--max-retries", "1", "exit 1")
    queue.work()
    [mail] = box.mails()
    assert "both attempts failed" in mail.get_content()


def test_nothing_that_a_job_says_gets_into_the_mails_head_or_into_a_shell(queue, box):
    set_hook(queue, box)
    queue.enqueue("--id", "hostile", "--max-retries", "0", "--env", "TOKEN=hunter2", "--", "exit 9; " + HOSTILE)
    queue.work()
    [mail] = box.mails()
    assert set(mail.keys()) == {"To", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
    assert mail["Subject"] == "job hostile is dead"
    text = mail.get_content()
    # All of it, behind the line with the dot, too.
    assert "all@example.com" in text and "grüße \\x1b[31m" in text and "exit_code" not in text and "\x1b" not in text
    assert text.rstrip().splitlines()[-1].strip() and "hunter2" not in text
    assert not os.path.exists(queue.path("pwned"))


def test_lines_are_no_longer_than_mail_may_have_them(queue, box):
    set_hook(queue, box)
    queue.enqueue("--id", "long", "--max-retries", "0", "exit 1 #" + "x" * 5000)
    queue.work()
    [path] = box.files(".mail")
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    assert max(map(len, lines)) < 998 and sum(line.count(b"x") for line in lines) >= 5000


# --- the morning's mail: cron sends what the line prints

def morning(queue):
    [line] = [block.text for block in readme.blocks("crontab", SECTION) if " dlq list " in block.text]
    line = readme.put(readme.put(line, "/srv/app", queue.directory), "python3 /usr/local/lib/queuectl.py", " ".join(queue.program.words))
    done = subprocess.run(["/bin/sh", "-c", readme.put(line, "0 7 * * *  ", "")], env=queue.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode()


def test_the_mornings_mail_has_a_line_for_those_that_failed_alike(queue):
    lines = "".join('{"command": "echo no route to host >&2; exit 5", "max_retries": 0}\n' for _ in range(300))
    queue.run("enqueue", "--file", "-", input=lines)
    queue.enqueue("--id", "other", "--max-retries", "0", "exit 6")
    queue.work()
    said = morning(queue).splitlines()
    assert len(said) == 3
    assert said[1].split()[:3] == ["300", "exit", "5"] and said[1].endswith("no route to host")
    assert said[2].split()[:4] == ["1", "exit", "6", "other"]


def test_however_different_they_are_it_stays_short(queue):
    lines = "".join('{"command": "echo %d >&2; exit 1", "max_retries": 0}\n' % number for number in range(120))
    queue.run("enqueue", "--file", "-", input=lines)
    queue.work()
    assert len(morning(queue).splitlines()) == 50


def test_none_is_sent_while_nothing_is_dead_but_for_a_store_that_is_ill(queue):
    queue.enqueue("true")
    assert morning(queue) == ""
    queue.append_garbage(b"garbage\n")
    assert morning(queue).startswith("queuectl: ")
