"""What README.md says without running it: each name in it exists, each link leads somewhere, each table is whole."""

import ast
import errno
import glob
import os
import random
import re
import subprocess

import support
from queuectl_lib.faces.cli import main, registry
from queuectl_lib.faces.web import routes
from queuectl_lib.job import lifecycle, record
from queuectl_lib.words.errors import NotDone
from tests import readme

# Beyond that `less` breaks every line where it should not be broken. Rows of a Markdown table cannot be.
WIDEST = 160

# Options of other programs that stand alone in the text.
ELSEWHERE = {"--stop-timeout", "--restart", "--collector"}


# Lines of files that are for people.
TALK = ("Description=", "#")


# --- where one finds things

def test_the_table_of_contents_names_every_section_once_and_in_order():
    top = dict(readme.parts())[readme.TOP]
    headings = [heading for heading, _ in readme.parts()[1:]]
    assert re.findall(r"\[([^]]+)\]\(#", top[top.rindex("```"):]) == headings


def test_every_link_leads_to_a_heading():
    anchors = {anchor(heading) for heading in re.findall("^#+ (.*)", readme.text(), re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]*)\)", readme.text()))
    assert len(links) >= 30 and links - anchors == set()
    assert re.findall(r"\]\((?!#|https?://)[^)]*\)", prose()) == []


def anchor(heading):
    """As web pages of repositories make it of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def prose():
    return "".join(readme.prose(part) for _, part in readme.parts())


def test_no_line_is_too_wide_for_a_pager():
    assert [line for line in readme.text().splitlines() if len(line) > WIDEST and not line.startswith("|")] == []


# --- the names of commands, options, targets and settings

def code():
    """Every piece of the README that is code: spans in the text, and lines of blocks."""
    # What begins with … is a message.
    found = [piece for piece in re.findall(r"`([^`]+)`", prose()) if not piece.startswith("…")]
    for block in readme.blocks():
        lines = re.sub(r"\\\n", " ", block.text).splitlines()
        found.extend(line for line in lines if line.startswith("$ ") or block.kind != "console" and not line.startswith(TALK))
    return [" ".join(piece.split()) for piece in found]


def calls():
    """[(words behind queuectl, or that begin with one of its commands, up to what is the shell's)]."""
    found = []
    for piece in code():
        behind = re.findall(r"(?<![\w/.-]queuectl/)(?<!\.)\bqueuectl(?:\.py)?((?: [^|;&()<>'\"`#]*)?)", piece)
        found.extend(words.split() for words in behind if words.strip())
        if piece.split(" ")[0] in registry.first_words() and "--" in piece:
            found.append(re.split(r"[|;&()<>'\"#]", piece)[0].split())
    return [without_store(words) for words in found]


def without_store(words):
    return without_store(words[2:]) if words[:1] == ["--store"] else words


def command_of(words):
    """The command that these words begin with, or None."""
    names = [" ".join(words[:count]) for count in (2, 1)]
    return next((name for name in names if name in registry.names()), None)


def options_of(name):
    parser = main.parser_of(name)
    return {option for action in parser._actions for option in action.option_strings}


def named_options(name, words):
    """The options among these words that are the command's own: those of a job's command line are not."""
    if name == "enqueue":
        own = [index for index, word in enumerate(words) if word.startswith(("./", "/")) or word == "--"]
        words = words[:own[0]] if own else words
    return [word.split("=")[0] for word in words if re.match("--[a-z]", word)]


def test_every_command_that_is_named_exists():
    unknown = [words for words in calls() if re.match("[a-z]+$", words[:1] and words[0] or "")
               and command_of(words) is None and words[0] not in registry.FAMILIES and words[0] not in registry.INTERNAL]
    assert len(calls()) > 200 and unknown == []


def test_every_option_that_is_named_belongs_to_its_command():
    wrong = [(name, option) for words in calls() for name in [command_of(words)] if name
             for option in named_options(name, words) if option not in options_of(name)]
    assert wrong == []


def test_every_option_that_stands_alone_is_one_of_some_command():
    known = set().union(*map(options_of, registry.names())) | {"--help", "--version"}
    alone = {word for piece in code() for word in re.findall(r"^(--[a-z][a-z-]*)", piece)}
    assert len(alone) > 20 and alone - known - ELSEWHERE == set()


def test_the_make_targets_that_are_named_exist():
    named = set(re.findall(r"`make ([a-z-]+)", readme.text()))
    with open(os.path.join(support.ROOT, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([a-z-]+):", file.read(), re.MULTILINE))
    assert "dist" in named and named - targets == set()


def test_the_cheat_sheet_names_every_command():
    [block] = readme.blocks("sh", "Cheat sheet")
    lines = [re.sub(" #.*", "", line) for line in readme.script(block.text)]
    named = {command_of(line.split()[1:]) for line in lines}
    assert sorted(named) == sorted(registry.names())


def test_the_table_of_routes_is_whole():
    """Each cell names methods and paths: `GET /a`, `/b` are two of one method; `POST /x/retry`, `cancel` of one place."""
    told = set()
    for cell in re.findall(r"^\| (`(?:GET|POST|PATCH).*?) \|", readme.text(), re.MULTILINE):
        told.update(routes_of(re.findall("`([^`]+)`", cell)))
    pages = {("GET", "/"), ("GET", "/static/{name}")}
    there = {(route.method, route.pattern) for route in routes.ROUTES}
    assert {(method, path) for method, path in told} == there - pages


def routes_of(spans):
    method = path = None
    for span in spans:
        first, _, rest = span.partition(" ")
        method, name = (first, rest) if rest else (method, first)
        name = name.partition("?")[0]
        if name.startswith("/api") or name.startswith(("/metrics", "/healthz")):
            path = name
        else:
            # The last place of the one before is another word.
            path = path.rpartition("/")[0] + "/" + name.lstrip("/")
        yield method, path.replace("/ID", "/{id}").replace("/NAME", "/{name}")


def test_every_parameter_of_a_list_is_in_it():
    [listed] = [route for route in routes.ROUTES if (route.method, route.pattern) == ("GET", "/api/jobs")]
    assert "`GET /api/jobs?%s=`" % "=&".join(listed.query) in readme.text()


# --- what is odd

def symptoms():
    return sorted(set(re.findall(r"\*\*`([^`]+)`", dict(readme.parts())["When something is odd"])))


def said():
    """Every text in the library, with … for what is put into it."""
    found = []
    for path in glob.glob(os.path.join(support.ROOT, "queuectl_lib", "**", "*.py"), recursive=True):
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        found.extend(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in found]
    return [re.sub("%[sdg]", "…", text) for text in texts if isinstance(text, str)]


def said_by_others():
    """What shells and systems say."""
    # A path where nothing is.
    shell = subprocess.run(["/bin/sh", "-c", "python3 x"], env={"PATH": "/proc/none"}, stderr=subprocess.PIPE)
    return [os.strerror(errno.EACCES), shell.stderr.decode()]


def test_every_symptom_is_in_the_words_that_are_printed():
    texts = said()
    others = said_by_others()
    strange = [symptom for symptom in symptoms()
               if not any(re.sub(r"\d+", "…", symptom) in text for text in texts) and not any(symptom in text for text in others)]
    assert len(symptoms()) >= 15 and strange == []


# --- the drawing of a job's life

def drawn():
    """{(state, state)} of the drawing: its arrows, each followed back to where it begins."""
    [block] = readme.blocks("text", "The life of a job")
    lines = block.text.splitlines()
    found = set()
    for row, line in enumerate(lines):
        for arrow in re.finditer(r"──(?:[^─►]+──)?► (\w+)", line):
            for state in sources(lines, row, line[:arrow.start()]):
                found.add((state, arrow.group(1)))
        for column in [index for index, sign in enumerate(line) if sign in "▼▲"]:
            above, below = word(lines, row, column, -1), word(lines, row, column, 1)
            found.add((above, below) if line[column] == "▼" else (below, above))
    return found


def sources(lines, row, before):
    if before.endswith("└"):
        return [word(lines, row, len(before) - 1, -1)]
    return re.search(r"(\w+(?:, \w+)*) *$", before).group(1).split(", ")


def word(lines, row, column, step):
    """The word to which a line leads up (-1) or down (1) from there."""
    row += step
    while lines[row][column] in "│▲▼":
        row += step
    return next(match.group() for match in re.finditer(r"\w+", lines[row]) if match.start() <= column < match.end())


NOW = 1795317000123
NEW = {"command": "true", "max_retries": 1, "after": ["other"], "expires_at": "2026-11-22T03:10:00Z"}

# Each change with the states it is made in; None: it refuses the others itself.
CHANGES = [
    (lifecycle.WAITING, lambda job: lifecycle.claim(job, "1.a", NOW)),
    (("processing",), lambda job: finished(job, 0)),
    (("processing",), lambda job: finished(job, 3)),
    (("processing",), lambda job: finished(job._replace(attempts=9), 3)),
    (("processing",), lambda job: finished(job, lifecycle.TRY_LATER)),
    (("processing",), lambda job: lifecycle.hand_back(job, NOW)),
    (("pending",), lambda job: lifecycle.expire(job, NOW)),
    (("pending",), lambda job: lifecycle.follow(job, "other", "dead", NOW)),
    (("dead",), lambda job: lifecycle.revive(job, None, NOW)),
    (None, lambda job: lifecycle.retry(job, NOW)),
    (None, lambda job: lifecycle.cancel(job, NOW))]


def finished(job, code):
    outcome = lifecycle.Outcome(code, None, None, 1.5, None, None)
    return lifecycle.finish(job, outcome, NOW, lifecycle.Policy(2, 3600, 0), random)


def possible():
    """{(state, state)} of what lifecycle makes of a job, from a new one on until nothing else comes of it."""
    new = record.create(NEW, NOW, record.Defaults(cwd="/srv"), id="x")
    found = {("enqueue", new.state)}
    jobs = {new.state: new}
    while True:
        made = [(job.state, change(job)) for job in jobs.values() for states, change in CHANGES
                if (states is None or job.state in states) and happens(change, job)]
        found.update((before, after.state) for before, after in made)
        if all(after.state in jobs for _, after in made):
            return found
        jobs.update((after.state, after) for _, after in made if after.state not in jobs)


def happens(change, job):
    try:
        change(job)
    except NotDone:
        return False
    return True


def test_the_drawing_shows_every_way_from_state_to_state_and_no_other():
    assert drawn() == possible()
    assert {state for way in possible() for state in way} == set(record.STATES) | {"enqueue"}
