"""Show every setting with its value, default and meaning.

Examples:
  queuectl config list
  queuectl config list --json | jq .max_retries.value
"""

from queuectl_lib.faces import report
from queuectl_lib.faces.cli import options
from queuectl_lib.faces.table import Column
from queuectl_lib.store import config
from queuectl_lib.store.defaults import DEFAULTS
from queuectl_lib.store import store as stores

_COLUMNS = (
    Column("key", "KEY", 19),
    Column("value", "VALUE", 8),
    Column("default", "DEFAULT", 8),
    Column("meaning", "MEANING"),
)
_LEAST_MEANING = 20


def arguments(parser):
    options.json(parser)


def run(args, out):
    values = stores.open_store(args.store).config
    standing = list(zip(config.KEYS, values, DEFAULTS))
    standing += [("queue.%s.limit" % queue, limit, None) for queue, limit in sorted(values.limits.items())]
    if args.json:
        out.document({name: {"value": value, "default": default, "meaning": config.key_of(name).meaning}
                      for name, value, default in standing})
        return
    rows = [_row(name, value, default, config.key_of(name)) for name, value, default in standing]
    if out.width is not None:
        rows = list(_wrapped(rows, out.width))

    def paint(text, column, row):
        return out.paint(text, "bold") if column == "value" and row["value"] != row["default"] else text

    for line in report.draw(_COLUMNS, rows, out, paint=paint):
        out.line(line)


def _row(name, value, default, key):
    return {"key": name, "value": key.show(value), "default": "none" if default is None else key.show(default),
            "meaning": key.meaning}


def _wrapped(rows, width):
    """The rows with what a terminal has no room for on rows of its own."""
    import textwrap
    taken = sum(max(len(title), max(len(row[key]) for row in rows)) + 2
                for key, title in (("key", "KEY"), ("value", "VALUE"), ("default", "DEFAULT")))
    for row in rows:
        first, *others = textwrap.wrap(row["meaning"], max(_LEAST_MEANING, width - taken))
        yield dict(row, meaning=first)
        for more in others:
            yield {"value": "", "default": "", "meaning": more}
