"""The shape of the library: who may import whom, what it may use, how large anything may be."""

import ast
import os
import re
import sys

import pytest

import support

LAYERS = ["words", "job", "store", "work", "faces"]
LIBRARY = os.path.join(support.ROOT, "queuectl_lib")
LONGEST_FILE = 300
LONGEST_FUNCTION = 60
# A bound to notice growth by: raising it wants a reason in the commit that does.
# The store's checkup and its repair took 1,100, full and failing disks, and foreign and planted files 600,
# lists that begin anywhere in a million jobs (seek.py, paging.py) and the dashboard's token 140,
# lines that a stream refused, and the ids of a whole group looked up at once 100.
MOST_STORE_CODE = 6350
# With them, with what doctor tries, finds and clears up (750), and Windows (430), the whole came to 14,950;
# parts of outputs, and what the command line and the API have in common of changing jobs, took 110,
# `up`, and what a supervisor has beside its workers 100,
# workers that leave, a store that was made by mistake, and a proxy's name 60,
# lines that are enqueued as they arrive 500, processes of other containers 100,
# what --version tells, and what goes on when the file is replaced 40,
# what strangers stumbled over (times of day, options that became a part of the command, moments on the reader's own clock, `purge ID`) 120,
# what a walk through the README stumbled over (armed queues, a store that was meant, files left open, workers that leave) 40.
MOST_CODE = 16260


def modules():
    """{path relative to queuectl_lib: source}"""
    found = {}
    for folder, _, names in os.walk(LIBRARY):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    found[os.path.relpath(path, LIBRARY).replace(os.sep, "/")] = file.read()
    return found


MODULES = modules()


def layer_of(path):
    """Modules outside the five folders are the outermost: they start the program."""
    top = path.split("/")[0]
    return LAYERS.index(top) if top in LAYERS else len(LAYERS)


def imports_of(source, package):
    """Every imported dotted name, those inside functions too; relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[:len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join(base + ([node.module] if node.module else []))
            for alias in node.names:
                yield module + "." + alias.name


def package_of(path):
    return ".".join(["queuectl_lib"] + path.split("/")[:-1])


def all_imports():
    """(path, dotted name) of everything any module imports."""
    for path, source in sorted(MODULES.items()):
        for name in imports_of(source, package_of(path)):
            yield path, name


def definitions():
    """(path, node) of every function."""
    for path, source in sorted(MODULES.items()):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield path, node


def test_the_drawing_of_the_layers_names_every_module():
    with open(os.path.join(LIBRARY, "DESIGN.md"), encoding="utf-8") as file:
        drawn = set(re.findall(r"\w+", file.read().split("```")[1]))
    # Of the commands it says that each has a file.
    names = [os.path.splitext(path)[0] for path in MODULES if "/" in path and not path.startswith("faces/cli/")]
    assert [name for name in names if os.path.basename(name) not in drawn | {"__init__"}] == []


def test_imports_go_only_down():
    upward = []
    for path, name in all_imports():
        parts = name.split(".")
        if parts[0] == "queuectl_lib" and len(parts) > 1 and parts[1] in LAYERS:
            if LAYERS.index(parts[1]) > layer_of(path):
                upward.append((path, name))
    assert upward == []


def test_what_the_faces_have_in_common_lies_beside_them_and_not_in_one():
    """faces/cli may import faces/web, since commands start the server; else nobody imports from either but they themselves."""
    found = []
    for path, name in all_imports():
        for face, starters in (("cli", ()), ("web", ("faces/cli/dashboard.py", "faces/cli/up.py"))):
            if path.startswith("faces/") and not path.startswith("faces/%s/" % face) and path not in starters:
                found += [(path, name)] * ("%s.faces.%s" % ("queuectl_lib", face) in (name, name.rpartition(".")[0])
                                           or name.startswith("queuectl_lib.faces.%s." % face))
    assert found == []


@pytest.mark.skipif(sys.version_info < (3, 10), reason="sys.stdlib_module_names")
def test_only_the_standard_library_is_used():
    allowed = set(sys.stdlib_module_names) | {"queuectl_lib"}
    assert [(path, name) for path, name in all_imports() if name.split(".")[0] not in allowed] == []


def test_modules_do_not_import_each_other_in_circles():
    graph = {}
    for path, source in MODULES.items():
        name = "queuectl_lib." + path[:-3].replace("/", ".")
        wanted = set(imports_of(source, package_of(path)))
        graph[name] = wanted | {one.rpartition(".")[0] for one in wanted}
    done = set()

    def visit(name, trail):
        assert name not in trail, "in a circle: %s" % " > ".join(trail + [name])
        if name not in done:
            for other in sorted(graph[name] & set(graph) - {name}):
                visit(other, trail + [name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_every_modules_first_line_says_what_it_holds():
    assert [path for path, source in MODULES.items() if not (ast.get_docstring(ast.parse(source)) or "").strip()] == []


def test_no_file_is_too_long_to_read():
    assert [path for path, source in MODULES.items() if source.count("\n") > LONGEST_FILE] == []


def test_no_function_is_too_long_to_read():
    assert ["%s: %s" % (path, node.name) for path, node in definitions()
            if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION] == []


def test_every_supported_python_can_read_it():
    for path, source in MODULES.items():
        ast.parse(source, path, feature_version=(3, 8))


def test_no_module_knows_a_machine():
    places = ["/%s/" % name for name in ("work", "root", "home", "Users")]
    assert [path for path, source in MODULES.items() if any(place in source for place in places)] == []


def code_lines(source):
    """How many lines hold code: blank lines, comments and docstrings say why, and are not what grows."""
    spoken = set()
    for node in ast.walk(ast.parse(source)):
        first = getattr(node, "body", None)
        first = first[0] if isinstance(first, list) and first else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            spoken.update(range(first.lineno, first.end_lineno + 1))
    return sum(1 for number, line in enumerate(source.split("\n"), 1)
               if line.strip() and not line.strip().startswith("#") and number not in spoken)


def test_the_library_is_small_enough_to_be_read_first():
    sizes = {path: code_lines(source) for path, source in MODULES.items() if "/web/" not in path}
    assert sum(size for path, size in sizes.items() if path.startswith("store/")) < MOST_STORE_CODE
    assert sum(sizes.values()) < MOST_CODE


def test_the_launcher_can_be_read_by_the_oldest_pythons():
    with open(support.LAUNCHER) as file:
        source = file.read()
    tree = ast.parse(source)
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr))]
    assert source.isascii()


def test_files_of_the_store_are_changed_by_one_module_alone():
    changing = ("write", "pwrite", "ftruncate", "truncate", "replace", "rename", "unlink", "remove", "mkdir", "fsync")
    found = []
    for path, source in MODULES.items():
        if path.startswith("store/") and path != "store/disk.py":
            found += [(path, name) for name in changing if re.search(r"\bos\.%s\b" % name, source)]
    assert found == []


def test_nothing_else_lies_at_the_top():
    agreed = {"queuectl.py", "queuectl_lib", "tests", "Makefile", "README.md", "LICENSE", "dist", "__pycache__"}
    there = {name for name in os.listdir(support.ROOT) if not name.startswith(".")}
    assert there <= agreed
