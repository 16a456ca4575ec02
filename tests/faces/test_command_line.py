"""The command line in one process: what is understood, what is printed, how it ends."""

import importlib
import io
import json
import os
import subprocess
import sys
import time

import pytest

import support
from queuectl_lib.faces import terminal, wanted
from queuectl_lib.faces.cli import main, options, registry
from queuectl_lib.job import record
from queuectl_lib.store import store as stores
from queuectl_lib.store import usage
from queuectl_lib.words import clock
from queuectl_lib.words.errors import BadInput

NOT_FOR_ENQUEUE = {"typing", "dataclasses", "pathlib", "subprocess", "datetime", "logging", "textwrap", "tempfile",
                   "multiprocessing", "shutil", "locale", "shlex", "difflib", "signal", "uuid", "secrets"}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs one command line in a directory of its own: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUEUECTL_STORE", raising=False)

    def command(*words, code=0):
        found = main.main(list(words))
        out, err = capsys.readouterr()
        assert found == code, err
        return out, err
    return command


def commands(store=None):
    return [job.command for job in stores.open_store(store).jobs()]


# --- help

@pytest.mark.parametrize("name, line, group", registry.COMMANDS)
def test_every_commands_help_is_its_modules_first_line(name, line, group):
    module = importlib.import_module("queuectl_lib.faces.cli." + name.replace(" ", "_"))
    assert module.__doc__.splitlines()[0] == line
    assert "Examples:\n  queuectl " in module.__doc__


def test_every_command_module_is_in_the_registry():
    folder = os.path.dirname(registry.__file__)
    shared = {"__init__", "completing", "main", "options", "registry", "selecting"}
    files = {name[:-3] for name in os.listdir(folder) if name.endswith(".py")} - shared
    assert files == {name.replace(" ", "_") for name in registry.names()} | set(registry.INTERNAL)


def test_help_lists_every_command_and_fits_80_columns(run):
    out, _ = run("--help")
    lines = {line[12:22].strip(): line[23:] for line in out.splitlines()}
    for name, about, _ in registry.COMMANDS:
        word, _, member = name.partition(" ")
        if member:
            assert member in lines[word].partition(":")[0].split(", ")
        else:
            assert lines[word] == about
    assert max(map(len, out.splitlines())) <= 80
    assert run("help") == (out, "") == run("-h")


@pytest.mark.parametrize("name", registry.names())
def test_every_command_has_help_with_examples(run, name):
    out, _ = run(*name.split(), "--help")
    assert "examples:" in out and "--store" in out
    assert max(map(len, out.splitlines())) <= 80
    assert run("help", *name.split())[0] == out


def test_without_a_command_the_help_is_an_error(run):
    out, err = run(code=2)
    assert out == "" and "enqueue" in err
    assert "worker stop" in run("worker", code=2)[1]
    assert "worker stop" in run("worker", "--help")[0]


# --- where options end

@pytest.mark.parametrize("words, command", [
    (["ls", "-la"], "ls -la"),
    (["--", "ls"], "ls"),
    (["--priority", "5", "ls", "--help"], "ls --help"),
    (["--id", "x", "--", "-weird"], "-weird"),
    (["ls", "--", "-x"], "ls -- -x"),
    (["--env", "A=1", "B=2", "C=3"], "C=3"),
    (["--env=A=1", "--", "B=2"], "B=2"),
    (["--priority", "-5", "ls"], "ls"),
    (["--queue=mail", "ls", "--queue", "x"], "ls --queue x"),
])
def test_options_end_at_the_first_word_of_the_command(run, words, command):
    run("enqueue", *words)
    assert commands() == [command]


@pytest.mark.parametrize("words, told", [
    (["./x.sh", "--priority", "5"], "--priority"),
    (["--queue", "mail", "./x.sh", "a", "--unique", "--timeout", "3"], "--unique"),
    (["./x.sh", "--store", "x"], "--store"),
    (["--queue", "mail", "./x.sh"], None),
    (["./x.sh --priority 5"], None),
    (["./x.sh", "--prio", "5"], None),
    (["./x.sh", "-h"], None),
    (["./x.sh", "--priority=5"], None),
    (["--", "./x.sh", "--priority", "5"], None),
    (["./x.sh", "--", "--priority", "5"], None),
    (["--", "--priority"], None),
])
def test_a_person_is_told_that_an_option_became_a_part_of_the_command(run, monkeypatch, words, told):
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda self: self is sys.stderr)
    said = told and "queuectl: %s became a part of the command: options go before it" % told
    _, err = run("enqueue", *words)
    assert err.startswith(said) and err.count("\n") == 1 if told else err == ""
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda self: False)
    assert run("enqueue", *words)[1] == "" and len(set(commands())) == 1


def test_env_takes_several_variables(run):
    run("enqueue", "--env", "A=1", "B=two words", "--env", "C=", "./run", "D=4")
    [job] = stores.open_store().jobs()
    assert (job.env, job.command) == ({"A": "1", "B": "two words", "C": ""}, "./run D=4")


def test_the_store_can_be_named_before_and_after_the_command(run, tmp_path):
    run("--store", "one", "enqueue", "a")
    run("enqueue", "--store", "one", "b")
    run("--store=other", "enqueue", "--store=one", "c")
    assert commands(str(tmp_path / "one")) == ["a", "b", "c"] and not os.path.exists("other")
    assert "stop" in run("worker", "--store", "one", "stop", "--help")[0]


def test_values_may_look_like_options(run):
    run("enqueue", "a")
    assert run("list", "--sort", "-created_at")[1] == ""
    assert run("list", "--search", "-x")[0] == ""


# --- what is enqueued

def test_a_duration_may_have_several_parts_wherever_one_is_given(run):
    run("enqueue", "--timeout", "1h30m", "--delay", "1d12h", "true")
    run("enqueue", '{"command": "true", "timeout": "2m30s"}')
    run("pause", "mail", "--for", "1h30m")
    run("config", "set", "retention", "1d12h")
    assert [job.timeout for job in stores.open_store(None).jobs()] == [150, 5400]
    assert run("config", "get", "retention")[0] == "1 d 12 h\n"


def test_a_time_of_day_is_stored_as_a_moment(run):
    before = clock.now()
    run("enqueue", "--id", "x", "--run-at", "3:00", "true")
    [job] = stores.open_store(None).jobs()
    assert job.run_at in (clock.coming("03:00", before), clock.coming("03:00", clock.now()))
    run("edit", "x", "--run-at", "1:30")
    [job] = stores.open_store(None).jobs()
    assert time.strftime("%H:%M", time.localtime(clock.parse_moment(job.run_at) / 1000)) == "01:30"
    assert "--run-at: not a moment" in run("enqueue", "--run-at", "25:00", "true", code=2)[1]
    # Whoever stores it again would mean another day by it.
    assert "run_at: not a moment" in run("enqueue", '{"command": "true", "run_at": "03:00"}', code=2)[1]


def test_options_are_defaults_for_every_job(run, tmp_path):
    (tmp_path / "jobs").write_text('{"command": "a", "queue": "own"}\n{"command": "b", "env": {"X": "2"}}\n')
    run("enqueue", "--file", "jobs", "--queue", "mail", "--priority", "7", "--env", "X=1", "Y=1", "--timeout", "5m")
    a, b = sorted(stores.open_store().jobs(), key=lambda job: job.command)
    assert (a.queue, b.queue, a.priority, b.timeout) == ("own", "mail", 7, 300)
    assert a.env == {"X": "1", "Y": "1"} and b.env == {"X": "2", "Y": "1"}


def test_the_ids_are_printed_in_order(run, tmp_path):
    (tmp_path / "jobs").write_text("".join('{"id": "j%d", "command": "true"}\n' % number for number in range(2500)))
    assert run("enqueue", "--file", "jobs")[0].split() == ["j%d" % number for number in range(2500)]


def test_a_bad_job_in_a_file_leaves_nothing(run, tmp_path):
    (tmp_path / "jobs").write_text('{"command": "a"}\n' * 1500 + '{"command": "a", "prio": 1}\n')
    _, err = run("enqueue", "--file", "jobs", code=2)
    assert "line 1501" in err and "priority" in err and "nothing was enqueued" in err
    assert commands() == []


def test_if_absent_leaves_the_one_there_alone(run):
    assert run("enqueue", "--id", "x", "--if-absent", "first") == ("x\n", "")
    there = "queuectl: nothing was enqueued: job x is there already (waiting)\n"
    assert run("enqueue", "--id", "x", "--if-absent", "second") == ("x\n", there)
    assert run("enqueue", "--id", "x", "--if-absent", "--unique", "second") == ("x\n", there)
    out, err = run("enqueue", "--if-absent", '[{"id": "x", "command": "z"}, {"id": "y", "command": "z"}]')
    assert out == "x\ny\n" and commands() == ["first", "z"]
    assert err == "queuectl: 1 of 2 jobs were there already\n"
    run("cancel", "y")
    stores.open_store(write=True).change(["y"], lambda job: job._replace(finished_at=clock.moment(clock.now() - 3 * 3600000)))
    assert "job y is there already (cancelled 3 h ago)" in run("enqueue", "--id", "y", "--if-absent", "second")[1]
    assert "x" in run("enqueue", "--id", "x", "third", code=1)[1]


def test_bad_input_makes_no_store(run):
    run("enqueue", '{"command": }', code=2)
    run("enqueue", code=2)
    assert not os.path.exists(".queuectl")


def test_an_empty_file_is_no_error(run, tmp_path):
    (tmp_path / "jobs").write_text("\n\n")
    out, err = run("enqueue", "--file", "jobs")
    assert out == "" and "no jobs" in err


def test_what_list_prints_can_be_enqueued_again(run, tmp_path):
    run("enqueue", "--id", "x", "--priority", "-3", "echo $HOME")
    for form in ("--json", "--jsonl"):
        (tmp_path / form).write_text(run("list", form)[0])
        run("enqueue", "--store", "copy" + form, "--file=" + form)
        [job] = stores.open_store("copy" + form).jobs()
        assert (job.id, job.priority, job.command) == ("x", -3, "echo $HOME")


def test_a_person_is_told_that_what_they_gave_goes_into_a_paused_queue(run, monkeypatch):
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda self: self is sys.stderr)
    assert run("enqueue", "--queue", "mail", "true")[1] == ""
    run("pause", "mail", "video", "--reason", "new server")
    assert run("enqueue", "--queue", "mail", "true")[1] == "queuectl: the queue mail is paused (new server): queuectl resume mail\n"
    assert run("enqueue", "true")[1] == ""
    run("pause")
    assert run("enqueue", '[{"command": "a", "queue": "a"}, {"command": "b"}]')[1] == "queuectl: all queues are paused: queuectl resume\n"
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda self: False)
    assert run("enqueue", "--queue", "mail", "true")[1] == ""


# --- what is printed

def test_an_empty_list_is_an_empty_list(run):
    assert run("list", "--json")[0] == "[]\n" and run("list", "--jsonl")[0] == "" and run("list")[0] == ""
    assert json.loads(run("worker", "list", "--json")[0]) == []
    assert json.loads(run("status", "--json")[0])["states"]["pending"] == 0
    assert not os.path.exists(".queuectl")


def test_that_there_is_no_room_is_said_to_programs_too(run, monkeypatch):
    run("enqueue", "true")
    assert json.loads(run("status", "--json")[0])["room"] is None
    assert run("worker", "list", "--json") == ("[]\n", "")
    monkeypatch.setattr(usage, "free", lambda directory: 0)
    full = "no room on the disk: workers start nothing before 1 MB is free"
    assert json.loads(run("status", "--json")[0])["room"] == full
    assert run("worker", "list", "--json") == ("[]\n", "queuectl: %s\n" % full)


def test_of_an_output_whose_file_was_removed_the_tail_is_shown_and_said_to_be_one(run):
    run("enqueue", "--id", "big", "head -c 50000 /dev/zero | tr '\\0' x; echo end")
    run("worker", "start", "--drain")
    job = stores.open_store().find("big")
    assert run("logs", "big") == ("x" * 50000 + "end\n", "")
    os.unlink(os.path.join(".queuectl", job.stdout_file))
    out, err = run("logs", "big")
    assert out == job.stdout and out.endswith("xend\n")
    assert err == "queuectl: the file with all of its stdout was removed: these are the last %d of 50004 bytes\n" % len(out)


def test_a_list_is_one_document_with_a_job_a_line(run):
    run("enqueue", '[{"command": "a"}, {"command": "\u00fc\\n"}]')
    out, _ = run("list", "--json")
    assert [job["command"] for job in json.loads(out)] == ["a", "\u00fc\n"]
    assert out.isascii() and len(out.splitlines()) == 4


def test_how_many_more_there_are_is_said_beside_the_data(run):
    run("enqueue", json.dumps([{"command": "job %d" % number} for number in range(5)]))
    out, err = run("list", "--limit", "2")
    assert len(out.splitlines()) == 3 and "3 more" in err
    assert run("list", "--limit", "0")[0] == ""
    assert len(run("list", "--limit", "all")[0].splitlines()) == 6
    assert len(run("list")[0].splitlines()) == 6


def test_states_may_be_given_in_every_way(run):
    run("enqueue", "a")
    for words in (["--state", "pending", "dead"], ["--state", "dead,pending"], ["--state=dead", "--state=pending"]):
        assert len(run("list", *words)[0].splitlines()) == 2
    assert "did you mean pending?" in run("list", "--state", "pendng", code=2)[1]


def test_settings_go_by_either_spelling(run):
    run("config", "set", "max-retries", "7")
    assert run("config", "get", "max_retries")[0] == "7\n"
    assert json.loads(run("config", "list", "--json")[0])["max_retries"]["value"] == 7
    run("config", "unset", "max-retries")
    assert run("config", "get", "max-retries")[0] == "3\n"


def test_the_version_is_printed(run):
    assert run("--version")[0].startswith("queuectl ")


def test_a_list_says_whose_queues_limit_is_reached(run):
    run("config", "set", "queue.mail.limit", "1")
    run("enqueue", "--queue", "mail", '[{"id": "a", "command": "x"}, {"id": "b", "command": "x"}]')
    stores.open_store(write=True).claims("1.a").exchange()
    notes = {line.split()[0]: line.split()[6] for line in run("list")[0].splitlines()[1:]}
    assert notes["b"] == "limit"
    with open(os.path.join(".queuectl", "config.json"), "w") as file:
        file.write("{")
    assert "limit" not in run("list")[0]


# --- the dead letter queue

@pytest.fixture
def dead(run):
    run("enqueue", json.dumps([{"id": id, "command": "x"} for id in ("a", "b", "alive")]))
    stores.open_store(write=True).change(["a", "b"], lambda job: job._replace(
        state="dead", attempts=4, exit_code=3, stderr="oh\nno disk\n"))
    return run


def test_dead_jobs_are_grouped_by_how_they_failed(dead):
    [group] = json.loads(dead("dlq", "list", "--group", "--json")[0])
    assert (group["count"], group["why"], group["said"]) == (2, "exit 3", "no disk")


@pytest.mark.parametrize("words", [["wait"], ["list"], ["status"], ["status", "--queue", "mail"], ["stats"], ["dlq", "list"]])
def test_looking_where_no_store_is_says_so(run, tmp_path, words):
    """And waiting there is over."""
    assert run(*words)[1] == "queuectl: no jobs: there is no store at %s yet\n" % (tmp_path / ".queuectl")


def test_who_names_the_directory_that_holds_the_store_is_told_of_the_store(run, tmp_path):
    run("enqueue", "true")
    store = tmp_path / ".queuectl"
    assert run("--store", str(tmp_path), "list")[1] == "queuectl: no jobs: there is no store at %s, but in it: --store %s\n" % (tmp_path, store)
    before = sorted(os.listdir(str(tmp_path)))
    said = run("--store", str(tmp_path), "enqueue", "true", code=3)[1]
    assert said == "queuectl: %s is no store, but there is one in it: --store %s\n" % (tmp_path, store)
    assert sorted(os.listdir(str(tmp_path))) == before


def test_a_person_whose_workers_begin_where_no_store_was_is_told(run, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda self: self is sys.stderr)
    monkeypatch.setattr("queuectl_lib.work.supervisor.start", lambda *_, **__: 0)
    made = "queuectl: there was no store at %s: it has been made\n" % (tmp_path / ".queuectl")
    assert [run("worker", "start")[1] for _ in range(2)] == [made, ""]
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda self: False)
    assert run("--store", "other", "worker", "start")[1] == ""


def test_in_a_pipe_the_columns_of_settings_stand_below_each_other(run):
    heading, *rows = run("config", "list")[0].splitlines()
    at = heading.index("DEFAULT")
    assert all(row[at - 2:at] == "  " and row[at] != " " for row in rows)


@pytest.mark.parametrize("words", [["show"], ["logs"], ["logs", "-f"], ["wait"], ["events"], ["cancel"], ["retry"]])
def test_who_names_a_job_where_no_store_is_learns_of_that(run, tmp_path, words):
    place = str(tmp_path / ".queuectl")
    assert "there is no store at %s" % place in run(*words, "x", code=3 if words[0] in ("cancel", "retry") else 1)[1]
    run("enqueue", "true")
    assert "no job has the id x: see 'queuectl list'" in run(*words, "x", code=1)[1]


def test_an_empty_group_list_says_whose_fault_that_is(dead, monkeypatch):
    assert dead("dlq", "list", "--group", "--queue", "none")[1] == "queuectl: no such jobs\n"
    dead("dlq", "purge", "--yes")
    # Cron would mail it.
    assert dead("dlq", "list") == dead("dlq", "list", "--group") == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert dead("dlq", "list")[1] == dead("dlq", "list", "--group")[1] == "queuectl: the dead letter queue is empty\n"
    assert dead("dlq", "list", "--queue", "none")[1] == "queuectl: no such jobs\n"


def test_retry_gives_dead_jobs_a_full_budget(dead):
    out, err = dead("dlq", "retry", "a", "alive", code=1)
    assert out == "a\n" and "alive is not in the dead letter queue" in err
    assert dead("dlq", "retry", "--all")[0] == "b\n"
    assert {(job.state, job.attempts) for job in stores.open_store().jobs()} == {("pending", 0)}
    assert "nothing to retry" in dead("dlq", "retry", "--all", code=1)[1]


def test_purge_removes_dead_jobs_alone(dead, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert dead("dlq", "purge", "alive", code=1)[0] == ""
    assert dead("dlq", "purge", "a", "--yes")[0] == "a\n"
    assert "say --yes" in dead("dlq", "purge", code=2)[1]
    assert dead("dlq", "purge", "--yes")[0] == "b\n"
    assert "nothing to purge" in dead("dlq", "purge", code=1)[1]
    assert [job.id for job in stores.open_store().jobs()] == ["alive"]


def test_purge_takes_ids_of_jobs_that_have_ended_and_refuses_others_by_name(dead):
    dead("enqueue", json.dumps([{"id": id, "command": "x"} for id in ("over", "runs", "off", "later")]))
    stores.open_store(write=True).change(["over", "off"], lambda job: job._replace(state="completed" if job.id == "over" else "cancelled"))
    stores.open_store(write=True).change(["runs"], lambda job: job._replace(state="processing", worker="1.a"))
    out, err = dead("purge", "over", "off", "runs", "a", "alive", "nobody", "over", code=1)
    assert out == "over\noff\na\n"
    assert err.splitlines() == [
        "queuectl: job runs has not ended: it is processing; cancel it first",
        "queuectl: job alive has not ended: it is pending; cancel it first",
        "queuectl: no job has the id nobody: see 'queuectl list'"]
    assert sorted(job.id for job in stores.open_store().jobs()) == ["alive", "b", "later", "runs"]
    assert dead("purge", "b") == ("b\n", "")


@pytest.mark.parametrize("words", [["--state", "dead"], ["--older-than", "0"], ["--queue", "mail"], ["--all", "--yes"], ["--dry-run"], ["--json"]])
def test_ids_and_a_selection_do_not_go_together(dead, words):
    assert "ids" in dead("purge", "a", *words, code=2)[1]
    assert dead("dlq", "purge", "a")[0] == "a\n"


def test_on_a_terminal_purge_asks(dead, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert "purge 2 jobs? [y/N] queuectl: nothing was changed" in dead("dlq", "purge", "--all", code=1)[1]
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert len(dead("dlq", "purge", "--all")[0].split()) == 2


# --- how it ends

@pytest.mark.parametrize("words, hint", [
    (["enqeue"], "enqueue"), (["worker", "strat"], "start"), (["list", "--limt", "3"], "--limit"),
    (["enqueue", "--prioritee", "3", "x"], "--priority"), (["--stor", "x", "list"], "--store"),
])
def test_the_nearest_known_word_is_named(run, words, hint):
    out, err = run(*words, code=2)
    assert out == "" and "did you mean %s?" % hint in err and err.count("\n") == 1


@pytest.mark.parametrize("words, meant", [
    (["delete", "hello"], "cancel"), (["ls"], "list"), (["start"], "worker start"), (["workers"], "worker list"),
    (["version"], "--version"), (["dlq", "ls"], "list"), (["dlq", "clean"], "purge"), (["list", "--state", "running"], "processing"),
    (["purge", "--state", "done"], "completed"), (["list", "--state", "queued"], "pending"),
])
def test_what_people_type_by_habit_is_understood_but_not_done(run, words, meant):
    assert "did you mean %s?" % meant in run(*words, code=2)[1]


def test_every_habit_leads_to_a_word_that_is_known():
    assert set(registry.ALIASES.values()) <= set(registry.names()) | {"--version"}
    assert not set(registry.ALIASES) & set(registry.first_words())
    assert set(wanted.STATE_ALIASES.values()) <= set(record.STATES) and not set(wanted.STATE_ALIASES) & set(record.STATES)


@pytest.mark.parametrize("failure, code", [
    (BadInput("bad\nthing"), 2), (BrokenPipeError(), 0), (KeyboardInterrupt(), 130),
    (OSError(28, "No space left on device", "/x/y"), 3)])
def test_every_failure_has_its_exit_code_and_no_traceback(run, monkeypatch, failure, code):
    def fail(*arguments):
        raise failure
    monkeypatch.setattr(main, "_run", fail)
    monkeypatch.setattr(terminal, "discard_output", lambda: None)
    _, err = run("list", code=code)
    assert err.count("\n") <= 1 and "Traceback" not in err


def test_a_bug_is_not_hidden(run, monkeypatch):
    monkeypatch.setattr(main, "_run", lambda words: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main.main([])


def test_an_option_of_a_type_of_its_own_names_itself_in_errors():
    parser = options.Parser("x", "about")
    parser.add_argument("--count", type=options.checked("--count", options.whole_number(1)))
    with pytest.raises(BadInput, match="--count: want a whole number, not 'z'"):
        parser.parse(["--count", "z"])


# --- the terminal

class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True

    def fileno(self):
        raise OSError


def test_colour_is_for_terminals_that_want_it():
    assert "\x1b[31m" in terminal.Output(Screen(), {"TERM": "xterm"}).paint("x", "red")
    for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert terminal.Output(Screen(), environ).paint("x", "red") == "x"
    assert terminal.Output(io.StringIO(), {}).paint("x", "red") == "x"


def test_the_width_is_the_terminals():
    assert terminal.Output(Screen(), {}).width == 80
    assert terminal.Output(Screen(), {"COLUMNS": "132"}).width == 132
    assert terminal.Output(io.StringIO(), {"COLUMNS": "132"}).width is None


def test_enqueue_imports_nothing_heavy(tmp_path):
    code = ("import sys; sys.path.insert(0, %r); from queuectl_lib.faces.cli.main import main;"
            "main(['enqueue', 'true']); print(*sys.modules)" % support.ROOT)
    printed = subprocess.run([support.PYTHON, "-S", "-E", "-c", code], cwd=str(tmp_path), stdout=subprocess.PIPE,
                             check=True, universal_newlines=True).stdout
    assert sorted(NOT_FOR_ENQUEUE & set(printed.split())) == []


@pytest.mark.parametrize("words", [["status"], ["list", "--limit", "1"], ["list", "--state", "dead", "--limit", "1"], ["dlq", "list", "--limit", "1"]])
def test_what_is_shown_is_of_one_moment_and_the_journal_is_read_once(dead, monkeypatch, words):
    dead("enqueue", "true")
    looks = []
    look = stores.Store.snapshot
    monkeypatch.setattr(stores.Store, "snapshot", lambda self, live: (looks.append(words), look(self, live))[1])
    dead(*words)
    assert looks == [words]
