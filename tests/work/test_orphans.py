"""A worker knows by one call whether its commands left anything behind."""

import os
import subprocess
import sys

import pytest

from support import ROOT, wait_until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="orphans come to their worker on Linux")

# In a process of its own: orphans would come to the tests' process for good.
WATCHER = """if True:
    import os, sys
    sys.path.insert(0, %r)
    from queuectl_lib.work import orphans
    one = orphans.Orphans()
    def run(command):
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", command], os.environ), 0)
    def until(condition):
        while not condition():
            pass
    %s
"""


def watched(code):
    done = subprocess.run([sys.executable, "-S", "-c", WATCHER % (ROOT, code.replace("\n", "\n    "))], timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert done.returncode == 0
    return done.stdout.decode().split()


def test_after_a_command_that_left_nothing_there_is_none():
    assert watched("run('true')\nprint(one.none())") == ["True"]


@pytest.mark.parametrize("left", ["sleep 60 >/dev/null 2>&1 &", "setsid sleep 60 >/dev/null 2>&1 &",
                                  "(setsid sh -c 'sleep 60 & wait' >/dev/null 2>&1 &)"])
def test_what_hid_from_its_command_is_seen(left):
    found = watched("run(%r)\nprint(one.none(), one.none())\n"
                    "until(lambda: os.system('pkill -P %%d' %% os.getpid()) is not None and one.none())\n"
                    "print('over')" % (left + "\n:"))
    assert found == ["False", "False", "over"]


def test_an_orphan_that_ended_is_reaped():
    code = ("run('sleep 0.01 & :')\n"
            "until(one.none)\n"
            "print(os.popen('ps -o stat= --ppid %d | grep -c Z' % os.getpid()).read())")
    assert watched(code) == ["0"]


EXPECTED = """
pid = os.posix_spawn("/bin/sh", ["sh", "-c", "read word; exit 3"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0)])
one.expect(pid)
"""


def test_a_child_that_is_expected_is_no_orphan_and_its_end_is_kept_for_who_asks():
    code = ("reader, writer = os.pipe()\n" + EXPECTED.strip() + "\nos.close(reader)\n"
            "run('true')\nprint(one.none(), one.ended(pid))\n"
            "os.close(writer)\nuntil(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))\n"
            "print(one.none(), os.WEXITSTATUS(one.ended(pid)), one.none())")
    assert watched(code) == ["True", "None", "True", "3", "True"]


def test_beside_one_that_is_expected_an_orphan_is_seen():
    code = ("reader, writer = os.pipe()\n" + EXPECTED.strip() + "\n"
            "run('sleep 60 >/dev/null 2>&1 &')\nprint(one.none())\n"
            "until(lambda: os.system('pkill sleep -P %d' % os.getpid()) is not None and one.none())\n"
            "print(one.ended(pid))\nos.close(writer)\nos.close(reader)\n"
            "until(lambda: one.ended(pid) is not None)\nprint('over')")
    assert watched(code) == ["False", "None", "over"]


def test_where_the_system_does_not_list_children_an_expected_one_counts_as_an_orphan():
    code = ("orphans._children = lambda: {0}\nreader, writer = os.pipe()\n" + EXPECTED.strip() + "\n"
            "print(one.none())\nos.close(writer)\nuntil(lambda: one.ended(pid) is not None)\nprint(one.none())")
    assert watched(code) == ["False", "True"]


def test_where_they_do_not_come_nobody_is_told_that_there_is_none():
    assert watched("orphans._adopt = lambda: False\nprint(orphans.Orphans().none())") == ["False"]


def test_a_left_over_child_that_writes_on_spoils_no_later_jobs_output(queue):
    queue.enqueue("--id", "leaver", "(sleep 0.5; echo late) & echo early")
    queue.enqueue("--id", "next", "sleep 1; echo mine")
    queue.work(count=1)
    assert queue.run("logs", "leaver").out == "early\n"
    assert queue.run("logs", "next").out == "mine\n"


def test_a_left_over_child_that_ends_while_its_worker_is_idle_does_not_stay_a_zombie(queue):
    queue.start_workers()
    queue.enqueue("sleep 0.3 & echo $! > child")
    child = int(queue.wait_for_file("child"))
    wait_until(lambda: not os.path.exists("/proc/%d" % child), "the child was reaped")
