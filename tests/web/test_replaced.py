"""The program's own file is replaced while a dashboard runs from it."""

import ast
import linecache
import os
import shutil
import subprocess
import zipfile

import pytest

from queuectl_lib.faces.web import faults
from tests.support import PYTHON, ROOT, wait_until
from tests.web.raw import Server
from tests.web.test_api_description import CALLS


def page_files():
    folder = os.path.join(ROOT, "queuectl_lib", "faces", "web", "page")
    return sorted(name for name in os.listdir(folder) if name.endswith((".js", ".css", ".svg")))


@pytest.mark.skipif(os.name != "posix", reason="a file that runs cannot be replaced")
def test_the_one_file_may_be_replaced_under_it(one_file, queue):
    """Nothing is left to be imported or read when it is asked for."""
    mine = shutil.copy(one_file, queue.path("mine.py"))
    queue.program.words = [queue.program.python, "-S", mine]
    server = Server(queue, "--port", "0")
    # What a half-written copy leaves.
    os.replace(queue.write("new", "not a zip"), mine)
    try:
        queue.program.words = [queue.program.python, "-S", one_file]
        queue.enqueue("--id", "ended", "--max-retries", "0", "exit 3")
        queue.work()
        running = queue.start_workers()
        queue.enqueue("--id", "h", "sleep 60")
        wait_until(lambda: queue.job("h")["state"] == "processing", "a job runs")
        server.posts("/api/jobs", [{"id": id, "command": "true"} for id in "abcdefgi"])
        calls = CALLS + [("GET /", "/", None), ("GET /api/throughput", "/api/throughput", None), ("HEAD /api/events", "/api/events", None),
                         ("DELETE /api/jobs/{id}", "/api/jobs/ended", None), ("GET /api/jobs", "/api/jobs?stat=x", None)]
        with server.client(server.token) as client:
            found = {(name, target): client.ask(name.split()[0], target, body).status for name, target, body in calls}
            files = {name: client.request("GET", "/static/" + name).status for name in page_files()}
        assert [each for each in found.items() if each[1] >= 500] == []
        assert set(files.values()) == {200}, files
        running.press_ctrl_c()
        running.wait_for_text("finishing 1")
        running.press_ctrl_c()
        running.wait()
    finally:
        server.stop()


def test_what_functions_import_is_there_before_it_serves():
    """In every module that a dashboard has loaded, but for what it never comes to."""
    # Of Python's own callers, of `--version` and `status --watch`, and of Windows, which does not replace a file that is open.
    never = {"work.quoting", "faces.about", "faces.screen", "work.win32", "work.job_object", "store.positioned", "store.handles"}
    done = subprocess.run([PYTHON, "-S", "-c", """if True:
        import sys
        sys.path.insert(0, %r)
        from queuectl_lib.faces.cli import dashboard, main
        from queuectl_lib.faces.web import serving
        serving.load_all()
        print("\\n".join(name for name in sys.modules if name.startswith("queuectl_lib")))
        """ % ROOT], stdout=subprocess.PIPE, check=True)
    loaded = set(done.stdout.decode().split())
    missing = set()
    for name in loaded:
        path = os.path.join(ROOT, *name.split("."))
        with open(path + ".py" if os.path.exists(path + ".py") else os.path.join(path, "__init__.py")) as file:
            tree = ast.parse(file.read())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("queuectl_lib"):
                missing.update(full for full in [node.module] + [node.module + "." + each.name for each in node.names]
                               if os.path.exists(os.path.join(ROOT, *full.split(".")) + ".py") and full not in loaded)
    assert missing <= {"queuectl_lib." + name for name in never}


def test_a_bug_is_told_where_the_source_is_of_another_version(tmp_path, monkeypatch, capsys):
    """And whoever tells it goes on: Python's own traceback fails there."""
    path = str(tmp_path / "one.py")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("buggy_part.py", "def fails():\n    raise KeyError('odd')\n")
    monkeypatch.syspath_prepend(path)
    import buggy_part
    with open(path, "wb") as file:
        file.write(b"not a zip")
    try:
        buggy_part.fails()
    except KeyError:
        linecache.clearcache()
        faults.report()
    told = capsys.readouterr().err
    assert "KeyError('odd')" in told and "line 2, in fails" in told and "EOFError" not in told
