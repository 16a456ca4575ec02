"""Jobs as a user gives them: words of a command line, JSON, or a file of either JSON form.

A job is the dict of its fields here, still unchecked.
"""

import re

from queuectl_lib.job import record
from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import clip

# Patterns are text here, and compiled when they are used, and json is imported where
# it is: together they would cost an `enqueue` of a plain command 2 ms.

# `{ a; b; }` and `[ -f x ] && y` are shell.
_JSON = r'\s*(?:\{\s*["}]|\[\s*[{\]])'

# What is left of {"command": …} when PowerShell or cmd took the quotes away:
# no shell command begins like this.
_UNQUOTED = r"'?\{\s*[\\']*(?:%s)[\\']*\s*:" % "|".join(record.GIVEN)

_HINT = ("in PowerShell and cmd write \\\" for each inner quote, "
         "or do without JSON: queuectl enqueue --id ID COMMAND")

_BLANKS = r"\s*"
_BLANKS_AND_COMMAS = r"[\s,]*"
_NEAR = 20
_BEGINS_JSON = '{["'
_JSON_BLANKS = " \t\r\n"
_WANTED = 'want one JSON object a line, e.g. {"command": "ls -l"}'
_ENV = '"env"'


def from_words(words):
    """The jobs that the words of one command line mean: a list of their fields."""
    together = " ".join(words)
    may_be_json = together.lstrip()[:1] in ("{", "[", "'")
    if may_be_json and re.match(_UNQUOTED, together):
        shown = "" if "env" in together else ": " + clip(together, 60, "...")
        raise BadInput("this looks like JSON that lost its quotes%s; %s" % (shown, _HINT))
    if len(words) > 1:
        # Imported here: most command lines are one word.
        from queuectl_lib.work import quoting
        return [{"command": quoting.joined(words)}]
    if not may_be_json or not re.match(_JSON, together):
        return [{"command": together}]
    import json
    try:
        value = json.loads(together)
    except (ValueError, RecursionError) as error:
        raise BadInput("broken JSON %s; %s" % (_fault(error), _HINT))
    return value if isinstance(value, list) else [value]


def from_file(stream):
    """(line number, fields) of the jobs in a file: one JSON object, an array, or JSON lines.

    stream: binary, with peek(). JSON lines are read as they come, in constant memory.
    """
    import io
    encoding = _encoding(stream.peek(4))
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return _from_lines(io.TextIOWrapper(stream, encoding=encoding, errors=errors))


def line_reader():
    """A function that makes of one line of JSON lines (bytes) a job's fields; BadInput, which quotes nothing of the line."""
    import json
    raw_decode = json.JSONDecoder().raw_decode

    def fields_of(line):
        text = line.decode("utf-8", "surrogateescape").strip(_JSON_BLANKS)
        if text[:1] not in _BEGINS_JSON:
            raise BadInput(_WANTED)
        try:
            value, end = raw_decode(text)
        except (ValueError, RecursionError) as error:
            raise BadInput("broken JSON %s" % _fault(error, quote=False))
        if end < len(text):
            raise BadInput("broken JSON at column %d: there is more behind its end" % (end + 1))
        return value
    return fields_of


def _encoding(beginning):
    # What PowerShell's `>` writes.
    if beginning[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    return "utf-8-sig" if beginning[:3] == b"\xef\xbb\xbf" else "utf-8"


def _from_lines(text):
    import json
    # loads() costs four times as much, for what it does beside: it is for lines that need it.
    raw_decode = json.JSONDecoder().raw_decode
    number = 0
    is_lines = False
    for line in text:
        number += 1
        try:
            value, end = raw_decode(line) if line[0] == "{" else (None, len(line))
            if line[end:] != "\n":
                value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if not line.strip():
                continue
            if line.lstrip()[0] not in _BEGINS_JSON:
                raise BadInput("line %d: %s, not %r" % (number, _WANTED, clip(line.strip(), 40, "...")))
            if is_lines or not _goes_on(line):
                raise BadInput("line %d: broken JSON %s" % (number, _fault(error)))
            yield from _from_document(line + text.read(), number)
            return
        is_lines = True
        if type(value) is list:
            for fields in value:
                yield number, fields
        else:
            yield number, value


def _goes_on(line):
    """Whether a line that is no JSON by itself begins a document of several lines."""
    return line.lstrip()[0] == "[" or line.rstrip()[-1] in "{[,:"


def _from_document(text, first_line):
    """Objects that span lines, in one array or one after another, each with the line it begins on."""
    import json
    decoder = json.JSONDecoder()
    between = re.compile(_BLANKS)
    place = between.match(text).end()
    in_array = text[place] == "["
    if in_array:
        # Checked as a whole first, so that commas and brackets can be skipped over below.
        _decoded(decoder.decode, (text,), first_line, first_line)
        place += 1
        between = re.compile(_BLANKS_AND_COMMAS)
    line, counted = first_line, 0
    while True:
        place = between.match(text, place).end()
        if place == len(text) or text[place] == "]" and in_array:
            return
        line += text.count("\n", counted, place)
        counted = place
        value, place = _decoded(decoder.raw_decode, (text, place), first_line, line)
        yield line, value


def _decoded(decode, arguments, first_line, line):
    """What decode makes of a text; first_line: the number of its first, line: of what is being read."""
    try:
        return decode(*arguments)
    except (ValueError, RecursionError) as error:
        # Something never ended is looked for where it began.
        if hasattr(error, "doc") and error.doc[error.pos:].strip():
            line = first_line + error.lineno - 1
        raise BadInput("line %d: broken JSON %s" % (line, _fault(error)))


def _fault(error, quote=True):
    """Where a JSON text is broken and why; quote: and what stands there."""
    if isinstance(error, RecursionError):
        return "(nested too deeply)"
    if not hasattr(error, "doc"):
        return "(%s)" % error
    near = error.doc[error.pos:error.pos + _NEAR]
    place = ", near %r" % near if near.strip() else ", at its end"
    # What a variable is given may be a secret, and a message ends up in logs.
    return "at column %d (char %d)%s: %s" % (error.colno, error.pos, place if quote and _ENV not in error.doc else "", error.msg)
