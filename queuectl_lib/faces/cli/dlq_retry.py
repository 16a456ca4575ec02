"""Give dead jobs a full budget of attempts again.

Their attempts start at 0 again: whoever retries has mended the cause. Jobs
that died because of one of these come back with it. The ids are printed, one a
line.

Examples:
  queuectl dlq retry nightly
  queuectl dlq retry --all
  queuectl dlq retry --search 'No space left' --yes
"""

from queuectl_lib.faces import reading
from queuectl_lib.faces.cli import retry, selecting


def arguments(parser):
    selecting.arguments(parser, ("dead",), every="all of them (this is not asked about)")


def run(args, out):
    # Nothing is lost by it.
    args.yes = args.yes or args.all
    return retry.retry(args, out, reading.dead_only, ("dead",), ("dead",))
