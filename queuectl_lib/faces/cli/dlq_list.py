"""List dead jobs, and how they died.

--group counts those that failed alike: the same cause, and the same last line
on standard error. Without a terminal nothing is said when there are none, so
that cron mails only what is wrong.

Examples:
  queuectl dlq list
  queuectl dlq list --group
  queuectl dlq list --queue mail --jsonl
"""

from queuectl_lib.faces import listing, report, terminal, wanted
from queuectl_lib.faces.cli import list as listing_command
from queuectl_lib.faces.cli import options
from queuectl_lib.faces.table import Column
from queuectl_lib.store import store as stores
from queuectl_lib.words.errors import BadInput

_EMPTY = "the dead letter queue is empty"

_GROUPS = (
    Column("count", "COUNT", 6, True),
    Column("why", "WHY", 18),
    Column("example", "EXAMPLE", 16),
    Column("said", "SAID"),
)


def arguments(parser):
    parser.add_argument("--group", action="store_true", help="how many failed alike")
    listing_command.filters(parser)


def run(args, out):
    queues = wanted.queues(args.queue)
    if not args.group:
        listing_command.show(args, out, ["dead"], queues, listing.DEAD_COLUMNS, nothing=_EMPTY)
        return
    options.one_form(args)
    if args.limit is not None or args.sort or args.verbose:
        raise BadInput("--group counts jobs: --limit, --sort and --verbose are for a list of them")
    store = stores.open_store(args.store)
    groups = _groups(store.jobs(states=["dead"], queues=queues, search=args.search))
    if args.json:
        out.array(groups)
    elif args.jsonl:
        out.lines(groups)
    else:
        for line in report.draw(_GROUPS, groups, out):
            out.line(line)
    if groups:
        return
    if queues or args.search:
        terminal.note("no such jobs")
    else:
        terminal.reassure(_EMPTY)


def _groups(jobs):
    """The jobs by how they failed, the largest group first."""
    found = {}
    for job in jobs:
        key = (listing.ended(job), listing.last_line(job.stderr) or "")
        group = found.setdefault(key, {"count": 0, "why": key[0], "example": job.id, "said": key[1]})
        group["count"] += 1
    return sorted(found.values(), key=lambda group: -group["count"])
