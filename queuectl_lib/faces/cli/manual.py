"""Print the manual page queuectl(1) as roff (for `make man`; man -l reads it)."""

from queuectl_lib.faces import manual
from queuectl_lib.faces.cli import main, registry


def arguments(parser):
    # There is nothing to choose.
    pass


def run(args, out):
    for line in manual.page(registry.groups(), main.parser_of):
        out.line(line)
