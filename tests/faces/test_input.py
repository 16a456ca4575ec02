"""What the words of a command line and the lines of a file mean."""

import io
import json
import random

import pytest

from queuectl_lib.faces import input as given
from queuectl_lib.job import record
from queuectl_lib.store import line
from queuectl_lib.words.errors import BadInput


def read(data):
    return list(given.from_file(io.BufferedReader(io.BytesIO(data))))


@pytest.mark.parametrize("words, command", [
    (["echo hi > file"], "echo hi > file"),
    (["a b "], "a b "),
    (["ls", "-la"], "ls -la"),
    (["ls", "a b", "$x", "it's"], "ls 'a b' '$x' 'it'\"'\"'s'"),
    (["-weird"], "-weird"),
    (["{ a; b; }"], "{ a; b; }"),
    (["[ -f x ] && y"], "[ -f x ] && y"),
    (["[[ -n $x ]]"], "[[ -n $x ]]"),
    (['{"command": "x"}', "y"], "'{\"command\": \"x\"}' y"),
])
def test_shell_stays_shell(words, command):
    assert given.from_words(words) == [{"command": command}]


@pytest.mark.parametrize("text, jobs", [
    ('{"command": "x"}', [{"command": "x"}]),
    (' { "command": "x" }', [{"command": "x"}]),
    ("{ }", [{}]),
    ("[]", []),
    ('[ {"command": "x"}, {"command": "y"}]', [{"command": "x"}, {"command": "y"}]),
])
def test_one_word_that_begins_like_json_is_json(text, jobs):
    assert given.from_words([text]) == jobs


def test_broken_json_names_the_place_and_the_other_form():
    with pytest.raises(BadInput) as caught:
        given.from_words(['{"command": "x" "y"}'])
    for part in ("column 17", "char 16", '"y"}', "PowerShell", "queuectl enqueue --id ID COMMAND"):
        assert part in str(caught.value)


@pytest.mark.parametrize("words", [
    ["{command: echo hi}"], ["{id:j1,command:sleep", "2}"], ["'{command:", "x}'"], ['{\\command\\:\\x\\}']])
def test_json_that_a_shell_took_the_quotes_of_is_recognized(words):
    with pytest.raises(BadInput, match="lost its quotes"):
        given.from_words(words)


def test_json_nested_without_end_is_bad_input():
    with pytest.raises(BadInput, match="nested too deeply"):
        given.from_words(['[{"env":' + "[" * 100000])


def test_json_lines_are_numbered_and_blank_ones_skipped():
    assert read(b'{"a": 1}\n\n{"b": 2}\r\n{"c": 3}') == [(1, {"a": 1}), (3, {"b": 2}), (4, {"c": 3})]


def test_a_line_may_hold_several_jobs():
    assert read(b'[{"a": 1}, {"b": 2}]\n{"c": 3}\n') == [(1, {"a": 1}), (1, {"b": 2}), (2, {"c": 3})]


def test_an_array_over_several_lines_is_numbered_by_line():
    assert read(b'[\n {"a": 1},\n\n {"b":\n 2}\n]\n') == [(2, {"a": 1}), (4, {"b": 2})]


def test_objects_over_several_lines_may_follow_each_other():
    assert read(b'{\n"a": 1\n}\n{\n"b": 2\n}') == [(1, {"a": 1}), (4, {"b": 2})]


@pytest.mark.parametrize("data, line", [
    (b'{"a": 1}\n{"b": }\n{"c": 3}\n', 2),
    (b'{"a": 1}\n{"b": 2}\n{"c":\n', 3),
    (b'{"a": 1}\n{"b":\n{"c": 1}\n{"d": 1}\n', 2),
    (b'{"a"\n{"b": 1}\n', 1),
    (b'[\n{"a": 1},\n{"b": }\n]', 3),
    (b'[{"a": 1}', 1),
    (b'{\n"a": 1\n}\n{\n"b": ', 4),
    (b"[hello\n", 1),
])
def test_a_broken_line_is_named(data, line):
    with pytest.raises(BadInput, match="line %d: broken JSON" % line):
        read(data)


@pytest.mark.parametrize("data, line, shown", [
    (b"ls -l\n", 1, "'ls -l'"), (b'{"a": 1}\n\n  for i in {\n', 3, "'for i in {'"), (b"x" * 99, 1, "'%s...'" % ("x" * 37))])
def test_what_is_no_json_at_all_is_told_what_is_wanted(data, line, shown):
    with pytest.raises(BadInput) as error:
        read(data)
    assert str(error.value) == 'line %d: want one JSON object a line, e.g. {"command": "ls -l"}, not %s' % (line, shown)


def test_what_powershell_writes_is_read():
    text = '{"command": "gr\u00fc\u00df"}\n'
    assert read(text.encode("utf-16")) == read(text.encode("utf-8-sig")) == [(1, {"command": "gr\u00fc\u00df"})]


def test_odd_bytes_survive():
    [(_, fields)] = read(b'{"command": "cat \xff"}')
    assert fields["command"].encode("utf-8", "surrogateescape") == b"cat \xff"


def test_lines_are_read_as_they_come():
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, room):
            line = b'{"command": "x"}\n'
            room[:len(line)] = line
            return len(line)

    jobs = given.from_file(io.BufferedReader(Endless()))
    assert [next(jobs)[0] for _ in range(1000)][-1] == 1000


def test_a_line_means_what_json_says_it_means():
    chance = random.Random(4)
    texts = ['{"command": "true"}', ' {"a": [1, {"b": null}]} ', '{"a": "\\u00e9 \\" }"}', "[]", '[{"a": 1}, {"b": 2}]', "7", '"x"', "\t{}"]
    for _ in range(5000):
        text = list(chance.choice(texts))
        for _ in range(chance.randrange(3)):
            text[chance.randrange(len(text))] = chance.choice(["", '{"', "}", ",", " ", "}{", "\ufeff", "x", "\x0b"])
        text = "".join(text)
        try:
            value = json.loads(text + "\n")
            expected = [(2, each) for each in value] if isinstance(value, list) else [(2, value)]
        except json.JSONDecodeError as error:
            expected = [] if not text.strip() else error.msg
        try:
            found = read(b"{}\n" + text.encode() + b"\n")[1:]
        except BadInput as error:
            assert isinstance(expected, str), text
            if text.strip()[0] in '{["':
                assert str(error).startswith("line 2: broken JSON at column ") and str(error).endswith(": " + expected), text
            else:
                assert str(error).startswith("line 2: want one JSON object a line")
        else:
            assert found == expected, text


# --- input that is meant to do harm

_FIELDS = record.GIVEN + ("run_timeout", "available_at", "state", "history", "no-such-field")
_VALUES = (
    "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1" * 400, "-" + "1" * 400, "1" * 5000, "1e-400", "-0.0", "1e5", "0", "-1", "1.5",
    "true", "null", '""', '"\\u0000"', '"\\ud800"', '"\\udc80"', '"\\u001b[2J"', '"' + "x" * 200000 + '"', '"' + "9" * 500 + '"', '"nan"',
    '"inf"', '"none"', '"1970"', '"2026-13-01"', '"99999999999999999999s"', "[]", "{}", "[1]", "[[]]", '["a", "a"]', '{"A": 1}',
    '{"A": null}', '{"A": {"B": []}}', '{"": "x"}', '{"A": "\\u0000"}', "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900,
    "[" * 100000 + "]" * 100000)


def _wrapped(text):
    """The same job once more, in every form in which one can be given."""
    yield from (text, text[:-1], "[%s]" % text, "\ufeff" + text, text + text, text + "\n" + text, '{"command": "a",' + text[1:])


@pytest.mark.parametrize("field", _FIELDS)
def test_whatever_a_field_holds_is_a_job_or_bad_input(field):
    make = record.Maker(0, record.Defaults()).create
    jobs = 0
    for value in _VALUES:
        for text in _wrapped('{"command":"true","%s":%s}' % (field, value)):
            try:
                for _, fields in read(text.encode("utf-8", "surrogatepass")):
                    line.encode(make(fields)._replace(id="a", order=1), None)
                    jobs += 1
            except BadInput as error:
                assert str(error)
            try:
                given.from_words([text])
            except BadInput as error:
                assert len(str(error)) < 1000
    assert bool(jobs) == (field != "no-such-field")


def test_of_a_key_that_stands_twice_the_last_one_counts():
    assert read(b'{"command": "a", "command": "b"}') == [(1, {"command": "b"})]
