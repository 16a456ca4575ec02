"""Starting a shell command in a session of its own, with nothing of the worker's in it.

posix_spawn everywhere it can do that: it took 0.7 to 1.1 ms in every Python,
where subprocess forks before 3.10 (2 ms, and 11 in a big process) and spends
a twentieth of a millisecond on its own bookkeeping in all of them.

A job's command gets /dev/null, its two spools, the job lock, and no other
descriptor; no signal ignored or blocked; the worker's environment and its own.

On Windows cmd runs it, in a process group and a Job Object of its own (children.py).

A nicer one is started by nice(1), which becomes the shell: so nothing of it ever
runs at another niceness. To set it from here would come too late for what it
starts first, and to lower the worker's own for a moment needs privileges to undo.
"""

import os
import signal

from queuectl_lib.store import locking
from queuectl_lib.words.errors import StoreError

# Inherited by the job at a number that no script uses: they take small ones,
# bash takes 10 and up and 255. Below 64 a process's first table suffices.
LOCK_FD = 63

SHELL = "/bin/sh"
NICE = "nice"


def check_files():
    """Raise StoreError where this process may not have as many files open as a worker needs to start anything."""
    # -1: any number.
    most = os.sysconf("SC_OPEN_MAX") if hasattr(os, "sysconf") else -1
    if 0 <= most <= LOCK_FD:
        raise StoreError("only %d files may be open at once, and a worker needs %d: ulimit -n 1024" % (most, LOCK_FD + 1))


class _ShellSpawner:
    """Starts commands for one worker; made once, after all signals were set up."""

    def __init__(self, environment):
        """environment: what every command gets besides the worker's own, as a dict of text."""
        self._environment = dict(os.environb)
        self._environment.update(_encoded(environment))
        self._home = _current_directory()
        self._ignored = [signum for signum in signal.valid_signals()
                         if signal.getsignal(signum) == signal.SIG_IGN]
        # Whether a command starts with no signal blocked, though the worker has them so.
        self.unblocks = _can_spawn_sessions()
        self._spawn = self._by_posix_spawn if self.unblocks else _by_subprocess
        self.null = os.open(os.devnull, os.O_RDONLY)
        self._fds = None
        self._actions = None
        _seal_descriptors()

    def start(self, command, cwd, environment, fds, nice=None):
        """The pid of the new leader; fds: (in, out, err) and perhaps its lock. Raises OSError or ValueError.

        Changes the worker's directory: cheaper than a shell that does it, and
        the name is looked up at each start, since it may be a link that moves.
        """
        argv = ("sh", "-c", "--", command.encode("utf-8", "surrogateescape"))
        if nice:
            argv = (NICE, "-n", str(nice), SHELL) + argv[1:]
        merged = self._environment.copy()
        merged.update(_encoded(environment))
        os.chdir(cwd.encode("utf-8", "surrogateescape") if cwd else self._home)
        return self._spawn(argv, merged, fds)

    def _by_posix_spawn(self, argv, environment, fds):
        if fds != self._fds:
            self._fds = fds
            self._actions = tuple([(os.POSIX_SPAWN_DUP2, fd, target) for fd, target in zip(fds, (0, 1, 2, LOCK_FD))])
        spawn, program = (os.posix_spawnp, NICE) if argv[0] == NICE else (os.posix_spawn, SHELL)
        return spawn(program, argv, environment, file_actions=self._actions,
                     setsid=True, setsigmask=(), setsigdef=self._ignored)


def _can_spawn_sessions():
    try:
        os.posix_spawn("/", ("/",), {}, setsid=True)
    except (AttributeError, NotImplementedError):
        return False
    except OSError:
        # A directory is no program: this system tried.
        pass
    return True


def _by_subprocess(argv, environment, fds):
    import subprocess
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(signum) == signal.SIG_IGN:
            # subprocess gives back only PIPE and XFSZ; a handler is not inherited.
            signal.signal(signum, lambda signum, frame: None)
    process = subprocess.Popen(argv, executable=NICE if argv[0] == NICE else SHELL,
                               stdin=fds[0], stdout=fds[1], stderr=fds[2],
                               env=environment, pass_fds=fds[3:], start_new_session=True)
    # Else subprocess would reap the command some day, unasked.
    process.returncode = 0
    return process.pid


def _encoded(environment):
    return {name.encode("utf-8", "surrogateescape"): value.encode("utf-8", "surrogateescape")
            for name, value in environment.items()}


def _current_directory():
    try:
        return os.getcwd()
    except OSError:
        # Removed since the worker's start.
        return "/"


def _seal_descriptors():
    # Python's own are not inherited; one that the worker was started with would be.
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                # The one that listed them.
                pass


class _CmdSpawner:
    """The same on Windows."""

    unblocks = False

    def __init__(self, environment):
        # Imported here, for the one system that needs it.
        import subprocess
        from queuectl_lib.work import children, win32
        self._subprocess = subprocess
        self._children = children
        self._win32 = win32
        self._environment = dict(os.environ)
        self._environment.update(environment)
        self.null = os.open(os.devnull, os.O_RDONLY)

    def start(self, command, cwd, environment, fds, nice=None):
        # Names of variables are all the same there in capitals and in small letters.
        merged = dict(self._environment, **{name.upper(): value for name, value in environment.items()})
        outputs = [self._win32.appending(fd) for fd in fds[1:3]]
        job = self._win32.JobObject()
        try:
            process = self._subprocess.Popen(
                command, shell=True, cwd=cwd or None, env=merged, stdin=fds[0], stdout=outputs[0], stderr=outputs[1],
                creationflags=self._subprocess.CREATE_NEW_PROCESS_GROUP | self._priority(nice))
        except Exception:
            job.close()
            raise
        finally:
            for fd in outputs:
                os.close(fd)
        # It has had no time yet to start anything.
        job.take_in(int(process._handle))
        self._children.keep(process, job)
        return process.pid

    def _priority(self, nice):
        if not nice:
            return 0
        return self._subprocess.IDLE_PRIORITY_CLASS if nice >= 10 else self._subprocess.BELOW_NORMAL_PRIORITY_CLASS


Spawner = _CmdSpawner if locking.ON_WINDOWS else _ShellSpawner
