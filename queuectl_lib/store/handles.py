"""jobs.jsonl on Windows: nobody keeps it open, for a roll could not put a new one in its place.

A process opens it for each thing it does with it, sees by its number that it
is still the file it knows, and closes it again. A roll that comes while
somebody reads waits a moment (disk.patiently). What was written last into a
journal that is replaced by now cannot be read any more: who reads along is told
that something was missed (news.py).
"""

import errno
import functools
import os

from queuectl_lib.store import disk

_USING_IT = ("read", "news", "check_end", "append")


def held_briefly(journal_class):
    """Let a journal.Journal have its file open only while one of its methods runs."""
    for name in _USING_IT:
        setattr(journal_class, name, _reopening(getattr(journal_class, name)))
    journal_class.length = _length
    journal_class.sync = _unless_replaced(_reopening(journal_class.sync))
    journal_class._open = _closing(journal_class._open)


def _reopening(method):
    @functools.wraps(method)
    def while_open(self, *args, **named):
        if self.fd is not None:
            # Within another one.
            return method(self, *args, **named)
        self.fd = disk.open_private(self.path, self._flags)
        try:
            if os.fstat(self.fd).st_ino != self.inode:
                # As where a roll removed what is read without the lock: the caller looks again.
                raise FileNotFoundError(errno.ENOENT, "was replaced", self.path)
            return method(self, *args, **named)
        finally:
            _let_go(self)
    return while_open


def _closing(method):
    @functools.wraps(method)
    def and_close(self):
        try:
            method(self)
        finally:
            _let_go(self)
    return and_close


def _unless_replaced(method):
    @functools.wraps(method)
    def sync(self):
        try:
            method(self)
        except FileNotFoundError:
            # Who replaced it has synced all of it.
            pass
    return sync


def _length(journal):
    status = os.stat(journal.path)
    return status.st_size if status.st_ino == journal.inode else journal.size


def _let_go(journal):
    if journal.fd is not None:
        os.close(journal.fd)
    journal.fd = None
