"""Where everything in a store lies."""

import os

import pytest

from queuectl_lib.store import numbers, paths
from queuectl_lib.words.errors import StoreError
from tests.store.stores import job, write


@pytest.mark.parametrize("given, variable, root", [
    (None, None, "here/.queuectl"), (None, "/srv/q", "/srv/q"), ("/tmp/q", "/srv/q", "/tmp/q"), ("sub/../q", None, "here/q"),
    (None, "", "here/.queuectl"), (None, "rel", "here/rel"),
])
def test_the_store_is_the_one_named_or_that_of_the_environment_or_the_one_here(monkeypatch, tmp_path, given, variable, root):
    os.mkdir(str(tmp_path / "here"))
    monkeypatch.chdir(str(tmp_path / "here"))
    monkeypatch.delenv("QUEUECTL_STORE", raising=False)
    if variable is not None:
        monkeypatch.setenv("QUEUECTL_STORE", variable)
    assert paths.root_of(given) == os.path.join(str(tmp_path), root)


def test_where_the_current_directory_is_gone_it_has_to_be_named(monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(str(gone))
    gone.rmdir()
    with pytest.raises(StoreError, match="the current directory is gone"):
        paths.root_of("q")
    assert paths.root_of("/srv/q") == "/srv/q"


def test_everything_lies_inside_the_store(here):
    names = paths.Paths("/srv/q")
    files = [value for value in vars(names).values() if isinstance(value, str)] + [
        names.slot_lock(1), names.slot_job(1), names.slot_out(1), names.slot_err(1), names.wake_fifo("x"), names.incoming("1"),
        names.output_file("nightly", 1, "out"), names.inside("output/nightly.1.out")] + list(names.segment_places("00000001"))
    assert all(path.startswith("/srv/q") for path in files)
    assert len(set(files)) == len(files) - 1


def test_a_jobs_output_file_is_found_under_the_name_in_its_line():
    names = paths.Paths("/srv/q")
    one = job("nightly")._replace(stdout_file=paths.output_name("nightly", 2, "out"), stderr_file=None)
    assert [names.inside(name) for name in paths.outputs_of(one)] == [names.output_file("nightly", 2, "out")]


def test_grep_in_base_and_archive_passes_over_what_is_no_segment(here):
    names = here.store.paths
    assert os.path.basename(paths.index_of(names.segment_places("00000001")[0])).startswith(".")
    assert os.path.basename(names.incoming("1")).startswith(".")


def test_only_segments_are_listed(here):
    for name in ("00000001.jsonl", "00000002-1.jsonl", ".00000001.index", ".incoming-1.jsonl", "notes.txt"):
        write(os.path.join(here.store.paths.base, name), b"")
    assert sorted(paths.segment_names(here.store.paths.base)) == ["00000001", "00000002-1"]
    assert paths.segment_names(here.store.paths.base + "/absent") == []


def test_segments_sort_by_age():
    names = [numbers.segment_name(number, rewritten) for number in (1, 9, 10, 99999999) for rewritten in (0, 1, 2, 9)]
    assert [numbers.number_of(name) for name in names] == sorted(numbers.number_of(name) for name in names)
    assert sorted(names) == names


def test_a_number_is_never_given_twice(here):
    assert numbers.next_number(here.store.paths, 0) == 1
    assert numbers.next_number(here.store.paths, 41) == 42
    write(here.store.paths.archive + "/00000050-3.jsonl", b"")
    assert numbers.next_number(here.store.paths, 41) == 51


def test_a_rewritten_segment_gets_the_next_free_name_behind_the_old_one(here):
    assert numbers.renamed(here.store.paths, "00000007") == "00000007-1"
    write(here.store.paths.archive + "/00000007-1.jsonl", b"")
    write(here.store.paths.base + "/00000007-2.jsonl", b"")
    assert numbers.renamed(here.store.paths, "00000007") == "00000007-3"
    assert numbers.renamed(here.store.paths, "00000007-2") == "00000007-3"
