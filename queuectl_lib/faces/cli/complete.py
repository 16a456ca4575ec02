"""Print what may come next on a command line (asked by the shells that complete it)."""

import shlex

from queuectl_lib.faces.cli import completing, main


def arguments(parser):
    parser.takes_command = True
    parser.add_argument("--line", action="store_true", help="the words come as one line, as the shell would read it")


def run(args, out):
    words = _words(args.command[0])[1:] if args.line else args.command
    for candidate in completing.candidates(words or [""], main.parser_of):
        out.line("\t".join(candidate))


def _words(line):
    """The words of a line that ends where the cursor is; the last one may be empty, or in quotes not closed yet."""
    for quote in ("", "'", '"'):
        try:
            # So that there is a last word, and a backslash at the end has something to act on.
            words = shlex.split(line + "." + quote)
            return words[:-1] + [words[-1][:-1]]
        except ValueError:
            continue
    return []
