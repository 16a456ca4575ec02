"""The backup of README.md, made while everything works: what was acknowledged is in it, and it can be restored."""

import os
import re
import subprocess
import sys
import tarfile
import threading

import pytest

import readme
import support
from queuectl_lib.store import roll
from queuectl_lib.store import store as stores
from recipes import programs
from support import wait_until

pytestmark = programs.needs("flock", "tar", "gzip")

SECTION = "Backup"
# More than a journal takes: a batch that becomes a file of its own.
MANY = 1500
# Has a big batch join, and tries to have the journal rolled, once, while tar is at it.
MEANWHILE = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from queuectl_lib.store import roll, store
here = store.open_store(sys.argv[2])
subprocess.run(sys.argv[3:], input=b'{"command": "true"}\\n' * %d, stdout=subprocess.DEVNULL, check=True)
print("rolled" if roll.roll(here, needless=True) else "not rolled", flush=True)
""" % MANY


@pytest.fixture
def backup(queue):
    """make(variables): runs the documented script; the archive's path. make.said: what it printed."""
    target = os.path.join(queue.top, "backup")
    os.mkdir(target)
    [script] = [block.text for block in readme.blocks("shell", SECTION) if "backup.sh" in block.text]
    path = queue.write("backup.sh", readme.put(readme.put(script, "cd /srv/app", "cd " + queue.directory), "/backup/", target + "/"))
    os.chmod(path, 0o755)

    def make(**env):
        done = subprocess.run([path], env=dict(queue.environment, **env), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        make.said = done.stdout.decode()
        assert done.returncode == 0, make.said
        [name] = os.listdir(target)
        assert re.fullmatch(r"queuectl-\d{4}-\d\d-\d\d\.tgz", name)
        return os.path.join(target, name)

    return make


def restore(queue, archive, name):
    """As it is documented, in another directory; its Queue, and what doctor said there."""
    there = support.Queue(queue.program, os.path.join(queue.top, name))
    [block] = [block.text for block in readme.blocks("shell", SECTION) if "doctor" in block.text]
    block = re.sub(r"/backup/queuectl-[-\d]+\.tgz", archive, block)
    block = readme.put(block, "python3 /usr/local/lib/queuectl.py", " ".join(queue.program.words))
    done = subprocess.run(["/bin/sh", "-c", block], cwd=there.directory, env=there.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return there, done.returncode, done.stdout.decode()


def test_the_copy_has_what_was_acknowledged_before_it_began_and_in_no_earlier_state(queue, backup):
    """With workers, batches and single jobs at full speed all the while."""
    acknowledged = []
    over = threading.Event()
    batch = '{"command": "true", "priority": 5}\n' * MANY
    # Some batches are on their way whenever a copy is made, but not so many that all is about them.
    turns = threading.Semaphore(4)
    queue.enqueue("--id", "first", "true")
    queue.run("worker", "start", "--detach", "--count", "2")

    def enqueue(*words, **options):
        acknowledged.extend(queue.run("enqueue", *words, **options).out.split())

    def singles(command):
        while not over.is_set():
            enqueue(command)

    def batches():
        while turns.acquire() and not over.is_set():
            enqueue("--file", "-", input=batch)

    busy = [threading.Thread(target=singles, args=("true",)), threading.Thread(target=singles, args=("head -c 100000 /dev/zero",)),
            threading.Thread(target=batches), threading.Thread(target=batches)]
    for each in busy:
        each.start()
    try:
        wait_until(lambda: len(acknowledged) > 3 * MANY, "much is enqueued")
        copies = []
        for number in range(3):
            for _ in range(3):
                turns.release()
            ended = {id for id, state in queue.states().items() if state == "completed"}
            before = list(acknowledged)
            copy = os.path.join(queue.top, "copy-%d.tgz" % number)
            os.rename(backup(), copy)
            assert backup.said == ""
            copies.append((before, ended, copy))
    finally:
        over.set()
        turns.release()
        turns.release()
        for each in busy:
            each.join()
    queue.run("worker", "stop", "--now")
    for number, (before, ended, copy) in enumerate(copies):
        there, code, said = restore(queue, copy, "there-%d" % number)
        states = there.states()
        assert set(before) <= set(states) and {states[id] for id in ended} == {"completed"}
        wrong = re.findall(r"^ +(?:warning|fault) +(\S.*?)  ", said, re.MULTILINE)
        assert (code, wrong) in ((0, []), (1, ["lost jobs"])), said
        there.close()


def test_a_restored_store_goes_on_with_what_ran_and_leaves_the_first_one_alone(queue, backup):
    running = queue.enqueue("echo x >> runs; while [ ! -e go ]; do sleep 0.02; done; echo over")
    queue.enqueue("--id", "last", "--after", running, "echo last")
    queue.enqueue("--id", "big", "--hold", "--env", "A=b", "head -c 300000 /dev/zero; echo y")
    queue.run("worker", "start", "--detach")
    queue.wait_for_state(running, "processing")
    there, code, said = restore(queue, backup(), "there")
    assert code == 1 and "lost jobs" in said
    assert there.job("big") == queue.job("big")
    # Beside the first store, whose worker is none of this one's.
    there.run("worker", "start", "--ensure", "--detach")
    assert len(there.read("worker", "list")) == 1 and there.pids("worker") != queue.pids("worker")
    queue.write("go", "")
    there.wait_for_state("last", "completed")
    assert there.states() == {running: "completed", "last": "completed", "big": "pending"}
    queue.wait_for_state("last", "completed")
    # Once here and once there, neither ended by the other.
    assert queue.text("runs") == "x\nx\n" and there.job(running)["attempts"] == 2 and queue.job(running)["attempts"] == 1
    there.close()


def test_a_batch_that_joins_and_a_roll_that_is_due_while_tar_reads_do_no_harm(queue, backup):
    """The worst moment there is: the journal is read, what it names is not yet."""
    queue.run("enqueue", "--file", "-", input='{"command": "true"}\n' * MANY)
    queue.run("enqueue", "--file", "-", input='{"command": "true # a line as long as many others, to make some pages of journal"}\n' * 900)
    before = set(queue.states())
    script = queue.write("meanwhile.py", MEANWHILE)
    run = queue.write("meanwhile.sh", "[ -e %s ] && exit; touch %s; exec %s %s %s %s %s\n" % (
        queue.path("done"), queue.path("done"), sys.executable, script, support.ROOT, queue.store, " ".join(queue.program.words + ["enqueue", "--file", "-"])))
    archive = backup(TAR_OPTIONS="--checkpoint=1 --checkpoint-action=exec='/bin/sh %s'" % run)
    assert backup.said == "not rolled\n" and len(queue.states()) == len(before) + MANY
    there, code, said = restore(queue, archive, "there")
    assert code == 0, said
    assert before <= set(there.states())
    there.close()


def test_flock_and_queuectl_keep_each_other_out(queue):
    queue.enqueue("true")
    store = stores.open_store(queue.store)
    held = subprocess.Popen(["flock", os.path.join(queue.store, "roll.lock"), "sh", "-c", "echo held; read go"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    assert held.stdout.readline() == b"held\n"
    assert not roll.roll(store, needless=True)
    held.communicate(b"go\n")
    assert roll.roll(store, needless=True)
    code = roll.alone(store, lambda: subprocess.call(["flock", "--nonblock", os.path.join(queue.store, "roll.lock"), "true"]))
    assert code == 1


def test_the_archive_begins_with_the_journal_and_is_its_owners_alone(queue, backup):
    queue.enqueue("true")
    queue.work()
    # Of a batch that is on its way: not acknowledged, and gone in a moment.
    queue.write(".queuectl/base/.incoming-1.jsonl", "x")
    archive = backup()
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert names[0] == "jobs.jsonl" and not [name for name in names[1:] if "jobs.jsonl" in name or "incoming" in name]
    # A copy beside its store would take that one's supervisor for its own.
    assert "./workers.pid" not in names
    assert "./base" in names and os.stat(archive).st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can restore another user's")
def test_root_restores_owner_and_modes_of_a_users_store(queue, backup):
    queue.enqueue("true")
    queue.run("config", "set", "max_retries", "5")
    # By the user at first: the script makes no file in the store that others may read.
    backup()
    assert queue.run("doctor", code=None).code == 0
    for folder, _, names in os.walk(queue.store):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            os.chown(path, 65534, 65534)
    # Made by root, it leaves no file of root's in the store.
    archive = backup()
    there, code, said = restore(queue, archive, "there")
    assert code == 3 and "not yours" in said
    assert standing(there.store) == standing(queue.store)
    assert {owner for owner, _ in standing(there.store).values()} == {65534}


def standing(store):
    """{path: (owner, mode)}"""
    found = {}
    for folder, _, names in os.walk(store):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            status = os.stat(path)
            found[os.path.relpath(path, store)] = status.st_uid, oct(status.st_mode)
    return found


def test_a_disk_that_cannot_be_written_is_an_error(queue, backup):
    queue.enqueue("true")
    os.rmdir(os.path.join(queue.top, "backup"))
    with pytest.raises(AssertionError, match="No such file"):
        backup()


def test_the_line_for_crontab_runs_the_script_by_its_path():
    [line] = readme.blocks("crontab", SECTION)
    [script] = [block.text for block in readme.blocks("shell", SECTION) if "backup.sh" in block.text]
    assert "# %s\n" % line.text.split()[5] in script
