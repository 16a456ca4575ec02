"""A stand-in for Windows: the library sees a Python without what is not there, everybody else the real one.

install() puts itself in front of every `import` that a module of queuectl_lib makes, and hands it
modules in which the calls that Windows lacks are missing, and those are there that only Windows
has: msvcrt with its mandatory locks, kernel32 with Job Objects, a Popen with creation flags that
runs its command by a shell. What differs only in what it does is made to differ too: files that anybody
has open are neither renamed nor removed, os.kill is not for asking who lives, a descriptor
without O_BINARY is text. It is not Windows: what this cannot show is told in DESIGN.md.

Put in front of the program by launcher.py, and from there into all Pythons that it starts.
"""

import builtins
import errno
import fcntl
import os
import signal
import struct
import sys
import termios
import types

HERE = os.path.dirname(os.path.abspath(__file__))
LAUNCHER = os.path.join(HERE, "launcher.py")
LIBRARY = "queuectl_lib"

_real_import = builtins.__import__

NOT_IN_OS = """fork forkpty mkfifo killpg setsid getsid getpgid setpgid getpgrp posix_spawn posix_spawnp pread pwrite preadv pwritev
    geteuid getuid getgid statvfs fstatvfs sched_yield WNOHANG WIFSIGNALED WTERMSIG WEXITSTATUS WIFEXITED waitid waitpid
    wait wait3 wait4 environb fdatasync memfd_create set_blocking get_blocking pidfd_open SEEK_DATA SEEK_HOLE fchmod fchown chown nice
    O_CLOEXEC O_NOFOLLOW O_NONBLOCK O_DIRECTORY openpty sysconf uname getloadavg getpriority setpriority sendfile
    posix_fallocate posix_fadvise P_PID WNOWAIT""".split()
NOT_IN_SIGNAL = """SIGUSR1 SIGUSR2 SIGHUP SIGKILL SIGCHLD SIGCLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGQUIT SIGALRM SIGPIPE SIGXFSZ
    pthread_sigmask sigtimedwait sigwait sigwaitinfo sigpending siginterrupt alarm setitimer getitimer ITIMER_REAL pause
    SIG_BLOCK SIG_UNBLOCK SIG_SETMASK pidfd_send_signal""".split()

CTRL_BREAK_EVENT = 1
CREATE_NEW_PROCESS_GROUP = 0x200
CREATE_NO_WINDOW = 0x08000000
CREATE_BREAKAWAY_FROM_JOB = 0x01000000
_O_BINARY = 1 << 28
_O_TEMPORARY = 1 << 29
_SHARING_VIOLATION = 32
# struct flock: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"
_F_OFD_SETLK = 37


def copied(module, without=(), **other):
    """Another module with the names of this one, but for some."""
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update({name: value for name, value in vars(module).items() if name not in without and name != "__name__"})
    copy.__dict__.update(other)
    return copy


# --- files

def _open(path, flags, mode=0o777):
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    if not flags & _O_BINARY and path != os.devnull:
        raise AssertionError("%s was opened as text" % path)
    fd = os.open(path, flags & ~_O_BINARY & ~_O_TEMPORARY, mode)
    if flags & _O_TEMPORARY:
        os.unlink(path)
    return fd


def _replace(source, target):
    for path in (source, target):
        _refuse_open(path)
    os.replace(source, target)


def _unlink(path):
    _refuse_open(path)
    os.unlink(path)


def _rename(source, target):
    if os.path.exists(target):
        raise FileExistsError(errno.EEXIST, "there already", target)
    _replace(source, target)


def _refuse_open(path):
    """As Windows does, whoever it is that has it open."""
    holders = [pid for pid in os.listdir("/proc") if pid.isdigit() and _has_open(pid, os.path.realpath(path))]
    if holders:
        error = PermissionError(errno.EACCES, "in use by %s" % ", ".join(holders), path)
        error.winerror = _SHARING_VIOLATION
        raise error


def _has_open(pid, path):
    try:
        numbers = os.listdir("/proc/%s/fd" % pid)
    except OSError:
        return False
    return any(_target("/proc/%s/fd/%s" % (pid, number)) == path for number in numbers)


def _target(link):
    try:
        return os.readlink(link)
    except OSError:
        # The descriptor that listed them.
        return None


def _utime(path, *arguments, **named):
    if isinstance(path, int):
        raise TypeError("utime: path should be string, bytes or os.PathLike, not int")
    return os.utime(path, *arguments, **named)


# --- processes

def _kill(pid, signum):
    if signum != CTRL_BREAK_EVENT:
        raise AssertionError("os.kill(%d, %d) ends a process, or presses Ctrl+C for all" % (pid, signum))
    if pid != os.getpgid(pid):
        raise OSError(errno.EINVAL, "no group")
    os.killpg(pid, signal.SIGTERM)


def _subprocess():
    import subprocess

    class Popen(subprocess.Popen):
        """With creation flags, a handle that one can wait for, and the shim in every Python that it starts."""

        def __init__(self, args, creationflags=0, **options):
            if not isinstance(args, str) and args[0] == sys.executable:
                at = [word.startswith("-") for word in args[1:]].index(False) + 1
                args = args[:at] + [LAUNCHER] + args[at:]
            if options.get("shell") and os.path.isfile("/proc/self/fd/%d" % options["stdout"]):
                assert fcntl.fcntl(options["stdout"], fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY, "it would share our place in the file"
            grouped = bool(creationflags & (CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW))
            super().__init__(args, start_new_session=grouped, **options)
            self._handle = pidfd_open(self.pid)

        def poll(self):
            code = super().poll()
            # A process that was ended has a code that its killer chose.
            return code if code is None or code >= 0 else 1

        def __del__(self):
            os.close(self._handle)
            super().__del__()
    return copied(subprocess, Popen=Popen, CREATE_NEW_PROCESS_GROUP=CREATE_NEW_PROCESS_GROUP,
                  CREATE_NO_WINDOW=CREATE_NO_WINDOW, CREATE_BREAKAWAY_FROM_JOB=CREATE_BREAKAWAY_FROM_JOB,
                  IDLE_PRIORITY_CLASS=0x40, BELOW_NORMAL_PRIORITY_CLASS=0x4000)


def _multiprocessing():
    import multiprocessing
    from multiprocessing import spawn
    command_line = spawn.get_command_line

    def with_shim(**named):
        words = command_line(**named)
        at = words.index("-c") + 1
        words[at] = "import sys; sys.path.insert(0, %r); import shim; shim.install(); del sys.path[0]; %s" % (HERE, words[at])
        return words
    spawn.get_command_line = with_shim
    from multiprocessing.connection import Connection
    poll = Connection.poll

    def poll_or_break(self, timeout=0.0):
        ready = poll(self, timeout)
        if ready and fcntl.ioctl(self.fileno(), termios.FIONREAD, bytes(4)) == bytes(4):
            raise BrokenPipeError(errno.EPIPE, "The pipe has been ended")
        return ready
    Connection.poll = poll_or_break
    return copied(multiprocessing, get_all_start_methods=lambda: ["spawn"])


def _ctypes():
    import ctypes
    return copied(ctypes, WinDLL=Kernel)


def _mmap():
    import mmap
    return copied(mmap, ["MADV_REMOVE"])


def pidfd_open(pid):
    # Python 3.8 has no name for it.
    import ctypes
    return ctypes.CDLL(None, use_errno=True).syscall(434, pid, 0)


def _stat(pid):
    """The fields of /proc/PID/stat behind the command's name, or None."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _running_in(sessions):
    """The pids of the living processes of these sessions, and all that descends from them."""
    table = {int(name): _stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    table = {pid: fields for pid, fields in table.items() if fields and fields[0] not in "ZX"}
    found = {pid for pid, fields in table.items() if int(fields[3]) in sessions}
    grown = True
    while grown:
        more = {pid for pid, fields in table.items() if int(fields[1]) in found} - found
        found |= more
        grown = bool(more)
    return found


class Kernel:
    """kernel32, as far as queuectl asks it for anything. Handles of processes are pidfds, of jobs small numbers beyond them."""

    def __init__(self, name, use_last_error=False):
        assert name == "kernel32"
        self._jobs = {}
        self._seen = {}

        def declared(function):
            # ctypes sets restype and argtypes on what it hands out.
            return lambda *arguments: function(*arguments)
        for each in dir(type(self)):
            if each[0].isupper():
                setattr(self, each, declared(getattr(self, each)))

    def CreateJobObjectW(self, attributes, name):
        handle = 1 << 20 | len(self._seen)
        self._seen[handle] = True
        self._jobs[handle] = set()
        return handle

    def SetInformationJobObject(self, job, kind, data, length):
        flags = struct.unpack_from("@qqI", data)[2]
        assert kind == 9 and length == len(data) == 144 and flags == 0x2800
        return 1

    def QueryInformationJobObject(self, job, kind, buffer, length, answered):
        assert kind == 1 and length == 48
        struct.pack_into("@4q4I", buffer, 0, 0, 0, 0, 0, 0, 0, len(_running_in(self._jobs[job])), 0)
        return 1

    def AssignProcessToJobObject(self, job, process):
        self._jobs[job].add(_pid_of(process))
        return 1

    def TerminateJobObject(self, job, code):
        for pid in _running_in(self._jobs[job]):
            _end(pid)
        return 1

    def OpenProcess(self, access, inherit, pid):
        fd = pidfd_open(pid)
        return fd if fd >= 0 else None

    def GetProcessTimes(self, process, created, *others):
        fields = _stat(_pid_of(process))
        created._obj.value = int(fields[19])
        return 1

    def WaitForSingleObject(self, process, milliseconds):
        fields = _stat(_pid_of(process))
        return 0 if fields is None or fields[0] in "ZX" else 0x102

    def TerminateProcess(self, process, code):
        _end(_pid_of(process))
        return 1

    def ReOpenFile(self, file, access, share, flags):
        assert access == 0x120114 and share == 7
        path = "/proc/self/fd/%d" % file
        if not os.path.isfile(path):
            return (1 << 64) - 1
        return os.open(path, os.O_WRONLY | os.O_APPEND)

    def GetConsoleMode(self, console, mode):
        return 0

    def SetConsoleMode(self, console, mode):
        return 0

    def CloseHandle(self, handle):
        if handle in self._jobs:
            self.TerminateJobObject(handle, 1)
            del self._jobs[handle]
        else:
            os.close(handle)
        return 1


def _pid_of(process):
    with open("/proc/self/fdinfo/%d" % process) as file:
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    raise AssertionError("%d is no process" % process)


def _end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass


# --- locks

class Msvcrt(types.ModuleType):
    """Locks belong to the open file, exclude from the current position on, and fail at once."""

    LK_UNLCK, LK_LOCK, LK_NBLCK, LK_RLCK, LK_NBRLCK = range(5)

    def __init__(self):
        super().__init__("msvcrt")

    def locking(self, fd, mode, count):
        assert mode in (self.LK_UNLCK, self.LK_NBLCK), "this would wait for ten seconds and then fail"
        start = os.lseek(fd, 0, os.SEEK_CUR)
        assert start + count < 1 << 31
        # What is open for reading alone cannot be locked for writing here; of one byte in thousands that makes no difference.
        reading = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        kind = fcntl.F_UNLCK if mode == self.LK_UNLCK else fcntl.F_RDLCK if reading else fcntl.F_WRLCK
        fcntl.fcntl(fd, _F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, start, count, 0))

    @staticmethod
    def get_osfhandle(fd):
        return fd

    @staticmethod
    def open_osfhandle(handle, flags):
        return handle


# --- putting it all in front

def modules():
    """{name: what `import name` gives to the library, or what makes that}; None: there is none."""
    return {
        "os": copied(os, NOT_IN_OS, name="nt", O_BINARY=_O_BINARY, O_TEMPORARY=_O_TEMPORARY, open=_open, replace=_replace, unlink=_unlink,
                     remove=_unlink, rename=_rename, kill=_kill, utime=_utime, supports_fd=os.supports_fd - {os.utime} - {_utime}),
        "signal": copied(signal, NOT_IN_SIGNAL, SIGBREAK=signal.SIGQUIT, CTRL_C_EVENT=0, CTRL_BREAK_EVENT=CTRL_BREAK_EVENT),
        "subprocess": _subprocess, "multiprocessing": _multiprocessing, "ctypes": _ctypes, "mmap": _mmap,
        "msvcrt": Msvcrt(),
        **dict.fromkeys(("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "curses", "syslog"))}


def install():
    """From now on queuectl_lib is on Windows."""
    there = modules()

    def imported(name, globals=None, locals=None, fromlist=(), level=0):
        asks = (globals or {}).get("__name__", "")
        if level == 0 and name in there and asks.partition(".")[0] == LIBRARY:
            if there[name] is None:
                raise ImportError("No module named %r" % name, name=name)
            if not isinstance(there[name], types.ModuleType):
                there[name] = there[name]()
            return there[name]
        return _real_import(name, globals, locals, fromlist, level)
    builtins.__import__ = imported
