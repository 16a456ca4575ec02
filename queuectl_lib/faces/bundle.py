"""The one-file version: a zip named queuectl.py that any supported Python runs as it is.

It holds the sources, so that every Python can run it and anybody can read it,
and beside each the bytecode of the Python that built it: without that, every
start would compile the whole program, which takes twice as long as the rest of
an enqueue. Another Python passes over the bytecode; there the file can write
itself anew. Rejected: bytecode for every Python. Each would add 2 MB, and its
entries to a directory that Python reads at every start.

The same sources and the same version of Python (3.11, whichever 3.11) give the
same bytes, on whatever machine and from whatever checkout. So nothing is
compressed either: no two zlibs have to agree.
"""

import hashlib
import io
import marshal
import os
import subprocess
import sys
import zipfile

import queuectl_lib
from queuectl_lib.words import program
from queuectl_lib.words.errors import BadInput, NotDone

HEADER = """\
#!/usr/bin/env python3
# queuectl {version}: a background job queue in one file. To begin: python3 queuectl.py --help
# This is a zip archive with a few lines before it, and bytecode for Python {python}. To read the program:
#   python3 -m zipfile -e queuectl.py queuectl-source
"""
ENTRY = "__main__.py"
PACKAGE = "queuectl_lib"
SUFFIXES = (".py", ".md", ".html", ".css", ".js", ".svg")
FIXED_DATE = (2000, 1, 1, 0, 0, 0)

# Runs in a Python of its own: marshal writes a reference where it sees that an
# object is shared with the rest of the process, and sets of constants come in
# the order of a random hash, so in this process no two builds would be alike.
# "Unchecked hash" bytecode (flag 1) is the kind that no time stamp can outdate.
COMPILER = """\
import importlib.util, marshal, sys
compiled = {}
for name, source in marshal.loads(sys.stdin.buffer.read()):
    code = compile(source, "queuectl.py/" + name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    compiled[name] = head + marshal.dumps(code)
sys.stdout.buffer.write(marshal.dumps(compiled))
"""


def write(path):
    """Write the one-file version to `path` and return its bytes; what was there is replaced in one step."""
    _check_target(path)
    content = build(sources())
    temporary = "%s.%d.tmp" % (path, os.getpid())
    try:
        _write_executable(temporary, content)
        os.replace(temporary, path)
    except OSError as error:
        _forget(temporary)
        raise NotDone("cannot write %s: %s" % (path, error.strerror))
    return content


def sources():
    """[(name, bytes)] of everything the program consists of, sorted; from the tree or from the one file."""
    if program.is_one_file():
        return _sources_of_archive(program.home())
    return _sources_of_tree(program.home())


def digest(files):
    """Of these sources, in short: two programs that have the same one are the same, whoever built them."""
    found = hashlib.sha256()
    for name, data in files:
        found.update(b"%s %d\n" % (name.encode("utf-8"), len(data)))
        found.update(data)
    return found.hexdigest()[:12]


def build(files):
    """The bytes of the one-file version of these files."""
    out = io.BytesIO()
    python = "%d.%d" % sys.version_info[:2]
    out.write(HEADER.format(version=queuectl_lib.__version__, python=python).encode("ascii"))
    bytecode = _compile([(name, data) for name, data in files if name.endswith(".py")])
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files:
            _add(archive, name, data)
            if name in bytecode:
                _add(archive, name + "c", bytecode[name])
    return out.getvalue()


def _check_target(path):
    if os.path.isdir(path):
        raise BadInput("%s is a folder: name the file to write, such as %s"
                       % (path, os.path.join(path, program.LAUNCHER)))
    if not program.is_one_file() and os.path.realpath(path) == os.path.realpath(program.path()):
        raise BadInput("%s is the launcher of the source tree: name another place, such as dist/%s"
                       % (path, program.LAUNCHER))


def _sources_of_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(SUFFIXES))
            return [(name, archive.read(name)) for name in names]
    except zipfile.BadZipFile as error:
        raise NotDone("%s is damaged, copy it anew: %s" % (path, error))


def _sources_of_tree(root):
    files = [(ENTRY, _read(os.path.join(root, program.LAUNCHER)))]
    for folder, folders, names in os.walk(os.path.join(root, PACKAGE)):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        for name in names:
            if name.endswith(SUFFIXES) and not name.startswith("."):
                full = os.path.join(folder, name)
                files.append((os.path.relpath(full, root).replace(os.sep, "/"), _read(full)))
    return sorted(files)


def _compile(files):
    # Some of Python's own variables change what it compiles.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONHASHSEED"] = "0"
    done = subprocess.run([sys.executable, "-S", "-c", COMPILER], input=marshal.dumps(files),
                          stdout=subprocess.PIPE, env=environment, check=True)
    return marshal.loads(done.stdout)


def _add(archive, name, data):
    entry = zipfile.ZipInfo(name, FIXED_DATE)
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    # Not compressed: unpacking the bytecode would be a third of what one file costs an enqueue more.
    entry.compress_type = zipfile.ZIP_STORED
    archive.writestr(entry, data)


def _write_executable(path, content):
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        # By its descriptor: in a folder of others the name may be another file's by now.
        os.chmod(file.fileno() if os.chmod in os.supports_fd else path, 0o755)


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _forget(path):
    try:
        os.unlink(path)
    except OSError:
        pass
