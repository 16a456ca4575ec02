"""What /proc tells of processes: CPU, memory, children, and which of them the bench has started."""

import json
import os
import signal
import time

# In the environment of all that the bench starts, and so of all that those start.
MARK = "QUEUECTL_BENCH_GROUND"
SUPPORTED = os.path.exists("/proc/self/schedstat")


def own_cpu(pid):
    """Seconds of CPU of a process itself, to the nanosecond."""
    with open("/proc/%d/schedstat" % pid) as file:
        return int(file.read().split()[0]) / 1e9


def all_cpu(pid):
    """Seconds of CPU of all threads of a process that live, to the nanosecond."""
    taken = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as file:
            taken += int(file.read().split()[0])
    return taken / 1e9


def childrens_cpu(pid):
    """Seconds of CPU of the children of a process that it has reaped, theirs included."""
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[13:15]) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid):
    """Bytes: the most that a process has had resident."""
    return _told(pid, "status", "VmHWM") * 1024


def memory(pid):
    """Bytes that a process has resident."""
    return _told(pid, "status", "VmRSS") * 1024


def bytes_read(pid):
    """What a process has read of files and pipes so far."""
    return _told(pid, "io", "rchar")


def _told(pid, file, name):
    with open("/proc/%d/%s" % (pid, file)) as lines:
        for line in lines:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise OSError("the kernel does not tell %s of %d" % (name, pid))


def children(pid):
    """The pids of its children that live, or that nobody has reaped yet, sorted."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return sorted(map(int, file.read().split()))


def parent(pid):
    """The pid of its parent."""
    with open("/proc/%d/stat" % pid) as file:
        return int(file.read().rpartition(")")[2].split()[1])


def pids_in(root):
    """{kind: [pid]} of a store's pidfile."""
    found = {"supervisor": [], "worker": []}
    with open(os.path.join(root, "workers.pid")) as file:
        for line in file:
            entry = json.loads(line)
            found[entry["kind"]].append(entry["pid"])
    return found


def marked(ground):
    """The pids of all processes that were started for this ground, by whomever."""
    wanted = ("%s=%s" % (MARK, ground)).encode()
    found = []
    for name in os.listdir("/proc") if SUPPORTED else ():
        if name.isdigit():
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if wanted in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                # Gone in between, or another user's.
                pass
    return found


def end_marked(ground, patience):
    """Give what was started for this ground so many seconds to end by itself; kill what has not."""
    deadline = time.monotonic() + patience
    while True:
        pids = marked(ground)
        if not pids:
            return
        if time.monotonic() >= deadline:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        time.sleep(0.02)
