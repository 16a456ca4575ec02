"""Keeping segments few and full: what is overridden, where sections begin by now, what to merge.

A line of a segment is overridden when a later line of the same job names it as
`over`. At a roll those lines leave the journal, so the segment has to remember:

 - at a section's ends its border moves: the ordinary case, since work is taken
   in the order in which a section is sorted, and dead jobs from the newest on
 - in the middle a `gone` line is carried in the journal, until the segment is
   rewritten without the lines that are gone

Merging costs what it copies. So segments are merged with others of their size
only, eight times larger from step to step, and large ones not at all: each
line is copied twice in its life, and no roll lasts much longer than others.
Merged segments take the newest part's name with a suffix, so that names still
sort by age.
"""

from heapq import merge

from queuectl_lib.store import line, new_segment, segment
from queuectl_lib.store.numbers import names_of_roll, renamed

# So many of a size are merged; base segments sooner, since each costs every worker memory.
ALIKE = {"base": 4, "archive": 8}
# A segment of so many bytes is merged no more.
_LARGE = 32 * 1024 * 1024
MOST_GONE = 2000
# A segment smaller than this is not worth rewriting for its dead part.
_SMALL = 1024 * 1024


def overridden(snapshot):
    """{(name, start): end} of every segment line that something newer overrides."""
    found = dict(snapshot.gone)
    entries = {each.name for each in snapshot.segments()}
    moved = set()
    for head, _ in snapshot.heads() + snapshot.removed():
        if head[8] is not None:
            name = head[8].decode()
            found[name, int(head[9])] = int(head[10])
            if name not in entries:
                moved.add(head[0])
    own = names_of_roll(snapshot.journal.header.number)
    for entry in snapshot.segments():
        found.update(_written_during_roll(snapshot, entry) if entry.name in own else _at_front(snapshot, entry, moved))
    for job_id in moved:
        found.update(_lines_of(snapshot, job_id))
    return {place: end for place, end in found.items() if place[0] in entries}


def _written_during_roll(snapshot, entry):
    """Lines of a segment of the last roll that others overrode while it was being written.

    They could not know in which segment that roll was just putting a job's line.
    """
    return {(entry.name, start): end for head, start, end in _lines(snapshot, entry) if head[0] in snapshot.newest}


def _at_front(snapshot, entry, moved):
    """The lines at the front of each section whose job is among these; takes them out of the set.

    Where a segment was merged while others took its jobs, thousands of lines say
    a place that is no more; but work is taken from the front.
    """
    found = {}
    for section in entry.sections if moved else ():
        for head, start, data in snapshot.reader(entry).forward(section.start, section.end):
            if head[0] not in moved:
                break
            line.check(data, snapshot.reader(entry).path, start)
            moved.remove(head[0])
            found[entry.name, start] = start + len(data) + 1
    return found


def _lines(snapshot, entry):
    for section in entry.sections:
        for head, start, data in snapshot.reader(entry).forward(section.start, section.end):
            # Two lines whose newline is damaged must not both be called gone.
            line.check(data, snapshot.reader(entry).path, start)
            yield head, start, start + len(data) + 1


def _lines_of(snapshot, job_id):
    """{(name, start): end} of every line that a segment still counts for an id."""
    return {(entry.name, start): start + len(data) + 1 for entry in snapshot.segments()
            for _, start, data in snapshot.reader(entry).find(job_id) if segment.lives(entry, start)}


def advanced(segments, gone):
    """(segments, gone) after moving every section's borders past what is gone at its ends."""
    moved = []
    kept = dict(gone)
    starts = {(name, end): start for (name, start), end in gone.items()}
    for each in segments:
        sections = []
        for section in each.sections:
            start, end = section.start, section.end
            while start < end and (each.name, start) in kept:
                start = kept.pop((each.name, start))
            while start < end and (each.name, end) in starts:
                end = starts[each.name, end]
            if start < end:
                sections.append(section._replace(start=start, end=end))
        if sections:
            moved.append(each._replace(sections=tuple(sections)))
    # What lies outside every section needs no mention.
    entries = {each.name: each for each in moved}
    kept = {place: end for place, end in kept.items()
            if place[0] in entries and segment.lives(entries[place[0]], place[1])}
    return moved, kept


def merged(paths, snapshot, segments, gone):
    """(segments, gone) after at most one merge of base segments and one of archives."""
    for kind in ("base", "archive"):
        of_kind = [each for each in segments if each.kind == kind]
        parts = _worn(of_kind, gone) or _alike(of_kind, ALIKE[kind])
        if parts:
            one = _rewritten(paths, snapshot, parts, gone)
            segments = _replaced(segments, parts, one)
            names = {each.name for each in parts}
            gone = {place: end for place, end in gone.items() if place[0] not in names}
    return segments, gone


def alive(entry):
    """How many bytes of a segment are inside its sections."""
    return sum(section.end - section.start for section in entry.sections)


def _worn(segments, gone):
    lost = {}
    for name, _ in gone:
        lost[name] = lost.get(name, 0) + 1
    for each in segments:
        if lost.get(each.name, 0) > MOST_GONE or each.size > _SMALL and alive(each) < each.size // 8:
            return [each]
    return []


def _alike(segments, most):
    """Neighbours of about one size, so many that they are worth merging; smaller ones between them go along."""
    sizes = [_step(each) for each in segments]
    for step in range(_step_of(_LARGE)):
        run = []
        for each, size in zip(segments + [None], sizes + [step + 1]):
            if size <= step:
                run.append(each)
            elif sum(_step(part) == step for part in run) >= most:
                return run
            else:
                run = []
    return []


def _step(entry):
    return _step_of(alive(entry))


def _step_of(size):
    """0 below 4 MB, 1 below 32 MB, 2 below 256 MB …"""
    return (size // _SMALL).bit_length() // 3


def _rewritten(paths, snapshot, parts, gone):
    """One segment with what is alive of these, oldest first; None when nothing is."""
    name = renamed(paths, parts[-1].name)
    writer = new_segment.Writer(paths.segment_places(name)[0], parts[0].kind)
    for wanted in _sections_of(parts):
        streams = [_alive_lines(snapshot.reader(part), part, wanted, gone) for part in parts]
        for _, data in merge(*streams, key=_key):
            writer.add(wanted, data + b"\n")
    if not writer.size:
        writer.close()
        return None
    return writer.finish(name)


def _sections_of(parts):
    return sorted({(section.kind, section.queue) for part in parts for section in part.sections})


def _key(item):
    return item[0]


def _alive_lines(reader, part, wanted, gone):
    for section in part.sections:
        if (section.kind, section.queue) != wanted:
            continue
        for head, start, data in reader.forward(section.start, section.end):
            # In an index made anew a damaged line would not be found any more, and nobody would notice.
            line.check(data, reader.path, start)
            if (part.name, start) not in gone:
                yield segment.sort_key(wanted, head, data), data


def _replaced(segments, parts, one):
    kept = []
    for each in segments:
        if each is parts[-1]:
            kept += [one] if one else []
        elif not any(each is part for part in parts):
            kept.append(each)
    return kept
