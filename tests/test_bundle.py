"""The one-file version and the launcher: same bytes every time, and at work wherever it is put."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest

import support
from support import LAUNCHER, PYTHON, ROOT


def run(*words, cwd=None, env=None, code=0):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=cwd, env=env)
    assert done.returncode == code, done.stderr.decode()
    return support.Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def digest(path):
    with open(str(path), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def other_pythons():
    """Interpreters of other versions that really run here."""
    top = os.path.join(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")), "versions")
    for name in sorted(os.listdir(top)) if os.path.isdir(top) else ():
        path = os.path.join(top, name, "bin", "python")
        if os.path.exists(path):
            yield name, path


def old_pythons():
    return [path for name, path in other_pythons() if name.startswith(("2.7", "3.6", "3.7"))]


AROUND = {
    "another hash": dict(PYTHONHASHSEED="7"), "another place and language": dict(TZ="Asia/Tokyo", LANG="de_DE.UTF-8", LC_ALL="C"),
    "no places in code": dict(PYTHONNODEBUGRANGES="1"), "no docstrings": dict(PYTHONOPTIMIZE="2"), "no site": dict(PYTHONNOUSERSITE="1")}


@pytest.mark.parametrize("around", AROUND.values(), ids=list(AROUND))
def test_two_builds_are_the_same_bytes(one_file, tmp_path, around):
    again = tmp_path / "again.py"
    run(sys.executable, LAUNCHER, "bundle", again, env=dict(os.environ, **around))
    assert digest(again) == digest(one_file)


def test_a_build_from_another_copy_of_the_tree_is_the_same(one_file, tmp_path):
    """In another folder, with other times and modes."""
    tree = tmp_path / "an other tree"
    shutil.copytree(os.path.join(ROOT, "queuectl_lib"), str(tree / "queuectl_lib"), ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(LAUNCHER, str(tree))
    for folder, _, names in os.walk(str(tree)):
        for name in names:
            os.chmod(os.path.join(folder, name), 0o600)
            os.utime(os.path.join(folder, name), (1e9, 1e9))
    run(sys.executable, "-S", tree / "queuectl.py", "bundle", tmp_path / "again.py")
    assert digest(tmp_path / "again.py") == digest(one_file)


def test_nothing_in_it_depends_on_a_zlib(one_file):
    with zipfile.ZipFile(one_file) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_make_dist_writes_a_checksum_beside_it(one_file, tmp_path):
    for name in ("Makefile", "queuectl.py", "queuectl_lib"):
        os.symlink(os.path.join(ROOT, name), str(tmp_path / name))
    run("make", "-s", "dist", "PYTHON=%s -S" % sys.executable, cwd=str(tmp_path))
    run("sha256sum", "-c", "queuectl.py.sha256", cwd=str(tmp_path / "dist"))
    assert (tmp_path / "dist" / "queuectl.py.sha256").read_text() == "%s  queuectl.py\n" % digest(one_file)


def test_what_was_built_by_another_python_starts_as_fast_once_it_has_written_itself_anew(one_file, tmp_path):
    others = [path for name, path in other_pythons() if name.startswith(("3.8", "3.9", "3.1"))
              and not name.startswith("%d.%d." % sys.version_info[:2])]
    if not others:
        pytest.skip("only one Python here")
    mine = tmp_path / "queuectl.py"
    shutil.copy(one_file, str(mine))
    assert "another version's bytecode" in run(others[0], mine, "--version").out
    run(others[0], mine, "bundle", mine)
    assert "another version's bytecode" not in run(others[0], mine, "--version").out


def test_the_one_file_writes_itself_again(one_file, tmp_path):
    again = tmp_path / "again.py"
    run(sys.executable, "-S", one_file, "bundle", again)
    assert digest(again) == digest(one_file)


def test_it_is_executable_and_says_what_it_is(one_file):
    assert stat.S_IMODE(os.stat(one_file).st_mode) == 0o755
    with open(one_file, "rb") as file:
        lines = [file.readline().decode() for _ in range(4)]
    assert lines[0] == "#!/usr/bin/env python3\n"
    assert "queuectl" in lines[1] and "zip" in lines[2] and "zipfile" in lines[3]


def test_it_holds_every_source_once_with_its_bytecode_and_nothing_else(one_file):
    with zipfile.ZipFile(one_file) as archive:
        names = archive.namelist()
        sources = [name for name in names if name.endswith(".py")]
        assert sorted(names) == names and len(set(names)) == len(names)
        assert {name + "c" for name in sources} == {name for name in names if name.endswith(".pyc")}
        assert not [name for name in names if "__pycache__" in name or "test" in name]
        for name in sources:
            source = LAUNCHER if name == "__main__.py" else os.path.join(ROOT, name)
            with open(source, "rb") as file:
                assert archive.read(name) == file.read()


def test_the_bytecode_in_it_is_what_runs(one_file):
    """Else every start would compile the program: 20 to 50 ms that nobody would notice missing."""
    code = ("import sys; sys.path.insert(0, %r); import queuectl_lib.words.clock as clock; print(clock.__file__)"
            % one_file)
    assert run(sys.executable, "-S", "-c", code).out.strip().endswith("clock.pyc")


def test_another_python_builds_its_own_bytecode_from_it(one_file, tmp_path):
    others = [path for name, path in other_pythons() if name.startswith(("3.8", "3.9", "3.1"))
              and not name.startswith("%d.%d" % sys.version_info[:2])]
    if not others:
        pytest.skip("only one Python here")
    rebuilt = tmp_path / "queuectl.py"
    run(others[0], "-S", one_file, "bundle", rebuilt)
    with zipfile.ZipFile(one_file) as first, zipfile.ZipFile(str(rebuilt)) as second:
        assert first.namelist() == second.namelist()
        assert first.read("__main__.py") == second.read("__main__.py")
        assert first.read("__main__.pyc")[:4] != second.read("__main__.pyc")[:4]


@pytest.mark.short
def test_it_runs_from_anywhere_however_it_is_called(program, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(program.path)
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    near, name = os.path.split(program.path)
    for words, cwd in (([PYTHON, program.path], elsewhere), ([PYTHON, name], near),
                       ([PYTHON, "-S", "-E", program.path], elsewhere), ([PYTHON, "-I", program.path], elsewhere),
                       ([PYTHON, link], elsewhere), ([PYTHON, "-I", link], elsewhere),
                       ([PYTHON, "../link"], elsewhere), ([program.path], elsewhere)):
        assert run(*words, "--version", cwd=str(cwd)).out.startswith("queuectl ")


@pytest.mark.short
def test_a_relative_start_survives_its_jobs_directories(queue):
    """Python 3.8 keeps the relative path it was started with; the folder it meant must not get lost."""
    queue.program.words[-1] = os.path.relpath(queue.program.path, queue.directory)
    os.mkdir(queue.path("deeper"))
    id = queue.enqueue("--cwd", "deeper", "pwd")
    queue.work()
    assert queue.job(id)["stdout"].strip() == os.path.realpath(queue.path("deeper"))


def test_python_m_runs_the_tree(tmp_path):
    env = dict(os.environ, PYTHONPATH=ROOT)
    assert run(PYTHON, "-m", "queuectl_lib", "--version", cwd=str(tmp_path), env=env).out.startswith("queuectl ")


def test_the_launcher_without_its_library_says_what_to_do(tmp_path):
    shutil.copy(LAUNCHER, str(tmp_path))
    err = run(PYTHON, "-S", "queuectl.py", "status", cwd=str(tmp_path), code=2).err
    assert err.startswith("queuectl: ") and err.count("\n") == 1
    assert "queuectl_lib" in err and "make dist" in err


@pytest.mark.short
def test_an_old_python_gets_one_line(program):
    if not old_pythons():
        pytest.skip("no old Python here")
    for python in old_pythons():
        err = run(python, program.path, "status", code=2).err
        assert err.startswith("queuectl: Python 3.8 or newer is needed") and err.count("\n") == 1


@pytest.mark.parametrize("target, complaint", [
    ("", "is a folder"), ("no/such/folder/queuectl.py", "cannot write"), (LAUNCHER, "launcher of the source tree")])
def test_a_target_that_cannot_be_written_is_one_clear_line(tmp_path, target, complaint):
    done = subprocess.run([sys.executable, "-S", LAUNCHER, "bundle", os.path.join(str(tmp_path), target)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    err = done.stderr.decode()
    assert done.returncode in (1, 2) and complaint in err and err.count("\n") == 1
    assert os.listdir(str(tmp_path)) == []


def test_make_install_puts_it_into_bin(tmp_path):
    run("make", "-s", "install", "PREFIX=%s" % tmp_path, "PYTHON=%s -S" % sys.executable, cwd=ROOT)
    assert os.listdir(str(tmp_path / "bin")) == ["queuectl"]
    assert os.listdir(str(tmp_path / "share" / "man" / "man1")) == ["queuectl.1"]
    assert run(tmp_path / "bin" / "queuectl", "--version").out.startswith("queuectl ")


def test_bare_make_prints_its_targets():
    out = run("make", cwd=ROOT).out
    for target in ("demo", "test", "dist", "install", "bench", "clean"):
        assert "make " + target in out


def test_a_file_replaced_under_running_workers_harms_none(one_file, tmp_path):
    mine = tmp_path / "queuectl.py"
    shutil.copy(str(one_file), str(mine))
    with open(str(tmp_path / "said"), "w") as said:
        start = subprocess.Popen([sys.executable, "-S", str(mine), "worker", "start"], cwd=str(tmp_path),
                                 stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
    try:
        support.wait_until(lambda: (tmp_path / ".queuectl" / "workers" / "1.lock").exists(), "a worker")
        # What a half-written copy leaves: nothing can be imported from it any more.
        (tmp_path / "new").write_bytes(b"not a zip")
        os.replace(str(tmp_path / "new"), str(mine))
        run(sys.executable, "-S", one_file, "enqueue", "--id", "a", "sleep 0.3", cwd=str(tmp_path))
        run(sys.executable, "-S", one_file, "enqueue", "--id", "b", "--max-retries", "0", "exit 3", cwd=str(tmp_path))
        support.wait_until(lambda: "dead b" in (tmp_path / "said").read_text(), "both jobs to run")
        run(sys.executable, "-S", one_file, "enqueue", "--id", "c", "sleep 0.5", cwd=str(tmp_path))
        support.wait_until(lambda: "started c" in (tmp_path / "said").read_text(), "a job to be running")
    finally:
        start.send_signal(2)
        code = start.wait()
    text = (tmp_path / "said").read_text()
    assert code == 0 and "finishing 1 running job" in text and "Traceback" not in text, text
