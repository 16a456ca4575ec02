"""Settings of a store: their keys, meaning and checks; config.json holds those that were set, defaults.py the rest.

    {
     "crc": "89abcdef",
     "max_retries": 5
    }

crc is that of the values, so that a flipped bit is not taken for another one. A file
without it was written by hand, and is as good as its values are.
"""

import json
import re
import zlib
from collections import OrderedDict, namedtuple

from queuectl_lib.job.checks import command as check_command
from queuectl_lib.job.checks import timeout as parse_timeout
from queuectl_lib.store import disk
from queuectl_lib.store.defaults import DEFAULTS
from queuectl_lib.words.clock import parse_duration, show_duration
from queuectl_lib.words.errors import BadInput, StoreDamaged
from queuectl_lib.words.text import did_you_mean

# parse: text or JSON value -> value, BadInput; show: value -> text
Key = namedtuple("Key", ("meaning", "parse", "show"))

_SIZES = {"": 1, "B": 1, "K": 1024, "KB": 1024, "M": 1024 ** 2, "MB": 1024 ** 2, "G": 1024 ** 3, "GB": 1024 ** 3}
DURABILITIES = ("normal", "full", "fast")
_LIMIT = r"queue\.([A-Za-z0-9][A-Za-z0-9._-]{0,127})\.limit\Z"


def _count(value):
    try:
        number = int(str(value))
    except ValueError:
        raise BadInput("want a whole number, not %r" % value)
    if not 0 <= number <= 10 ** 9:
        raise BadInput("want 0 to 1000000000, not %d" % number)
    return number


def _base(value):
    try:
        number = float(str(value))
    except ValueError:
        raise BadInput("want a number, not %r" % value)
    # Below 1 a delay would shrink with every failure; nan compares false.
    if not 1 <= number <= 1000:
        raise BadInput("want 1 to 1000, not %s" % value)
    return int(number) if number == int(number) else number


def _positive(value):
    seconds = parse_duration(value)
    if seconds <= 0:
        raise BadInput("want more than 0 seconds, not %s" % value)
    return seconds


def _size(value):
    text = str(value).strip().upper().replace(" ", "")
    digits = text.rstrip("BKMG")
    if not re.match(r"[0-9]{1,15}\Z", digits) or text[len(digits):] not in _SIZES:
        raise BadInput("want a size such as 65536, 64KB or 1MB, not %r" % value)
    number = int(digits) * _SIZES[text[len(digits):]]
    if not 8192 <= number <= 1024 ** 4:
        raise BadInput("want 8KB to 1024GB, not %s" % value)
    return number


def _durability(value):
    if value not in DURABILITIES:
        raise BadInput("want one of %s, not %r" % (", ".join(DURABILITIES), value))
    return value


def _exit_codes(value):
    """A tuple of exit codes, from '2,126' or a list."""
    if value in (None, "none", ""):
        return ()
    given = value if isinstance(value, (list, tuple)) else str(value).replace(",", " ").split()
    try:
        codes = tuple(sorted({int(code) for code in given}))
    except (ValueError, TypeError):
        raise BadInput("want exit codes such as 2,126,127, or none, not %r" % value)
    if not all(1 <= code <= 255 for code in codes):
        raise BadInput("want exit codes from 1 to 255, not %s" % value)
    return codes


def _command(value):
    return None if value in (None, "none", "") else check_command(value)


def _retention(value):
    return None if value in (None, "none") else _positive(value)


def _limit(value):
    """How many of a queue's jobs may run at once."""
    number = _count(value)
    if number < 1:
        raise BadInput("want 1 or more, not %s (to stop a queue: queuectl pause)" % value)
    return number


def _show_size(number):
    for unit in ("GB", "MB", "KB"):
        if number % _SIZES[unit] == 0:
            return "%d%s" % (number // _SIZES[unit], unit)
    return str(number)


def _show_limit(value):
    return "none" if value is None else show_duration(value)


def _show_text(value):
    return "none" if value is None else value


def _show_codes(codes):
    return ",".join(map(str, codes)) or "none"


KEYS = OrderedDict((
    ("max_retries", Key("how often a job is tried again after a failure", _count, str)),
    ("backoff_base", Key("a retry waits this to the power of the attempts, in seconds", _base, str)),
    ("backoff_max", Key("a retry waits at most this long", parse_duration, show_duration)),
    ("backoff_jitter", Key("a random time up to this is added to the wait", parse_duration, show_duration)),
    ("timeout", Key("how long one attempt may take", parse_timeout, _show_limit)),
    ("kill_grace", Key("from asking a job to end (TERM) to making it (KILL)", parse_duration, show_duration)),
    ("poll_interval", Key("an idle worker looks at the store at least this often", _positive, show_duration)),
    ("output_limit", Key("what is kept of an attempt's output, head and tail", _size, _show_size)),
    ("durability", Key("normal; full: every change synced at once; fast: no sync", _durability, str)),
    ("no_retry_exit_codes", Key("a job that ends with one of these is dead at once", _exit_codes, _show_codes)),
    ("retention", Key("finished jobs older than this are purged", _retention, _show_limit)),
    ("on_dead", Key("a command run for each job that dies, with it as JSON on its input", _command, _show_text)),
    ("on_complete", Key("the same for each job that completes", _command, _show_text)),
    ("hook_timeout", Key("how long on_dead and on_complete may take", _positive, show_duration)),
))
# Each queue has one of its own: queue.NAME.limit.
QUEUE_LIMIT = Key("how many of this queue's jobs run at once (slots count)", _limit, str)


def load(paths):
    """The Config of a store; StoreDamaged when its file is not what was written."""
    stored = stored_values(paths)
    if not stored:
        return DEFAULTS
    limits = {_queue_of(name): stored.pop(name) for name in list(stored) if _queue_of(name)}
    return DEFAULTS._replace(limits=limits, **stored)


def stored_values(paths):
    """{key: value} of what was set in this store."""
    text = read(paths)
    if text is None:
        return {}
    try:
        stored = _decoded(text)
        crc = stored.pop("crc", None)
        values = {name: _parsed(name, value) for name, value in stored.items()}
    except BadInput as error:
        raise StoreDamaged("%s: %s: mend it, or run 'queuectl doctor --repair'" % (paths.config, error))
    if crc not in (None, _crc(stored)):
        raise StoreDamaged("%s does not fit its \"crc\": if you edited it, take that line out; if not, look it over, or "
                           "run 'queuectl doctor --repair'" % paths.config)
    return values


def read(paths):
    """The bytes of config.json, None where there is none."""
    try:
        return disk.read_private(paths.config, paths.mine)
    except FileNotFoundError:
        return None


def _decoded(text):
    """The dict that the bytes of config.json hold; BadInput."""
    try:
        fields = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        where = " (line %d)" % error.lineno if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput("is not JSON" + where)
    if type(fields) is not dict:
        raise BadInput("is no JSON object")
    return fields


def _parsed(name, value):
    """The value of a setting, from text or that file; BadInput."""
    try:
        key = key_of(name)
    except KeyError:
        raise BadInput("unknown setting %r%s" % (name, did_you_mean(name, KEYS)))
    try:
        return key.parse(value)
    except (ValueError, TypeError, AttributeError, BadInput) as error:
        # A job's own timeout says that it is one.
        raise BadInput("%s: %s" % (name, str(error).replace("timeout: ", "", 1)))


def readable_values(text):
    """({key: value}, [why not] of the others) of a damaged config.json (bytes): of all of it, or where it is no JSON, of each line."""
    try:
        fields = _decoded(text)
    except BadInput:
        fields = {}
        for each in text.decode("utf-8", "replace").splitlines():
            try:
                fields.update(_decoded(b"{%s}" % each.strip().rstrip(",").encode()))
            except BadInput:
                pass
    fields.pop("crc", None)
    values, dropped = {}, []
    for name, value in fields.items():
        try:
            values[name] = _parsed(name, value)
        except BadInput as error:
            dropped.append(str(error))
    return values, dropped


def write(paths, values):
    """Put config.json in place with these values; the caller holds the store lock."""
    fields = dict({"crc": _crc(values)}, **values)
    # A key a line: so one can be taken out by hand, and the others be read when one is damaged.
    lines = [" %s: %s" % (json.dumps(name), json.dumps(value)) for name, value in fields.items()]
    disk.write_file(paths.config, ("{\n%s\n}\n" % ",\n".join(lines)).encode("ascii"), paths.config + ".new")


def _crc(values):
    return "%08x" % zlib.crc32(json.dumps(values, sort_keys=True).encode("ascii"))


def _queue_of(name):
    """The queue whose limit the key of this name is, or None."""
    match = re.match(_LIMIT, name)
    return match and match.group(1)


def key_of(name):
    """The Key of this name; KeyError."""
    return QUEUE_LIMIT if _queue_of(name) else KEYS[name]


def key_named(name):
    """The key's own spelling of max-retries or max_retries; BadInput for an unknown one."""
    if _queue_of(name):
        return name
    key = name.replace("-", "_")
    if key not in KEYS:
        known = did_you_mean(key, KEYS) or " (a queue's limit is queue.NAME.limit)" * key.startswith("queue")
        raise BadInput("unknown setting %r%s: see 'queuectl config list'" % (name, known))
    return key


def value_of(values, name):
    """What a Config says of a key; of a queue's limit that is not set, None."""
    queue = _queue_of(name)
    return values.limits.get(queue) if queue else getattr(values, name)


def set(store, name, text):
    """Set a key from text, checked; returns the value."""
    key = key_named(name)
    value = _parsed(key, text)
    _update(store, lambda values: values.update({key: value}))
    return value


def unset(store, name):
    """Give a key its default again."""
    key = key_named(name)
    _update(store, lambda values: values.pop(key, None))


def _update(store, change):
    with store.lock():
        values = stored_values(store.paths)
        change(values)
        write(store.paths, values)
