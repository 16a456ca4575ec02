"""What a store lies on, found out by trying it: file system, locks, syncs, clock and room, as Findings.

    resting_place(root)       the store's directory, or the nearest one in which it would be made
    why_untried(place)        why nothing can be tried there; None where it can
    store_lock(paths)         is the store's own lock to be had?
    tried(place)              locks, syncs, clock and FIFOs, in a directory of its own there, which goes again
    file_system(place)        of what kind it is, and what that means
    room(place)               free bytes and files
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections import namedtuple
from statistics import median

from queuectl_lib.store import disk, locking, paths
from queuectl_lib.words import program
from queuectl_lib.words.clock import show_duration
from queuectl_lib.words.finding import FAULT, REMARK, WARNING, WELL, Finding, looked

Mount = namedtuple("Mount", ("point", "kind", "options"))

# Of other machines, or of the one around this one: what locks and syncs do there is up to a server.
_NETWORK = frozenset((
    "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "lustre", "glusterfs", "beegfs", "pvfs2",
    "coda", "ncpfs", "davfs", "vboxsf", "vmhgfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.davfs", "fuse.rclone",
    "fuse.s3fs", "fuse.gcsfuse", "fuse.grpcfuse", "fuse.vmhgfs-fuse"))
_MEMORY = frozenset(("tmpfs", "ramfs"))
_ELSEWHERE = "keep it on a disk of this machine: --store DIR or $QUEUECTL_STORE"

_SYNCS = 5
_BLOCK = b"x" * 4095 + b"\n"
# Seconds: from here on a sync, which every command that writes waits for, is felt.
_SLOW = 0.1
_SKEW = 2
# Until the kernel, or a server, has let go of what a killed process held.
_PATIENCE = 5
_LITTLE_ROOM = 64 << 20
_SMALL_SHARE, _ENOUGH_ROOM = 0.05, 1 << 30
_FEW_FILES = 1000

# A process that holds a lock until it is killed, or its input ends.
_HOLDER = """if True:
    import os, sys
    sys.path.insert(0, sys.argv[1])
    from queuectl_lib.store import disk, locking
    fd = disk.open_private(sys.argv[2], os.O_RDWR)
    print("held" if locking.try_lock(fd) else "refused", flush=True)
    sys.stdin.read()
"""


def resting_place(root):
    """The store's directory, or the nearest one above it that exists."""
    place = root
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    return place


def why_untried(place):
    """Why no file is to be made in this directory, in a few words; None where all is well."""
    if hasattr(os, "geteuid") and os.stat(place).st_uid != os.geteuid() and os.geteuid() == 0:
        return "it is another user's, in whose directory root leaves nothing"
    if not os.access(place, os.W_OK | os.X_OK):
        return "it may not be written by you, or is read-only"
    return None


# --- what kind it is

def mounts(text):
    """The Mounts of a /proc/self/mountinfo, in their order."""
    found = []
    for line in text.splitlines():
        ours, dash, kind = line.partition(" - ")
        fields, others = ours.split(" "), kind.split(" ")
        if dash and len(fields) > 4:
            found.append(Mount(_unescaped(fields[4]), others[0], frozenset(",".join(others[2:]).split(","))))
    return found


def _unescaped(text):
    """The path that stands in mountinfo with blanks, tabs, newlines and backslashes as \\ooo."""
    head, *pieces = text.split("\\")
    return head + "".join(chr(int(piece[:3], 8)) + piece[3:] for piece in pieces)


def mount_of(path, found):
    """The Mount that a path is on: the longest that leads to it, of several at one point the last."""
    leading = [mount for mount in found if (path + "/").startswith(mount.point.rstrip("/") + "/")]
    return max(reversed(leading), key=lambda mount: len(mount.point), default=None)


def file_system(place, mountinfo="/proc/self/mountinfo"):
    """Yields the Finding of what kind of file system a directory is on."""
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            mount = mount_of(os.path.realpath(place), mounts(file.read()))
    except OSError:
        mount = None
    yield judged(mount)


def judged(mount):
    """The Finding about a Mount, None being one that is not known."""
    if mount is None:
        return Finding(WELL, "file system", "of a kind that this system does not tell")
    where = "%s on %s" % (mount.kind, mount.point)
    if mount.kind in _NETWORK:
        return Finding(WARNING, "file system", "%s: locks and syncs are only as good as the server's, and other machines "
                       "see changes late" % where, _ELSEWHERE)
    if mount.kind in _MEMORY:
        return Finding(WARNING, "file system", "%s: in memory, jobs are lost when the machine goes down" % where, _ELSEWHERE)
    if mount.kind == "overlay" and "volatile" in mount.options:
        return Finding(WARNING, "file system", "%s, volatile: nothing is ever synced, a power cut may take all jobs" % where,
                       "keep the store on a volume: --store DIR or $QUEUECTL_STORE")
    if mount.kind == "overlay":
        return Finding(WELL, "file system", where + ": lives as long as its container, unless that is kept")
    if mount.kind.startswith("fuse."):
        return Finding(REMARK, "file system", where + ": what locks and syncs are worth is up to that program")
    return Finding(WELL, "file system", where)


# --- trials

def tried(place):
    """The Findings of all trials in a directory that may be written."""
    with tempfile.TemporaryDirectory(prefix=paths.TRIAL, dir=place) as there:
        return (looked("locks", _locks, there) + looked("sync", _syncs, there) + looked("rename", _renames, there)
                + looked("FIFOs", _fifos, there))


def _locks(there):
    """Does a lock keep another process out, and is it free as soon as its holder was killed?"""
    path = there + "/lock"
    fd = disk.open_private(path, os.O_RDWR | os.O_CREAT)
    holder = subprocess.Popen(program.command()[:-1] + ["-c", _HOLDER, program.home(), path], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield _judged_lock(holder.stdout.readline().strip(), holder, fd)
    finally:
        holder.kill()
        holder.communicate()
        os.close(fd)


def _judged_lock(said, holder, fd):
    if said != b"held":
        reason = holder.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2] or "it was refused"
        return Finding(FAULT, "locks", "a second process could not lock a file: %s" % reason, _ELSEWHERE)
    if locking.try_lock(fd) or locking.try_shared(fd):
        return Finding(FAULT, "locks", "two processes held one lock at once: a job could run twice", _ELSEWHERE)
    holder.kill()
    holder.wait()
    deadline = time.monotonic() + _PATIENCE
    while not locking.try_lock(fd):
        if time.monotonic() > deadline:
            return Finding(FAULT, "locks", "%d s after its holder was killed a lock was still held: a killed worker's jobs "
                           "would wait" % _PATIENCE, _ELSEWHERE)
        time.sleep(0.005)
    return Finding(WELL, "locks", "a second process is kept out, until the first is killed")


def store_lock(names):
    """Yields whether the lock of a store (paths.Paths) is to be had: who stands still as he writes keeps all others out."""
    # That of whoever rolls may be held for long: of it only whether it can be opened.
    for path in (names.roll_lock, names.lock):
        try:
            fd = disk.open_private(path, os.O_RDWR)
        except FileNotFoundError:
            # The next one who needs it makes it.
            continue
        try:
            if path == names.lock:
                locking.lock(fd, _PATIENCE, path)
        finally:
            os.close(fd)
    yield Finding(WELL, "store lock", "to be had")


def _syncs(there):
    """What it costs to bring 4 KB to the medium, and whether who keeps the files has our time."""
    path = there + "/journal"
    fd = disk.open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        took = []
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            disk.append(fd, _BLOCK, path)
            disk.sync(fd, path)
            took.append(time.perf_counter() - begun)
        skew = os.fstat(fd).st_mtime - time.time()
    finally:
        os.close(fd)
    if median(took) > _SLOW:
        yield Finding(REMARK, "sync", "4 KB reach the medium in %s, and each command that writes waits for that"
                      % _milliseconds(median(took)), "give many jobs at once: queuectl enqueue --file F")
    else:
        yield Finding(WELL, "sync", "4 KB reach the medium in %s (median of %d)" % (_milliseconds(median(took)), _SYNCS))
    if abs(skew) > _SKEW:
        yield Finding(WARNING, "clock", "the file system's clock is %s %s this machine's"
                      % (show_duration(abs(skew)), "ahead of" if skew > 0 else "behind"), "set both by NTP")


def _renames(there):
    """Is a file in place as a whole once it was renamed and its directory synced?"""
    path = there + "/file"
    for data in (b"old", b"new"):
        begun = time.perf_counter()
        disk.write_file(path, data, path + ".new")
        took = time.perf_counter() - begun
    with open(path, "rb") as file:
        if file.read() != b"new" or os.path.exists(path + ".new"):
            yield Finding(FAULT, "rename", "a file that was renamed over another is not in its place", _ELSEWHERE)
            return
    yield Finding(WELL, "rename", "a file is replaced and its directory synced in " + _milliseconds(took))


def _fifos(there):
    if not hasattr(os, "mkfifo"):
        yield Finding(WELL, "FIFOs", "not of this system: idle workers look every poll_interval")
        return
    try:
        os.mkfifo(there + "/fifo", 0o600)
    except OSError as error:
        yield Finding(REMARK, "FIFOs", "cannot be made here (%s): idle workers look only every poll_interval" % error.strerror)
        return
    yield Finding(WELL, "FIFOs", "idle workers can be woken")


def _milliseconds(seconds):
    return "%.2g ms" % (1000 * seconds) if seconds < 0.01 else "%.0f ms" % (1000 * seconds)


# --- room

def room(place):
    """Yields the Finding of how much room there is for bytes and for files."""
    size = shutil.disk_usage(place)
    text = "%s (%.0f %%) free" % (_size(size.free), 100 * size.free / (size.total or 1))
    little = size.free < _LITTLE_ROOM or size.free < min(_ENOUGH_ROOM, _SMALL_SHARE * size.total)
    if hasattr(os, "statvfs"):
        status = os.statvfs(place)
        # Some file systems have as many as they need, and say 0.
        if status.f_files:
            text += ", and room for %d files" % status.f_favail
            little = little or status.f_favail < _FEW_FILES
    if little:
        yield Finding(WARNING, "room", text, "free some, or let old jobs go: queuectl purge --older-than 7d")
    else:
        yield Finding(WELL, "room", text)


def _size(number):
    unit, least = next((pair for pair in (("GB", 1 << 30), ("MB", 1 << 20)) if number >= pair[1]), ("KB", 1 << 10))
    return "%.3g %s" % (number / least, unit)
