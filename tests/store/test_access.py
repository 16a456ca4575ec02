"""Who may read and write what is in a store: found, and set right."""

import os
import stat

import pytest

from queuectl_lib.store import access
from queuectl_lib.words.finding import FAULT, REPAIRED, WARNING, WELL


@pytest.fixture
def paths(here):
    here.add("a")
    return here.store.paths


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_a_store_as_it_is_made_is_closed_to_others(paths):
    found, = access.modes(paths)
    assert found.level == WELL


@pytest.mark.parametrize("name, opened, level", [
    ("jobs.jsonl", 0o620, FAULT), ("jobs.jsonl", 0o640, WARNING), ("lock", 0o602, FAULT), ("", 0o770, FAULT),
    ("", 0o755, WARNING), ("base", 0o711, WARNING), ("output", 0o777, FAULT)])
def test_what_is_open_to_others_is_found_and_closed_and_found_no_more(paths, name, opened, level):
    path = os.path.join(paths.root, name) if name else paths.root
    before = mode(path)
    os.chmod(path, opened)
    found, = access.modes(paths)
    assert (found.level, found.text.partition(": ")[0]) == (level, path)
    assert "chmod -R go-rwx" in found.advice
    done, = access.close_to_others(paths)
    assert done.level == REPAIRED and path in done.text
    assert mode(path) == before
    assert [one.level for one in access.modes(paths)] == [WELL]
    assert list(access.close_to_others(paths)) == []


def test_links_are_named_and_left_alone(paths, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    victim.chmod(0o666)
    os.symlink(str(victim), paths.root + "/config.json")
    os.link(str(victim), paths.root + "/output/a.1.out")
    found = list(access.modes(paths))
    assert [one.level for one in found] == [FAULT] and "1 more" in found[0].text
    assert list(access.close_to_others(paths)) == []
    assert mode(str(victim)) == 0o666


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_is_another_users_is_named_and_left_alone(paths):
    os.chown(paths.jobs, 12345, -1)
    os.chmod(paths.jobs, 0o666)
    found, = access.modes(paths)
    assert found.level == FAULT and "not yours" in found.text and "chown" in found.advice
    assert list(access.close_to_others(paths)) == []


def test_a_file_that_a_job_put_there_is_not_looked_at(paths):
    path = paths.slot_progress(1)
    with open(path, "w"):
        pass
    os.chmod(path, 0o666)
    assert [one.level for one in access.modes(paths)] == [WELL]
