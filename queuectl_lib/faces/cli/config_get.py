"""Print the value of one setting.

Examples:
  queuectl config get max-retries
"""

from queuectl_lib.faces.cli import options
from queuectl_lib.store import config
from queuectl_lib.store import store as stores
from queuectl_lib.words.text import safe


def arguments(parser):
    parser.add_argument("key", metavar="KEY")
    options.json(parser)


def run(args, out):
    name = config.key_named(args.key)
    value = config.value_of(stores.open_store(args.store).config, name)
    if args.json:
        out.document(value)
    else:
        text = "none" if value is None else config.key_of(name).show(value)
        out.line(safe(text) if out.tty else text)
