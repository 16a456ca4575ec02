"""Bad input, and what it gets: one clear line, the right exit code, the store as it was, never a traceback."""

import os
import shutil
import signal

import pytest

import support
from support import wait_until

LONG = "x" * 200000


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, bytecode):
    """A store with a waiting, a finished and a dead job, made once and copied for each row."""
    program = support.Program(support.PYTHON, support.LAUNCHER, bytecode)
    queue = support.Queue(program, str(tmp_path_factory.mktemp("prepared")))
    queue.run("enqueue", "--id", "done", "true")
    queue.run("enqueue", "--id", "fallen", "--max-retries", "0", "false")
    queue.work(count=1)
    queue.run("enqueue", "--id", "known", "true")
    return queue.store


@pytest.fixture
def stocked(queue, prepared):
    shutil.copytree(prepared, queue.store, ignore=shutil.ignore_patterns("wake"))
    return queue


def content(queue):
    return {name: data for name, data in queue.snapshot().items() if name.endswith((".jsonl", ".json"))}


def assert_one_clear_line(result, code, words):
    assert result.code == code, result
    assert "Traceback" not in result.err
    assert result.err.startswith("queuectl: ") and result.err.endswith("\n") and result.err.count("\n") == 1, result.err
    for word in words:
        assert word.lower() in result.err.lower(), "%r is not in %r" % (word, result.err)


def enqueue(text):
    return ["enqueue", text]


# (words of the command, standard input, exit code, words that the line must hold)
TABLE = [
    # JSON that is none
    (enqueue('{"command": "true"'), None, 2, ["JSON", "column 19"]),
    (enqueue('{"command": }'), None, 2, ["JSON", "column 13", "PowerShell", "enqueue"]),
    # At the comma for Python 3.13, at the brace for those before.
    (enqueue('{"command": "true",}'), None, 2, ["JSON", "column", "PowerShell", "enqueue"]),
    (enqueue('[{"command": "true"}'), None, 2, ["JSON"]),
    (enqueue("{}"), None, 2, ["command"]),
    (enqueue('[{"command": "true"}, 7]'), None, 2, ["object"]),
    # wrong types
    (enqueue('{"command": 5}'), None, 2, ["command"]),
    (enqueue('{"command": null}'), None, 2, ["command"]),
    (enqueue('{"command": "true", "priority": "high"}'), None, 2, ["priority"]),
    (enqueue('{"command": "true", "priority": true}'), None, 2, ["priority"]),
    (enqueue('{"command": "true", "priority": 1.5}'), None, 2, ["priority"]),
    (enqueue('{"command": "true", "max_retries": -1}'), None, 2, ["max_retries"]),
    (enqueue('{"command": "true", "timeout": "soon"}'), None, 2, ["timeout"]),
    (enqueue('{"command": "true", "timeout": 0}'), None, 2, ["timeout"]),
    (enqueue('{"command": "true", "run_at": "tomorrow"}'), None, 2, ["run_at"]),
    (enqueue('{"command": "true", "env": ["A=1"]}'), None, 2, ["env"]),
    (enqueue('{"command": "true", "env": {"A": 1}}'), None, 2, ["env"]),
    (enqueue('{"command": "true", "cwd": 7}'), None, 2, ["cwd"]),
    (enqueue('{"command": "true", "queue": "a b"}'), None, 2, ["queue"]),
    (enqueue('{"command": "true", "id": 7}'), None, 2, ["id"]),
    # unknown fields, the nearest named
    (enqueue('{"command": "true", "prioritee": 1}'), None, 2, ["prioritee", "priority"]),
    (enqueue('{"comand": "true"}'), None, 2, ["comand", "command"]),
    # commands that are none
    (["enqueue"], None, 2, ["command"]),
    (enqueue(""), None, 2, ["empty"]),
    (enqueue("  "), None, 2, ["empty"]),
    (enqueue('{"command": " "}'), None, 2, ["empty"]),
    (enqueue('{"command": "a\\u0000b"}'), None, 2, ["NUL"]),
    (enqueue('{"command": "\\ud800"}'), None, 2, ["surrogate"]),
    (["enqueue", "--file", "-"], '{"command": "%s"}' % LONG, 2, ["longer", "script"]),
    # ids
    (["enqueue", "--id", "known", "true"], None, 1, ["known"]),
    (["enqueue", "--id", "done", "true"], None, 1, ["done"]),
    (["enqueue", "--id", "fallen", "true"], None, 1, ["fallen"]),
    (enqueue('{"id": "known", "command": "true"}'), None, 1, ["known"]),
    (["enqueue", "--id", "../../etc/passwd", "true"], None, 2, ["id"]),
    (["enqueue", "--id", "a\nb\x1b[31m", "true"], None, 2, ["id"]),
    (["enqueue", "--id", "", "true"], None, 2, ["id"]),
    (["enqueue", "--id", "x" * 129, "true"], None, 2, ["id"]),
    # files: nothing of a bad one is taken
    (["enqueue", "--file", "-"], '{"command": "a"}\n{"command": "b"}\n{"command": \n', 2, ["line 3"]),
    (["enqueue", "--file", "-"], '{"command": "a"}\n{"command": "b", "when": 1}\n', 2, ["line 2", "when"]),
    (["enqueue", "--file", "-"], '{"command": "a"}\n"b"\n', 2, ["line 2"]),
    (["enqueue", "--file", "-"], '{"id": "new", "command": "a"}\n{"id": "known", "command": "a"}\n', 1, ["known"]),
    (["enqueue", "--file", "-"], '{"id": "new", "command": "a"}\n{"id": "new", "command": "a"}\n', 1, ["new"]),
    (["enqueue", "--file", "-"], '[{"command": "a"}, {"command": ""}]', 2, ["empty"]),
    (["enqueue", "--file", "no-such-file"], None, 2, ["no-such-file"]),
    (["enqueue", "--file", "."], None, 2, ["directory"]),
    (["enqueue", "--file", "-", "true"], "", 2, ["--file"]),
    # options
    (["enqueue", "--cwd", "nowhere", "true"], None, 2, ["nowhere"]),
    (["enqueue", "--priority", "high", "true"], None, 2, ["priority", "high"]),
    (["enqueue", "--priority", "99999999999999", "true"], None, 2, ["priority"]),
    (["enqueue", "--max-retries", "-1", "true"], None, 2, ["max", "retries"]),
    (["enqueue", "--max-retries", "1.5", "true"], None, 2, ["retries", "1.5"]),
    (["enqueue", "--timeout", "soon", "true"], None, 2, ["timeout", "soon"]),
    (["enqueue", "--timeout", "0", "true"], None, 2, ["timeout"]),
    (["enqueue", "--delay", "soon", "true"], None, 2, ["delay", "soon"]),
    (["enqueue", "--delay=-5", "true"], None, 2, ["delay"]),
    (["enqueue", "--run-at", "yesterday", "true"], None, 2, ["run", "yesterday"]),
    (["enqueue", "--run-at", "2026-13-45", "true"], None, 2, ["run", "2026-13-45"]),
    (["enqueue", "--run-at", "99999999999999999999", "true"], None, 2, ["run"]),
    (["enqueue", "--queue", "../x", "true"], None, 2, ["queue"]),
    (["enqueue", "--env", "NOVALUE", "--", "true"], None, 2, ["NOVALUE"]),
    (["enqueue", "--prioritee", "1", "true"], None, 2, ["--prioritee"]),
    # unknown words
    (["enqeue", "true"], None, 2, ["enqeue", "enqueue"]),
    (["list", "--sate", "dead"], None, 2, ["--sate"]),
    (["list", "--state", "complete"], None, 2, ["complete", "completed"]),
    (["list", "--limit", "few"], None, 2, ["limit", "few"]),
    (["list", "--limit", "-1"], None, 2, ["limit"]),
    (["status", "surplus"], None, 2, ["surplus"]),
    (["show"], None, 2, ["id"]),
    # unknown jobs, and jobs to which it cannot be done
    (["show", "unknown"], None, 1, ["unknown"]),
    (["show", "../../etc/passwd"], None, 1, ["passwd"]),
    (["show", "a\nb\x1b[31m"], None, 1, ["\\n"]),
    (["logs", "unknown"], None, 1, ["unknown"]),
    (["logs", "known"], None, 1, ["known"]),
    (["logs", "done", "--tail", "few"], None, 2, ["tail"]),
    (["retry", "unknown"], None, 1, ["unknown"]),
    (["retry"], None, 2, ["id"]),
    (["dlq", "show", "unknown"], None, 1, ["unknown"]),
    (["dlq", "show", "done"], None, 1, ["done"]),
    (["dlq", "retry", "known"], None, 1, ["known"]),
    (["dlq", "retry"], None, 2, ["--all"]),
    # configuration
    (["config", "set", "max_retry", "5"], None, 2, ["max_retry", "max_retries"]),
    (["config", "get", "nothing"], None, 2, ["nothing"]),
    (["config", "set", "max_retries", "many"], None, 2, ["max_retries", "many"]),
    (["config", "set", "backoff-base", "-1"], None, 2, ["backoff"]),
    (["config", "set", "timeout", "soon"], None, 2, ["timeout", "soon"]),
    (["config", "set", "durability", "never"], None, 2, ["durability", "never"]),
    # workers
    (["worker", "start", "--count", "0"], None, 2, ["count"]),
    (["worker", "start", "--count", "many"], None, 2, ["count", "many"]),
    (["worker", "start", "--max-jobs", "0"], None, 2, ["max-jobs"]),
    (["worker", "start", "--queue", "a b", "--drain"], None, 2, ["queue"]),
    (["worker", "start", "--max-idle", "soon"], None, 2, ["max-idle", "soon"]),
    (["worker", "stop", "--timeout", "soon"], None, 2, ["timeout", "soon"]),
    (["worker", "scale", "few"], None, 2, ["few"]),
    (["worker", "scale", "2"], None, 1, ["no workers", "worker start"]),
    # what a job can be told
    (["enqueue", "--after", "nobody", "true"], None, 1, ["nobody"]),
    (["enqueue", "--slots", "0", "true"], None, 2, ["slots"]),
    (["enqueue", "--nice", "20", "true"], None, 2, ["nice"]),
    (["enqueue", "--expires", "soon", "true"], None, 2, ["expires", "soon"]),
    (["enqueue", "--wait", '[{"command": "a"}, {"command": "b"}]'], None, 2, ["--wait", "queuectl wait"]),
    (["enqueue", "--wait", "--file", "-"], '{"command": "a"}', 2, ["--wait"]),
    (["enqueue", "--unique", "--file", "-"], '{"command": "a"}', 2, ["--unique"]),
    (["enqueue", '[{"id": "a", "command": "a", "after": ["b"]}, {"id": "b", "command": "b", "after": ["a"]}]'], None, 2, ["circle"]),
    (["config", "set", "no_retry_exit_codes", "many"], None, 2, ["no_retry_exit_codes", "many"]),
    (["config", "set", "queue.mail.limit", "0"], None, 2, ["limit", "pause"]),
    (["config", "set", "retention", "soon"], None, 2, ["retention", "soon"]),
    # steering
    (["cancel", "done"], None, 1, ["done", "completed"]),
    (["cancel", "unknown"], None, 1, ["unknown"]),
    (["cancel"], None, 2, ["--all"]),
    (["cancel", "--all"], None, 2, ["1 job?", "--yes"]),
    (["cancel", "known", "--all"], None, 2, ["not both"]),
    (["cancel", "--search", "nowhere", "--yes"], None, 1, ["nothing to cancel"]),
    (["hold", "done"], None, 1, ["done", "completed"]),
    (["release", "known"], None, 1, ["known", "not held"]),
    (["edit", "known"], None, 2, ["--priority"]),
    (["edit", "known", "--priority", "high"], None, 2, ["priority", "high"]),
    (["edit", "unknown", "--priority", "1"], None, 1, ["unknown"]),
    (["retry", "known"], None, 1, ["known"]),
    (["retry", "--state", "cancelled", "--yes"], None, 1, ["nothing to retry"]),
    (["pause", "a b"], None, 2, ["queue"]),
    (["pause", "--for", "soon"], None, 2, ["for", "soon"]),
    (["pause", "--on-failure"], None, 2, ["on-failure", "names"]),
    (["resume"], None, 1, ["nothing is paused"]),
    (["resume", "mail"], None, 1, ["mail"]),
    (["purge", "--state", "pending"], None, 2, ["pending"]),
    (["purge", "--older-than", "soon"], None, 2, ["older-than", "soon"]),
    (["purge", "--all"], None, 2, ["--yes"]),
    # looking and waiting
    (["wait", "unknown"], None, 1, ["unknown"]),
    (["wait", "fallen"], None, 1, ["fallen", "exit 1"]),
    (["wait", "known", "--timeout", "0"], None, 1, ["1 job is left"]),
    (["wait", "--timeout", "soon"], None, 2, ["timeout", "soon"]),
    (["run", "unknown"], None, 1, ["unknown"]),
    (["show", "known", "--sh", "--json"], None, 2, ["--sh", "--json"]),
    (["events", "unknown"], None, 1, ["unknown"]),
    (["events", "--limit", "few"], None, 2, ["limit", "few", "all"]),
    (["events", "--json", "--jsonl"], None, 2, ["--json", "--jsonl"]),
    (["list", "--json", "--jsonl"], None, 2, ["--json", "--jsonl"]),
    (["dlq", "list", "--group", "--json", "--jsonl"], None, 2, ["--json", "--jsonl"]),
    (["dlq", "list", "--group", "--sort", "id"], None, 2, ["--group", "--sort"]),
    (["status", "--watch"], None, 2, ["terminal", "--json"]),
    (["status", "--watch", "--json"], None, 2, ["--watch", "--json"]),
    (["stats", "--since", "0"], None, 2, ["since"]),
    (["stats", "--queue", "a b"], None, 2, ["queue"]),
    (["metrics", "--output", "nowhere/x"], None, 1, ["nowhere/x"]),
    (["completion", "tcsh"], None, 2, ["tcsh", "bash"]),
]


def row_name(row):
    words = [word if len(word) < 40 else word[:37] + "..." for word in row[0]]
    given = "" if row[1] is None else " < " + repr(row[1][:40])
    return ascii(" ".join(words) + given)


@pytest.mark.parametrize("words, given, code, expected", TABLE, ids=[row_name(row) for row in TABLE])
def test_bad_input_gets_one_clear_line(stocked, words, given, code, expected):
    before = content(stocked)
    result = stocked.run(*words, input=given, code=None)
    assert_one_clear_line(result, code, expected)
    assert result.out == ""
    assert content(stocked) == before


@pytest.mark.short
def test_broken_json_names_the_place_and_shows_the_form_without_json(queue):
    err = queue.run("enqueue", '{"command": "true",}', code=2).err
    assert "enqueue" in err and ("quot" in err or "PowerShell" in err)
    assert not os.path.exists(queue.store)


def test_a_bad_line_deep_in_a_big_file_is_named_and_nothing_is_taken(queue):
    lines = ['{"command": "true"}'] * 20000
    lines[17654] = '{"command": true}'
    result = queue.run("enqueue", "--file", "-", input="\n".join(lines), code=2)
    assert_one_clear_line(result, 2, ["line 17655", "command"])
    assert queue.jobs() == []


def test_shell_that_looks_like_json_is_shell(queue):
    ids = [queue.enqueue(command) for command in ("{ echo a; echo b; }", "[ -d / ] && echo yes")]
    queue.work(count=1)
    assert [queue.job(id)["stdout"] for id in ids] == ["a\nb\n", "yes\n"]


# --- stores that cannot be used

def a_file(queue):
    queue.write(".queuectl", "text")


def a_folder_in_a_file(queue):
    queue.write("file", "text")
    queue.environment["QUEUECTL_STORE"] = queue.path("file", "store")


def not_writable(queue):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    os.chmod(queue.directory, 0o500)


def open_to_others(queue):
    queue.enqueue("true")
    os.chmod(queue.store, 0o777)


def of_somebody_else(queue):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    queue.enqueue("true")
    os.chown(queue.store, 12345, 12345)


def not_a_store(queue):
    os.mkdir(queue.store, 0o700)
    queue.write(".queuectl/jobs.jsonl", "hello\n")


def flipped_bit(queue):
    queue.enqueue("--id", "x", "true")
    queue.enqueue("--id", "y", "true")
    queue.flip_bit(-20)


def garbage_at_the_end(queue):
    queue.enqueue("true")
    queue.append_garbage(b'{"id": "zz", garbage}\n')


def another_byte_for_the_last_newline(queue):
    queue.enqueue("--id", "x", "true")
    queue.enqueue("--id", "y", "true")
    queue.flip_bit(-1)


def flipped_bit_in_the_header(queue):
    queue.enqueue("true")
    queue.flip_bit(30)


def only_half_the_header(queue):
    queue.enqueue("true")
    os.truncate(queue.journal(), 5000)


def flipped_bit_in_a_segment(queue):
    queue.run("enqueue", "--file", "-", input='{"command":"true"}\n' * 1001)
    [name] = [name for name in os.listdir(os.path.join(queue.store, "base")) if name.endswith(".jsonl")]
    with open(os.path.join(queue.store, "base", name), "r+b") as file:
        file.seek(20)
        file.write(b"~")


def no_journal_beside_its_segments(queue):
    flipped_bit_in_a_segment(queue)
    os.unlink(queue.journal())


def no_journal(queue):
    queue.enqueue("true")
    os.unlink(queue.journal())


def settings_that_somebody_edited(queue):
    queue.enqueue("true")
    queue.run("config", "set", "max-retries", "5")
    queue.write(".queuectl/config.json", queue.text(".queuectl/config.json").replace("5", "6"))


def a_folder_for_the_pidfile(queue):
    queue.enqueue("true")
    os.mkdir(os.path.join(queue.store, "workers.pid"))


STORES = [
    (another_byte_for_the_last_newline, ["enqueue", "true"], 3, ["jobs.jsonl", "byte", "doctor"]),
    (another_byte_for_the_last_newline, ["list"], 3, ["jobs.jsonl", "byte", "doctor"]),
    (another_byte_for_the_last_newline, ["show", "y"], 3, ["jobs.jsonl", "byte", "doctor"]),
    (another_byte_for_the_last_newline, ["worker", "start", "--drain"], 3, ["jobs.jsonl", "byte", "doctor"]),
    (flipped_bit_in_the_header, ["enqueue", "true"], 3, ["jobs.jsonl", "byte 0", "doctor"]),
    (flipped_bit_in_the_header, ["status"], 3, ["jobs.jsonl", "byte 0", "doctor"]),
    (only_half_the_header, ["enqueue", "true"], 3, ["jobs.jsonl", "byte 4096", "doctor"]),
    (flipped_bit_in_a_segment, ["list"], 3, ["00000001.jsonl", "byte 0", "doctor"]),
    (no_journal_beside_its_segments, ["enqueue", "true"], 3, ["jobs.jsonl is missing", "doctor"]),
    (no_journal, ["enqueue", "true"], 3, ["jobs.jsonl is missing", "ballast", "doctor"]),
    (no_journal, ["list"], 3, ["jobs.jsonl is missing", "ballast", "doctor"]),
    (no_journal_beside_its_segments, ["status"], 3, ["jobs.jsonl is missing", "doctor"]),
    (settings_that_somebody_edited, ["enqueue", "true"], 3, ["config.json", '"crc"', "take that line out"]),
    (settings_that_somebody_edited, ["config", "list"], 3, ["config.json", '"crc"']),
    (a_folder_for_the_pidfile, ["status"], 3, ["workers.pid"]),
    (a_folder_for_the_pidfile, ["worker", "list"], 3, ["workers.pid"]),
    (a_folder_for_the_pidfile, ["worker", "stop"], 3, ["workers.pid"]),
    (a_folder_for_the_pidfile, ["worker", "start", "--drain"], 3, ["workers.pid"]),
    (a_file, ["enqueue", "true"], 3, ["directory"]),
    (a_file, ["status"], 3, ["directory"]),
    (a_folder_in_a_file, ["enqueue", "true"], 3, ["store"]),
    (not_writable, ["enqueue", "true"], 3, ["permission"]),
    (open_to_others, ["enqueue", "true"], 3, ["others", "chmod"]),
    (open_to_others, ["worker", "start", "--drain"], 3, ["others"]),
    (of_somebody_else, ["enqueue", "true"], 3, ["belongs"]),
    (of_somebody_else, ["worker", "start", "--drain"], 3, ["belongs"]),
    (not_a_store, ["status"], 3, ["jobs.jsonl"]),
    (of_somebody_else, ["run", "x"], 3, ["belongs"]),
    (of_somebody_else, ["cancel", "--all", "--yes"], 3, ["belongs"]),
    (of_somebody_else, ["pause"], 3, ["belongs"]),
    (of_somebody_else, ["purge", "--yes"], 3, ["belongs"]),
    (of_somebody_else, ["worker", "scale", "1"], 3, ["belongs"]),
    (of_somebody_else, ["worker", "start", "--ensure", "--detach"], 3, ["belongs"]),
    (of_somebody_else, ["config", "set", "max-retries", "1"], 3, ["belongs"]),
    (flipped_bit, ["wait"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["wait", "y"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["events"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["stats"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["metrics"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["cancel", "--all", "--yes"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["cancel", "x"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["pause"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["purge", "--yes"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["dlq", "list", "--group"], 3, ["jobs.jsonl"]),
    (not_a_store, ["enqueue", "true"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["enqueue", "true"], 3, ["jobs.jsonl", "doctor"]),
    (flipped_bit, ["list"], 3, ["jobs.jsonl"]),
    (flipped_bit, ["worker", "start", "--drain"], 3, ["jobs.jsonl"]),
    (garbage_at_the_end, ["enqueue", "true"], 3, ["jobs.jsonl"]),
]


@pytest.mark.parametrize("spoil, words, code, expected", STORES,
                         ids=["%s: %s" % (row[0].__name__, " ".join(row[1])) for row in STORES])
def test_a_store_that_cannot_be_used_gets_one_clear_line(queue, spoil, words, code, expected):
    spoil(queue)
    before = queue.snapshot().get("jobs.jsonl")
    assert_one_clear_line(queue.run(*words, code=None), code, expected)
    assert queue.snapshot().get("jobs.jsonl") == before


def test_somebody_elses_store_can_be_read(queue):
    of_somebody_else(queue)
    assert len(queue.jobs()) == 1
    assert "pending" in queue.run("status").out


def test_a_full_disk_changes_nothing(queue):
    """A limit on the size of files stands for the full disk: the write comes out short."""
    queue.enqueue("--id", "before", "true")
    room = os.path.getsize(queue.journal()) // 512 + 4
    lines = "".join('{"command": "echo %s"}\n' % ("x" * 100) for _ in range(100))
    queue.program.words[:0] = ["/bin/sh", "-c", "ulimit -f %d; exec \"$@\"" % room, "sh"]
    result = queue.run("enqueue", "--file", "-", input=lines, code=None)
    del queue.program.words[:4]
    assert_one_clear_line(result, 3, [])
    assert [job["id"] for job in queue.jobs()] == ["before"]
    queue.enqueue("--id", "after", "true")
    assert len(queue.jobs()) == 2


# --- closed doors, poor surroundings

@pytest.mark.short
def test_a_reader_that_goes_away_is_no_error(queue):
    queue.run("enqueue", "--file", "-", input='{"command": "true"}\n' * 3000)
    words = " ".join("'%s'" % word for word in queue.program.words)
    for command in ("list", "list --json", "list --jsonl"):
        queue.program.words[:] = ["/bin/sh", "-c", "%s %s | head -1" % (words, command)]
        result = queue.run()
        assert result.err == "" and result.out.count("\n") == 1
    queue.program.words[:] = ["/bin/sh", "-c", "%s list >&-" % words]
    assert "Traceback" not in queue.run(code=None).err
    queue.program.words[:] = ["/bin/sh", "-c", "%s list > /dev/full" % words]
    result = queue.run(code=None)
    assert result.code != 0 and "Traceback" not in result.err and result.err.count("\n") == 1


def test_odd_bytes_of_a_file_reach_the_shell_as_they_are(queue):
    id = queue.run("enqueue", "--file", "-", input=b'{"command": "printf \xff\xc3\xa9"}').out.strip()
    queue.work(count=1)
    assert queue.job(id)["stdout"].encode("utf-8", "surrogateescape") == b"\xff\xc3\xa9"


def test_a_store_copied_without_its_lock_is_a_store(queue):
    queue.enqueue("true")
    os.unlink(os.path.join(queue.store, "lock"))
    queue.enqueue("true")
    queue.work(count=1)
    assert set(queue.states().values()) == {"completed"}


@pytest.mark.short
def test_no_home_and_a_c_locale_are_enough(queue):
    poor = {"HOME": None, "LANG": None, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    id = queue.enqueue(b"printf 'caf\xc3\xa9 \xff'".decode("utf-8", "surrogateescape"), env=poor)
    for words in (["list"], ["show", id], ["status"], ["logs", id], ["list", "--json"]):
        queue.run(*words, env=poor, code=None if words[0] == "logs" else 0)
    queue.work(count=1, env=poor)
    for words in (["list"], ["show", id], ["status"], ["logs", id], ["dlq", "list"], ["config", "list"]):
        assert "Traceback" not in queue.run(*words, env=poor).err
    assert queue.job(id)["stdout"].encode("utf-8", "surrogateescape") == b"caf\xc3\xa9 \xff"


def test_control_characters_are_made_visible(queue):
    id = queue.enqueue("true \x1b[31mred\x07 \u202eback")
    for words in (["list"], ["show", id]):
        out = queue.run(*words).out
        assert "\x1b" not in out and "\x07" not in out and "\u202e" not in out
    assert "\x1b[31m" in queue.job(id)["command"]


@pytest.mark.short
@pytest.mark.parametrize("words", [["logs", "-f", "known"], ["enqueue", "--file", "fifo"]], ids=" ".join)
def test_ctrl_c_is_no_traceback(queue, words):
    queue.enqueue("--id", "known", "echo begun; sleep 1000")
    os.mkfifo(queue.path("fifo"))
    if words[0] == "logs":
        queue.start_workers()
        queue.wait_for_state("known", "processing")
    started = queue.start(*words)
    if words[0] == "logs":
        started.wait_for_text("begun")
    else:
        # That the pipe has a reader means that the command is in the middle of its input.
        fd = wait_until(lambda: writer(queue.path("fifo")), "the command reads")
    started.process.send_signal(signal.SIGINT)
    assert started.wait() in (130, -signal.SIGINT)
    assert "Traceback" not in started.errors()
    if words[0] == "enqueue":
        # Not before: that would be the input's end, and the command might be done first.
        os.close(fd)


def writer(fifo):
    """A descriptor of it, as soon as somebody reads."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None
