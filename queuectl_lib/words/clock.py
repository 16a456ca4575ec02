"""Time: now, moments as text, durations as people write them.

Inside the program a moment is an int of milliseconds since 1970 (UTC). On
disk and on screen it is text such as 2026-11-22T03:10:00.123Z, which sorts as
it reads.
"""

import re
import time

from queuectl_lib.words.errors import BadInput

# Patterns as text: re compiles one when it is first used, and keeps it. Most
# commands parse no time, and compiling these took a millisecond of every start.
_DURATION = r"(?a)(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?$"
# 1h30m: whole numbers, each unit smaller than the one before it.
_COMPOUND = r"(?a)" + r" *".join(r"(?:(\d+) *%s)?" % unit for unit in ("w", "d", "h", "m", "s")) + "$"
_COMPOUND_UNITS = (604800, 86400, 3600, 60, 1)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, None: 1}
_ISO = (
    r"(?ia)(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?$")
_OF_DAY = r"(?a)(\d{1,2}):(\d\d)$"
_MINUTES_A_DAY = 1440
_EPOCH = r"(?a)\d{1,12}(\.\d+)?$"

_DAYS_TO_1970 = 719163

# 9999-12-31: later moments have no four-digit year, and so no text that sorts.
LATEST = 253402300799999

# No float, and no time, is larger.
_HUGE = 1e300

# The second whose text was asked for last, and that text: one value, since several threads may ask.
_last = (None, "")


def now():
    """Milliseconds since 1970, UTC."""
    return int(time.time() * 1000)


def moment(ms):
    """The text of a moment: '2026-11-22T03:10:00.123Z'."""
    global _last
    second, millisecond = divmod(ms, 1000)
    # A busy worker asks several times a second for the same second's text.
    known, text = _last
    if second != known:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _last = (second, text)
    return "%s.%03dZ" % (text, millisecond)


def parse_moment(text):
    """Milliseconds since 1970 of ISO 8601 text (bare: local time) or epoch seconds.

    Raises BadInput when it is neither.
    """
    if isinstance(text, bool):
        raise BadInput("not a moment: %r" % text)
    if isinstance(text, (int, float)):
        return _checked(text * 1000, text)
    text = str(text).strip()
    if re.match(_EPOCH, text) and len(text) != 4:
        return _checked(float(text) * 1000, text)
    match = re.match(_ISO, text)
    if match is None:
        raise BadInput("not a moment: %r (want 2026-11-22T03:10:00Z, 2026-11-22 03:10 or epoch seconds)" % text)
    return _from_parts(match, text)


def coming(text, now):
    """The moment's text of '03:00': when the local clock next shows it, or leaps over it; of any other text the text itself.

    now: ms. For what is typed: on disk and between programs a moment has its day.
    """
    match = re.match(_OF_DAY, text.strip())
    wanted = match and int(match.group(1)) * 60 + int(match.group(2))
    if match is None or int(match.group(2)) > 59 or wanted >= _MINUTES_A_DAY:
        return text
    # Minute by minute: which hours a zone leaves out, or has twice, is known to the clock alone.
    minute = now // 60000
    before = _of_day(minute)
    while True:
        minute += 1
        shown = _of_day(minute)
        if shown == wanted or 0 < (wanted - before) % _MINUTES_A_DAY < (shown - before) % _MINUTES_A_DAY < _MINUTES_A_DAY // 2:
            return moment(minute * 60000)
        before = shown


def _of_day(minute):
    """Minutes since midnight on the local clock, of a minute since 1970."""
    local = time.localtime(minute * 60)
    return local.tm_hour * 60 + local.tm_min


def _from_parts(match, text):
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59 and second <= 60):
        raise BadInput("not a moment: %r (no such day or hour)" % text)
    zone = match.group(8)
    # Imported here: most commands read no moment. (calendar would bring locale too, 1 ms.)
    import datetime
    try:
        days = datetime.date(year, month, day).toordinal() - _DAYS_TO_1970
    except ValueError:
        raise BadInput("not a moment: %r (no such day)" % text)
    try:
        if zone is None:
            seconds = time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
        else:
            seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - _offset(zone)
    except (OverflowError, ValueError, OSError):
        raise BadInput("not a moment: %r (out of range)" % text)
    fraction = int(((match.group(7) or "") + "000")[:3])
    return _checked(int(seconds) * 1000 + fraction, text)


def _offset(zone):
    if zone in "Zz":
        return 0
    sign = -1 if zone[0] == "-" else 1
    digits = zone[1:].replace(":", "")
    return sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def _shown(value):
    # An integer may have more digits than Python writes down.
    return repr(value) if isinstance(value, str) or -_HUGE < value < _HUGE else "a number beyond all time"


def _checked(ms, text):
    if not 0 <= ms <= LATEST:
        raise BadInput("not a moment: %s (out of range)" % _shown(text))
    return int(ms)


def parse_duration(text):
    """Seconds in '90', '90s', '5m', '1h30m', '7d', '250ms'; raises BadInput."""
    if isinstance(text, bool):
        raise BadInput("not a duration: %r" % text)
    if isinstance(text, (int, float)):
        seconds = float(text) if -_HUGE < text < _HUGE else _HUGE
    else:
        seconds = _seconds(str(text).strip())
        if seconds is None:
            raise BadInput("not a duration: %r (want 90, 90s, 5m, 1h30m or 7d)" % text)
    if not 0 <= seconds <= 3153600000:
        raise BadInput("not a duration: %s (want 0 s to 100 years)" % _shown(text))
    return int(seconds) if seconds == int(seconds) else seconds


def _seconds(text):
    """Of a duration's text; None when it is none."""
    match = re.match(_DURATION, text)
    if match is not None:
        return float(match.group(1)) * _UNITS[match.group(2)]
    match = re.match(_COMPOUND, text) if text else None
    if match is None:
        return None
    return sum(float(number or 0) * unit for number, unit in zip(match.groups(), _COMPOUND_UNITS))


def show_duration(seconds):
    """A duration as a person says it: '1.2 s', '3 min 20 s', '2 h 5 min', '3 d 4 h'."""
    if seconds < 0:
        return "-" + show_duration(-seconds)
    if seconds < 0.0995:
        return "%d ms" % round(seconds * 1000)
    if seconds < 9.95:
        return ("%.1f s" % seconds).replace(".0 s", " s")
    whole = int(round(seconds))
    for size, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            tail = " %d %s" % (rest, smaller_name) if rest else ""
            return "%d %s%s" % (whole // size, name, tail)
    return "%d s" % whole
