"""Add a job, or many.

One word is a shell command line; several are quoted and joined. Options end
at the first word of the command. The ids are printed, one a line, once the
jobs are safely stored.

Examples:
  queuectl enqueue 'backup.sh > /var/log/backup.log'
  queuectl enqueue --queue mail --max-retries 5 --timeout 30s send-mail --to bob
  queuectl enqueue --id nightly --if-absent --run-at 03:00 ./run.sh
  queuectl enqueue --unique --queue sync 'rsync -a /srv/ backup:/srv/'
  queuectl enqueue --wait 'make test' > test.log
  queuectl enqueue --delay 10m --env LEVEL=3 MODE=fast -- make -j4
  queuectl enqueue '{"id": "job1", "command": "sleep 2", "priority": -5}'
  queuectl list --store old --jsonl | queuectl enqueue --file -
  kcat -b broker -G group topic | queuectl enqueue --file - --stream --if-absent
"""

import os
import sys

from queuectl_lib.faces import input as given
from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import options
from queuectl_lib.job import identifiers, record
from queuectl_lib.store import store as stores
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput
from queuectl_lib.work import wake

def arguments(parser):
    parser.usage = "queuectl enqueue [options] COMMAND [ARG...]\n       queuectl enqueue [options] --file FILE [--stream]"
    parser.takes_command = True
    parser.repeated["--env"] = _is_variable
    add = parser.add_argument
    parser.section("which job")
    add("--id", help="the job's name (else one is made up)")
    add("--queue", metavar="Q", help="its queue (default: default)")
    add("--if-absent", action="store_true", help="a job of the same id there already is fine")
    add("--unique", action="store_true",
        help="the same command waiting or running in this queue already is fine: its id is printed")
    add("--file", metavar="FILE", help="JSON object, array or JSON lines; '-' is standard input; all or nothing")
    add("--stream", action="store_true",
        help="enqueue the file's lines as they arrive, one JSON object each: an id that is printed is safely stored")
    add("--max-pending", metavar="N", type=options.checked("--max-pending", options.whole_number(1)),
        help="with --stream: read no further while so many jobs wait")
    parser.section("when it runs")
    add("--priority", metavar="N", type=_whole("--priority"), help="the lower runs first (default: 0)")
    add("--delay", metavar="DUR", help="not before this much time has passed")
    add("--run-at", metavar="WHEN", help="not before: 03:00 (the next one), 2026-11-22 03:10 (local), ISO 8601, or epoch seconds")
    add("--after", metavar="ID[,ID]", action="append", help="not before these jobs have completed")
    add("--hold", action="store_true", help="not before it is released (queuectl release)")
    add("--expires", metavar="DUR", type=options.checked("--expires", clock.parse_duration),
        help="to the DLQ when it has not been started so long after it could have been")
    add("--slots", metavar="N", type=_whole("--slots"), help="how many of its queue's limit it takes (default: 1)")
    parser.section("how it runs")
    add("--wait", action="store_true", help="run it to its end, its output here; ends with its exit code")
    add("--timeout", metavar="DUR", help="time one attempt may take: 90, 90s, 5m, 1h30m, none")
    add("--max-retries", metavar="N", type=_whole("--max-retries"), help="how often it is tried again after a failure")
    add("--nice", metavar="N", type=_whole("--nice"), help="lower its priority with the system by 1 to 19")
    add("--cwd", metavar="DIR", help="where it runs (default: here)")
    add("--env", metavar="K=V", action="append", help="variables added to its environment: --env A=1 B=2 ...; "
        "without a value as it is in yours, so that ps does not show it")


def _is_variable(word):
    return word.partition("=")[0].isidentifier() and "=" in word


def run(args, out):
    if args.command == ["-"]:
        args.command, args.file = [], "-"
    _check_source(args)
    given_jobs = given.from_words(args.command) if args.command else []
    if args.wait and len(given_jobs) != 1:
        raise BadInput("--wait waits for one job; of several the ids can be given to: queuectl wait")
    _check_options(args)
    is_watched = sys.stderr.isatty()
    if is_watched and args.misplaced:
        terminal.note("%s became a part of the command: options go before it (and -- before a command whose own they are)"
                      % args.misplaced)
    store = stores.open_store(args.store, create=True, write=True)
    now = clock.now()
    here = _here()
    defaults = _defaults(args, store.config, now, here)
    if args.stream:
        return _enqueue_lines(args, store, here, out)
    if args.file is not None:
        return _enqueue_file(args, store, record.Maker(now, defaults), out)
    jobs = _created(args, given_jobs, now, defaults)
    if args.wait:
        return _run_to_its_end(args, store, jobs, out)
    for id in _added(args, store, jobs):
        out.line(id)
    if is_watched:
        _tell_of_pauses(store, sorted({job.queue for job in jobs}), now, out)
    return None


def _tell_of_pauses(store, queues, now, out):
    """A person wonders why nothing runs; a script would only be slower for it."""
    from queuectl_lib.faces import reasons
    paused = store.pauses()
    found = [reasons.pause_of(paused, queue, now) for queue in queues] if paused else []
    out.flush()
    for text in dict.fromkeys(str(reasons.paused(*pause, now)) for pause in found if pause):
        terminal.note(text)


def _run_to_its_end(args, store, jobs, out):
    from queuectl_lib.faces import following, foreground
    # Before the job is there: its first attempt may be over sooner than one can look.
    begun = following.begin(store)
    id, = _added(args, store, jobs)
    return foreground.accompany(store, id, out, begun)


def _added(args, store, jobs):
    """The ids of these jobs, or of those that are there instead, once their workers are woken."""
    ids = _stored(args, store, jobs)
    wake.wake(store.paths, {job.queue for job in jobs})
    return ids


def _stored(args, store, jobs):
    if not (args.unique or args.if_absent):
        return [job.id for job in store.add(jobs)]
    # Imported here: most jobs are to be added whatever is there.
    from queuectl_lib.faces import once
    if not args.unique:
        return once.add_absent(store, jobs)
    if len(jobs) != 1:
        raise BadInput("--unique is for one job, and here are %d" % len(jobs))
    return [once.add_unique(store, jobs[0], args.if_absent)]


def _whole(option):
    def convert(text):
        try:
            return int(text)
        except ValueError:
            raise BadInput("%s: want a whole number, not %r" % (option, text))
    return convert


def _check_source(args):
    """Raise BadInput unless there is either a command or a file, with nothing that is for the other one."""
    if args.file is None and not args.command:
        raise BadInput("what is to be run? give a command, or --file FILE ('-' for standard input)")
    if args.file is not None and args.command:
        raise BadInput("either --file or a command, not both")
    if args.stream and args.file is None:
        raise BadInput("--stream reads lines: of which file? '--file -' is standard input")
    if args.max_pending is not None and not args.stream:
        raise BadInput("--max-pending is for --stream")
    if args.file is not None and args.id is not None:
        raise BadInput("--id names one job: write it into the file's \"id\"")
    if args.file is not None and args.unique:
        raise BadInput("--unique is for one job, and not for a file")


def _check_options(args):
    """Raise BadInput for options that do not go together, or name what is not there."""
    if args.delay is not None and args.run_at is not None:
        raise BadInput("either --delay or --run-at, not both")
    if args.cwd is not None and not os.path.isdir(args.cwd):
        raise BadInput("--cwd: there is no directory %s" % args.cwd)


def _defaults(args, config, now, here):
    """What the options and the config say for jobs that do not say it themselves; here: the current directory."""
    # Checked by the same rules as a job's own fields.
    fields = {"command": "-", "queue": args.queue, "priority": args.priority,
              "cwd": args.cwd and os.path.join(here, args.cwd),
              "max_retries": args.max_retries, "run_at": args.run_at and clock.coming(args.run_at, now), "env": _environment(args.env),
              "after": _ids_after(args.after), "held": args.hold, "slots": args.slots, "nice": args.nice}
    if args.timeout is not None:
        fields["timeout"] = args.timeout
    if args.delay is not None:
        delay = options.checked("--delay", clock.parse_duration)(args.delay)
        fields["run_at"] = clock.moment(now + int(delay * 1000))
    here = record.Defaults(max_retries=config.max_retries, timeout=config.timeout, cwd=here)
    try:
        job = record.create(fields, now, here)
    except BadInput as error:
        raise BadInput(_named_as_option(str(error), fields))
    if args.expires is not None:
        job = job._replace(expires_at=clock.moment(max(now, record.due(job) or 0) + int(args.expires * 1000)))
    return record.Defaults._make(getattr(job, name) for name in record.Defaults._fields)


def _ids_after(texts):
    """The ids of --after, None without it. An unset variable of a script is no "after nothing"."""
    if texts is None:
        return None
    # Imported here: a plain command needs none of it.
    from queuectl_lib.faces import wanted
    ids = wanted.words(texts)
    if not ids:
        raise BadInput("--after: want the id of a job")
    return ids


def _named_as_option(message, fields):
    """'max_retries: …' as '--max-retries: …': what was typed."""
    name, colon, rest = message.partition(":")
    return "--%s:%s" % (name.replace("_", "-"), rest) if colon and name in fields else message


def _here():
    try:
        return os.getcwd()
    except OSError:
        raise BadInput("the current directory is gone: go elsewhere, or give --cwd DIR")


def _environment(pairs):
    if not pairs:
        return None
    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            value = _own_value(name)
        variables[name] = value
    return variables


def _own_value(name):
    """A variable's value here: unlike a word of the command line it is not for every user of the machine to see."""
    if not name.isidentifier():
        raise BadInput("--env: want NAME=VALUE, or the NAME of a variable of yours")
    if name not in os.environ:
        raise BadInput("--env: there is no variable %s here: export it, or give NAME=VALUE" % name)
    return os.environ[name]


def _created(args, jobs, now, defaults):
    """The jobs of a command line; `--id` goes to a lone one."""
    if args.id is not None:
        if len(jobs) != 1:
            raise BadInput("--id names one job, and here are %d" % len(jobs))
        identifiers.check_id(args.id)
    created = []
    for number, fields in enumerate(jobs, 1):
        try:
            created.append(record.create(fields, now, defaults, args.id))
        except BadInput as error:
            raise BadInput("job %d: %s; nothing was enqueued" % (number, error) if len(jobs) > 1 else str(error))
    return created


def _enqueue_file(args, store, maker, out):
    # Imported here, as the next one: most commands give one job.
    from queuectl_lib.faces import batch
    batch.enqueue(store, args.file, maker, args.if_absent, out)


def _enqueue_lines(args, store, here, out):
    from queuectl_lib.faces import batch, streaming

    def maker_at(store, now):
        return record.Maker(now, _defaults(args, store.config, now, here))
    file = batch.opened(args.file)
    how = streaming.Options(args.if_absent, args.max_pending)
    return streaming.enqueue(file, store.root, maker_at, how, out)
