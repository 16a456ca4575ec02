"""Write queuectl as one file that runs anywhere.

Copy it to a server and run it there: python3 queuectl.py enqueue ...

Examples:
  queuectl bundle dist/queuectl.py
"""

from queuectl_lib.faces import bundle, terminal


def arguments(parser):
    parser.add_argument("out", metavar="OUT", help="the file to write")


def run(args, out):
    size = bundle.write(args.out)
    terminal.note("wrote %s (%d KB)" % (args.out, round(size / 1024)))
