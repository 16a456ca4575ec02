"""A real `systemd --user` with a journal, in namespaces and control groups of its own: nothing of it is left, nothing is installed.

    Manager(home, environment)     running; its units are those in home's ~/.config/systemd/user
      .do(*words, code=0)          a command beside it, as the user would type it: what it printed
      .show(unit, name)            a property of a unit
      .close()
"""

import os
import signal
import subprocess

import support

_GROUPS = "/sys/fs/cgroup"
# $1: the name of its control groups. As a namespace's first process the manager would take itself for the system's.
_START = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR"
for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$group/cgroup.procs" ] && mkdir -p "$group/$1" && echo $$ > "$group/$1/cgroup.procs"
done 2> /dev/null
/lib/systemd/systemd-journald &
/lib/systemd/systemd --user
"""
_PATIENCE = 20


class Manager:
    """One user's manager of services."""

    def __init__(self, home, environment):
        self._name = "queuectl-test-%d" % os.getpid()
        self._environment = dict(environment, HOME=home, XDG_RUNTIME_DIR="/run/user-of-test", PATH=os.environ["PATH"])
        self._environment.pop("XDG_CONFIG_HOME", None)
        self._process = subprocess.Popen(
            ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "sh", "-c", _START, "sh", self._name],
            env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self._first = None
        try:
            self._first = support.wait_until(self._found, "its first process is there", deadline=_PATIENCE)
            support.wait_until(lambda: self._done("systemctl", "--user", "show-environment").returncode == 0, "it answers", deadline=_PATIENCE)
        except AssertionError:
            self.close()
            raise

    def _found(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if support.parent(int(pid)) == self._process.pid:
                return int(pid)
        return None

    def do(self, *words, code=0):
        done = self._done(*words)
        text = done.stdout.decode("utf-8", "replace")
        assert code in (None, done.returncode), "%r ended with %d\n%s" % (words, done.returncode, text)
        return text

    def _done(self, *words):
        return subprocess.run(["nsenter", "--target", str(self._first), "--pid", "--mount"] + list(words), env=self._environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=support.DEADLINE)

    def show(self, unit, name):
        return self.do("systemctl", "--user", "show", "--property", name, "--value", unit).strip()

    def close(self):
        """End it, and all that it started, at once."""
        if self._first is not None:
            support.send(self._first, signal.SIGKILL)
        self._process.wait()
        support.wait_until(self._removed, "its control groups are gone", deadline=20)

    def _removed(self):
        left = [os.path.join(folder, self._name) for folder in [_GROUPS] + [entry.path for entry in os.scandir(_GROUPS) if entry.is_dir()]]
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    # Somebody in it has not quite ended.
                    return False
        return not any(map(os.path.isdir, left))
