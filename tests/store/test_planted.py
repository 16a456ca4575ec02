"""What somebody else put into a store, or could: refused where it would be written or run, and never followed."""

import os
import shutil
import signal
import stat
import tempfile

import pytest

from queuectl_lib.store import config, line, ownership, store, unique
from queuectl_lib.store.roll import roll
from queuectl_lib.words.errors import StoreDamaged, StoreError, StorePlanted, StoreUnwritable
from tests.store.stores import Here, in_child, job, read, write

OTHER = 12345
FOLDERS = ("base", "archive", "output", "workers", "wake")
FILES = ("jobs.jsonl", "config.json", "lock")


@pytest.fixture(autouse=True)
def no_waiting_for_ever():
    """A FIFO would hold up who opens it."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits for ever"))
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def victim(tmp_path):
    path = str(tmp_path / "victim")
    write(path, b"precious")
    return path


def plant(kind, path, victim):
    """Put something in the place of a file of the store."""
    if os.path.lexists(path):
        os.unlink(path)
    {"link": lambda: os.symlink(victim, path), "hard link": lambda: os.link(victim, path), "FIFO": lambda: os.mkfifo(path),
     "folder": lambda: os.mkdir(path)}[kind]()


def given_away(path):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, OTHER, -1)


def for_all(path):
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o002)


def for_a_group(path):
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o020)


def writing(root):
    one = store.open_store(root, create=True, write=True)
    config.set(one, "max_retries", "5")
    return one.add([job()])


# --- whose it is

@pytest.mark.parametrize("spoil", [given_away, for_all, for_a_group], ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("name", ("",) + FOLDERS + FILES)
def test_what_others_may_write_is_not_written_nor_run_but_read(here, spoil, name):
    here.add("a")
    config.set(here.store, "max_retries", "3")
    path = os.path.join(here.root, name)
    spoil(path)
    before = read(here.journal)
    with pytest.raises(StoreUnwritable, match="belongs to user 12345" if spoil is given_away else "chmod -R go-w"):
        writing(here.root)
    assert read(here.journal) == before
    seen = store.open_store(here.root)
    assert seen.find("a").id == "a" and seen.config.max_retries == 3


def test_commands_that_another_user_put_into_a_segment_are_not_claimed(here):
    here.bulk([job("a"), job("b")])
    for_all(here.segment_files()[0])
    with pytest.raises(StoreUnwritable, match=r"base/.*chmod -R go-w"):
        here.claim(here.worker())
    assert store.open_store(here.root).find("a").command == "true"


def test_a_hook_that_another_user_wrote_is_not_read(here):
    config.set(here.store, "on_dead", "true")
    for_all(here.store.paths.config)
    with pytest.raises(StoreUnwritable):
        here.opened().config
    assert store.open_store(here.root).config.on_dead == "true"


def test_root_is_told_how_to_be_the_owner(here):
    if os.geteuid() != 0:
        pytest.skip("for root alone")
    os.chown(here.root, OTHER, -1)
    with pytest.raises(StoreUnwritable, match="sudo -u '#12345'"):
        writing(here.root)


def test_nothing_is_put_into_a_folder_of_others(tmp_path):
    root = str(tmp_path / "shared")
    os.mkdir(root)
    os.chmod(root, 0o1777)
    with pytest.raises(StoreUnwritable):
        writing(root)
    assert os.listdir(root) == []


def test_one_s_own_store_may_be_named_by_a_link(here, tmp_path):
    os.symlink(here.root, str(tmp_path / "short"))
    assert len(writing(str(tmp_path / "short"))) == 1


def test_a_store_put_in_the_place_of_another_between_check_and_use_is_refused(here, tmp_path, monkeypatch):
    """Who may write the folder above can do that; what counts is asked of the open file."""
    here.add("a")
    os.chmod(here.journal, 0o622)
    monkeypatch.setattr(ownership, "check_private", lambda *_: None)
    with pytest.raises(StoreUnwritable):
        writing(here.root)


# --- links, and what is no file

@pytest.mark.parametrize("name", FOLDERS)
def test_a_link_in_place_of_a_folder_is_refused(here, tmp_path, name):
    here.add("a")
    outside = str(tmp_path / "outside")
    shutil.move(os.path.join(here.root, name), outside)
    os.symlink(outside, os.path.join(here.root, name))
    with pytest.raises(StorePlanted, match=name + " is a link"):
        writing(here.root)


@pytest.mark.parametrize("kind", ["link", "hard link", "FIFO", "folder"])
@pytest.mark.parametrize("name", FILES)
def test_whatever_else_stands_where_a_file_belongs_is_refused(here, victim, kind, name):
    plant(kind, os.path.join(here.root, name), victim)
    with pytest.raises(StoreError, match=name):
        writing(here.root)
    assert read(victim) == b"precious" and os.stat(victim).st_mode & 0o777 == 0o644


@pytest.mark.parametrize("kind", ["link", "FIFO", "folder"])
@pytest.mark.parametrize("name", ["jobs.jsonl", "config.json"])
def test_nor_is_it_read(here, victim, kind, name):
    plant(kind, os.path.join(here.root, name), victim)
    with pytest.raises(StoreError, match=name):
        one = store.open_store(here.root)
        one.config
        one.counts()


@pytest.mark.parametrize("kind", ["link", "hard link", "FIFO"])
def test_what_stands_where_a_new_file_is_written_gives_way(here, victim, kind):
    here.add("a")
    for name in ("jobs.jsonl.new", "config.json.new", "base/00000002.jsonl", "base/.00000002.index"):
        plant(kind, os.path.join(here.root, name), victim)
    config.set(here.store, "max_retries", "7")
    roll(here.store, needless=True)
    assert store.open_store(here.root).find("a").id == "a" and here.opened().config.max_retries == 7
    assert read(victim) == b"precious"
    assert not [name for name in os.listdir(here.root) if name.endswith(".new")]


@pytest.mark.parametrize("kind", ["link", "hard link", "FIFO", "folder"])
def test_an_index_that_is_none_is_done_without(here, victim, kind):
    here.bulk(job("job-%d" % number) for number in range(5))
    [path] = here.indexes()
    plant(kind, path, victim)
    assert store.open_store(here.root).find("job-3").id == "job-3"
    assert read(victim) == b"precious"


@pytest.mark.parametrize("kind", ["link", "FIFO"])
def test_what_only_looks_like_an_abandoned_batch_is_removed(here, victim, kind):
    path = here.store.paths.incoming("x")
    plant(kind, path, victim)
    roll(here.store, needless=True)
    assert not os.path.lexists(path) and read(victim) == b"precious"


# --- modes

@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o277, 0o777])
def test_a_store_is_private_and_of_use_to_its_owner_under_any_umask(umask):
    """Not as root, for whom modes do not count."""
    top = tempfile.mkdtemp()
    if os.geteuid() == 0:
        os.chown(top, OTHER, -1)

    def use_it():
        if os.geteuid() == 0:
            os.setuid(OTHER)
        os.umask(umask)
        root = os.path.join(top, "store")
        here = Here(root)
        here.add("a", "b")
        here.bulk([job("c"), job("d")])
        here.run("a")
        roll(here.store, needless=True)
        writing(root)
        assert {each.id for each in store.open_store(root).jobs()} > {"a", "b", "c", "d"}
        for folder, _, names in os.walk(root):
            assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700, folder
            for name in names:
                assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600, name
    try:
        assert in_child(use_it) == 0
    finally:
        shutil.rmtree(top)


# --- lines that somebody wrote, with a crc that fits

def forged(here, old, new):
    """A new line of a job's, with something else in it."""
    data = line.encode(here.store.find("a"), ("pending", "default"))[:-1]
    assert old in data
    here.append(line.closed(data[:-line.TAIL].replace(old, new)))


@pytest.mark.parametrize("old, new", [
    (b'{"id":"a"', b'{"id":"../../a"'), (b'{"id":"a"', b'{"id":"/etc/a"'), (b'{"id":"a"', b'{"id":".."'),
    (b'"queue":"default"', b'"queue":"../wake"'), (b'"queue":"default"', b'"queue":"a\\nb"'), (b'"due":0', b'"due":"never"'),
])
def test_a_line_with_a_name_that_leads_elsewhere_is_damage(here, old, new):
    here.add("a")
    forged(here, old, new)
    for action in (lambda: here.claim(here.worker()), lambda: list(here.opened().jobs()),
                   lambda: unique.add(here.store, job()), lambda: roll(here.store, needless=True)):
        with pytest.raises(StoreDamaged, match="jobs.jsonl: the line at byte"):
            action()


@pytest.mark.parametrize("name", ["../../victim", "output/../../victim", "/etc/passwd", "jobs.jsonl", "output/", "output/.x", "output/a/b"])
def test_an_output_that_is_none_is_neither_read_nor_removed(here, victim, name):
    here.add("a")
    here.run("a")
    forged(here, b',"history"', b',"stdout_file":"%s","history"' % name.encode())
    one = here.store.find("a")
    with pytest.raises(StoreDamaged, match="names .* as its output, which is none"):
        here.store.paths.inside(one.stdout_file)
    here.store.remove(["a"])
    assert read(victim) == b"precious" and os.path.exists(here.journal)
