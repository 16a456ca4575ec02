"""Change a setting of this store.

max_retries and timeout count for jobs enqueued from now on; the others also
for those that wait already.

Examples:
  queuectl config set max-retries 5
  queuectl config set backoff-max 10m
  queuectl config set timeout none
"""

from queuectl_lib.store import config
from queuectl_lib.store import store as stores


def arguments(parser):
    parser.add_argument("key", metavar="KEY")
    parser.add_argument("value", metavar="VALUE")


def run(args, out):
    config.key_named(args.key)
    config.set(stores.open_store(args.store, create=True, write=True), args.key, args.value)
