"""Serve the web page and the HTTP API.

Examples:
  queuectl dashboard
"""

from queuectl_lib.faces.cli import options
from queuectl_lib.store import store as stores


def arguments(parser):
    add = parser.add_argument
    add("--host", metavar="H", default="127.0.0.1", help="the address to listen at (default: 127.0.0.1)")
    add("--port", metavar="P", default=8000, type=options.checked("--port", options.whole_number(0)),
        help="the port (default: 8000, or the next free one)")


def run(args, out):
    from queuectl_lib.faces.web import serving
    serving.serve(stores.open_store(args.store), args.host, args.port, out)
