#!/usr/bin/env python3
"""Starts queuectl, from the source tree and as `__main__.py` of the one-file version."""

import gc
import os
import sys

# Only words that Python 2.7 can read may stand in this file: it has to tell an
# old interpreter in one line that it is too old.
if sys.version_info < (3, 8):
    sys.stderr.write("queuectl: Python 3.8 or newer is needed and this is %d.%d: try python3 %s\n"
                     % (sys.version_info[0], sys.version_info[1], sys.argv[0]))
    sys.exit(2)

# Of a link the target counts; in the one-file version `home` is the archive.
# Python 3.8 puts a relative path first, which is lost with the first chdir,
# and `-I` puts none.
home = os.path.dirname(os.path.realpath(__file__))
if os.path.realpath(sys.path[0]) == home:
    del sys.path[0]
sys.path.insert(0, home)

ANEW = "QUEUECTL_BEGUN_ANEW"


def start():
    # Nothing of what the imports make is garbage: main() begins to look for some
    # behind them. Looking while they go on took a fourteenth of every enqueue.
    gc.disable()
    one_file = os.path.isfile(home) and os.name == "posix"
    if one_file:
        hold_file()
    first = os.environ.pop(ANEW, None) is None
    try:
        from queuectl_lib.faces.cli.main import main
        return main()
    except KeyboardInterrupt:
        # Before there is anybody who could do it better.
        return 130
    except Exception as error:
        if isinstance(error, ImportError) and getattr(error, "name", None) == "queuectl_lib":
            sys.stderr.write("queuectl: the folder queuectl_lib is missing beside %s: copy it too, or copy the"
                             " one-file version that `make dist` writes to dist/queuectl.py\n"
                             % os.path.join(home, "queuectl.py"))
            return 2
        # As long as nobody looks for garbage nothing but loading has been done.
        if one_file and first and sys.executable and not gc.isenabled():
            begin_anew()
        raise


def hold_file():
    """Have all that will be imported read from the file that is there now: zipimport opens it by its name for each module.

    So this process is of one version from its start to its end, whatever is moved there meanwhile. That
    function is nobody's promise: a Python without it only has to begin anew more often.
    """
    import zipimport
    held = "/dev/fd/%d" % os.open(home, os.O_RDONLY)
    read = getattr(zipimport, "_get_data", None)
    if read and os.path.exists(held):
        zipimport._get_data = lambda archive, entry: read(held if archive == home else archive, entry)


def begin_anew():
    """Once, with the same words: the file was replaced after Python had read where in it what is, and before it was held."""
    import subprocess
    os.environ[ANEW] = "1"
    os.execv(sys.executable, [sys.executable] + subprocess._args_from_interpreter_flags() + sys.argv)


# Spawned workers run this file again under another name.
if __name__ == "__main__":
    sys.exit(start())
