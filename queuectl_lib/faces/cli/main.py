"""The command line: finds the command that is meant, runs it, and turns every failure into one line."""

import gc
import sys

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import options, registry
from queuectl_lib.words.errors import BadInput, QueuectlError, told
from queuectl_lib.words.text import did_you_mean

_PACKAGE = "queuectl_lib.faces.cli."
_GLOBAL_OPTIONS = ("--help", "--store", "--version")
_INTERRUPTED = 130


def main(argv=None):
    """Runs one command line; returns its exit code."""
    try:
        terminal.prepare()
        code = _ended(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return code
    except QueuectlError as error:
        return _failed(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader has seen enough (`| head`): for it that is success.
        terminal.discard_output()
        return 0
    except KeyboardInterrupt:
        terminal.discard_output()
        return _INTERRUPTED
    except OSError as error:
        return _failed_by_system(error)


def _ended(words):
    """The exit code of a command line; argparse ends the process itself when it has printed a help text."""
    try:
        return _run(words)
    except SystemExit as ending:
        return ending.code or 0


def _run(words):
    place, words = _global_options(words, None)
    if not words:
        sys.stderr.write(_overview())
        return 2
    if words[0] == "help":
        return _help(words[1:])
    name, words, place = _named(words, place)
    if name is None:
        return 0
    command = _load(name)
    args = parser_of(name, command).parse(words)
    args.store = getattr(args, "store", place)
    _keep_what_is_loaded()
    return command.run(args, terminal.open_output()) or 0


def _keep_what_is_loaded():
    """Exempts everything there is by now, modules for the most part, from every search for garbage.

    The last ones, when Python ends, took an eighth of an enqueue.
    """
    gc.freeze()
    gc.enable()


def _global_options(words, place):
    """Takes the options in front of a command word; returns (the store named, what is left)."""
    words = list(words)
    while words and words[0].startswith("-") and words[0] not in ("-h", "--help"):
        name, equals, value = words.pop(0).partition("=")
        if name == "--store":
            if not equals and not words:
                raise BadInput("--store: expected a directory")
            place = value if equals else words.pop(0)
        elif name in ("--version", "-V"):
            from queuectl_lib.faces import about
            sys.stdout.write("\n".join(about.lines()) + "\n")
            raise SystemExit(0)
        else:
            raise BadInput("unknown option %s%s; see: queuectl --help" % (name, did_you_mean(name, _GLOBAL_OPTIONS)))
    if words and words[0] in ("-h", "--help"):
        words[0] = "help"
    return place, words


def _named(words, place):
    """The command's full name, the words behind it, and the store; the name is None when help was all."""
    word, rest = words[0], words[1:]
    if word in registry.names() or word in registry.INTERNAL:
        return word, rest, place
    members = registry.family(word)
    if not members:
        known = registry.first_words()
        raise BadInput("unknown command %r%s; see: queuectl --help" % (word, did_you_mean(word, known, registry.ALIASES)))
    place, rest = _global_options(rest, place)
    if not rest:
        sys.stderr.write(_family_help(word))
        raise SystemExit(2)
    if rest[0] == "help":
        sys.stdout.write(_family_help(word))
        return None, [], place
    name = word + " " + rest[0]
    if name not in registry.names():
        known = [member.split()[1] for member, _ in members]
        aliases = {other: meant for other, meant in registry.ALIASES.items() if meant in known}
        raise BadInput("unknown command %r%s; %s has: %s"
                       % (name, did_you_mean(rest[0], known, aliases), word, ", ".join(known)))
    return name, rest[1:], place


def _load(name):
    return __import__(_PACKAGE + name.replace(" ", "_"), fromlist=["run"])


def parser_of(name, command=None):
    """The parser of a command (its module, if that is loaded already)."""
    command = command or _load(name)
    # Under -OO there are no docstrings.
    about, _, examples = (command.__doc__ or name).partition("\nExamples:\n")
    parser = options.Parser(name, about.strip(), examples and "examples:\n" + examples.rstrip())
    command.arguments(parser)
    return parser


def _help(words):
    if not words:
        sys.stdout.write(_overview())
        return 0
    if len(words) == 1 and registry.family(words[0]):
        sys.stdout.write(_family_help(words[0]))
        return 0
    name, _, _ = _named(words, None)
    parser_of(name).print_help()
    return 0


def _overview():
    lines = ["usage: queuectl [--store DIR] COMMAND ...", "",
             "A background job queue: shell commands wait in .queuectl/, workers run them,",
             "failures are retried, and what keeps failing lands in the dead letter queue.", ""]
    for group, members in registry.heads():
        titles = [group] + [""] * (len(members) - 1)
        lines += ["%-11s %-10s %s" % ((title,) + member) for title, member in zip(titles, members)]
    lines += ["", "Begin with:  queuectl enqueue 'echo hello'; queuectl worker start --drain",
              "`queuectl COMMAND --help` tells more, with examples; --version is there too."]
    return "\n".join(lines) + "\n"


def _family_help(word):
    lines = ["usage: queuectl %s COMMAND ..." % word, ""]
    lines += _listed(registry.family(word))
    lines += ["", "`queuectl %s COMMAND --help` tells more, with examples." % word]
    return "\n".join(lines) + "\n"


def _listed(members):
    return ["  %-13s %s" % member for member in members]


def _failed(message, code):
    try:
        # What was printed before the failure belongs before its message.
        sys.stdout.flush()
    except OSError:
        terminal.discard_output()
    terminal.note(message)
    return code


def _failed_by_system(error):
    """A failure of the system that no lower layer gave a better name."""
    if error.filename is None:
        terminal.discard_output()
        return _failed("cannot write the output: %s" % told(error), 1)
    return _failed(told(error), 3)
