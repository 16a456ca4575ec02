"""Go back to the default of a setting.

Examples:
  queuectl config unset backoff-max
"""

from queuectl_lib.store import config
from queuectl_lib.store import store as stores


def arguments(parser):
    parser.add_argument("key", metavar="KEY")


def run(args, out):
    name = config.key_named(args.key)
    store = stores.open_store(args.store, write=True)
    # Without a store everything has its default.
    if store.exists:
        config.unset(store, name)
