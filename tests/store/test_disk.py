"""The file operations of the store, and their failures by name."""

import errno
import os
import resource
import socket
import stat

import pytest

from queuectl_lib.store import disk, in_use, ownership
from queuectl_lib.words.errors import DiskFull, StoreError, StorePlanted, StoreUnwritable
from tests.store.stores import in_child, read, write


@pytest.fixture(autouse=True)
def no_power_cut():
    """Here syncs are what is tested."""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "file")


def opened(path, data=b""):
    write(path, data)
    return disk.open_private(path, os.O_RDWR | os.O_APPEND)


def mode(path):
    return os.stat(path).st_mode & 0o777


def raising(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))
    return fail


def test_files_are_made_for_their_owner_alone(path):
    before = os.umask(0)
    try:
        os.close(disk.open_private(path, os.O_WRONLY | os.O_CREAT))
    finally:
        os.umask(before)
    assert mode(path) == 0o600


def test_files_are_not_inherited_by_commands(path):
    fd = opened(path)
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_link_is_refused(path, tmp_path):
    write(path, b"elsewhere")
    os.symlink(path, str(tmp_path / "link"))
    with pytest.raises(StoreError, match="link is a link"):
        disk.open_private(str(tmp_path / "link"), os.O_RDWR)
    assert read(path) == b"elsewhere"


def test_a_file_that_is_not_there_is_told_apart(path):
    with pytest.raises(FileNotFoundError):
        disk.open_private(path, os.O_RDONLY)


@pytest.mark.parametrize("number, error", [
    (errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EFBIG, DiskFull), (errno.EACCES, StoreUnwritable),
    (errno.EPERM, StoreUnwritable), (errno.EROFS, StoreUnwritable), (errno.EIO, StoreError), (errno.ENOLCK, StoreError),
])
def test_errors_have_names_and_say_which_file(number, error):
    found = disk.refined(OSError(number, os.strerror(number)), "jobs.jsonl")
    assert type(found) is error
    assert str(found).startswith("jobs.jsonl: ")


@pytest.mark.parametrize("number", [errno.EISDIR, errno.ENXIO])
def test_of_what_is_no_file_it_says_what_to_do(number):
    found = disk.refined(OSError(number, os.strerror(number)), "lock")
    assert type(found) is StorePlanted and str(found) == "lock is no plain file: remove it"


def test_what_is_appended_begins_where_the_file_ended(path):
    fd = opened(path, b"before ")
    assert disk.append(fd, b"after", path) == 7
    assert read(path) == b"before after"


@pytest.mark.parametrize("room", [0, 1, 4095, 4096, 99999])
def test_a_short_write_is_taken_back(path, room):
    def write_too_much():
        fd = opened(path, b"before")
        resource.setrlimit(resource.RLIMIT_FSIZE, (6 + room, 6 + room))
        for _ in range(2):
            try:
                disk.append(fd, b"x" * 100000, path)
                raise AssertionError("it fitted")
            except DiskFull:
                assert os.fstat(fd).st_size == 6
    assert in_child(write_too_much) == 0
    assert read(path) == b"before"


def test_a_write_that_goes_piece_by_piece_is_finished(path, monkeypatch):
    fd = opened(path)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:3])))
    disk.append(fd, b"piece by piece", path)
    assert read(path) == b"piece by piece"


def test_where_even_taking_back_fails_the_reason_is_told(path, monkeypatch):
    fd = opened(path)
    monkeypatch.setattr(os, "write", raising(errno.ENOSPC))
    monkeypatch.setattr(os, "ftruncate", raising(errno.EIO))
    with pytest.raises(DiskFull):
        disk.append(fd, b"x", path)


def test_many_pieces_are_written_in_their_order(path):
    fd = opened(path)
    pieces = [b"%d " % number * 1000 for number in range(500)]
    disk.write_pieces(fd, iter(pieces), path)
    assert read(path) == b"".join(pieces)


def test_pieces_that_do_not_fit_are_an_error_with_a_name(path, monkeypatch):
    fd = opened(path)
    monkeypatch.setattr(os, "write", raising(errno.ENOSPC))
    with pytest.raises(DiskFull, match="file: no room"):
        disk.write_pieces(fd, [b"x"], path)


def test_a_failed_sync_says_that_nobody_knows(path, monkeypatch):
    fd = opened(path)
    monkeypatch.setattr(disk, "_data_sync", raising(errno.EIO))
    with pytest.raises(StoreError, match="may have been stored or not"):
        disk.sync(fd, path)


def test_where_the_medium_needs_more_than_a_sync_it_gets_more(path, monkeypatch):
    fd = opened(path)
    calls = []
    monkeypatch.setattr(disk, "F_FULLFSYNC", 51)
    monkeypatch.setattr(disk, "_fcntl", lambda fd, number: calls.append(number), raising=False)
    monkeypatch.setattr(disk, "_data_sync", lambda fd: calls.append("plain"))
    disk.sync(fd, path)
    assert calls == [51]
    monkeypatch.setattr(disk, "_fcntl", raising(errno.ENOTSUP))
    disk.sync(fd, path)
    assert calls == [51, "plain"]


def test_directories_that_cannot_be_synced_are_left(tmp_path, monkeypatch):
    disk.sync_directory(str(tmp_path))
    monkeypatch.setattr(os, "fsync", raising(errno.EINVAL))
    disk.sync_directory(str(tmp_path))
    monkeypatch.setattr(os, "open", raising(errno.EACCES))
    disk.sync_directory(str(tmp_path))


def test_a_directory_whose_sync_fails_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", raising(errno.EIO))
    with pytest.raises(StoreError, match="could not be synced"):
        disk.sync_directory(str(tmp_path))


def test_a_file_is_replaced_as_a_whole(path):
    write(path, b"old")
    disk.write_file(path, b"new", path + ".new")
    assert read(path) == b"new"
    assert mode(path) == 0o600
    assert not os.path.exists(path + ".new")


def test_a_file_that_does_not_fit_leaves_the_old_one(path, monkeypatch):
    write(path, b"old")
    monkeypatch.setattr(os, "write", raising(errno.ENOSPC))
    with pytest.raises(DiskFull):
        disk.write_file(path, b"new", path + ".new")
    assert read(path) == b"old"


def test_directories_are_made_for_their_owner_alone(path):
    before = os.umask(0)
    try:
        disk.make_private_directory(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o700
    disk.make_private_directory(path)


def test_where_one_may_not_write_no_store_is_blamed(path, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "mkdir", raising(errno.EACCES))
    with pytest.raises(StoreUnwritable) as error:
        disk.make_private_directory(path)
    assert str(error.value) == "%s cannot be made: Permission denied in %s" % (path, tmp_path)


def test_a_directory_that_cannot_be_made_says_why(path, tmp_path):
    write(path, b"")
    with pytest.raises(StoreError, match="file is there and is not a directory"):
        disk.make_private_directory(path)
    with pytest.raises(StoreError, match="its parent directory does not exist"):
        disk.make_private_directory(str(tmp_path / "no" / "such"))
    with pytest.raises(StoreError):
        disk.make_private_directory(path + "/below")


@pytest.mark.parametrize("permissions, private", [(0o700, True), (0o755, True), (0o500, True), (0o770, False), (0o702, False),
                                                  (0o777, False)])
def test_what_others_may_write_is_refused(tmp_path, permissions, private):
    os.chmod(str(tmp_path), permissions)
    if private:
        ownership.check_private(str(tmp_path))
    else:
        with pytest.raises(StoreUnwritable, match="may be written by others.*chmod -R go-w"):
            ownership.check_private(str(tmp_path))
    os.chmod(str(tmp_path), 0o700)


def test_what_belongs_to_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(str(tmp_path)).st_uid + 1)
    with pytest.raises(StoreUnwritable, match="belongs to user"):
        ownership.check_private(str(tmp_path))


def test_a_file_is_no_store(path):
    write(path, b"")
    with pytest.raises(StoreError, match="is not a directory"):
        ownership.check_private(path)


def test_removing_what_is_gone_is_fine(path):
    disk.remove(path)
    write(path, b"")
    disk.remove(path)
    assert not os.path.exists(path)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(path),
                                  lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))], ids=["FIFO", "socket", "device"])
def test_what_is_no_plain_file_is_refused_at_once(path, make, flags):
    try:
        make(path)
    except PermissionError:
        pytest.skip("only root can make devices")
    with pytest.raises(StorePlanted, match="file is no plain file"):
        disk.open_private(path, flags)


def test_a_refused_file_is_not_left_open(path):
    write(path, b"")
    os.chmod(path, 0o666)
    before = os.listdir("/dev/fd")
    for _ in range(3):
        with pytest.raises(StoreUnwritable):
            disk.open_private(path, os.O_RDWR)
    assert os.listdir("/dev/fd") == before


def test_a_small_file_is_read_whole(path):
    write(path, b"0123456789" * 20000)
    assert disk.read_private(path) == read(path)


def test_a_file_that_cannot_even_be_looked_at_is_named_and_closed(path, monkeypatch):
    write(path, b"")
    before = os.listdir("/dev/fd")
    # Alone meanwhile: Python itself looks at files when it shows where an error was raised.
    with monkeypatch.context() as alone:
        alone.setattr(os, "fstat", raising(errno.EIO))
        with pytest.raises(StoreError) as raised:
            disk.open_private(path, os.O_RDWR)
    assert str(raised.value).endswith("file: Input/output error")
    assert os.listdir("/dev/fd") == before


class InUse:
    """An operation that Windows refuses so many times, each time with this winerror (os.open tells none)."""

    def __init__(self, times, winerror, then):
        self.left = times
        self.tries = 0
        self.winerror = winerror
        self.then = then

    def __call__(self, *arguments):
        self.tries += 1
        self.left -= 1
        if self.left < 0:
            return self.then(*arguments)
        error = PermissionError(errno.EACCES, "Permission denied")
        if self.winerror != "none such":
            error.winerror = self.winerror
        raise error


@pytest.fixture
def pauses(monkeypatch):
    """Those that were made, none of them waited for."""
    made = []
    monkeypatch.setattr(in_use.time, "sleep", made.append)
    return made


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_a_file_that_another_program_has_in_use_is_replaced_when_that_is_over(path, monkeypatch, pauses, winerror):
    write(path, b"old")
    write(path + ".new", b"new")
    monkeypatch.setattr(os, "replace", InUse(9, winerror, os.replace))
    disk.replace(path + ".new", path)
    assert read(path) == b"new"
    assert len(pauses) == 9 and pauses == sorted(pauses) and 1 < sum(pauses) < 2


def test_who_never_lets_go_of_a_file_is_named_as_the_trouble(path, monkeypatch, pauses):
    refusal = InUse(99, 32, None)
    monkeypatch.setattr(os, "replace", refusal)
    with pytest.raises(StoreError, match="%s is in use by another program" % path):
        disk.replace(path + ".new", path)
    assert refusal.tries == 10


@pytest.mark.parametrize("winerror", ["none such", 19, 1314])
def test_what_is_forbidden_is_not_tried_again(path, monkeypatch, pauses, winerror):
    refusal = InUse(1, winerror, None)
    monkeypatch.setattr(os, "replace", refusal)
    with pytest.raises(StoreUnwritable):
        disk.replace(path + ".new", path)
    assert refusal.tries == 1 and pauses == []


def test_a_file_that_is_being_replaced_is_opened_when_that_is_over(path, monkeypatch, pauses):
    write(path, b"new")
    monkeypatch.setattr(os, "open", InUse(2, None, os.open))
    os.close(disk.open_private(path, os.O_RDONLY))
    assert len(pauses) == 2
