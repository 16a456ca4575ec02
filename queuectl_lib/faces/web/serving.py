"""The server: where it listens, its token, its start, and its end."""

import errno
import ipaddress
import os
import secrets
import signal
import socket

from queuectl_lib.faces import lasting
from queuectl_lib.faces.web import guard, pages
from queuectl_lib.faces.web.connections import Connections
from queuectl_lib.faces.web.live import Live
from queuectl_lib.faces.web.ring import Ring
from queuectl_lib.faces.web.site import Site
from queuectl_lib.faces.web.tickets import Tickets
from queuectl_lib.store import ownership
from queuectl_lib.store import token as tokens
from queuectl_lib.words.errors import NotDone, StoreError

PORT = 8000
# So many ports are tried when that one is taken.
_TRIED = 20
_BACKLOG = 512
_TAKEN = (errno.EADDRINUSE, getattr(errno, "WSAEACCES", errno.EADDRINUSE))


class Taken(NotDone):
    """Somebody listens at this port already."""


def bind(host, port):
    """A socket that listens there (port 0: at any); NotDone, Taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise NotDone("cannot listen at %s: %s" % (host, _reason(error)))
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # On Windows the other one would let a second server take the port over.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno in _TAKEN:
            raise Taken("port %d is taken, perhaps by another dashboard (see who listens there: lsof -i :%d): "
                        "choose another with --port, or let one be chosen with --port 0" % (port, port))
        raise NotDone("cannot listen at %s, port %d: %s" % (host, port, _reason(error)))
    return listener


def bind_near(host, port=PORT):
    """The same at this port, or at the next one that is free."""
    for each in range(port, port + _TRIED - 1):
        try:
            return bind(host, each)
        except Taken:
            continue
    return bind(host, port + _TRIED - 1)


def _reason(error):
    return getattr(error, "strerror", None) or str(error)


def is_local(listener):
    """Can this machine alone reach it?"""
    return _address(listener).is_loopback


def _address(listener):
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])


def url(listener, token, host=None):
    """The address to open in a browser of this machine; host: what stands in the place of its own."""
    address = _address(listener)
    if address.is_unspecified:
        address = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")
    host = host or ("[%s]" % address if address.version == 6 else str(address))
    return "http://%s:%d/?token=%s" % (host, port_of(listener), token)


def outer_url(listener, token):
    """The address for those on other machines, by this one's name, where it listens at all it has; else None."""
    return url(listener, token, socket.gethostname()) if _address(listener).is_unspecified else None


def port_of(listener):
    return listener.getsockname()[1]


def tokens_of(store, read_only):
    """The tokens that a dashboard takes, its own first.

    Of a store's token can be made that of its read-only dashboards, which take both. Such a
    one has one for itself where the store has none and none can be put there.
    """
    try:
        if store.exists:
            ownership.check_private(store.root)
        token = tokens.read_or_make(store.paths)
    except StoreError:
        if not read_only:
            raise
        return (secrets.token_urlsafe(32),)
    return (tokens.to_look(token), token) if read_only else (token,)


def load_all():
    """Import and read now what else would be when somebody asks: the one file may be replaced while this runs."""
    from queuectl_lib.work import signals
    lasting.load_all()
    pages.load_all()
    return signals


def serve(listener, store, read_only, taken=None, host=None, until=None, ready=lambda: None, opens=False, name=None):
    """Serve a store (store.Store) at a socket that bind() gave, and close it in the end.

    taken: as of tokens_of(), which it is if it is None; host: what bind() was told, which clients may call it.
    until: what can be read from when the server is to stop: a descriptor, a connection (on
    Windows a socket). Signals are the caller's then. Without it Ctrl+C and SIGTERM end it, from
    the call of ready() on. opens: show it in a browser; name: of a proxy through which clients come, in lower case.
    """
    load_all()
    hosts = guard.hosts(host, str(_address(listener))) | frozenset([name] if name else [])
    taken = taken or tokens_of(store, read_only)
    site = Site(store.root, read_only, taken[0], os.getcwd(), None, hosts, Tickets(), taken[1:], name)
    site = site._replace(live=Live(site, Ring()))
    loop = Connections(listener, site, until)
    before = _take_signals(loop) if until is None else {}
    try:
        site.live.start()
        ready()
        if opens:
            show(url(listener, site.tickets.make()))
        loop.run()
    finally:
        site.live.stop()
        _give_back_signals(before)


def _take_signals(loop):
    """Have the signals that ask to leave end the loop; what was done with them before."""
    from queuectl_lib.work import signals
    # Written to by the signal itself: on Windows none interrupts a select().
    before = {None: signal.set_wakeup_fd(loop.waker.bell(), warn_on_full_buffer=False)}
    for signum in signals.to_leave():
        before[signum] = signal.signal(signum, lambda *_: loop.stop())
    return before


def _give_back_signals(before):
    for signum, handler in before.items():
        if signum is None:
            signal.set_wakeup_fd(handler)
        else:
            signal.signal(signum, handler)


def show(url):
    """Open it in the browser, in a thread: some browsers end only when they are closed. That there is none is no fault."""
    import threading
    import webbrowser

    def opened():
        try:
            webbrowser.open(url)
        except Exception:
            pass
    threading.Thread(target=opened, daemon=True).start()
