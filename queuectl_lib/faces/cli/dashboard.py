"""Serve the web page and the HTTP API.

Whoever has the token, which stands in the address that is printed, can have
commands run as you. Ctrl+C stops the dashboard, and no job.

Examples:
  queuectl dashboard --open
  queuectl dashboard --read-only --port 9000
  ssh -L 8000:127.0.0.1:8000 server       (then open here what it printed there)
"""

import socket

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.faces.web import guard, serving
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import BadInput, StoreUnwritable

_MOST_PORT = 65535


def place_arguments(parser):
    """Where it listens: these are `up`'s, too."""
    add = parser.add_argument
    add("--host", metavar="H", default="127.0.0.1", help="the address to listen at (default: 127.0.0.1)")
    add("--port", metavar="P", type=options.checked("--port", _port),
        help="the port, 0 for any (default: 8000, or the next free one)")
    add("--name", metavar="NAME", type=options.checked("--name", _name),
        help="the name of a proxy that passes requests on to it")
    add("--open", action="store_true", help="open it in your browser")


def arguments(parser):
    place_arguments(parser)
    parser.add_argument("--read-only", action="store_true", help="nothing can be changed by it")


def _port(text):
    number = options.whole_number(0)(text)
    if number > _MOST_PORT:
        raise BadInput("want %d at most, not %d" % (_MOST_PORT, number))
    return number


def _name(text):
    if not guard.is_name(text):
        raise BadInput("want a host's name, without a port, like queue.example.com")
    return text.lower()


def run(args, out):
    store = opened(args.store, args.read_only)
    tokens = serving.tokens_of(store, args.read_only)
    token = tokens[0]
    listener = listening(args)

    def ready():
        announce(args, out, listener, token, "Ctrl+C stops it")

    serving.serve(listener, store, args.read_only, tokens, args.host, ready=ready, opens=args.open, name=args.name)


def listening(args):
    """The bound socket that the arguments name."""
    return serving.bind_near(args.host) if args.port is None else serving.bind(args.host, args.port)


def announce(args, out, listener, token, *remarks):
    """Print the address with the token, and remarks."""
    port = serving.port_of(listener)
    if args.port is None and port != serving.PORT:
        remarks = ("port %d is taken" % serving.PORT,) + remarks
    out.line(serving.url(listener, token) + ("  (%s)" % "; ".join(remarks) if remarks else ""))
    outer = serving.outer_url(listener, token)
    if outer:
        out.line(outer + "  (from other machines)")
    out.flush()
    if not serving.is_local(listener):
        terminal.note("others can reach this address, and nothing is encrypted, the token neither; safer is --host "
                      "127.0.0.1, and on their side: ssh -L %d:127.0.0.1:%d %s" % (port, port, socket.gethostname()))


def opened(place, read_only=False):
    """The store, made if it is not there; a read-only dashboard takes what there is.

    A name that was mistyped must not pass for an empty queue.
    """
    store = stores.open_store(place)
    is_there = store.exists
    if read_only:
        if not is_there:
            terminal.note("there is no store at %s yet" % store.root)
        return store
    try:
        store = stores.open_store(place, create=True, write=True)
        _, live = store.opened()
        live.close()
    except StoreUnwritable as error:
        raise StoreUnwritable("%s; to look at it all the same: queuectl dashboard --read-only" % error)
    if place is not None and not is_there:
        terminal.note("made a new store at %s" % store.root)
    return store
