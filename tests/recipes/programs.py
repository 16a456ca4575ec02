"""Programs of the system that some tests are about: skipped where one is missing, but never in CI."""

import os
import pwd
import shutil

import pytest

# Where daemons lie, which is not in everybody's PATH.
_BESIDE = "/usr/local/sbin:/usr/sbin:/sbin"


def found(name):
    """The path of a program; None where there is none."""
    return shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + _BESIDE)


def needs(*names):
    """A mark for tests that cannot be without these programs."""
    missing = [name for name in names if found(name) is None]
    return pytest.mark.skipif(bool(missing) and not os.environ.get("CI"),
                              reason="not installed here: " + ", ".join(missing))


def become_nobody():
    """In a child of root's, before it runs another program: another user."""
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
