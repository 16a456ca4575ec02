"""What the routes know of the dashboard they belong to."""

from collections import namedtuple

# store: the directory; read_only: nothing may be changed; token: text; cwd: where jobs run that name no
# directory; live: live.Live, or None where nobody listens; hosts: what it may be called (guard.hosts);
# tickets: tickets.Tickets, or None; others: the tokens that are taken beside that one; name: of a proxy, or None.
Site = namedtuple("Site", ("store", "read_only", "token", "cwd", "live", "hosts", "tickets", "others", "name"))
Site.__new__.__defaults__ = (frozenset(("127.0.0.1", "localhost", "[::1]")), None, (), None)
