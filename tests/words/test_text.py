"""Nothing a job contains can act on a terminal; what is shown still tells what was there."""

import unicodedata

import pytest

from queuectl_lib.words import text


@pytest.mark.parametrize("harmless", ["", "tar -cf backup.tar /srv", "grüße 日本語 🎉", "a\u0301", "\u00a0\ufffd"])
def test_ordinary_text_is_shown_as_it_is(harmless):
    assert text.safe(harmless) == harmless


@pytest.mark.parametrize("danger, shown", [
    ("\x1b[2J", "\\x1b[2J"),
    ("\x9b2J", "\\x9b2J"),
    ("\x00\x07\x08\x7f\x80\x9f", "\\x00\\x07\\x08\\x7f\\x80\\x9f"),
    ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
    ("\u202egpj.exe", "\\u202egpj.exe"),
    ("\u200e\u2066\u2069\u061c", "\\u200e\\u2066\\u2069\\u061c"),
    ("\u2028\u2029\u200b\ufeff", "\\u2028\\u2029\\u200b\\ufeff"),
    ("\ud800", "\\ud800"),
    ("a\u00adb\u034fc\u2062d\u3164e\ufff9", "a\\xadb\\u034fc\\u2062d\\u3164e\\ufff9"),
    ("x\U000e0041\U0001d173", "x\\U000e0041\\U0001d173"),
    ("e\u0301" + "\u0301" * 5, "e\u0301\u0301\u0301\u0301\\u0301\\u0301"),
    ("\u0e2a" + "\u0e47" * 6, "\u0e2a" + "\u0e47" * 4 + "\\u0e47\\u0e47"),
    (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
])
def test_what_could_move_a_cursor_is_written_out(danger, shown):
    assert text.safe(danger) == shown


def test_no_control_direction_or_surrogate_character_gets_through():
    # Some of the format characters are numbers' signs, and shown: Arabic, Kaithi and Egyptian ones.
    signs = set(range(0x600, 0x606)) | {0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x110bd, 0x110cd} | set(range(0x13430, 0x13440))
    dangerous = [chr(code) for code in range(0xf0000)
                 if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp", "Cf") and code not in signs
                 or unicodedata.bidirectional(chr(code)) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")]
    assert text.safe("".join(dangerous)).isprintable()


def test_what_is_shown_can_be_written_in_utf_8():
    text.safe("".join(map(chr, range(0xd800, 0xe000)))).encode("utf-8")


@pytest.mark.parametrize("whole, width, clipped", [
    ("backup", 6, "backup"), ("backup", 5, "back…"), ("backup", 1, "b"), ("backup", 0, ""), ("", 3, ""),
])
def test_long_text_is_cut_with_an_ellipsis(whole, width, clipped):
    assert text.clip(whole, width) == clipped


def test_a_terminal_without_the_ellipsis_gets_three_dots():
    assert text.clip("backup.sh", 6, "...") == "bac..."


@pytest.mark.parametrize("word, meant", [("comand", "command"), ("priorty", "priority"), ("xyzzy", None), ("", None)])
def test_the_nearest_known_word(word, meant):
    assert text.nearest(word, ["command", "priority", "queue"]) == meant


@pytest.mark.parametrize("items, most, told", [([], 3, ""), ([1], 3, "1"), ("abc", 3, "a, b, c"), ("abcd", 3, "a, b, c and 1 more"),
                                               ("abcd", 1, "a and 3 more")])
def test_of_a_long_list_the_first_are_named(items, most, told):
    assert text.listed(items, most) == told


def test_a_suggestion_is_made_only_where_there_is_one():
    assert text.did_you_mean("comand", ["command"]) == " (did you mean command?)"
    assert text.did_you_mean("xyzzy", ["command"]) == ""
