"""The manual page queuectl(1), in roff: made of the commands' own parsers and of the tables below.

Nothing in it depends on the day or the machine: the same program makes the same page.
"""

import re
import textwrap

from queuectl_lib import __version__
from queuectl_lib.store import config
from queuectl_lib.store.defaults import DEFAULTS
from queuectl_lib.words.text import safe

_WIDTH = 70

_ABOUT = (
    "Jobs are shell commands. They wait in a directory of JSON lines, .queuectl/; worker processes run them; failures"
    " are retried with exponential backoff; what keeps failing waits in a dead letter queue (DLQ) until somebody looks.",
    "Standard output carries the data alone, so that every command can be piped; --json prints one document, --jsonl one"
    " job a line, and either can be fed back to enqueue --file -. Errors are one line on standard error.",
    "Durations are 90, 90s, 5m, 1h30m, 7d; moments are ISO 8601 (without a zone: local time) or epoch seconds.")

_SYNOPSIS = """\
  queuectl [--store DIR] COMMAND [option ...] [argument ...]
  queuectl [--store DIR] enqueue [option ...] COMMAND [ARG ...]
  queuectl help [COMMAND]
  queuectl --version"""

# Names as in record.PUBLIC, all of them (a test compares); those with an asterisk are given by the user.
FIELDS = (
    ("*id", "letters, digits, '.', '_' and '-'; unique; made up when none is given"),
    ("state", "see STATES"),
    ("*command", "the shell command line, run by /bin/sh -c"),
    ("*queue", "the name of its queue; default when none is given"),
    ("*priority", "the lower runs first; 0 when none is given"),
    ("attempts", "how many times it was started, those handed back or put back not counted"),
    ("*max_retries", "how often it may be started again after a failure"),
    ("*timeout", "seconds one attempt may take, or a duration; null: no limit"),
    ("*run_at", "not before this moment"),
    ("next_run_at", "when it is tried again"),
    ("*after", "ids of jobs that must complete first"),
    ("waits_for", "those of them that have not; of a dead job: because of whom it is dead"),
    ("*held", "true: it waits until it is released"),
    ("*expires_at", "not started by this moment, it goes to the DLQ"),
    ("*slots", "how many of its queue's limit it takes; null: 1"),
    ("*nice", "by how much its priority with the system is lowered"),
    ("*cwd *env", "the directory it runs in, and variables added to the worker's environment"),
    ("created_at updated_at started_at finished_at", "moments, in UTC"),
    ("worker", "who runs it or ran it last"),
    ("progress", "what its last attempt last said of how far it was"),
    ("put_backs", "how often it was put back (exit code 75) since its last attempt that counted"),
    ("exit_code signal error duration", "how the last attempt ended: its code, or the signal's number, or one sentence; seconds"),
    ("stdout stderr", "the last attempt's output: whole when it is small, else its tail"),
    ("stdout_size stderr_size stdout_file stderr_file", "only then: its size, and the file in the store that holds more"),
    ("history", "one short entry for each change of state"))

STATES = (
    ("pending", "waits: for a worker, for its moment, for other jobs, or to be released"),
    ("processing", "runs"),
    ("completed", "ended with exit code 0"),
    ("failed", "failed, and is tried again at next_run_at: after backoff_base to the power of its attempts, in seconds"),
    ("dead", "used up its retries, ended with one of no_retry_exit_codes, was not started in time, or comes after one that"
             " died or was cancelled: in the DLQ until it is retried or purged"),
    ("cancelled", "called off"))

_FILES = (
    (".queuectl/", "the store, unless --store or QUEUECTL_STORE names another; made by the first command that writes"),
    (".queuectl/jobs.jsonl", "the journal: each line is a whole job, and the last line of an id wins"),
    (".queuectl/base/, .queuectl/archive/", "waiting jobs of a big backlog, and finished jobs: the same lines"),
    (".queuectl/output/", "outputs too big for a job's line"),
    (".queuectl/workers.pid", "the workers that run"),
    (".queuectl/workers/", "what their jobs write meanwhile"),
    (".queuectl/worker.log", "what workers in the background print; worker.log.1: what they did before"),
    (".queuectl/config.json", "the settings that were changed"),
    (".queuectl/ballast", "kept for the results of running jobs: given up when the disk is full"),
    (".queuectl/damaged/", "bytes that doctor --repair put aside"))

_ENVIRONMENT = (
    ("QUEUECTL_STORE", "the store, where --store names none; to a job's command: the store it came from"),
    ("QUEUECTL_JOB_ID, QUEUECTL_ATTEMPT", "given to a job's command"),
    ("QUEUECTL_PROGRESS", "given to a job's command: a file; the last line it writes there shows in list, show and worker list"),
    ("QUEUECTL_HOOK", "given to on_dead and on_complete: which of the two it is; with it QUEUECTL_JOB_ID, _STATE, _QUEUE,"
                      " _COMMAND, _ATTEMPTS, _EXIT_CODE, _SIGNAL, _ERROR and _DURATION; the whole job is on standard input"),
    ("NO_COLOR", "no colours, if set"),
    ("COLUMNS", "how wide tables may be on a terminal"))

_STATUS = (
    ("0", "done"),
    ("1", "the asked-for thing did not happen: no such job, nothing to retry, a job that failed; doctor: warnings"),
    ("2", "wrong usage or bad input"),
    ("3", "the store cannot be used: locked too long, unwritable, damaged, or the disk is full; doctor: faults"),
    ("130", "interrupted by Ctrl+C"),
    ("others", "of wait (for one job), run and enqueue --wait: the job's own; 128 + N where signal N ended it"))


def page(groups, parser_of):
    """The lines of the page; groups: as registry.groups(), parser_of: a command's name -> its options.Parser."""
    yield '.TH QUEUECTL 1 "" "queuectl %s" "User Commands"' % __version__
    # No line is broken within a word, and none is stretched.
    yield ".nh"
    yield ".ad l"
    yield ".SH NAME"
    yield "queuectl \\- a background job queue for shell commands"
    yield ".SH SYNOPSIS"
    yield from _block(_SYNOPSIS)
    yield ".SH DESCRIPTION"
    yield from _filled(_ABOUT[0])
    for text in _ABOUT[1:]:
        yield from _block(text, ".PP")
    yield ".SH COMMANDS"
    for group, members in groups:
        yield ".SS %s" % escaped(group)
        for name, _ in members:
            yield from _command(name, parser_of(name))
    yield from _tables()


def _tables():
    yield ".SH JOB FIELDS"
    yield from _filled("As --json prints them. Those marked * can be given to enqueue; there the others are ignored.")
    yield from _terms(FIELDS)
    yield ".SH STATES"
    yield from _terms(STATES)
    yield ".SH CONFIGURATION"
    yield from _filled("Settings of a store, with their defaults; read and changed by queuectl config.")
    yield from _terms([("%s (%s)" % (name, key.show(value)), key.meaning)
                       for (name, key), value in zip(config.KEYS.items(), DEFAULTS)])
    yield from _terms([("queue.NAME.limit (none)", config.QUEUE_LIMIT.meaning)])
    for title, rows in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT), ("EXIT STATUS", _STATUS)):
        yield ".SH " + title
        yield from _terms(rows)


def _command(name, parser):
    """A command: what it does, its options and examples."""
    first, *more = (parser.description or "").split("\n\n")
    yield ".TP"
    yield ".B queuectl %s" % escaped(" ".join([name] + [_call_of(action) for action in parser.positions]))
    yield from _filled(first)
    for text in more:
        yield from _block(text, ".IP")
    yield ".RS"
    for title, actions in parser.sections():
        # Those that every command has need not stand under each.
        actions = [action for action in actions if action.dest not in ("help", "store")]
        if actions and title not in ("arguments", "options"):
            yield from _block(title.capitalize() + ":", ".PP")
        yield from _terms([(_call_of(action), action.help) for action in actions if action.help], ".PD 0")
    examples = (parser.epilog or "").partition("\n")[2]
    if examples:
        yield from _block(examples, ".PP")
    yield ".RE"


def _call_of(action):
    """'-f, --follow', '--count N', 'ID ...', '[ID ...]'."""
    value = "" if action.nargs == 0 else action.metavar or action.dest.upper()
    if action.nargs in ("+", "*"):
        value += " ..."
    if action.nargs in ("?", "*"):
        value = "[%s]" % value
    return " ".join(filter(None, (", ".join(action.option_strings), value)))


def _terms(rows, spacing=None):
    """Terms with their meaning; spacing: a request for that between them, in force from the second one on."""
    for number, (term, meaning) in enumerate(rows):
        if spacing and number == 1:
            yield spacing
        yield ".TP"
        yield ".B %s" % escaped(term)
        yield from _filled(meaning)
    if spacing and len(rows) > 1:
        yield ".PD"


def _block(text, request=None):
    """A paragraph behind this request; one that is indented is a picture of itself."""
    if request:
        yield request
    if not text.startswith(" "):
        yield from _filled(text)
        return
    yield ".nf"
    yield from map(escaped, text.splitlines())
    yield ".fi"


def _filled(text):
    # Lines of a length that can be read, and compared, in the source too.
    return map(escaped, textwrap.wrap(" ".join(text.split()), _WIDTH))


def escaped(text):
    """The text such that roff prints it as it stands: none of it is a request, and what is copied out of the page runs."""
    text = safe(text).replace("\\", "\\e")
    # A bare hyphen may come out as a longer dash, a bare quote as a typographic one.
    for plain, name in (("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(plain, name)
    return re.sub(r"^(\s*)(?=[.])", r"\1\\&", text)
