"""List jobs: running, next to run, waiting, dead, finished.

On a terminal 50 are shown unless --limit says otherwise; a pipe gets all.

Examples:
  queuectl list
  queuectl list --state failed dead --verbose
  queuectl list --queue mail --search invoice --limit all
  queuectl list --sort -duration --limit 10
  queuectl list --state completed --jsonl | jq -r .command
"""

from itertools import islice

from queuectl_lib.faces import listing, moments, reading, table, terminal, wanted
from queuectl_lib.faces.cli import options
from queuectl_lib.job import record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock

_ON_A_TERMINAL = 50


def arguments(parser):
    parser.add_argument("--state", metavar="S", nargs="+", action="append",
                        help="only these: " + ", ".join(record.STATES))
    filters(parser)


def filters(parser):
    """The options of everything that lists jobs."""
    add = parser.add_argument
    add("--queue", metavar="Q", nargs="+", action="append", help="only of these queues")
    add("--search", metavar="TEXT", help="only jobs with this text in id, command, queue or error")
    options.limit(parser, "at most so many")
    add("--sort", metavar="FIELD", type=options.checked("--sort", wanted.sorting),
        help="by this field; -FIELD turns the order round (created_at, duration, ...)")
    add("--verbose", "-v", action="store_true", help="more lines on each job")
    options.reveal(parser)
    options.json(parser)
    options.jsonl(parser)


def run(args, out):
    show(args, out, wanted.states(args.state), wanted.queues(args.queue))


def show(args, out, wanted_states, queues, columns=listing.COLUMNS, nothing=None):
    """Prints the jobs of these states and queues (None: all) as the options ask; nothing: said where there are none."""
    options.one_form(args)
    store = stores.open_store(args.store)
    limit = args.limit
    if limit is None and out.tty and not (args.json or args.jsonl):
        limit = _ON_A_TERMINAL
    look = store.look()
    jobs = _sorted(store.jobs(wanted_states, queues, args.search, look), args.sort, limit)
    seen = _Counted(jobs if limit in (None, "all") else islice(jobs, limit), store)
    if args.json:
        out.array(record.public(job) for job in seen)
    elif args.jsonl:
        out.lines(record.public(job) for job in seen)
    else:
        around = (look.pauses(), reading.full_queues(store, look)) if look else ()
        _print_table(seen, store, around, columns, args, out)
    out.flush()
    if nothing and look and not (seen.count or queues or args.search or limit == 0):
        terminal.reassure(nothing)
    else:
        _note_rest(store, look, seen.count, wanted_states, queues, args.search, limit)


def _sorted(jobs, sort, limit):
    if sort is None:
        return jobs
    key = listing.sort_key(sort.lstrip("-"), backward=sort.startswith("-"))
    if limit in (None, "all"):
        return iter(sorted(jobs, key=key))
    # Of a million jobs only those to be shown are kept.
    import heapq
    return iter(heapq.nsmallest(limit, jobs, key=key))


def _print_table(jobs, store, around, columns, args, out):
    now = clock.now()
    shown = moments.Moments(out).shown
    if out.width is None:
        lines = _plain_lines(jobs, store, around, columns, now)
    else:
        lines = _fitted_lines(list(jobs), store, around, columns, now, out)
    for job, line in lines:
        out.line(line)
        if args.verbose and job is not None:
            for more in listing.details(job, now, args.reveal, shown):
                out.line(more)


def _plain_lines(jobs, store, around, columns, now):
    """(job, its line), as the jobs come: a pipe may want millions; the heading's job is None."""
    for number, job in enumerate(jobs):
        if number == 0:
            yield None, table.plain_heading(columns)
        yield job, table.plain_line(columns, listing.row(job, now, reading.is_lost(store, job), *around))


def _fitted_lines(jobs, store, around, columns, now, out):
    rows = [listing.queue_in_command(listing.row(job, now, reading.is_lost(store, job), *around)) for job in jobs]
    columns = [column for column in columns if column.key != "queue"]
    lines = table.fitted(columns, rows, out.width, listing.painter(out), out.ellipsis)
    return zip([None] + jobs, lines)


def _note_rest(store, look, shown, states, queues, search, limit):
    """Says how many more there are, or why there is nothing."""
    if look is None:
        terminal.note_no_store(store.root)
    elif limit in (None, "all") or search is not None:
        # Of a search nobody knows how much more it would find.
        if search is not None and shown == limit:
            terminal.note("stopped after %d; --limit all looks for more" % shown)
        elif not shown:
            terminal.note("no such jobs" if states or queues or search else "no jobs")
    else:
        rest = reading.number_of(look.counts(), states, queues) - shown
        if rest > 0:
            terminal.note("%d more; --limit all shows them" % rest)
        elif not shown:
            terminal.note("no such jobs" if states or queues else "no jobs")


class _Counted:
    """The same jobs as they are shown, counted as they pass."""

    def __init__(self, jobs, store):
        self._jobs = iter(jobs)
        self._store = store
        self.count = 0

    def __iter__(self):
        return self

    def __next__(self):
        job = next(self._jobs)
        self.count += 1
        return reading.with_progress(self._store, job)
