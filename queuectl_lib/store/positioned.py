"""Reading at an offset where the system has no pread (Windows): go there and read. No two threads use one descriptor."""

import os


def pread(fd, count, start):
    """As os.pread; what is written next to this descriptor has to be appended, or to be told where it goes."""
    os.lseek(fd, start, os.SEEK_SET)
    return os.read(fd, count)
