"""queuectl: a background job queue in one file, over JSON lines in a directory. For scripts: faces/api.py."""

__version__ = "1.0.0"

# Where what a script may import from here stands. Not imported until it is: the command line needs none of it.
_OFFERED = {
    "Queue": "faces.api", "Job": "job.record",
    "QueuectlError": "words.errors", "BadInput": "words.errors", "NotDone": "words.errors",
    "UnknownJob": "words.errors", "DuplicateJob": "words.errors", "StoreError": "words.errors"}
__all__ = list(_OFFERED)


def __getattr__(name):
    if name not in _OFFERED:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    return getattr(__import__("%s.%s" % (__name__, _OFFERED[name]), fromlist=[name]), name)
