"""What a job wrote, as the API tells it: whole, or behind an offset, while it runs and after."""

import os

import pytest

from queuectl_lib.faces.web import written
from queuectl_lib.work.spool import make_hole
from tests.web import api

_PIECE = 64 * 1024


@pytest.fixture
def here(tmp_path):
    """A job x; its store has the directories of its slots and outputs."""
    made = api.Routes(tmp_path)
    made.give({"id": "x"})
    return made


def ended(here, data, size=None, tail=3):
    """Make x a job that has ended and wrote so much, of which this was kept in a file."""
    with open(here.store().paths.output_file("x", 1, "out"), "wb") as file:
        file.write(data)
    os.chmod(file.name, 0o600)
    here.become("x", state="completed", attempts=1, started_at="2026-01-01T00:00:00.000Z", stdout_file="output/x.1.out",
                stdout=data[-tail:].decode("utf-8", "surrogateescape"), stdout_size=size or len(data))


def runs(here, data=b""):
    """Make x a job that runs and has written this: the path of its spool."""
    here.become("x", state="processing", attempts=1, worker="1.abc", started_at="2026-01-01T00:00:00.000Z")
    path = here.store().paths.slot_out(1)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o600)
    return path


def read(here, stream, **offsets):
    query = "&".join("%s=%d" % item for item in offsets.items())
    return here.get("/api/jobs/x/output" + ("?" + query if query else ""))[stream]


def followed(here, offset=0):
    """The pieces of stdout from an offset on, as a page asks for them."""
    pieces = []
    while True:
        part = read(here, "stdout", stdout=offset)
        if part["to"] == offset:
            return pieces
        pieces.append(part)
        offset = part["to"]


def test_of_a_job_that_has_not_run_there_is_nothing(here):
    told = here.get("/api/jobs/x/output")
    nothing = {"text": "", "from": 0, "to": 0, "size": 0, "kept": 0, "left_out": False}
    assert told == {"attempt": 0, "running": False, "started_at": None, "stdout": nothing, "stderr": nothing}
    assert here.get("/api/jobs/x/stdout") == here.get("/api/jobs/x/stderr") == ""


def test_a_small_output_is_in_the_jobs_line(here):
    here.become("x", state="dead", attempts=2, stdout="one\ntwo \udcff\n", stderr="bad\n")
    assert read(here, "stdout")["text"] == "one\ntwo \udcff\n" and read(here, "stderr", stderr=1)["text"] == "ad\n"
    answer = here.ask("GET", "/api/jobs/x/stdout")
    assert answer.data == "one\ntwo \udcff\n"


@pytest.mark.parametrize("make", [ended, runs])
def test_a_long_output_comes_in_pieces_and_its_end_first(here, make):
    data = b"".join(b"line %06d\n" % number for number in range(20000))
    make(here, data)
    assert here.get("/api/jobs/x/stdout") == data.decode()
    last = read(here, "stdout")
    assert (last["from"], last["to"], last["size"]) == (len(data) - _PIECE, len(data), len(data))
    assert last["text"] == data[-_PIECE:].decode() and not last["left_out"]
    pieces = followed(here)
    assert "".join(part["text"] for part in pieces).encode() == data
    assert max(len(part["text"]) for part in pieces) == _PIECE and not any(part["left_out"] for part in pieces)


@pytest.mark.parametrize("make", [ended, runs])
@pytest.mark.parametrize("extra", range(4))
def test_no_character_is_torn_between_two_pieces(here, make, extra):
    text = "x" * extra + "\u20ac" * 50000
    make(here, text.encode())
    assert "".join(part["text"] for part in followed(here)) == text
    assert set(read(here, "stdout")["text"]) == {"\u20ac"}


def test_a_character_of_which_the_rest_is_still_to_come_waits(here):
    path = runs(here, b"a\xe2\x82")
    assert (read(here, "stdout", stdout=0)["text"], read(here, "stdout", stdout=0)["to"]) == ("a", 1)
    with open(path, "ab") as file:
        file.write(b"\xac!")
    assert read(here, "stdout", stdout=1)["text"] == "\u20ac!"
    ended(here, b"a\xe2\x82", tail=3)
    assert read(here, "stdout", stdout=0)["text"] == "a\udce2\udc82"


def kept_of(total, half):
    """What is kept of so many bytes: two halves, and how much is missing between them."""
    note = b"\n[queuectl: %d bytes left out]\n" % (total - 2 * half)
    return b"h" * half + note + b"t" * half


@pytest.mark.parametrize("half", [10, 50, 100000])
def test_a_middle_that_was_not_kept_is_said_and_offsets_go_on_behind_it(here, half):
    total = 10 ** 7
    ended(here, kept_of(total, half), total)
    pieces = followed(here)
    assert "".join(part["text"] for part in pieces) == "h" * half + "t" * half
    assert [part["from"] for part in pieces if part["left_out"]] == [total - half]
    assert pieces[-1]["to"] == pieces[-1]["size"] == total
    assert pieces[-1]["kept"] == 2 * half
    assert read(here, "stdout", stdout=total - 3)["text"] == "ttt"
    assert read(here, "stdout")["text"] == "t" * min(half, _PIECE)
    assert "%d bytes left out" % (total - 2 * half) in here.get("/api/jobs/x/stdout")


def test_a_character_that_the_missing_middle_tore_keeps_nobody_waiting(here):
    note = b"\n[queuectl: %d bytes left out]\n" % (1000 - 20)
    ended(here, b"x\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"[:9] + b"\xe2" + note + b"\xac" + b"t" * 9, 1000)
    pieces = followed(here)
    assert [part["text"] for part in pieces][0].endswith("\udce2") and pieces[-1]["text"] == "\udcac" + "t" * 9


def test_halves_of_another_length_are_found_too(here):
    ended(here, b"h" * 30 + b"\n[queuectl: 930 bytes left out]\n" + b"t" * 40, 1000)
    assert [part["text"] for part in followed(here)] == ["h" * 30, "t" * 40]


@pytest.mark.skipif(not hasattr(os, "SEEK_HOLE"), reason="no holes here")
def test_a_middle_that_was_cut_out_while_it_runs_is_said(here):
    path = runs(here, b"h" * 100000 + b"m" * 200000 + b"t" * 100000)
    with open(path, "r+b") as file:
        try:
            make_hole(file.fileno(), 98304, 294912)
        except OSError:
            pytest.skip("no holes on this file system")
    text = here.get("/api/jobs/x/stdout")
    assert text == "h" * 98304 + "\n[queuectl: 196608 bytes left out]\n" + "m" * 5088 + "t" * 100000
    pieces = followed(here)
    assert "".join(part["text"] for part in pieces) == text.replace("\n[queuectl: 196608 bytes left out]\n", "")
    assert [part["from"] for part in pieces if part["left_out"]] == [294912]


def test_when_the_file_was_removed_there_is_still_the_tail(here):
    ended(here, b"the whole of it")
    os.unlink(here.store().paths.output_file("x", 1, "out"))
    assert read(here, "stdout")["text"] == " it" and here.get("/api/jobs/x/stdout") == " it"


def test_a_file_that_was_cut_off_says_so(here):
    ended(here, b"the whole of it")
    os.truncate(here.store().paths.output_file("x", 1, "out"), 5)
    assert read(here, "stdout")["text"] == here.get("/api/jobs/x/stdout")
    assert "something is missing here" in read(here, "stdout")["text"]


def test_no_more_of_a_big_file_is_read_than_is_shown(here, monkeypatch):
    from queuectl_lib.store import disk
    lengths = []
    pread = disk.pread
    ended(here, kept_of(10 ** 8, 2 * 10 ** 6), 10 ** 8)
    monkeypatch.setattr(disk, "pread", lambda fd, length, start: lengths.append(length) or pread(fd, length, start))
    assert len(read(here, "stdout", stdout=10 ** 6)["text"]) == _PIECE
    assert sum(lengths) < 3 * _PIECE


def test_a_line_that_names_another_file_reads_nothing(here):
    here.become("x", state="completed", stdout_file="../../secret", stdout_size=6)
    for target in ("stdout", "output"):
        assert "names '../../secret' as its output" in here.get("/api/jobs/x/" + target, 503)["error"]


def test_what_another_job_wrote_in_the_slot_is_not_told(here, monkeypatch):
    path = runs(here, b"mine\n")
    of_spool = written._of_spool

    def overtaken(job, *others):
        if job.state == "processing":
            # It ends, and the next one of its slot writes.
            here.become("x", state="completed", stdout="mine\n", finished_at="2026-01-01T00:00:01.000Z")
            with open(path, "wb") as file:
                file.write(b"another's\n")
        return of_spool(job, *others)

    monkeypatch.setattr(written, "_of_spool", overtaken)
    assert here.get("/api/jobs/x/stdout") == "mine\n"
    runs(here, b"mine\n")
    told = here.get("/api/jobs/x/output")
    assert told["running"] is False and told["stdout"]["text"] == "mine\n"


@pytest.mark.parametrize("query", ["?stdout=-1", "?stdout=x", "?stderr=1e3", "?stdout=" + "9" * 30, "?stdin=0"])
def test_an_offset_that_is_none_is_400(here, query):
    assert query[1:4] in here.get("/api/jobs/x/output" + query, 400)["error"]


def test_behind_the_end_there_is_nothing(here):
    ended(here, b"whole")
    assert read(here, "stdout", stdout=999) == {"text": "", "from": 5, "to": 5, "size": 5, "kept": 5, "left_out": False}
