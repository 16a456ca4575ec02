"""The parser of one command, and the arguments that several commands share."""

import argparse
import sys

from queuectl_lib.words.errors import BadInput
from queuectl_lib.words.text import did_you_mean

# argparse looks for a translation of its own words: 2 ms of locale and file
# look-ups in every enqueue, and messages of which half are in another tongue.
argparse._ = str

_HELP_WIDTH = 79
_MOST_WORKERS = 1000


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog):
        super().__init__(prog, max_help_position=26, width=_HELP_WIDTH)


class Parser(argparse.ArgumentParser):
    """argparse with errors as BadInput, whole option names only, and values that may begin with '-'.

    `takes_command` ends the options at the first word that is none, as nice,
    env and ssh do; the words from there on are args.command, and args.misplaced
    is the first long option of the parser's own among them, if no '--' says
    that it is the command's. `repeated` holds, by option, whether a word behind its value is another value. `known` has the
    options by name, `positions` the arguments that are none, in order.
    """

    def __init__(self, name, about, examples=""):
        self.known = {}
        self.positions = []
        self.takes_command = False
        self.repeated = {}
        super().__init__(
            prog="queuectl " + name, description=about, epilog=examples,
            formatter_class=_Formatter, allow_abbrev=False, add_help=False)
        # To an argument of its own a parser makes a formatter, only to check
        # its metavar, but not to one of a group: half of the parser's cost.
        self._positional = self.add_argument_group("arguments")
        self._optional = self.add_argument_group("options")
        self.add_argument("-h", "--help", action="help", help="show this help message and exit")
        store(self)

    def add_argument(self, *names, **how):
        group = self._optional if names[0].startswith("-") else self._positional
        action = group.add_argument(*names, **how)
        for name in action.option_strings:
            self.known[name] = action
        if not action.option_strings:
            self.positions.append(action)
        return action

    def section(self, title):
        """The options added from now on stand under this title in the help."""
        self._optional = self.add_argument_group(title)

    def sections(self):
        """[(title, [action])] of arguments and options as help shows them: those of every command last."""
        filled = [(group.title, group._group_actions) for group in self._action_groups if group._group_actions]
        return sorted(filled, key=lambda section: section[0] == "options")

    def format_help(self):
        self._action_groups.sort(key=lambda group: group.title == "options")
        return super().format_help()

    def parse(self, words):
        options, rest = self._split(words)
        if self.takes_command:
            args = self.parse_args(options)
            args.command = rest
            args.misplaced = self._misplaced(words, rest)
            return args
        args, unknown = self.parse_known_args(options + rest)
        if unknown:
            raise BadInput("unexpected argument: %s; see: %s --help" % (unknown[0], self.prog))
        return args

    def error(self, message):
        raise BadInput("%s; see: %s --help" % (message, self.prog))

    def _misplaced(self, words, command):
        for word in words[len(words) - len(command) + 1:] if "--" not in words else ():
            if word.startswith("--") and word in self.known:
                return word
        return None

    def _split(self, words):
        """The options with their values joined on, and the words behind them (a '--' taken off)."""
        options = []
        place = 0
        while place < len(words):
            word = words[place]
            if word == "--":
                return options, words[place + 1:] if self.takes_command else words[place:]
            if len(word) < 2 or word[0] != "-" or self._is_number(word):
                if self.takes_command:
                    return options, words[place:]
                options.append(word)
                place += 1
                continue
            place += self._take_option(words, place, options)
        return options, []

    def _take_option(self, words, place, options):
        """Appends the option at this place and its value; returns how many words that was."""
        name, equals, _ = words[place].partition("=")
        action = self.known.get(name)
        if action is None:
            raise BadInput("unknown option %s%s; see: %s --help" % (name, did_you_mean(name, self.known), self.prog))
        wants_value = action.nargs is None
        # Joined, since argparse takes a value such as -created_at for an option.
        if wants_value and not equals and place + 1 < len(words) and words[place + 1] not in self.known:
            options.append("%s=%s" % (name, words[place + 1]))
            taken = 2
        else:
            options.append(words[place])
            taken = 1
        is_another = self.repeated.get(name)
        # The last word is the command, whatever it looks like.
        while is_another and place + taken < len(words) - 1 and is_another(words[place + taken]):
            options.append("%s=%s" % (name, words[place + taken]))
            taken += 1
        return taken

    def _is_number(self, word):
        return not self.takes_command and word[1:].replace(".", "", 1).isdigit()


def store(parser):
    parser.add_argument("--store", metavar="DIR", default=argparse.SUPPRESS,
                        help="the store (else $QUEUECTL_STORE, else .queuectl here)")


def json(parser):
    parser.add_argument("--json", action="store_true", help="one JSON document and nothing else")


def reveal(parser):
    parser.add_argument("--reveal", action="store_true", help="show the values of its variables (--env), too")


def jsonl(parser):
    parser.add_argument("--jsonl", action="store_true", help="one JSON object a line")


def one_form(args):
    """Refuses --json beside --jsonl."""
    if args.json and args.jsonl:
        raise BadInput("either --json or --jsonl, not both")


def limit(parser, what):
    parser.add_argument("--limit", metavar="N", type=checked("--limit", _number_or_all), help=what + ", or 'all'")


def _number_or_all(text):
    # Beyond sys.maxsize nothing can be counted.
    return text if text == "all" else min(whole_number(0, "a whole number or 'all'")(text), sys.maxsize)


def ids(parser, nargs="+", states=None):
    """The ids a command is about; states: of the jobs it can be about (None: of any), for who completes them."""
    parser.add_argument("ids", metavar="ID", nargs=nargs).states = states


def id(parser, states=None):
    """The same for a command about one job."""
    parser.add_argument("id", metavar="ID").states = states


def checked(option, parse):
    """A `type` for add_argument whose errors name the option."""
    def convert(text):
        try:
            return parse(text)
        except BadInput as error:
            raise BadInput("%s: %s" % (option, error))
    return convert


def worker_count(least):
    """A parser of how many workers; more are a slip of the finger."""
    parse = whole_number(least)

    def bounded(text):
        number = parse(text)
        if number > _MOST_WORKERS:
            raise BadInput("want at most %d, not %d" % (_MOST_WORKERS, number))
        return number
    return bounded


def whole_number(least, what="a whole number"):
    """A parser of whole numbers from `least` on."""
    def parse(text):
        try:
            number = int(text)
        except ValueError:
            raise BadInput("want %s, not %r" % (what, text))
        if number < least:
            raise BadInput("want %d or more, not %d" % (least, number))
        return number
    return parse
