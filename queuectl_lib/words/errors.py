"""Every failure a user, a disk or a file can cause, and its exit code.

One root, one place that catches it (the command line). Anything that is not
a QueuectlError is a bug and shows its traceback.
"""

from os import fsdecode


class QueuectlError(Exception):
    """The root. Its text is the one line a user reads; sentence: that without advice on what to type."""

    exit_code = 1

    def __init__(self, sentence="", advice=""):
        Exception.__init__(self, sentence + advice)
        self.sentence = sentence


def told(error):
    """A failure, also one of the system that nobody gave a better name (OSError), in one line."""
    if not isinstance(error, OSError):
        return str(error)
    reason = error.strerror or str(error)
    return reason if error.filename is None else "%s: %s" % (fsdecode(error.filename), reason)


class NotDone(QueuectlError):
    """The asked-for thing did not happen."""


class UnknownJob(NotDone):
    """No job has this id."""


class DuplicateJob(NotDone):
    """A job with this id is already there."""


class BadInput(QueuectlError):
    """Wrong usage, or input that is not a job."""

    exit_code = 2


class StoreError(QueuectlError):
    """The store cannot be used."""

    exit_code = 3


class StoreLocked(StoreError):
    """Somebody held the store lock too long."""


class StoreDamaged(StoreError):
    """Bytes in the store are not what was written there."""


class StoreUnwritable(StoreError):
    """The store may not, or must not, be written by this user."""


class StorePlanted(StoreError):
    """A link, or what is no plain file, stands where the store has one."""


class NewerFormat(StoreError):
    """A newer queuectl wrote the store; nothing of it is touched."""


class DiskFull(StoreError):
    """No room for what had to be written; nothing was changed."""
