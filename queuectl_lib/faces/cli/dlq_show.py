"""Show everything about one dead job.

Examples:
  queuectl dlq show nightly
"""

from queuectl_lib.faces import reading
from queuectl_lib.faces.cli import show


def arguments(parser):
    show.arguments(parser, states=("dead",))


def run(args, out):
    show.show(args, out, reading.dead_only)
