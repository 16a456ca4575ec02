"""Checking a store: every line, section, index, count and dependency, without the lock and without writing.

What is found are Findings (words/finding.py): a fault names file and offset. Who
repairs (repair.py) needs to know more than they say, which is kept beside them.

All files are opened first; a roll may go on meanwhile, and remove them. Where something seems
wrong and the journal was replaced since, all is looked at anew.
"""

import os
from collections import Counter

from queuectl_lib.store import check_ids, check_journal, config, header, line, salvage, segment
from queuectl_lib.store.check_segment import SegmentCheck
from queuectl_lib.store.paths import is_segment_name, segment_names
from queuectl_lib.words.errors import StoreError
from queuectl_lib.words.finding import FAULT, WARNING, WELL, Finding
from queuectl_lib.words.text import many

_TRIES = 5
# So many findings about one file are told one by one.
_MOST_TOLD = 10
# So many jobs are named for one stretch of bytes.
_MOST_NAMED = 3


def findings(store):
    """An iterator of Findings about a store (store.Store)."""
    return iter(checked(store.paths).findings)


def checked(paths):
    """The Checkup of a store (paths.Paths), done."""
    for tries_left in reversed(range(_TRIES)):
        checkup = Checkup(paths)
        try:
            checkup.run()
        except OSError as error:
            # A bad disk says so, or somebody put something else in a file's place.
            checkup.give_up(error.filename or paths.root, "cannot be read: %s" % os.strerror(error.errno or 0),
                            None if isinstance(error, PermissionError) else "copy what can be read, and see to the disk")
        finally:
            checkup.close()
        if not (tries_left and checkup.is_ill and checkup.is_outdated()):
            return checkup


class Checkup:
    """One look at a whole store.

    header      header.Header, None where neither copy tells; headers: the salvage.Headers, None without a journal
    lines       [(offset, line)] of the journal that are whole, or can be set right
    bad         [(offset, bytes, salvage.Salvage)] of what is damaged there
    misleading  offsets of its lines that name a place in a segment where no such line is
    segments    the header.Segments in force
    worn        names of those to be written anew; missing: of those that are not there
    living      {name: Counter of (queue, state)} of what they hold
    doubles     {(name, start): end} of their lines of ids that stand in a later one, too
    stale       those whose index is of no use
    foreign     paths of files that are not the store's
    old_journal is a new one needed? is_ill: is anything not well?
    """

    REPAIR = "queuectl doctor --repair"

    def __init__(self, paths):
        self.paths = paths
        self.findings = []
        self.is_ill = False
        # Why no repair can help, if none can.
        self.hopeless = None
        self.header = None
        self.headers = None
        self.lines = []
        self.bad = []
        self.segments = ()
        self.readers = {}
        self.newest = {}
        self.worn = set()
        self.missing = set()
        self.living = {}
        self.doubles = {}
        self.misleading = set()
        self.stale = []
        self.foreign = []
        self.ids = check_ids.Ids()
        self.old_journal = False
        self.config_is_bad = False
        self.is_forsaken = False
        self.fd = None
        self.inode = None
        self._gone = {}
        self._told = Counter()

    def run(self):
        """Look at everything; the findings are there afterwards."""
        if check_journal.look_at(self):
            self._open_segments()
            self._look_at_segments()
            check_ids.look_at_places(self)
            check_ids.look_at(self)
            self._look_at_counts()
        self._look_at_files()
        self._look_at_config()

    def close(self):
        for reader in self.readers.values():
            reader.close()
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None

    def is_outdated(self):
        """Was the journal replaced since?"""
        try:
            return os.stat(self.paths.jobs).st_ino != self.inode
        except OSError:
            return False

    @property
    def is_complete(self):
        """Is every line there that ought to be?"""
        return not (self.bad or self.worn or self.missing)

    # --- telling

    def well(self, subject, text):
        """One more finding that is well."""
        self.findings.append(Finding(WELL, subject, text))

    def tell(self, level, subject, text, advice=REPAIR):
        """One that is not; of many about one subject the first are told."""
        self.is_ill = True
        text = _beside(subject, text)
        self._told[subject] += 1
        if self._told[subject] == _MOST_TOLD + 1:
            text = "and there is more of that"
        if self._told[subject] <= _MOST_TOLD + 1:
            self.findings.append(Finding(level, subject, text, advice))

    def fault(self, subject, text, advice=REPAIR):
        """One that tells of damage."""
        self.tell(FAULT, subject, text, advice)

    def give_up(self, subject, text, advice=None):
        """One of what no repair can help."""
        self.hopeless = "%s: %s" % (subject, _beside(subject, text))
        self.fault(subject, text, advice)

    def bad_bytes(self, path, start, data, found):
        """One that tells of bytes of which a salvage.Salvage was found."""
        self.fault(path, "%d bytes from byte %d on are damaged%s" % (len(data), start, _jobs_in(found.bad)))

    # --- the segments

    def _open_segments(self):
        joined = []
        for _, each in self.lines:
            head = line.HEAD.match(each)
            if head:
                self.newest[head.group(line.ID + 1)] = head.groups()
                continue
            fields = line.decode_other(each)
            if "gone" in fields:
                name, start, end = fields["gone"]
                self._gone[name, start] = end
            elif "segment" in fields:
                joined.append(header.segment_of(fields["segment"]))
        for head in self.newest.values():
            if head[line.STATE] != line.REMOVED:
                self.ids.add(head)
        self.segments = self.header.segments + tuple(joined)
        for entry in self.segments:
            self._open_segment(entry)

    def _open_segment(self, entry):
        try:
            # Of any size: what is there of it is looked at.
            reader = self.readers[entry.name] = segment.Reader(self.paths, entry.name, 0)
        except FileNotFoundError:
            self.missing.add(entry.name)
            place = self.paths.segment_places(entry.name)[entry.kind == "archive"]
            self.fault(place, "is missing, with up to %s" % many(entry.jobs, "job"),
                       "restore it from a copy; %s goes on without it" % self.REPAIR)
            return
        reader.size = entry.size
        size = os.fstat(reader.fd).st_size
        if size != entry.size:
            self.worn.add(entry.name)
            self.fault(reader.path, "has %s and not %d" % (many(size, "byte"), entry.size))

    def _look_at_segments(self):
        lines = 0
        for entry in self.segments:
            if entry.name in self.readers:
                one = SegmentCheck(self, entry, self.readers[entry.name])
                one.run()
                lines += one.lines
                if entry.name not in self.worn:
                    one.look_at_indexes()
        self.well("segments", "%s, %s" % (many(len(self.segments), "segment"), many(lines, "line")))
        if not self.stale and not self.worn:
            self.well("indexes", "fit their segments")

    def is_over(self, entry, job_id, start):
        """Is a segment's line of this id overridden, by a line of the journal or by name?"""
        return job_id in self.newest or (entry.name, start) in self._gone

    def living_lines(self):
        """Yields (entry, head, start, end) of every line of a segment that counts."""
        for entry in self.segments:
            for section in entry.sections if entry.name in self.readers else ():
                for start, data, whole in salvage.lines_of(self.readers[entry.name].fd, section.start, section.end):
                    head = whole and line.HEAD.match(data)
                    if head and not self.is_over(entry, head.group(line.ID + 1), start):
                        yield entry, head.groups(), start, start + len(data) + 1

    # --- the rest

    def _look_at_counts(self):
        # What is missing cannot be counted; whoever repairs counts anew.
        if not self.is_complete:
            return
        told = {queue: dict(states) for queue, states in self.header.counts.items()}
        for _, each in self.lines:
            head = line.HEAD.match(each)
            header.count(told, head.groups() if head else line.decode_other(each))
        told, found = header.tidied(told), header.tidied(self.counted())
        for queue in sorted(set(told) | set(found)):
            if told.get(queue) != found.get(queue):
                self.old_journal = True
                self.fault(self.paths.jobs, "by its counts queue %s has %s, by the lines %s"
                           % (queue, _states(told.get(queue)), _states(found.get(queue))))
        if not self.old_journal:
            self.well("counts", "fit the lines")

    def counted(self):
        """{queue: {state: n}} of the jobs as they stand."""
        counts = {}
        for living in self.living.values():
            for (queue, state), number in living.items():
                header.add(counts, queue, state, number)
        for head in self.newest.values():
            if head[line.STATE] != line.REMOVED:
                header.add(counts, head[line.QUEUE].decode(), head[line.STATE].decode(), 1)
        return counts

    def _look_at_files(self):
        named = {entry.name for entry in self.segments}
        left = 0
        for directory in (self.paths.base, self.paths.archive):
            for name in _entries(directory):
                if name[0] != "." and not is_segment_name(name.replace(".jsonl", "")):
                    self.foreign.append(directory + "/" + name)
                    self.tell(WARNING, directory + "/" + name, "is none of the store's files, and grep finds it among them",
                              "move it away; %s does" % self.REPAIR)
            left += sum(name not in named for name in segment_names(directory))
        if left and self.header is not None:
            self.well("files", "%s of a batch that is coming or left by a crash: the next roll tidies up" % many(left, "segment"))

    def _look_at_config(self):
        try:
            values = config.stored_values(self.paths)
        except StoreError as error:
            self.config_is_bad = True
            self.fault(self.paths.config, str(error), advice=None)
        else:
            self.well("config", many(len(values), "setting") if values else "nothing was set")


def _beside(subject, text):
    """A text without the path it begins with, if that is its subject already."""
    return text[len(subject):].lstrip(": ") if text.startswith(subject) else text


def _jobs_in(bad):
    """What a line says of the jobs in bytes that could not be set right."""
    if not bad:
        return "; they can be set right"
    ids = ["job " + each for each in salvage.ids_in(bad)]
    jobs = ids[:_MOST_NAMED] + ["%d more" % (len(ids) - _MOST_NAMED)] * (len(ids) > _MOST_NAMED)
    return " (%s)" % ", ".join(jobs + salvage.untold(bad))


def _entries(directory):
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _states(states):
    return ", ".join("%d %s" % (number, state) for state, number in sorted((states or {}).items())) or "no jobs"
