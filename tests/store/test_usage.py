"""What the store takes of the disk, by what it is for."""

import os

from queuectl_lib.store import usage
from tests.store.stores import many, write


def test_every_file_is_counted_once(here):
    here.add("a")
    here.bulk(many(50))
    write(here.store.paths.output + "/a.1.out", b"x" * 100000)
    write(here.root + "/worker.log", b"x" * 9000)
    write(here.root + "/worker.log.1", b"x" * 9000)
    parts, complete = usage.usage(here.store.paths)
    everything = sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for folder, _, names in os.walk(here.root) for name in names)
    assert complete and sum(parts.values()) == everything
    assert parts["output"] >= 100000 and parts["log"] >= 18000 and parts["base"] > 0 and parts["journal"] > 0


def test_a_folder_with_too_many_files_is_not_read_to_its_end(here):
    for number in range(20):
        write("%s/%d.1.out" % (here.store.paths.output, number), b"x" * 5000)
    whole, complete = usage.usage(here.store.paths)
    part, incomplete = usage.usage(here.store.paths, 10)
    assert (complete, incomplete) == (True, False) and 0 < part["output"] < whole["output"]
    assert usage.usage(here.store.paths, None) == (whole, True)


def test_holes_take_no_room(here):
    with open(here.store.paths.workers + "/1.out", "wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
    assert sum(usage.usage(here.store.paths)[0].values()) < 1 << 20


def test_a_store_that_is_not_there_takes_nothing(tmp_path):
    from queuectl_lib.store.paths import Paths
    parts, complete = usage.usage(Paths(str(tmp_path / "absent")))
    assert complete and set(parts.values()) == {0}
