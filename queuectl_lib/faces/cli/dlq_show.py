"""Show everything about one dead job.

Examples:
  queuectl dlq show nightly
"""

from queuectl_lib.faces.cli import reading, show

arguments = show.arguments


def run(args, out):
    show.show(args, out, reading.dead_only)
