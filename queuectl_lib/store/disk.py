"""The few file operations everything in the store goes through, with their failures named.

A full disk is a short write, not an error; a failed sync is never retried
(the kernel reports it once, then calls the lost pages clean); a rename is
only durable when its directory is synced. Each is handled here once. Nothing
else in store/ changes a file, so what a power cut or a failing disk makes of
it can be played through by giving this one module another `os`.
"""

import errno
import os

from queuectl_lib.store.in_use import IN_USE, patiently
from queuectl_lib.store.ownership import HAS_OWNERS, check_opened
from queuectl_lib.words.errors import DiskFull, StoreError, StorePlanted, StoreUnwritable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_LARGE = 256 * 1024
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# Else a FIFO holds up who opens it. For writing alone nothing is opened here that jobs inherit.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
_CHUNK = 1 << 16

# To read a file of the store, or of its slots.
READ = os.O_RDONLY | _FLAGS | _AT_ONCE

# macOS: fsync reaches the drive, not the medium. Windows and macOS have no fdatasync.
_data_sync = getattr(os, "fdatasync", os.fsync)
try:
    from fcntl import F_FULLFSYNC, fcntl as _fcntl
except ImportError:
    F_FULLFSYNC = None
if hasattr(os, "pread"):
    def _read_at(fd, length, start):
        return os.pread(fd, length, start)
else:
    from queuectl_lib.store.positioned import pread as _read_at


def open_private(path, flags, mine=False):
    """os.open with mode 0600 under any umask, not inherited; expected errors as StoreError.

    Links and what is no plain file are refused; for writing, or where what is read will be run
    (mine), all that somebody else has made or can write, too; for writing, what has another name.
    That is asked of the descriptor: of a path the answer may be another one a moment later.
    O_TRUNC: a new file takes the place of whatever is there.
    """
    # Windows removes no file that somebody has open.
    if flags & os.O_TRUNC and HAS_OWNERS:
        remove(path)
        flags = flags & ~os.O_TRUNC | os.O_EXCL
    if not flags & os.O_RDWR:
        flags |= _AT_ONCE
    try:
        fd = patiently(os.open, path, flags | _FLAGS, 0o600)
    except OSError as error:
        raise refined(error, path)
    try:
        status = os.fstat(fd)
        check_opened(status, path, flags, mine)
        if HAS_OWNERS and flags & os.O_CREAT and status.st_mode & 0o600 != 0o600:
            # An odd umask.
            os.fchmod(fd, 0o600)
    except (OSError, StoreError) as error:
        os.close(fd)
        raise refined(error, path) if isinstance(error, OSError) else error
    return fd


def read_private(path, mine=False):
    """All bytes of a small file, opened as by open_private."""
    fd = open_private(path, os.O_RDONLY, mine)
    try:
        pieces = iter(lambda: os.read(fd, _CHUNK), b"")
        return b"".join(pieces)
    except OSError as error:
        raise refined(error, path)
    finally:
        os.close(fd)


def unnamed(path):
    """A new file for what memory shall not hold, gone when it is closed."""
    # tempfile could do it, but importing that takes as long as storing a thousand jobs.
    # Windows removes no open file, but those that it was told to at once.
    fd = open_private(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_TEMPORARY", 0))
    remove(path)
    return os.fdopen(fd, "r+b")


def pread(fd, length, start):
    """As os.pread, for all of store/ and work/; errors as StoreError."""
    try:
        return _read_at(fd, length, start)
    except OSError as error:
        raise refined(error, name_of(fd))


def name_of(fd):
    """The path of an open file; where the system does not tell, what it is."""
    try:
        return os.readlink("/proc/self/fd/%d" % fd)
    except (OSError, AttributeError):
        return "a file of the store"


def refined(error, path):
    """The QueuectlError for an OSError; ENOENT stays what it is: callers ask for it."""
    if error.errno in _FULL:
        return DiskFull("%s: no room on the disk: free some and try again" % path)
    if getattr(error, "winerror", 0) in IN_USE:
        return StoreError("%s is in use by another program: try again when that has ended" % path)
    if error.errno in _FORBIDDEN:
        return StoreUnwritable("%s: %s: the store belongs to another user or is read-only"
                               % (path, os.strerror(error.errno)))
    if error.errno == errno.ENOENT:
        return error
    if error.errno in (errno.ENXIO, errno.EISDIR):
        return StorePlanted("%s is no plain file: remove it" % path)
    if error.errno == errno.ELOOP:
        return StorePlanted("%s is a link, and the store follows none: put a copy of the file in its place" % path)
    return StoreError("%s: %s" % (path, os.strerror(error.errno or errno.EIO)))


def append(fd, data, path):
    """Write all of data at the file's end, or nothing: a short write is taken back.

    The caller holds the store lock. Returns the offset where it begins.
    """
    start = os.fstat(fd).st_size
    try:
        write_all(fd, data)
    except OSError as error:
        try:
            os.ftruncate(fd, start)
        except OSError:
            # The next writer cuts the torn line.
            pass
        raise refined(error, path)
    return start


def write_all(fd, data):
    """os.write until everything is written; raises OSError."""
    written = os.write(fd, data) if data else 0
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def write_at(fd, data, start, path):
    """Write all of data at an offset; expected errors as StoreError."""
    try:
        written = _pwrite(fd, data, start)
        while written < len(data):
            written += _pwrite(fd, memoryview(data)[written:], start + written)
    except OSError as error:
        raise refined(error, path)


if hasattr(os, "pwrite"):
    def _pwrite(fd, data, start):
        return os.pwrite(fd, data, start)
else:
    def _pwrite(fd, data, start):
        os.lseek(fd, start, os.SEEK_SET)
        return os.write(fd, data)


def cut(fd, size, path):
    """Let a file end there; expected errors as StoreError."""
    try:
        os.ftruncate(fd, size)
    except OSError as error:
        raise refined(error, path)


def write_pieces(fd, pieces, path):
    """Write an iterable of bytes in large writes; expected errors as StoreError."""
    buffer = bytearray()
    try:
        for piece in pieces:
            buffer += piece
            if len(buffer) >= _LARGE:
                write_all(fd, buffer)
                buffer = bytearray()
        write_all(fd, buffer)
    except OSError as error:
        raise refined(error, path)


def sync(fd, path):
    """Bring a file's bytes to the medium; StoreError when that failed."""
    try:
        if F_FULLFSYNC is not None:
            try:
                _fcntl(fd, F_FULLFSYNC)
                return
            except OSError:
                # Not every file system of macOS knows it.
                pass
        _data_sync(fd)
    except OSError as error:
        raise StoreError("%s: could not be synced (%s): what was just written may have been stored or not"
                         % (path, os.strerror(error.errno or errno.EIO)))


def sync_directory(path):
    """Make renames and new files in a directory durable."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):
        # Windows opens no directories, and needs no such sync.
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise StoreError("%s: could not be synced (%s)" % (path, os.strerror(error.errno)))
    finally:
        os.close(fd)


def replace(source, target):
    """Atomic rename; expected errors as StoreError."""
    try:
        patiently(os.replace, source, target)
    except OSError as error:
        raise refined(error, target)


def write_file(path, data, temporary):
    """Put a whole small file in place by write, sync, rename, directory sync."""
    fd = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_pieces(fd, [data], temporary)
        sync(fd, temporary)
    finally:
        os.close(fd)
    replace(temporary, path)
    sync_directory(os.path.dirname(path))


def make_private_directory(path):
    """A directory of mode 0700 under any umask; one that is there already is fine."""
    try:
        os.mkdir(path, 0o700)
        if os.stat(path).st_mode & 0o700 != 0o700:
            os.chmod(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise StoreError("%s is there and is not a directory" % path)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise StoreError("%s cannot be made: its parent directory does not exist" % path)
        if error.errno in _FORBIDDEN:
            raise StoreUnwritable("%s cannot be made: %s in %s" % (path, os.strerror(error.errno), os.path.dirname(path)))
        raise refined(error, path)


def set_mode(path, mode):
    """Who may do what with a file; expected errors as StoreError."""
    try:
        os.chmod(path, mode)
    except OSError as error:
        raise refined(error, path)


def remove(path):
    """Remove a file; one that is gone is fine, one that cannot be removed is left for later."""
    try:
        os.unlink(path)
    except OSError:
        pass


def mark(path):
    """What is another value when a file was changed or replaced; None where it cannot be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def date(path, moment):
    """Set a file's modification time (seconds since the epoch), where that can be."""
    try:
        os.utime(path, (moment, moment))
    except OSError:
        pass
