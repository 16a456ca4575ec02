"""What the routes know of the dashboard they belong to."""

from collections import namedtuple

# store: the directory; read_only: nothing may be changed; token: text; cwd: where jobs run that name no
# directory; live: live.Live, or None where nobody listens.
Site = namedtuple("Site", ("store", "read_only", "token", "cwd", "live"))
