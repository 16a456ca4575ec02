"""What a store lies on, tried and judged: kinds of file systems by the words of mountinfo, locks, syncs, room."""

import errno
import os
from collections import namedtuple

import pytest

from queuectl_lib.store import disk, locking, medium
from queuectl_lib.words.finding import FAULT, REMARK, WARNING, WELL

# As Linux wrote them, on several machines.
MOUNTINFO = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard,errors=remount-ro
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 22 0:25 / /dev/shm rw,nosuid,nodev shared:4 - tmpfs tmpfs rw,size=65536k
31 22 0:40 / /srv/nfs rw,relatime shared:9 master:3 - nfs4 host:/export rw,vers=4.2,hard,proto=tcp
32 22 8:17 /home/me/data /srv/my\040data rw - xfs /dev/sdb1 rw,attr2
33 22 0:44 / /ctr rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
34 22 0:45 / /ctr/vol rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w,volatile
35 22 0:46 / /mnt/ssh rw,nosuid - fuse.sshfs me@host:/ rw,user_id=1000
36 22 0:47 / /mnt/odd rw - fuse.oddfs odd rw
37 22 8:33 / /srv/twice rw - ext4 /dev/sdc1 rw
38 37 0:50 / /srv/twice rw - tmpfs tmpfs rw
39 22 0:51 / /srv/back\134slash\011tab rw - btrfs /dev/sdd rw
a line that means nothing
"""


@pytest.mark.parametrize("path, kind, point", [
    ("/home/me/.queuectl", "ext4", "/"),
    ("/dev/shm", "tmpfs", "/dev/shm"),
    ("/dev/shmooth/q", "ext4", "/"),
    ("/srv/nfs/deep/down", "nfs4", "/srv/nfs"),
    ("/srv/my data/.queuectl", "xfs", "/srv/my data"),
    ("/ctr/app", "overlay", "/ctr"),
    ("/ctr/vol/app", "overlay", "/ctr/vol"),
    ("/srv/twice/q", "tmpfs", "/srv/twice"),
    ("/srv/back\\slash\ttab", "btrfs", "/srv/back\\slash\ttab"),
])
def test_a_path_is_on_the_longest_mount_that_leads_to_it_and_on_the_last_of_several(path, kind, point):
    mount = medium.mount_of(path, medium.mounts(MOUNTINFO))
    assert (mount.kind, mount.point) == (kind, point)


@pytest.mark.parametrize("path, level, words", [
    ("/home", WELL, "ext4 on /"),
    ("/srv/my data", WELL, "xfs on /srv/my data"),
    ("/srv/nfs", WARNING, "server"),
    ("/mnt/ssh", WARNING, "server"),
    ("/mnt/odd", REMARK, "that program"),
    ("/dev/shm", WARNING, "in memory"),
    ("/ctr", WELL, "container"),
    ("/ctr/vol", WARNING, "nothing is ever synced"),
])
def test_what_a_kind_of_file_system_means(path, level, words):
    found = medium.judged(medium.mount_of(path, medium.mounts(MOUNTINFO)))
    assert found.level == level and words in found.text
    assert (found.advice is not None) == (level == WARNING)


def test_where_the_system_does_not_tell_it_is_not_known(tmp_path):
    found, = medium.file_system(str(tmp_path), mountinfo=str(tmp_path / "absent"))
    assert found.level == WELL and "does not tell" in found.text


def test_a_store_that_is_to_be_is_tried_where_it_would_lie(tmp_path):
    assert medium.resting_place(str(tmp_path / "not" / "there" / ".queuectl")) == str(tmp_path)
    assert medium.resting_place(str(tmp_path)) == str(tmp_path)


def test_a_disk_that_is_well_passes_every_trial_and_nothing_stays_of_them(tmp_path):
    found = medium.tried(str(tmp_path))
    assert [(one.level, one.subject) for one in found] == [
        (WELL, "locks"), (WELL, "sync"), (WELL, "rename"), (WELL, "FIFOs")]
    assert os.listdir(str(tmp_path)) == []


def levels(found):
    return {one.subject: one.level for one in found}


def test_locks_that_keep_nobody_out_are_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "try_lock", lambda fd: True)
    found = medium.tried(str(tmp_path))
    assert levels(found)["locks"] == FAULT and "twice" in found[0].text
    assert levels(found)["sync"] == WELL


def test_locks_that_outlive_their_holder_are_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(medium, "_PATIENCE", 0.05)
    monkeypatch.setattr(locking, "try_lock", lambda fd: False)
    monkeypatch.setattr(locking, "try_shared", lambda fd: False)
    found = medium.tried(str(tmp_path))
    assert levels(found)["locks"] == FAULT and "killed" in found[0].text


def test_a_file_system_without_locks_is_a_fault_that_names_the_error(tmp_path, monkeypatch):
    monkeypatch.setattr(medium, "_HOLDER", "raise OSError(37, 'No locks available')")
    found = medium.tried(str(tmp_path))
    assert levels(found)["locks"] == FAULT and "No locks available" in found[0].text


def test_a_sync_that_fails_is_a_fault_and_the_other_trials_go_on(tmp_path, monkeypatch):
    def broken(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    monkeypatch.setattr(disk, "_data_sync", broken)
    found = levels(medium.tried(str(tmp_path)))
    assert found == {"locks": WELL, "sync": FAULT, "rename": FAULT, "FIFOs": WELL}


def test_a_slow_sync_is_worth_a_remark(tmp_path, monkeypatch):
    monkeypatch.setattr(medium, "_SLOW", 0)
    found = medium.tried(str(tmp_path))
    assert levels(found)["sync"] == REMARK and " ms" in found[1].text


def test_a_rename_that_does_nothing_is_a_fault(tmp_path, monkeypatch):
    replace = disk.replace
    monkeypatch.setattr(disk, "replace", lambda source, target: os.path.exists(target) or replace(source, target))
    assert levels(medium.tried(str(tmp_path)))["rename"] == FAULT


def test_a_file_server_whose_clock_differs_is_warned_of(tmp_path, monkeypatch):
    now = medium.time.time
    monkeypatch.setattr(medium.time, "time", lambda: now() + 60)
    found = [one for one in medium.tried(str(tmp_path)) if one.subject == "clock"]
    assert [one.level for one in found] == [WARNING] and "1 min behind" in found[0].text


def test_where_no_fifo_can_be_made_workers_look_now_and_then(tmp_path, monkeypatch):
    def refused(path, mode):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    monkeypatch.setattr(medium.os, "mkfifo", refused)
    assert levels(medium.tried(str(tmp_path)))["FIFOs"] == REMARK


Size = namedtuple("Size", "total used free")
Files = namedtuple("Files", "f_files f_favail")


@pytest.mark.parametrize("total, free, files, left, level", [
    (10 << 30, 8 << 30, 10 ** 6, 10 ** 5, WELL),
    (100 << 30, 2 << 30, 10 ** 6, 10 ** 5, WELL),
    (10 << 30, 400 << 20, 10 ** 6, 10 ** 5, WARNING),
    (200 << 20, 60 << 20, 10 ** 6, 10 ** 5, WARNING),
    (10 << 30, 8 << 30, 10 ** 6, 10, WARNING),
    (10 << 30, 8 << 30, 0, 0, WELL),
])
def test_little_room_for_bytes_or_for_files_is_warned_of(tmp_path, monkeypatch, total, free, files, left, level):
    monkeypatch.setattr(medium.shutil, "disk_usage", lambda place: Size(total, total - free, free))
    monkeypatch.setattr(medium.os, "statvfs", lambda place: Files(files, left))
    found, = medium.room(str(tmp_path))
    assert found.level == level and (found.advice is not None) == (level == WARNING)


def test_nothing_is_tried_where_nothing_may_be_written(tmp_path, monkeypatch):
    assert medium.why_untried(str(tmp_path)) is None
    monkeypatch.setattr(medium.os, "access", lambda place, mode: False)
    assert "read-only" in medium.why_untried(str(tmp_path))
    monkeypatch.setattr(medium.os, "geteuid", lambda: 0)
    os.chown(str(tmp_path), 12345, -1) if os.getuid() == 0 else pytest.skip("only root gives files away")
    assert "another user's" in medium.why_untried(str(tmp_path))
