"""Words that are joined to a command line arrive in the program as they were."""

import random
import subprocess

import pytest

from queuectl_lib.work import quoting

CMD = [
    ("plain", "plain"), ("two words", '"two words"'), ("", '""'), ("a&b", '"a&b"'), ("C:\\dir\\", "C:\\dir\\"),
    ("C:\\my dir\\", '"C:\\my dir\\\\"'), ("50%", '"50%"'), ('say "hi"', '^"say \\^"hi\\^"^"'), ('"&"', '^"\\^"^&\\^"^"'),
]


@pytest.mark.parametrize("word, quoted", CMD)
def test_a_word_as_cmd_is_told_it(word, quoted):
    assert quoting._for_cmd(["echo", word]) == "echo " + quoted


def test_any_words_come_out_of_cmd_and_of_the_program_as_they_went_in():
    dice = random.Random(7)
    for _ in range(3000):
        words = ["".join(dice.choices('ab \t\\"&|<>^()!%=;,', k=dice.randrange(6))) for _ in range(dice.randrange(1, 4))]
        assert as_a_program(as_cmd(quoting._for_cmd(words))) == words


def test_any_words_come_out_of_sh_as_they_went_in():
    words = ["", "a b", "it's", '"', "$HOME", "`x`", "\\", "*", "a\nb", "-n", "&", "\udcff"]
    line = quoting._for_sh(["printf", "%s\\0"] + words)
    done = subprocess.run(["sh", "-c", line.encode("utf-8", "surrogateescape")], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1] == words


def as_cmd(line):
    """What cmd hands on: outside of quotes a caret is dropped and keeps the next sign from acting."""
    out = []
    quoted = False
    signs = iter(line)
    for sign in signs:
        if sign == "^" and not quoted:
            sign = next(signs)
        elif sign == '"':
            quoted = not quoted
        else:
            assert quoted or sign not in "&|<>()", line
        out.append(sign)
    return "".join(out)


def as_a_program(line):
    """The words that the C library of Windows makes of a command line."""
    words = []
    word = None
    quoted = False
    backslashes = 0
    for sign in line + " ":
        if sign == "\\":
            backslashes += 1
            continue
        if sign == '"':
            word = (word or "") + "\\" * (backslashes // 2)
            if backslashes % 2:
                word += sign
            else:
                quoted = not quoted
        else:
            if backslashes:
                word = (word or "") + "\\" * backslashes
            if quoted or sign not in " \t":
                word = (word or "") + sign
            elif word is not None:
                words.append(word)
                word = None
        backslashes = 0
    return words
