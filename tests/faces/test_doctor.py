"""The report of `doctor`: what it says of stores in every state, how it ends, and that it always comes to its end."""

import io
import json
import os
import shutil

import pytest

from queuectl_lib.faces import terminal
from queuectl_lib.faces.cli import doctor, main
from queuectl_lib.store import check, locking, medium, repair
from queuectl_lib.words.errors import StoreDamaged
from queuectl_lib.words.finding import FAULT, REMARK, REPAIRED, WARNING, WELL, Finding
from queuectl_lib.work import checkup, clearing

GROUPS = ["Program", "Where it lies", "Files", "Jobs and workers"]


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs one command line in a directory on a disk that is well: (output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUEUECTL_STORE", raising=False)
    # Whatever this machine's are like.
    monkeypatch.setattr(medium, "file_system", lambda place: [Finding(WELL, "file system", "good")])
    monkeypatch.setattr(medium, "room", lambda place: [Finding(WELL, "room", "much")])

    def command(*words, code=0):
        found = main.main(list(words))
        out, err = capfd.readouterr()
        assert found == code, out + err
        return out, err
    return command


@pytest.fixture
def there(run):
    """The same, where a store with a job is."""
    run("enqueue", "--id", "a", "true")
    return run


def of(run, *words, code=0):
    """{subject: [(level, text)]} of a report."""
    found = {}
    for one in json.loads(run("doctor", "--json", *words, code=code)[0]):
        found.setdefault(one["subject"], []).append((one["level"], one["text"]))
    return found


def serious(found):
    return {subject: [text for level, text in all if level in (WARNING, FAULT)] for subject, all in found.items()
            if any(level in (WARNING, FAULT) for level, _ in all)}


def test_of_a_store_that_is_well_each_subject_has_one_line_of_80_columns(there):
    out, err = there("doctor")
    lines = out.splitlines()
    assert err == "" and [line for line in lines if line[:1].strip()] == GROUPS + ["All is well."]
    assert all(line[2:10].strip() in (WELL, REMARK, "") for line in lines if line.startswith("  "))
    assert max(map(len, lines)) <= 80 or "the tree in" in max(lines, key=len)


def test_every_check_was_done(there):
    found = of(there)
    assert {"python", "queuectl", "file system", "locks", "sync", "rename", "FIFOs", "room", "limits", "modes", "journal",
            "counts", "jobs", "clock"} <= set(found)
    assert serious(found) == {}


def test_where_no_store_is_it_is_checked_where_it_would_be_and_none_is_made(run, tmp_path):
    found = of(run)
    assert found["store"][0][0] == REMARK and str(tmp_path / ".queuectl") in found["store"][0][1]
    assert {"locks", "sync", "room"} <= set(found) and os.listdir(str(tmp_path)) == []
    assert "there is no store" in run("doctor", "--repair", code=3)[1]


def test_what_is_no_directory_is_a_fault(run, tmp_path):
    path = tmp_path / ".queuectl"
    path.symlink_to("nowhere")
    assert "not a directory" in serious(of(run, code=3))["store"][0]
    path.unlink()
    path.write_text("hello")
    found = of(run, code=3)
    assert "not a directory" in serious(found)["store"][0] and "locks" in found
    run("doctor", "--repair", code=3)


@pytest.mark.parametrize("spoil", ["jobs.jsonl is a directory", "nothing but the directory", "garbage", "config"])
def test_a_damaged_store_is_gone_through_to_the_end(there, tmp_path, spoil):
    store = tmp_path / ".queuectl"
    if spoil == "garbage":
        (store / "jobs.jsonl").write_bytes(b"\0\xff" * 5000)
    elif spoil == "config":
        (store / "config.json").write_text("{")
    else:
        shutil.rmtree(str(store))
        store.mkdir(mode=0o700)
        if spoil.startswith("jobs"):
            (store / "jobs.jsonl").mkdir(mode=0o700)
    found = of(there, code=3)
    assert serious(found) and {"locks", "sync", "modes"} <= set(found)


def test_where_lines_are_damaged_what_cannot_be_looked_at_is_said_once(there, tmp_path):
    path = tmp_path / ".queuectl" / "jobs.jsonl"
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    found = of(there, code=3)
    assert len(serious(found)) == 1 and "jobs.jsonl" in list(serious(found))[0]
    assert [level for level, text in found["jobs"]] == [REMARK] and "not looked at" in found["jobs"][0][1]


def test_modes_that_others_could_use_are_a_fault_until_they_are_repaired(there, tmp_path):
    os.chmod(str(tmp_path / ".queuectl"), 0o777)
    assert "others may write" in serious(of(there, code=3))["modes"][0]
    found = of(there, "--repair")
    assert [level for level, _ in found["modes"]] == [REPAIRED, WELL]
    assert [level for level, _ in of(there, "--repair")["modes"]] == [WELL]


def test_a_warning_makes_it_end_with_1_and_a_remark_with_0(there, tmp_path):
    (tmp_path / ".queuectl" / "suspect").touch(mode=0o600)
    assert list(serious(of(there, code=1))) == ["suspect"]
    out, _ = there("doctor", code=1)
    assert out.endswith("\nNot all is well: 1 warning.\n") and "to do: " in out
    there("doctor", "--repair")
    assert there("doctor")[0].endswith("All is well.\n")


def test_repair_says_what_it_did_and_of_what_is_well_that_it_did_nothing(there, tmp_path):
    (tmp_path / ".queuectl" / "suspect").touch(mode=0o600)
    assert there("doctor", "--repair")[0].startswith("Repaired\n  repaired  suspect")
    assert there("doctor", "--repair")[0].startswith("Repaired  nothing\n")


def test_a_journal_that_is_gone_is_made_anew_by_what_its_message_says(there, tmp_path):
    (tmp_path / "jobs").write_text('{"command": "true"}\n' * 2000)
    there("enqueue", "--file", "jobs")
    (tmp_path / ".queuectl" / "jobs.jsonl").unlink()
    message = there("list", code=3)[1]
    assert "queuectl doctor --repair" in message
    assert list(serious(of(there, code=3))) == [str(tmp_path / ".queuectl" / "jobs.jsonl")]
    assert serious(of(there, "--repair")) == {}
    assert len(json.loads(there("list", "--json")[0])) == 2000


def test_what_others_left_is_not_said_to_be_nothing(there, monkeypatch):
    left = Finding(REMARK, "left-overs", "x.new: of somebody who was killed")
    assert "none is lost" in of(there)["jobs"][0][1]
    monkeypatch.setattr(checkup, "CHECKS", (("left-overs", lambda *_: [left]),))
    assert "jobs" not in of(there)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name, advice", [("", "sudo -u '#12345'"), ("jobs.jsonl", "sudo chown -R 0 ")])
def test_of_what_is_another_users_it_says_how_to_go_on(there, tmp_path, name, advice):
    os.chown(str(tmp_path / ".queuectl" / name), 12345, 12345)
    [told] = [one for one in json.loads(there("doctor", "--json", code=3)[0]) if one["subject"] == "modes"]
    assert advice in told["advice"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_store_of_somebody_else_is_a_fault_nothing_is_tried_in_it_and_nothing_repaired(there, tmp_path):
    store = str(tmp_path / ".queuectl")
    os.chown(store, 12345, 12345)
    before = sorted(os.listdir(store))
    found = serious(of(there, code=3))
    assert "another user's" in found["trials"][0] and "not yours" in found["modes"][0]
    assert "belongs to user 12345" in there("doctor", "--repair", code=3)[1]
    assert sorted(os.listdir(store)) == before


def test_a_store_that_is_read_only_is_said_to_be_and_nothing_is_repaired(there, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "read-only" in serious(of(there, code=3))["trials"][0]
    assert "nothing was repaired" in there("doctor", "--repair", code=3)[1]


def test_a_store_lock_that_is_not_to_be_had_is_a_fault(there, tmp_path, monkeypatch):
    lock = tmp_path / ".queuectl" / "lock"
    monkeypatch.setattr(medium, "_PATIENCE", 0.01)
    with open(str(lock)) as held:
        assert locking.try_lock(held.fileno())
        assert "fuser" in serious(of(there, code=3))["store lock"][0]
    assert "store lock" not in serious(of(there))
    lock.unlink()
    assert serious(of(there)) == {} and not lock.exists()
    for path in (lock, lock.with_name("roll.lock")):
        path.mkdir(mode=0o700)
        assert path.name + " is no plain file" in serious(of(there, code=3))["store lock"][0]
        path.rmdir()


def test_what_is_in_a_directorys_place_is_a_fault_and_it_says_what_helps(there, tmp_path):
    workers = tmp_path / ".queuectl" / "workers"
    shutil.rmtree(str(workers))
    workers.touch(mode=0o600)
    assert serious(of(there, code=3)) == {"directories": [str(workers) + ": no directory"]}
    there("doctor", "--repair", code=3)
    workers.unlink()
    assert serious(of(there, "--repair")) == {}


def test_a_check_that_fails_does_not_keep_the_others_from_looking(there, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error", "there")
    monkeypatch.setattr(medium, "room", broken)
    found = of(there, code=3)
    assert serious(found) == {"room": ["there: could not be checked: Input/output error"]} and "clock" in found


def damaged(*_):
    raise StoreDamaged("the line at byte 7 is damaged")


def test_what_damage_keeps_from_being_looked_at_is_named_once_beside_the_damage_itself(there, monkeypatch):
    monkeypatch.setattr(checkup, "CHECKS", (("these", damaged), ("those", damaged)))
    assert serious(of(there, code=3)) == {"these": ["the line at byte 7 is damaged"]}
    monkeypatch.setattr(check, "findings", lambda store: [Finding(FAULT, "jobs.jsonl", "damaged")])
    found = of(there, code=3)
    assert serious(found) == {"jobs.jsonl": ["damaged"]}
    assert found["jobs"] == [(REMARK, "not looked at, for the fault above: these, those")]


def test_what_could_not_be_repaired_is_told_once_and_the_other_steps_are_done(there, tmp_path, monkeypatch):
    (tmp_path / ".queuectl" / "suspect").touch(mode=0o600)
    monkeypatch.setattr(clearing, "STEPS", clearing.STEPS + (("last", damaged),))
    found = of(there, "--repair", code=3)
    assert serious(found) == {"last": ["the line at byte 7 is damaged"]} and found["suspect"][0][0] == REPAIRED
    monkeypatch.setattr(clearing, "STEPS", (("first", damaged), ("second", damaged)))
    assert list(serious(of(there, "--repair", code=3))) == ["first"]
    monkeypatch.setattr(checkup, "CHECKS", (("again", damaged),))
    assert list(serious(of(there, "--repair", code=3))) == ["again"]


def test_in_a_store_that_cannot_be_repaired_nothing_is_removed(there, tmp_path, monkeypatch):
    output = tmp_path / ".queuectl" / "output" / "absent.1.out"
    output.touch(mode=0o600)
    monkeypatch.setattr(checkup, "_SETTLED", -1)
    monkeypatch.setattr(repair, "repair", damaged)
    assert serious(of(there, "--repair", code=3)).keys() == {"contents", "outputs"} and output.exists()
    monkeypatch.undo()


class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def lines_on_a_screen(found, **environ):
    out = terminal.Output(Screen(), dict({"COLUMNS": "60", "TERM": "xterm"}, **environ))
    return list(doctor._report([("Files", found)], out))


def test_on_a_terminal_it_fits_and_has_colours(there):
    found = [Finding(FAULT, "modes", "words " * 20, "do this"), Finding(WARNING, "/a/long/path/to/a/file", "is " + "x" * 10)]
    lines = lines_on_a_screen(found, NO_COLOR="1")
    assert max(map(len, lines)) <= 60 and "to do: do this" in "\n".join(lines)
    assert lines[-1] == "Not all is well: 1 fault, 1 warning."
    assert "\x1b[31mfault" in "".join(lines_on_a_screen(found)) and "\x1b[33mwarning" in "".join(lines_on_a_screen(found))


def test_nothing_a_finding_says_acts_on_the_terminal():
    assert "\x1b" not in "".join(lines_on_a_screen([Finding(FAULT, "\x1b[2J" + "x" * 20, "\x1b]0;t\x07", "\x1b[2J")], NO_COLOR="1"))
