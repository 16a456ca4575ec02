"""How to run this very program again: from the source tree or as one file."""

import os
import sys

LAUNCHER = "queuectl.py"


def home():
    """The folder that holds queuectl_lib, or the one-file archive itself."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return os.path.dirname(package)


def is_one_file():
    return not os.path.isdir(home())


def path():
    """The file to hand to a Python."""
    if is_one_file():
        return home()
    return os.path.join(home(), LAUNCHER)


def command():
    """The words that start this program with the same Python, run in the same way."""
    return [_python()] + _flags() + [path()]


def _python():
    if os.name == "nt":
        # That of a virtual environment there only starts the other, whose pid it is that counts.
        return getattr(sys, "_base_executable", None) or sys.executable
    return sys.executable or "python3"


def _flags():
    if sys.flags.isolated:
        return ["-I"]
    flags = []
    if sys.flags.ignore_environment:
        flags.append("-E")
    if sys.flags.no_site:
        flags.append("-S")
    return flags


def start_apart(command, **options):
    """Start a program that goes on whatever becomes of this one and of its terminal; its subprocess.Popen."""
    import subprocess
    if not hasattr(subprocess, "CREATE_NO_WINDOW"):
        return subprocess.Popen(command, start_new_session=True, **options)
    # A console that nobody sees: without any, each command that it starts would open a window.
    flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        return subprocess.Popen(command, creationflags=flags | subprocess.CREATE_BREAKAWAY_FROM_JOB, **options)
    except PermissionError:
        # Somebody else's Job Object, which lets nobody go.
        return subprocess.Popen(command, creationflags=flags, **options)
