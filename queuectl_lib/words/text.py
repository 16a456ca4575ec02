"""Text that is safe to show: nothing a job contains can move a terminal's cursor. And JSON of plain values."""

import re

try:
    # json itself, which brings the decoder too, is more than an enqueue needs.
    from _json import encode_basestring_ascii
except ImportError:
    from json.encoder import encode_basestring_ascii

# Control characters, C1, direction marks and overrides, line separators, surrogates, and what
# takes no room or looks like a blank: it could hide, or make two names look the same.
# Compiled by re when first used: a command that shows nothing need not wait for it.
_UNSAFE = (
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")

# Marks that are set above or below a letter. No tongue heaps up more than four: more would cover the lines beside theirs.
_MARK = ("[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
         "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_HEAP = "(?<=%s{4})%s" % (_MARK, _MARK)


# By type, the JSON of a plain value (a finite float), as json.dumps writes it.
JSON_OF = {str: encode_basestring_ascii, int: int.__repr__, float: float.__repr__}


def safe(text):
    """The text with every character that could act on a terminal written out."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_HEAP, _visible, re.sub(_UNSAFE, _visible, text))


def _visible(match):
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        # surrogateescape: the odd byte itself
        return "\\x%02x" % (code - 0xDC00)
    return {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}.get(
        code, ("\\x%02x" if code < 0x100 else "\\u%04x" if code < 0x10000 else "\\U%08x") % code)


def clip(text, width, ellipsis="\u2026"):
    """The text, cut to so many characters, with an ellipsis where it was cut."""
    if len(text) <= width:
        return text
    if width <= len(ellipsis):
        return text[:width]
    return text[:width - len(ellipsis)] + ellipsis


def nearest(word, words):
    """The known word most like this one, or None."""
    import difflib
    found = difflib.get_close_matches(word, list(words), 1, 0.6)
    return found[0] if found else None


def did_you_mean(word, words, aliases={}):
    """' (did you mean X?)', or nothing; aliases: {word: the known one that somebody means by it}."""
    found = aliases.get(word) or nearest(word, words)
    return " (did you mean %s?)" % found if found else ""


def listed(items, most=3):
    """'a, b, c and 4 more'"""
    items = list(map(str, items))
    rest = len(items) - most
    return ", ".join(items[:most]) + (" and %d more" % rest if rest > 0 else "")


def many(number, word):
    """A number of things: '1 job', '1,200 jobs'."""
    return "%s %s%s" % (format(number, ","), word, "s" * (number != 1))
