"""queuectl: a background job queue in one file, over JSON lines in a directory."""

__version__ = "1.0.0"
