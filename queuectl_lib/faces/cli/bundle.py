"""Write queuectl as one file that runs anywhere.

Copy it to a server and run it there: python3 queuectl.py enqueue ...
Its checksum is printed as sha256sum does it. The file holds bytecode of the
Python that wrote it, and starts two or three times faster under that one than
under others: where Python is another version, let it write itself anew.

Examples:
  queuectl bundle dist/queuectl.py
  cd /usr/local/lib && python3 queuectl.py bundle queuectl.py
"""

import hashlib
import os

from queuectl_lib.faces import bundle, terminal


def arguments(parser):
    parser.add_argument("out", metavar="OUT", help="the file to write")


def run(args, out):
    content = bundle.write(args.out)
    terminal.note("wrote %s (%d KB)" % (args.out, round(len(content) / 1024)))
    # By its bare name: the checksum is to lie beside the file.
    out.line("%s  %s" % (hashlib.sha256(content).hexdigest(), os.path.basename(args.out)))
