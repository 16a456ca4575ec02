"""Containers without an engine: a dockerfile's steps on a copy of this machine's root, its processes in namespaces of their own.

    Image(dockerfile, context, top)            its steps, carried out; context: {name: path} of what COPY takes
    Container(image, volume, *words)           one that runs; volume: a directory, at the dockerfile's VOLUME; the root is read-only
      .exec(*words)                            a command in it, as `docker exec`: (exit code, output)
      .stop(grace) / .signal(n) / .kill()      `docker stop`: TERM, and KILL after so many seconds; the exit code
      .zombies(), .named(word), .pid(inside)   about its processes
"""

import json
import os
import re
import shlex
import signal
import subprocess

import support

_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# $1: read-only or not, $2: an empty directory, $3: the image's layer, with another beside it for the kernel's work
_ROOT = 'mount -t overlay overlay -o "$1,lowerdir=/,upperdir=$3,workdir=$3.work" "$2" && mount --rbind /dev "$2/dev" && mount -t proc proc "$2/proc" && '
_RUN = _ROOT + 'mount --bind "$4" "$2$5" && shift 5 && exec env -i "$@"'
_ENTER = 'cd "$0" && exec "$@"'


class Image:
    """What a dockerfile says, and a directory with what differs from this machine's root."""

    def __init__(self, dockerfile, context, top):
        self.layer = os.path.join(top, "layer")
        self.root = os.path.join(top, "root")
        self.environment = {"PATH": _PATH}
        self.user, self.directory, self.volume = "root", "/", None
        self.entry, self.command = [], []
        for path in (self.layer, self.layer + ".work", self.root):
            os.makedirs(path)
        self._python()
        for line in re.sub(r"\\\n", " ", dockerfile).splitlines():
            if line.strip() and not line.startswith("#"):
                word, _, rest = line.partition(" ")
                getattr(self, "_" + word.lower())(rest.strip(), context)

    def _python(self):
        """python3 is where the official images have it; whoever runs it gets to where it really is."""
        python = os.path.realpath(support.PYTHON)
        steps = "ln -sf %s /usr/local/bin/python3" % shlex.quote(python)
        place = os.path.dirname(python)
        while place != "/":
            steps += "; chmod a+x %s" % shlex.quote(place)
            place = os.path.dirname(place)
        self._run(steps, None)

    def _from(self, rest, context):
        assert re.fullmatch(r"python:3[a-z0-9.-]*", rest)

    def _run(self, rest, context):
        subprocess.run(["unshare", "--mount", "sh", "-c", _ROOT + 'exec chroot "$2" sh -ec "$4"', "sh", "rw", self.root, self.layer, rest],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _copy(self, rest, context):
        mode, source, target = re.fullmatch(r"(?:--chmod=(\d+) )?(\S+) (\S+)", rest).groups()
        path = self.layer + target
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(context[source], "rb") as file, open(path, "wb") as copy:
            copy.write(file.read())
        os.chmod(path, int(mode or "644", 8))

    def _env(self, rest, context):
        self.environment.update(word.split("=", 1) for word in shlex.split(rest))

    def _volume(self, rest, context):
        self.volume = rest

    def _workdir(self, rest, context):
        self.directory = rest

    def _user(self, rest, context):
        self.user = rest

    def _entrypoint(self, rest, context):
        self.entry = json.loads(rest)

    def _cmd(self, rest, context):
        self.command = json.loads(rest)

    def new_volume(self, path):
        """A directory as an engine makes one for a volume: with the owner that the image's has."""
        status = os.stat(self.layer + self.volume)
        os.mkdir(path, 0o755)
        os.chown(path, status.st_uid, status.st_gid)
        return path

    def ids(self, user):
        """(uid, gid) of a user of the image, or of a number that it does not know."""
        if user.isdigit():
            return user, user
        with open(self.layer + "/etc/passwd") as file:
            return dict((line.split(":")[0], tuple(line.split(":")[2:4])) for line in file)[user]


class Container:
    """One that runs; words: instead of the image's CMD."""

    def __init__(self, image, volume, *words, user=None, environment=None, output=None):
        self._image = image
        self._ids = image.ids(user or image.user)
        self._environment = ["%s=%s" % each for each in dict(image.environment, **environment or {}).items()]
        self._output = output or subprocess.DEVNULL
        arguments = ["ro", image.root, image.layer, volume, image.volume]
        command = self._environment + ["chroot", "--userspec=%s:%s" % self._ids, image.root, "/bin/sh", "-c", _ENTER, image.directory]
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--mount", "--fork", "sh", "-c", _RUN, "sh"] + arguments + command
            + image.entry + list(words or image.command),
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output, start_new_session=True)
        self.first = support.wait_until(self._entered, "the container's first process is there")

    def _entered(self):
        """The first process's pid once the shells have become the program; -1 where that has ended by then."""
        if self.process.poll() is not None:
            return -1
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if support.parent(int(pid)) == self.process.pid and self._is_program(pid):
                return int(pid)
        return None

    def _is_program(self, pid):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read()
            return os.readlink("/proc/%s/root" % pid) != "/" and _ENTER.encode() not in words
        except OSError:
            return False

    def exec(self, *words, code=0):
        done = subprocess.run(
            ["nsenter", "--target", str(self.first), "--pid", "--mount", "--root", "--wd", "--setuid", self._ids[0],
             "--setgid", self._ids[1], "env", "-i"] + self._environment + [str(word) for word in words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=support.DEADLINE)
        out = done.stdout.decode("utf-8", "replace")
        assert code in (None, done.returncode), "%r ended with %d\n%s" % (words, done.returncode, out)
        return out

    def job(self, id):
        return json.loads(self.exec("queuectl", "show", id, "--json"))

    def wait_for(self, id, *states):
        return support.wait_until(lambda: self.job(id)["state"] in states and self.job(id), "%s is %s" % (id, states))

    def wait_for_workers(self, count):
        """How many the store has, in all its containers."""
        return support.wait_until(lambda: len(self.workers()) == count and self.workers(), "%d workers are there" % count)

    def workers(self):
        return json.loads(self.exec("queuectl", "worker", "list", "--json"))

    def signal(self, number):
        os.kill(self.first, number)

    def stop(self, grace=support.DEADLINE):
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.process.wait()

    def close(self):
        if self.process.poll() is None:
            # With the first one the kernel ends all others of the namespace.
            self.kill()

    def pid(self, inside):
        """Of a process of the container, as this machine counts."""
        [found] = [pid for pid, number in self._numbers().items() if number == inside]
        return found

    def zombies(self):
        """How many of its processes have ended and were not reaped."""
        return sum(1 for pid in self._numbers() if _of(pid, "stat").rpartition(")")[2].split()[:1] == ["Z"])

    def named(self, word):
        """The pids, as it counts, of those that run a program of this name."""
        return [number for pid, number in self._numbers().items() if word in _of(pid, "cmdline")]

    def runs(self, inside, variable):
        """Whether a process of this number is there and has a child with this in its environment."""
        return any(number == inside and any(support.parent(child) == pid and variable in _of(child, "environ").split("\0")
                                            for child in self._numbers()) for pid, number in self._numbers().items())

    def _numbers(self):
        """{pid outside: pid inside} of all its processes."""
        found = {}
        space = os.stat("/proc/%d/ns/pid" % self.first).st_ino
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat("/proc/%s/ns/pid" % name).st_ino != space:
                    continue
            except OSError:
                # Gone meanwhile.
                continue
            number = re.search(r"^NSpid:.*\s(\d+)$", _of(name, "status"), re.MULTILINE)
            if number:
                found[int(name)] = int(number.group(1))
        return found


def _of(pid, name):
    try:
        with open("/proc/%s/%s" % (pid, name), errors="replace") as file:
            return file.read()
    except OSError:
        return ""
