"""Waking idle workers: FIFOs in wake/, one per distinct set of queues served.

An idle worker opens the FIFO of its set, empties it, looks at the store, and
only then sleeps on it: a byte written in between is still there. A byte is a
hint that there may be work, never a count.

One byte is for one worker: who reads it looks at the store, the others (poll
wakes every sleeper) find the FIFO empty and sleep on. A worker that claimed a
job and saw more ready ones writes a byte back, so a batch wakes its workers
one after the other.

Waking never blocks and never fails: where it cannot be done (no FIFOs on this
system, a full disk, a directory removed by hand) the workers' poll_interval
takes its place.
"""

import errno
import os
import stat

ALL = "all"
_LONGEST_NAME = 200
_WRITE = getattr(os, "O_NONBLOCK", 0) | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)


def name_of(queues=None):
    """The FIFO's name for a set of queues; None or nothing: all of them."""
    if not queues:
        return ALL
    # '+' is in no queue's name, so names tell which queues they serve.
    name = "+" + "+".join(sorted(set(queues)))
    if len(name) <= _LONGEST_NAME:
        return name
    import binascii
    return "=%08x" % binascii.crc32(name.encode())


def serves(name, queues=None):
    """Whether workers sleeping on the FIFO of this name may want a job of these queues."""
    if not queues or not name.startswith("+"):
        return True
    return not set(queues).isdisjoint(name[1:].split("+"))


def wake(paths, queues=None):
    """One byte into every FIFO that somebody sleeps on; queues: where jobs became ready."""
    try:
        names = os.listdir(paths.wake)
    except OSError:
        return
    for name in names:
        if serves(name, queues):
            _ring(paths.wake_fifo(name))


def _ring(path):
    try:
        fd = os.open(path, _WRITE)
    except OSError:
        # ENXIO: nobody has it open for reading, so nobody sleeps on it.
        return
    # Any other file would be changed.
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        _write_byte(fd)
    os.close(fd)


def _write_byte(fd):
    try:
        os.write(fd, b"!")
    except OSError:
        # EAGAIN: full, so there is a byte in it already.
        pass


class Bell:
    """An idle worker's end of its FIFO; without FIFOs a bell that never rings."""

    def __init__(self, paths, queues=None):
        self._path = paths.wake_fifo(name_of(queues))
        self.fd = _opened(self._path)

    def emptied(self):
        """Take every byte out; whether there was one."""
        if self.fd is None:
            return False
        try:
            return bool(os.read(self.fd, 65536))
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK):
                self.close()
                # A closed descriptor wakes at once, again and again: it must not be slept on any more.
                return True
            return False

    def pass_on(self):
        """Wake one more worker of the same set."""
        if self.fd is not None:
            _write_byte(self.fd)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def _open_fifo(path):
    """The FIFO, made if it is not there, open to read and write; None where that cannot be."""
    try:
        try:
            os.mkfifo(path, 0o600)
            # Whatever the umask says.
            os.chmod(path, 0o600)
        except FileExistsError:
            pass
        # For reading alone poll would report a hang-up for ever after the first writer.
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return None
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return fd


# Without FIFOs there is nothing to sleep on.
_opened = _open_fifo if hasattr(os, "mkfifo") else lambda path: None
