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


def start():
    # Nothing of what the imports make is garbage: main() begins to look for some
    # behind them. Looking while they go on took a fourteenth of every enqueue.
    gc.disable()
    try:
        from queuectl_lib.faces.cli.main import main
    except ImportError as error:
        if getattr(error, "name", None) != "queuectl_lib":
            raise
        sys.stderr.write("queuectl: the folder queuectl_lib is missing beside %s: copy it too, or copy the"
                         " one-file version that `make dist` writes to dist/queuectl.py\n"
                         % os.path.join(home, "queuectl.py"))
        return 2
    except KeyboardInterrupt:
        # Before there is anybody who could do it better.
        return 130
    return main()


# Spawned workers run this file again under another name.
if __name__ == "__main__":
    sys.exit(start())
