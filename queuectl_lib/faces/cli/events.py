"""Show what happened to jobs; -f goes on as it happens.

One line a change. Without -f: the newest changes, as far as the journal holds
them; of one job its whole story. With -f only what is new is shown (of one job
its story first), until Ctrl+C; --limit puts so many older ones in front. On a
terminal 50 are shown unless --limit says otherwise; a pipe gets all.

With --json or --jsonl an event has the fields at, id, queue, what, state, was,
worker, attempt, exit_code, signal, error, duration, delay, note and jobs; null
is what does not apply. `what` is one of enqueued, started, completed, failed,
dead, cancelled, put-back, handed-back, held, released, edited, retried, ready,
removed, paused, resumed. A big batch is one event, without an id and with its
number of jobs. With -f both give JSON lines, each written at once.

Examples:
  queuectl events -f
  queuectl events nightly
  queuectl events -f --jsonl | jq -r 'select(.what == "dead") | .id'
"""

from queuectl_lib.faces import happenings, moments, table, terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.faces.patience import Patience
from queuectl_lib.store import news, pauses
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock

_ON_A_TERMINAL = 50


def arguments(parser):
    options.ids(parser, "?")
    add = parser.add_argument
    add("-f", "--follow", action="store_true", help="go on with what happens from now on")
    options.limit(parser, "at most so many that were before")
    options.json(parser)
    options.jsonl(parser)


def run(args, out):
    options.one_form(args)
    store = stores.open_store(args.store)
    stream = _Stream(store, args.ids, _limit(args, out))
    if args.json and not args.follow:
        out.array(map(happenings.document, stream.before()))
        return
    show = _shown_as_json(out) if args.json or args.jsonl else _Lines(out).show
    for event in stream.before():
        show(event)
    if args.follow:
        _follow(stream, show, out)


def _limit(args, out):
    """At most so many that were before; None: all of them."""
    if args.limit is not None:
        return None if args.limit == "all" else args.limit
    if args.follow and args.ids is None:
        return 0
    return _ON_A_TERMINAL if out.tty and not (args.json or args.jsonl) else None


def _follow(stream, show, out):
    patience = Patience()
    events = True
    while True:
        # Whoever reads a pipe gets what there is before the sleep, not after it.
        out.flush()
        patience.rest(bool(events))
        events = stream.since()
        for event in events:
            show(event)


def _shown_as_json(out):
    return lambda event: out.lines([happenings.document(event)])


class _Lines:
    """Events as lines, whole in a pipe; on a terminal as wide as that, under a heading that says the zone of their moments."""

    def __init__(self, out):
        self._out = out
        self._moments = moments.Moments(out)
        self._has_heading = False

    def show(self, event):
        out = self._out
        row = happenings.row(event)
        if out.width is None:
            out.line(table.plain_line(happenings.COLUMNS, row))
            return
        if not self._has_heading:
            self._has_heading = True
            out.line(table.plain_heading(happenings.columns(event.at and self._moments.said(event.at))))
        if event.at:
            row["at"] = self._moments.shown(event.at)
        # With a stand-in, since the line's end is never padded.
        text = table.plain_line(happenings.columns(), dict(row, text="."))[:-1]
        rest = table.cut(row["text"], max(1, out.width - table.shown_width(text)), out.ellipsis)
        out.line(text + out.paint(rest, happenings.colour(event)))


class _Stream:
    """The events of all jobs, or of one: before() this moment, and again and again since()."""

    def __init__(self, store, id, limit):
        self._store = store
        self._id = id
        self._limit = limit
        self._news = news.News(store)
        self._look = self._news.start()
        paused = {} if self._look is None else self._look.pauses()
        self._happenings = happenings.Happenings(store, paused)

    def before(self):
        """The newest events up to this moment, the oldest of them first."""
        if self._id is not None:
            events = self._story()
        elif self._look is None or self._limit == 0:
            events = []
        else:
            events = self._in_journal()
        if self._look is not None:
            self._look.close()
        return events if self._limit is None else events[max(0, len(events) - self._limit):]

    def _story(self):
        found = self._look and self._look.find(self._id)
        if not found:
            raise self._store.unknown(self._id)
        return happenings.of_job(found[0])

    def _in_journal(self):
        earlier = happenings.Happenings(self._store, pauses.decoded(self._look.journal.header.pauses))
        return earlier.of_all(news.entries_of(self._look), None)

    def since(self):
        """The events since the last look."""
        entries = self._news.look()
        if self._news.missed:
            terminal.note("some events were missed while this command was stopped")
        now = clock.moment(clock.now()) if entries else None
        return [event for event in self._happenings.of_all(entries, now) if self._id in (None, event.id)]
