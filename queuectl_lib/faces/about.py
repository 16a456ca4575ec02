"""What `--version` tells who reports a bug: which program it is, of which sources, under which Python."""

import platform
import sysconfig

import queuectl_lib
from queuectl_lib.faces import bundle
from queuectl_lib.store import header
from queuectl_lib.words import program


def lines():
    """The first one is for scripts."""
    # Not platform.system(): on Windows that asks a service (WMI), which may take seconds.
    system = sysconfig.get_platform()
    form = "one file" if program.is_one_file() else "tree"
    return ["queuectl %s" % queuectl_lib.__version__,
            "  sources   %s, %s %s" % (bundle.digest(bundle.sources()), form, program.home()),
            "  python    %s, %s%s" % (platform.python_version(), system, _slow()),
            "  store     format %d" % header.FORMAT]


def _slow():
    """What there is to say where each start compiles the program."""
    if not program.is_one_file() or queuectl_lib.__file__.endswith("c"):
        return ""
    return "; the file holds another version's bytecode: see bundle --help"
