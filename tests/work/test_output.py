"""A job's output is kept as it was written, within its bounds, and apart from everybody else's."""

import contextlib
import json
import os
import subprocess

import pytest

from queuectl_lib.store import disk
from queuectl_lib.store.paths import Paths
from queuectl_lib.work import identity, output, spool
from tests.support import wait_until

LIMIT = 100000


@pytest.fixture
def paths(tmp_path):
    paths = Paths(str(tmp_path))
    for directory in (paths.workers, paths.output):
        os.mkdir(directory)
    return paths


@contextlib.contextmanager
def opened(paths):
    one = output.Spools(paths, 1)
    one.open()
    yield one
    one.close()


@pytest.fixture
def spools(paths):
    with opened(paths) as one:
        yield one


@pytest.fixture(params=["with holes", "without holes"])
def holes(request, monkeypatch):
    """File systems that can cut the middle out of a file, and those that cannot."""
    if request.param == "without holes":
        monkeypatch.setattr(spool, "make_hole", _no_holes)
    return request.param == "with holes"


def _no_holes(fd, start, end):
    raise OSError(95, "Operation not supported")


def job(spools, command):
    """Run a command as a job would be: with the three descriptors."""
    out, err, lock = spools.fds
    return subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=out, stderr=err, pass_fds=(lock,))


HELD = {
    "everything": ("out", "err", "lock"),
    "the lock alone": ("lock",),
    "standard output alone": ("out",),
    "standard error alone": ("err",),
}


def left_behind(spools, command, held="everything"):
    """A child that outlives its job and has let go of the rest; it ends when it reads a line."""
    out, err, lock = spools.fds
    has = HELD[held]
    return subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE,
                            stdout=out if "out" in has else subprocess.DEVNULL,
                            stderr=err if "err" in has else subprocess.DEVNULL,
                            pass_fds=(lock,) if "lock" in has else ())


def disk_space(path):
    return os.stat(path).st_blocks * 512


@pytest.mark.parametrize("data", [
    b"", b"hello\n", b"no newline", bytes(range(256)), b"\xff\xfe\x00", "caf\u00e9 \u20ac".encode(),
    b"x" * 4095, b"x" * 4096], ids=lambda data: "%d bytes" % len(data))
def test_small_output_is_whole_and_its_bytes_come_back(spools, data):
    os.write(spools.fds[0], data)
    os.write(spools.fds[1], data[::-1])
    out, err = spools.collect("j", 1, LIMIT)
    assert (out.text.encode("utf-8", "surrogateescape"), out.size, out.file) == (data, len(data), None)
    assert err.text.encode("utf-8", "surrogateescape") == data[::-1]


def test_the_next_job_begins_with_empty_files(spools, paths):
    for number in range(3):
        os.write(spools.fds[0], b"job %d" % number)
        assert spools.collect("j", number, LIMIT)[0].text == "job %d" % number
        assert os.path.getsize(paths.slot_out(1)) == 0


@pytest.mark.parametrize("size", [4097, 65536, LIMIT])
def test_output_within_the_limit_is_whole_in_its_file(spools, paths, size):
    data = bytes(number % 251 for number in range(size))
    os.write(spools.fds[0], data)
    os.write(spools.fds[1], b"small")
    out, err = spools.collect("j", 2, LIMIT)
    assert (out.size, out.file) == (size, "output/j.2.out")
    assert out.text.encode("utf-8", "surrogateescape") == data[-4096:]
    with open(paths.output_file("j", 2, "out"), "rb") as file:
        assert file.read() == data
    assert (err.text, err.file) == ("small", None)
    assert os.listdir(paths.output) == ["j.2.out"]
    assert spools.collect("k", 1, LIMIT)[0] == ("", 0, None)


@pytest.mark.parametrize("size", [LIMIT + 1, 12 * LIMIT])
def test_of_output_beyond_the_limit_head_and_tail_are_kept_and_the_gap_is_told(spools, paths, size):
    data = bytes(number % 251 for number in range(size))
    disk.write_all(spools.fds[1], data)
    _, err = spools.collect("j", 1, LIMIT)
    with open(paths.output_file("j", 1, "err"), "rb") as file:
        kept = file.read()
    gap = b"\n[queuectl: %d bytes left out]\n" % (size - LIMIT)
    assert kept == data[:LIMIT // 2] + gap + data[-LIMIT // 2:]
    assert (err.size, err.file) == (size, "output/j.1.err")
    assert err.text.encode("utf-8", "surrogateescape") == data[-4096:]



def test_what_a_job_wrote_is_kept_though_it_removed_the_file(paths, spools):
    job(spools, "echo a; rm %s; echo b" % paths.slot_out(1))
    assert spools.collect("j", 1, LIMIT)[0].text == "a\nb\n"
    job(spools, "echo c")
    assert spools.collect("j", 2, LIMIT)[0].text == "c\n"

def test_a_limit_below_the_size_of_a_line_bounds_the_line_too(spools, paths):
    os.write(spools.fds[0], b"abcdefghij" * 10)
    out, _ = spools.collect("j", 1, 10)
    assert (out.text, out.size) == ("abcdefghij", 100)
    with open(paths.output_file("j", 1, "out"), "rb") as file:
        assert file.read() == b"abcde\n[queuectl: 90 bytes left out]\nfghij"


def test_the_disk_space_of_output_without_end_is_bounded_while_it_is_written(spools, paths, holes):
    block = b"0123456789abcde\n" * 4096
    for _ in range(100):
        os.write(spools.fds[0], block)
        spools.trim(LIMIT)
        assert disk_space(paths.slot_out(1)) < 6 * LIMIT + 2 * len(block)
    os.write(spools.fds[0], b"the end")
    out, _ = spools.collect("j", 1, LIMIT)
    assert out.size == 100 * len(block) + 7
    assert out.text.endswith("the end")
    with open(paths.output_file("j", 1, "out"), "rb") as file:
        kept = file.read()
    assert len(kept) < LIMIT + 100
    assert kept.startswith(block[:LIMIT // 2 // 16 * 16]) and kept.endswith(b"the end")
    assert b" bytes left out]\n" in kept
    if holes:
        assert kept.endswith((block * 2 + b"the end")[-LIMIT // 2:])
        assert b"[queuectl: %d bytes left out]" % (out.size - LIMIT) in kept


def test_a_reader_sees_where_the_middle_was_cut_out(spools, paths):
    disk.write_all(spools.fds[0], b"x" * (10 * LIMIT))
    assert spools.trim(LIMIT)
    with open(paths.slot_out(1), "rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0
        gap = os.lseek(file.fileno(), 0, os.SEEK_HOLE)
        after = os.lseek(file.fileno(), gap, os.SEEK_DATA)
        assert LIMIT // 2 <= gap < after <= 9 * LIMIT
        assert set(os.pread(file.fileno(), 10 * LIMIT, after)) == {ord("x")}


def test_a_job_goes_on_writing_while_its_output_is_cut(spools, holes):
    writer = left_behind(spools, "i=0; while [ $i -lt 3000 ]; do echo line $i of very many lines that are written; "
                                 "i=$((i+1)); done; cat >/dev/null; echo the last line")
    wait_until(lambda: spools.trim(2000) or os.fstat(spools.fds[0]).st_size > 4 * 2000, "the first lines")
    for _ in range(50):
        spools.trim(2000)
    writer.stdin.close()
    writer.wait()
    out, _ = spools.collect("j", 1, 2000)
    assert out.text.endswith("the last line\n")


def test_whether_it_grows_fast_is_told(spools):
    assert not spools.trim(LIMIT)
    os.write(spools.fds[1], b"x" * (LIMIT + 1))
    assert spools.trim(LIMIT)
    assert not spools.trim(LIMIT)


@pytest.mark.parametrize("held", sorted(HELD))
def test_a_child_left_behind_does_not_write_into_the_next_job(spools, paths, held):
    child = left_behind(spools, "echo early; echo early >&2; read word; echo late; echo late >&2", held)
    if "out" in HELD[held]:
        wait_until(lambda: os.path.getsize(paths.slot_out(1)), "the child has written")
    if "err" in HELD[held]:
        wait_until(lambda: os.path.getsize(paths.slot_err(1)), "the child has written")
    first = spools.collect("first", 1, LIMIT)
    assert [one.text for one in first] == ["early\n" if name in HELD[held] else "" for name in ("out", "err")]
    job(spools, "echo second")
    child.communicate(b"go\n")
    second = spools.collect("second", 1, LIMIT)
    assert [one.text for one in second] == ["second\n", ""]
    assert os.listdir(paths.output) == []


@pytest.mark.parametrize("held", sorted(HELD))
def test_the_locks_of_the_next_job_are_its_own(spools, paths, held):
    child = left_behind(spools, "read word", held)
    assert spools.holders() == {child.pid}
    spools.collect("first", 1, LIMIT)
    assert spools.holders() == set()
    spools.close()
    assert not output.held(paths, 1)
    child.communicate(b"go\n")
    spools.open()


@pytest.mark.parametrize("size", [50000, 500000])
def test_big_output_with_a_child_left_behind_is_kept_and_stays_as_it_is(spools, paths, size):
    child = left_behind(spools, "head -c %d /dev/zero; echo ready >&2; read word; echo late" % size)
    wait_until(lambda: os.path.getsize(paths.slot_err(1)), "the child is ready")
    out, _ = spools.collect("first", 1, LIMIT)
    child.communicate(b"go\n")
    with open(paths.output_file("first", 1, "out"), "rb") as file:
        kept = file.read()
    assert out.size == size and b"late" not in kept
    assert len(kept) == size if size <= LIMIT else len(kept) < LIMIT + 100


def test_files_of_a_dead_worker_are_taken_over_empty_even_if_a_child_still_has_them(paths):
    former = output.Spools(paths, 1)
    former.open()
    child = left_behind(former, "echo early; read word; echo late")
    wait_until(lambda: os.path.getsize(paths.slot_out(1)), "the child has written")
    former.close()
    with opened(paths) as spools:
        child.communicate(b"go\n")
        assert [one.text for one in spools.collect("j", 1, LIMIT)] == ["", ""]


def test_what_a_dead_worker_left_in_its_files_is_not_the_next_jobs(paths):
    with opened(paths) as spools:
        os.write(spools.fds[0], b"of a job that was lost")
    with opened(paths) as spools:
        assert spools.collect("j", 1, LIMIT)[0].text == ""


def test_after_output_without_end_the_next_job_counts_from_zero(spools, holes):
    disk.write_all(spools.fds[0], b"x" * (10 * LIMIT))
    spools.trim(LIMIT)
    assert spools.collect("j", 1, LIMIT)[0].size == 10 * LIMIT
    os.write(spools.fds[0], b"small")
    assert not spools.trim(LIMIT)
    assert spools.collect("k", 1, LIMIT)[0] == ("small", 5, None)
    disk.write_all(spools.fds[0], b"x" * (LIMIT + 1))
    assert spools.trim(LIMIT)


@pytest.mark.parametrize("held", sorted(HELD))
def test_files_are_held_as_long_as_anybody_of_the_job_lives(paths, held):
    assert not output.held(paths, 1)
    with opened(paths) as spools:
        assert output.held(paths, 1)
        child = left_behind(spools, "read word", held)
    assert output.held(paths, 1)
    assert output.holders(paths, 1) == {child.pid}
    child.communicate(b"go\n")
    assert not output.held(paths, 1)


def test_the_leader_is_found_for_its_own_attempt_while_it_lives(spools, paths):
    assert output.leader_of(paths, 1, "claim") is None
    leader = left_behind(spools, "read word")
    spools.note_leader(leader.pid, "claim")
    assert output.leader_of(paths, 1, "claim") == leader.pid
    assert output.leader_of(paths, 1, "another") is None
    assert output.read_leader(paths, 1) == ("claim", identity.of(leader.pid))
    leader.communicate(b"go\n")
    assert output.leader_of(paths, 1, "claim") is None


def test_a_shorter_note_replaces_a_longer_one(spools, paths):
    spools.note_leader(os.getpid(), "a very long claim " * 20)
    spools.note_leader(os.getpid(), "claim")
    assert output.leader_of(paths, 1, "claim") == os.getpid()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"claim": "claim"}', '{"claim": "claim", "pid": null}', "\xff"])
def test_a_broken_note_names_nobody(spools, paths, text):
    with open(paths.slot_job(1), "w", encoding="latin-1") as file:
        file.write(text)
    assert output.leader_of(paths, 1, "claim") is None


def test_a_note_of_another_boot_names_nobody(spools, paths):
    spools.note_leader(os.getpid(), "claim")
    with open(paths.slot_job(1)) as file:
        note = json.load(file)
    with open(paths.slot_job(1), "w") as file:
        json.dump(dict(note, boot="another"), file)
    assert output.leader_of(paths, 1, "claim") is None


@pytest.mark.parametrize("size", [50000, 500000])
def test_where_big_output_cannot_be_kept_its_end_is_in_the_line_with_the_reason(spools, paths, size):
    os.rmdir(paths.output)
    os.write(spools.fds[0], b"x" * size + b"the end")
    out, _ = spools.collect("j", 1, LIMIT)
    assert out.file is None and out.size == size + 7
    assert out.text.startswith("[queuectl: the end of %d bytes" % out.size) and out.text.endswith("the end")
    assert spools.collect("k", 1, LIMIT)[0] == ("", 0, None)


def test_files_of_a_store_are_private(spools, paths):
    os.write(spools.fds[0], b"x" * 50000)
    os.write(spools.fds[1], b"x" * 500000)
    spools.collect("j", 1, LIMIT)
    for directory in (paths.workers, paths.output):
        for name in os.listdir(directory):
            assert os.stat(os.path.join(directory, name)).st_mode & 0o077 == 0


@pytest.mark.parametrize("stand_in", [os.mkfifo, lambda path: os.symlink("/etc/passwd", path), lambda path: os.link(__file__, path)],
                         ids=["FIFO", "link", "hard link"])
def test_what_a_former_job_put_in_place_of_a_spool_gives_way(spools, paths, stand_in):
    spools.close()
    before = os.stat(__file__).st_size
    for path in (paths.slot_out(1), paths.slot_err(1), paths.slot_job(1)):
        os.unlink(path)
        stand_in(path)
    spools.open()
    os.write(spools.fds[0], b"said")
    assert spools.collect("j", 1, LIMIT)[0].text == "said"
    assert os.stat(__file__).st_size == before


def test_what_a_job_wrote_into_its_lock_is_no_leader(spools, paths):
    for said in (b"[" * 5000, b"[]", b"\xff"):
        os.pwrite(spools.fds[2], said, 0)
        assert output.read_leader(paths, 1) is None
