"""The names of everything inside .queuectl/, and nothing else: the only module that knows them.

    jobs.jsonl            header, then the journal: every change since the last roll
    lock, roll.lock       the store lock; the lock of the one process that rolls
    base/000007.jsonl     a segment of jobs that were waiting when it was written
    archive/000012.jsonl  a segment of finished jobs, in order of finishing
    base/000012.jsonl     the same while an older base segment may still hold those jobs' earlier lines
    base/.000007.index    where in that segment an id is
    base/.000007.awaited  where in it the jobs are that come after an id
    workers.pid           who runs here
    workers/N.lock .job .out .err      slot N: its life, its running job, its output spools
    worker.log .1         what workers in the background print; the one before
    workers/N.progress                 what that job says of how far it is
    wake/NAME             FIFOs that idle workers sleep on
    output/ID.ATTEMPT.out .err         outputs too big for a job's line
    config.json; suspect (a sync failed: build new files first)
    token                 what a browser or a program shows the dashboard
    ballast               room that is given up when the disk is full, so that results can still be written
    .doctor-*/            where `doctor` tries locks and syncs, while it does
    damaged/NAME.N        bytes that `doctor --repair` put aside
    refused.jsonl .1      lines of a stream (`enqueue --stream`) that were no jobs; the ones before
"""

import os
import re

from queuectl_lib.words.errors import StoreDamaged, StoreError

DEFAULT = ".queuectl"
VARIABLE = "QUEUECTL_STORE"
# What the directory begins with in which `doctor` makes its trials.
TRIAL = ".doctor-"
_OUTPUT = r"output/[A-Za-z0-9][A-Za-z0-9._-]*\Z"


def root_of(directory=None):
    """The absolute path of the store that is meant: given, from the environment, or here; StoreError."""
    try:
        return os.path.abspath(directory or os.environ.get(VARIABLE) or DEFAULT)
    except FileNotFoundError:
        raise StoreError("the current directory is gone: cd somewhere, or name the store with --store /DIR")


def below(root):
    """The store that was meant where the directory that holds it was named; None."""
    inside = os.path.join(root, DEFAULT)
    return inside if os.path.isdir(inside) else None


class Paths:
    """The files of one store, by what they are for."""

    def __init__(self, root, mine=False):
        """mine: what is read here will be run, so all of it has to be one's own (disk.open_private)."""
        self.root = root
        self.mine = mine
        self.jobs = root + "/jobs.jsonl"
        self.new_jobs = root + "/jobs.jsonl.new"
        self.lock = root + "/lock"
        self.roll_lock = root + "/roll.lock"
        self.base = root + "/base"
        self.archive = root + "/archive"
        self.workers = root + "/workers"
        self.pidfile = root + "/workers.pid"
        self.wake = root + "/wake"
        self.output = root + "/output"
        self.log = root + "/worker.log"
        self.old_log = root + "/worker.log.1"
        self.config = root + "/config.json"
        self.suspect = root + "/suspect"
        self.token = root + "/token"
        self.ballast = root + "/ballast"
        self.damaged = root + "/damaged"
        self.refused = root + "/refused.jsonl"
        self.old_refused = root + "/refused.jsonl.1"

    def directories(self):
        """Every directory of a store, the root first."""
        return (self.root, self.base, self.archive, self.workers, self.wake, self.output)

    def later(self):
        """What comes after the journal: without it, that is what is left of a store. (Settings may be laid down before.)"""
        return (self.ballast, self.log, self.damaged, self.refused)

    def segment_places(self, name):
        """Where a segment of this name may lie."""
        return (self.base + "/" + name + ".jsonl", self.archive + "/" + name + ".jsonl")

    def segment(self, name):
        """Where the segment of this name lies now."""
        base, archive = self.segment_places(name)
        return base if os.path.exists(base) else archive

    def incoming(self, name):
        """A segment still being written; its writer holds a lock on it."""
        return self.base + "/.incoming-%s.jsonl" % name

    def slot_lock(self, slot):
        return self.workers + "/%d.lock" % slot

    def slot_job(self, slot):
        return self.workers + "/%d.job" % slot

    def slot_out(self, slot):
        return self.workers + "/%d.out" % slot

    def slot_err(self, slot):
        return self.workers + "/%d.err" % slot

    def slot_progress(self, slot):
        return self.workers + "/%d.progress" % slot

    def wake_fifo(self, name):
        return self.wake + "/" + name

    def output_file(self, job_id, attempt, stream):
        """The file of a big output; stream: 'out' or 'err'."""
        return self.inside(output_name(job_id, attempt, stream))

    def inside(self, relative):
        """The path of a file that a job's line names ('output/ID.1.out'); StoreDamaged for what is no output."""
        if not _is_output(relative):
            raise StoreDamaged("%s: a job's line names %r as its output, which is none: the line was edited"
                               % (self.root, relative))
        return self.root + "/" + relative


def index_of(segment_path):
    """The index beside a segment: a dot file, so that `grep … base/*` passes it over."""
    return _beside(segment_path, ".index")


def awaited_of(segment_path):
    """The other index, by the ids that its jobs wait for; only beside a segment with such jobs."""
    return _beside(segment_path, ".awaited")


def _beside(segment_path, ending):
    directory, name = os.path.split(segment_path)
    return directory + "/." + name[:-len(".jsonl")] + ending


def runs_of(segment_path):
    """What making that index needs a file for; named like an incoming segment, so that the next roll removes what is left."""
    directory, name = os.path.split(segment_path)
    return directory + "/.incoming-" + name[:-len(".jsonl")] + ".runs"


def segment_names(directory):
    """The names of the segments in base/ or archive/."""
    try:
        entries = os.listdir(directory)
    except FileNotFoundError:
        return []
    names = [entry[:-len(".jsonl")] for entry in entries if entry.endswith(".jsonl")]
    return list(filter(is_segment_name, names))


def segment_files(paths):
    """[(name, path)] of every segment that is there."""
    return [(name, directory + "/" + name + ".jsonl") for directory in (paths.base, paths.archive)
            for name in segment_names(directory)]


def is_segment_name(name):
    """Can a segment have this name (numbers.py)? A file that somebody put beside them is none."""
    number, dash, rewritten = name.partition("-")
    return len(number) >= 8 and number.isdigit() and (rewritten.isdigit() if dash else True)


def lone_indexes(*directories):
    """The paths of indexes in base/ and archive/ whose segment lies in neither."""
    entries = [(directory, entry) for directory in directories for entry in os.listdir(directory)]
    segments = {entry[:-len(".jsonl")] for _, entry in entries if entry.endswith(".jsonl")}
    return [directory + "/" + entry for directory, entry in entries
            if entry.endswith((".index", ".awaited")) and entry[1:].rpartition(".")[0] not in segments]


def output_name(job_id, attempt, stream):
    """What a job's line calls the file of a big output; stream: 'out' or 'err'."""
    return "output/%s.%d.%s" % (job_id, attempt, stream)


def outputs_of(job):
    """The files that a job's line names, relative to the store; what is no output is not its to remove."""
    return [name for name in (job.stdout_file, job.stderr_file) if name and _is_output(name)]


def _is_output(name):
    return re.match(_OUTPUT, str(name)) is not None
