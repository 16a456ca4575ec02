"""What a power cut may leave of a store: the file operations are recorded, and played back as a disk might have done them.

`Recorder` stands in for `os` in store/disk.py: it does what is asked for and writes it down, a
sync only being written down. A `Disk` takes in one operation after the other and
says at any moment which trees (`states()`) a power cut may leave then:

 - a file holds what was synced; of what was written to it since nothing, or the first
   operations, the last of which perhaps in part, and where its size went
   ahead of its bytes they are NULs
 - a directory is as it was synced; of the names made, given and taken away since none, or
   the first ones. Each directory has its own order: a later name may be there
   though an earlier one of another directory is not
 - a file is no part of its name: one that was renamed or made for good may hold nothing at all
   (ext4 would often see to that; nobody promises it)
 - a rename from one directory to another happens in both or in none, until one of the two is synced:
   a sync promises that directory alone

Not played: bytes of the same write in another order than their own, sectors that
were synced and are gone. That is damage, and has tests of its own.
"""

import itertools
import os
import sys

PAGE = 4096
# Of a long row of operations that were not synced, so many of the last ones are played one by one.
_LAST = 3
# In these files the way to the medium leads through others of the store.
_ON_THE_WAY = ("disk", "power")


class Recorder:
    """Stands in for os; operations: what was done; syncs: (who asked for one, of what). between(): called between any two, if set."""

    def __init__(self, root, skipped=None):
        """root: names are told from there on; skipped: the syncs of this (caller, of what) are left out."""
        self._root = root
        self._skipped = skipped
        self._names = {}
        self._open = {}
        self._numbers = itertools.count(1)
        self.operations = []
        self.syncs = set()
        self.between = None

    def __getattr__(self, name):
        return getattr(os, name)

    def _begin(self):
        if self.between is not None:
            self.between()

    def _did(self, *operation):
        self.operations.append(operation)

    def _relative(self, path):
        return os.path.relpath(path, self._root)

    def adopt(self, tree):
        """Begin where a tree of Disk.states() left off: {path: content}, None for a directory."""
        self._names = {path: next(self._numbers) for path, content in sorted(tree.items()) if content is not None}
        return dict(self._names)

    def open(self, path, flags, mode=0o777):
        self._begin()
        is_new = flags & os.O_CREAT and not os.path.lexists(path)
        size = 0 if is_new else os.path.getsize(path)
        fd = os.open(path, flags, mode)
        name = self._relative(path)
        if is_new:
            self._names[name] = next(self._numbers)
            self._did("create", name, self._names[name])
        elif flags & os.O_TRUNC and size:
            self._did("cut", self._names[name], 0)
        self._open[fd] = name if os.path.isdir(path) else self._names.get(name)
        return fd

    def write(self, fd, data):
        self._begin()
        written = os.write(fd, data)
        self._wrote(fd, os.lseek(fd, 0, os.SEEK_CUR) - written, data, written)
        return written

    def pwrite(self, fd, data, start):
        self._begin()
        written = os.pwrite(fd, data, start)
        self._wrote(fd, start, data, written)
        return written

    def _wrote(self, fd, start, data, written):
        if written:
            self._did("write", self._open[fd], start, bytes(data[:written]))

    def ftruncate(self, fd, size):
        self._begin()
        os.ftruncate(fd, size)
        self._did("cut", self._open[fd], size)

    def fsync(self, fd):
        self._begin()
        # Nothing need reach the medium: no plug is pulled here but the played one.
        what = self._open[fd]
        kind = "a file" if type(what) is int else what
        self.syncs.add((_caller(), kind))
        self._did("sync" if (_caller(), kind) != self._skipped else "nothing", what)

    fdatasync = fsync

    def replace(self, source, target):
        self._begin()
        os.replace(source, target)
        source, target = self._relative(source), self._relative(target)
        self._names[target] = self._names.pop(source)
        self._did("rename", source, target, self._names[target])

    def unlink(self, path):
        self._begin()
        os.unlink(path)
        self._names.pop(self._relative(path), None)
        self._did("unlink", self._relative(path))

    def mkdir(self, path, mode=0o777):
        self._begin()
        os.mkdir(path, mode)
        self._did("mkdir", self._relative(path))


def _caller():
    """'module.function' that asked for an operation, as far out as it is somebody's decision."""
    frame = sys._getframe(1)
    while True:
        module = os.path.basename(frame.f_code.co_filename)[:-len(".py")]
        name = frame.f_code.co_name
        if module not in _ON_THE_WAY and (module, name) not in (("journal", "sync"), ("store", "sync")):
            return "%s.%s" % (module, name)
        frame = frame.f_back


class _File:
    """durable: what was synced; since: what was done to it after that."""

    def __init__(self, content=b""):
        self.durable = content
        self.since = []

    def sync(self):
        self.durable = _done(self.durable, self.since)
        self.since = []

    def may_be(self):
        """Every content that it may have: first with nothing of what was done since, last with all of it."""
        size = len(_done(self.durable, self.since))
        found = []
        for number in range(len(self.since) + 1):
            if 0 < number < len(self.since) - _LAST:
                continue
            content = _done(self.durable, self.since[:number])
            found.append(content)
            if number < len(self.since) and self.since[number][0] == "write":
                found += [_done(content, [part]) for part in _parts(self.since[number])]
        filled = [content.ljust(size, b"\0") for content in found if len(content) < size]
        return list(dict.fromkeys(found[:-1] + filled + found[-1:]))


def _parts(write):
    _, start, data = write
    border = PAGE - start % PAGE
    return [("write", start, data[:length]) for length in sorted({1, border, len(data) // 2, len(data) - 1})
            if 0 < length < len(data)]


def _done(content, operations):
    for kind, place, *data in operations:
        if kind == "cut":
            content = content[:place].ljust(place, b"\0")
        else:
            content = content[:place].ljust(place, b"\0") + data[0] + content[place + len(data[0]):]
    return content


class _Directory:
    """durable: {name: number of the file, or a path of a directory}; since: changes of some names each, by number."""

    def __init__(self, names=()):
        self.durable = dict(names)
        self.since = []

    def sync(self):
        for _, changes in self.since:
            _give(self.durable, changes)
        self.since = []


def _give(names, changes):
    for name, what in changes.items():
        if what is None:
            names.pop(name, None)
        else:
            names[name] = what


class Disk:
    """A directory '.' and all below it."""

    def __init__(self, tree=(), numbers=None):
        """tree: what is there already, for good: {path: content}, None for a directory; numbers: of its files."""
        self.directories = {".": _Directory()}
        self.files = {}
        self._changes = itertools.count()
        for path, content in sorted(dict(tree).items()):
            if content is None:
                self.directories[path] = _Directory()
                self._parent(path).durable[os.path.basename(path)] = path
            else:
                self.files[numbers[path]] = _File(content)
                self._parent(path).durable[os.path.basename(path)] = numbers[path]

    def _parent(self, path):
        return self.directories[os.path.dirname(path) or "."]

    def do(self, kind, *what):
        """Take in an operation of a Recorder."""
        getattr(self, "_" + kind)(*what)

    def _name(self, path, what, number):
        self._parent(path).since.append((number, {os.path.basename(path): what}))

    def _create(self, path, file):
        self.files[file] = _File()
        self._name(path, file, next(self._changes))

    def _write(self, file, start, data):
        self.files[file].since.append(("write", start, data))

    def _cut(self, file, size):
        self.files[file].since.append(("cut", size))

    def _nothing(self, what):
        """A sync that is left out."""

    def _sync(self, what):
        (self.files if what in self.files else self.directories)[what].sync()

    def _rename(self, source, target, file):
        number = next(self._changes)
        if os.path.dirname(source) == os.path.dirname(target):
            self._parent(source).since.append((number, {os.path.basename(source): None, os.path.basename(target): file}))
        else:
            self._name(source, None, number)
            self._name(target, file, number)

    def _unlink(self, path):
        self._name(path, None, next(self._changes))

    def _mkdir(self, path):
        self.directories[path] = _Directory()
        self._name(path, path, next(self._changes))

    def states(self):
        """Yields every tree that a power cut may leave now: {path: content}, None for a directory; the harshest first."""
        for names, is_extreme in self._names_may_be():
            files = [file for file in names.values() if file in self.files]
            for contents in self._contents_may_be(files, is_extreme):
                yield {path: contents.get(what) for path, what in names.items()}

    def harshest(self):
        """The tree where nothing is there that was not synced."""
        return next(self.states())

    def _contents_may_be(self, files, each_in_its_ways):
        """All in the harshest way, all in the mildest; and each file in all of its own beside the others in these two."""
        ways = {file: self.files[file].may_be() for file in files}
        for place in (0, -1):
            rest = {file: ways[file][place] for file in files}
            yield rest
            for file in files if each_in_its_ways else ():
                for way in ways[file]:
                    if way is not rest[file]:
                        yield {**rest, file: way}

    def _names_may_be(self):
        """(names, whether all directories are in their harshest way or all in their mildest); and each in its own."""
        lengths = {path: len(directory.since) for path, directory in self.directories.items()}
        for rest in (dict.fromkeys(lengths, 0), lengths):
            yield self._named(rest), True
            for path in lengths:
                for kept in range(lengths[path] + 1):
                    if kept != rest[path]:
                        yield self._named({**rest, path: kept}), False

    def _named(self, kept):
        """{path: file's number, or a directory's path} where of each directory's changes so many are kept."""
        done = {number for path, count in kept.items() for number, _ in self.directories[path].since[:count]}
        both = self._in_two_directories()
        found = {}
        for path, directory in sorted(self.directories.items()):
            if path != "." and found.get(path) != path:
                continue
            names = dict(directory.durable)
            for place, (number, changes) in enumerate(directory.since):
                if place < kept[path] or number in done and number in both:
                    _give(names, changes)
            found.update((os.path.normpath(os.path.join(path, name)), what) for name, what in names.items())
        return found

    def _in_two_directories(self):
        numbers = [number for directory in self.directories.values() for number, _ in directory.since]
        return {number for number in numbers if numbers.count(number) > 1}


def identity(tree):
    """A number that tells a tree from others."""
    return hash(frozenset(tree.items()))


def put(tree, root):
    """Make a tree in an empty directory."""
    for path, content in sorted(tree.items()):
        place = os.path.join(root, path)
        if content is None:
            os.mkdir(place, 0o700)
        else:
            with open(place, "wb") as file:
                file.write(content)
