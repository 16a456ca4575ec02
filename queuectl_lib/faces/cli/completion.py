"""Print what makes your shell complete queuectl's words.

Commands, options, states, queues, settings and the ids of jobs are completed
then, whatever the program is called; as `python3 queuectl.py` it cannot be,
since it is Python that the shell completes there.

Examples:
  queuectl completion bash > ~/.local/share/bash-completion/completions/queuectl
  queuectl completion zsh > ~/.zfunc/_queuectl     (a directory of $fpath)
  queuectl completion fish > ~/.config/fish/completions/queuectl.fish
  source <(queuectl completion bash)
"""

import os
import re
import sys

from queuectl_lib.faces import shells
from queuectl_lib.words import program

_NAMES = ("queuectl", program.LAUNCHER)


def arguments(parser):
    parser.add_argument("shell", metavar="SHELL", choices=tuple(shells.SCRIPTS), help=", ".join(shells.SCRIPTS))


def run(args, out):
    out.text(shells.script(args.shell, _names(os.path.basename(sys.argv[0]))))


def _names(own):
    """Under which names it may be typed; own: that of this run."""
    is_another = own not in _NAMES and re.match(r"[A-Za-z0-9][\w.+-]*\Z", own)
    return _NAMES + (own,) if is_another else _NAMES
