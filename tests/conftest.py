"""Makes the library and the test vocabulary importable, and gives every test its queue."""

import os
import signal
import sys
import threading

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for place in (HERE, os.path.dirname(HERE)):
    if place not in sys.path:
        sys.path.insert(0, place)

import support  # noqa: E402


# Under nohup, and behind the & of a script, all that tests start would ignore these, too: a handler is not inherited.
for name in ("SIGHUP", "SIGINT", "SIGQUIT"):
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        signal.signal(getattr(signal, name), lambda number, frame: None)


def pytest_generate_tests(metafunc):
    """The short tests run on both forms of the program, the others on the source tree; or all on those that are asked for."""
    if "form" in metafunc.fixturenames:
        short = metafunc.definition.get_closest_marker("short")
        metafunc.parametrize("form", support.ASKED_FORMS or (support.FORMS if short else support.FORMS[:1]))


@pytest.fixture
def form():
    """Which form of the program a test drives; set by pytest_generate_tests."""
    return (support.ASKED_FORMS or support.FORMS)[0]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """What one test leaves running takes the signals that another one waits for."""
    yield
    support.wait_until(lambda: threading.active_count() == 1, "every thread has ended")


@pytest.fixture(scope="session")
def one_file(tmp_path_factory):
    """The one-file version, built once, or the one that is to be released (tests/release)."""
    if "QUEUECTL_TEST_ONE_FILE" in os.environ:
        return os.environ["QUEUECTL_TEST_ONE_FILE"]
    path = str(tmp_path_factory.mktemp("one-file") / "queuectl.py")
    support.build_one_file(path)
    return path


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory):
    """Where the source tree's bytecode is kept, so that not every start compiles it again."""
    return str(tmp_path_factory.mktemp("bytecode"))


@pytest.fixture
def program(form, bytecode, request):
    path = request.getfixturevalue("one_file") if form == "onefile" else support.LAUNCHER
    return support.Program(support.PYTHON, path, bytecode)


@pytest.fixture
def queue(program, tmp_path):
    """An empty directory to work in, and the program; nothing may still run when the test is over."""
    here = support.Queue(program, str(tmp_path))
    yield here
    here.close()
