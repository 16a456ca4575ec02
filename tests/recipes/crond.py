"""A cron daemon of a test's own: the real one, with crontabs, pidfile and mail in a directory of the test.

It runs in a mount namespace in which that directory lies over the machine's places, so the machine's
own cron and crontabs are not touched. A minute is the shortest that cron knows: tests share one daemon.
"""

import os
import shutil
import stat
import subprocess
from collections import namedtuple
from email import message_from_bytes
from email.policy import default

import support
from recipes import programs
from support import wait_until

# Seconds, of which sixty may be all the waiting for the next minute.
PATIENCE = 150

Mail = namedtuple("Mail", "to subject text")

# Arguments: the directory, then user and crontab of each.
_SETUP = """
mount --bind "$1/spool" /var/spool/cron/crontabs
mount --bind "$1/empty" /etc/cron.d
mount --bind /dev/null /etc/crontab
mount --bind "$1/pam" /etc/pam.d/cron
mount --bind "$1/run" /run
mount --bind "$1/sbin" /usr/sbin
top=$1
shift
while [ $# -gt 0 ]; do
    crontab -u "$1" "$2"
    shift 2
done
exec env -i "$top/cron" -f
"""
# Of the machine's it would take variables, and in a container some of its modules refuse.
_PAM = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
_SENDMAIL = """#!/bin/sh
new=$(mktemp %(mails)s/.XXXXXX) && cat > "$new" && mv "$new" "$new.mail"
"""


class Cron:
    """One daemon. top: a directory that every user may look into."""

    def __init__(self, top):
        self._top = top
        self._tabs = []
        self._process = None
        for name in ("spool", "empty", "run", "sbin", "mails"):
            os.mkdir(self._path(name))
        shutil.chown(self._path("spool"), group="crontab")
        os.chmod(self._path("spool"), 0o1730)
        os.chmod(self._path("mails"), 0o1777)
        # What is in /usr/sbin is out of sight behind the stand-in for sendmail.
        shutil.copy(programs.found("cron"), self._path("cron"))
        self._write("pam", _PAM)
        self._write("sbin/sendmail", _SENDMAIL % {"mails": self._path("mails")})
        os.chmod(self._path("sbin", "sendmail"), 0o755)

    def install(self, user, text):
        """A user's crontab, put in by crontab(1) when the daemon starts."""
        self._tabs += [user, self._write("tab-of-" + user, text + "* * * * * echo >> %s\n" % self._path("mails", "ticks." + user))]

    def start(self):
        with open(self._path("log"), "wb") as log:
            self._process = subprocess.Popen(["unshare", "--mount", "/bin/sh", "-ec", _SETUP, "sh", self._top] + self._tabs,
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self._process.poll() is not None or os.path.exists(self._path("run", "crond.pid")), "cron runs")
        assert self._process.poll() is None, self.log()

    def wait_for_minute(self, number):
        """Until the lines of so many minutes have ended, those of every user."""
        for user in self._tabs[::2]:
            wait_until(lambda: self._ticks(user) >= number, "cron's minute %d of %s" % (number, user), PATIENCE)
        wait_until(lambda: not self.children(), "the lines have ended: %s" % self.children())

    def children(self):
        """Of the daemon: one for each line that runs."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if support.parent(pid) == self._process.pid]

    def mails(self):
        """What was sent so far."""
        folder = self._path("mails")
        return sorted(_mail(os.path.join(folder, name)) for name in os.listdir(folder) if name.endswith(".mail"))

    def log(self):
        with open(self._path("log")) as file:
            return file.read()

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ticks(self, user):
        try:
            return os.path.getsize(self._path("mails", "ticks." + user))
        except FileNotFoundError:
            return 0

    def _path(self, *names):
        return os.path.join(self._top, *names)

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self._path(name)


def every_minute(text, *moments):
    """Lines of a crontab with their minute and hour changed, nothing else; moments: those that have to be there."""
    for moment in moments:
        assert text.count("\n" + moment + " * * * ") == 1, "%s is not in\n%s" % (moment, text)
        text = text.replace("\n" + moment + " * * * ", "\n* * * * * ")
    return text


def _mail(path):
    with open(path, "rb") as file:
        message = message_from_bytes(file.read(), policy=default)
    # It calls US-ASCII what is none, where it was started without a language.
    return Mail(message["To"], message["Subject"], message.get_payload(decode=True).decode("utf-8"))


def may_be_read_by_all(path):
    """A directory as the machine's own are: for other users, too."""
    os.chmod(path, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
