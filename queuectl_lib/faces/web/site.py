"""What the routes know of the dashboard they belong to."""

from collections import namedtuple

# store: the directory; read_only: nothing may be changed; token: text; cwd: where jobs run that name no
# directory; live: live.Live, or None where nobody listens; port: of the server; hosts: what it may be called
# (guard.hosts); others: the tokens that are taken beside that one; name: what a proxy before it is called, or None.
Site = namedtuple("Site", ("store", "read_only", "token", "cwd", "live", "port", "hosts", "others", "name"))
Site.__new__.__defaults__ = (8000, frozenset(("127.0.0.1", "localhost", "[::1]")), (), None)
