"""What is mapped and not used is let go, and is there again when it is asked for."""

import mmap
import re
import sys
from pathlib import Path

import pytest

from edge.host.mapped import release_mapped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")

MIB = 2**20


def resident_kib(file: Path) -> int:
    """What counts of this mapped file as memory of this process."""
    found = re.search(rf"{re.escape(str(file))}\n(?:.*\n)*?Rss: +(\d+) kB", Path("/proc/self/smaps").read_text())
    return 0 if found is None else int(found[1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shard" / "vectors.mmap"
    path.parent.mkdir()
    path.write_bytes(b"\x07" * MIB)
    return path


def test_pages_are_let_go_and_come_back_with_what_was_written(file: Path) -> None:
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), MIB) as mapped:
        assert mapped[:].count(7) == MIB
        mapped[5000] = 9
        assert resident_kib(file) == 1024

        assert release_mapped(file.parent) == 1

        assert resident_kib(file) == 0
        assert (mapped[4999], mapped[5000], mapped[5001]) == (7, 9, 7)


def test_files_elsewhere_and_what_is_ones_own_stay(file: Path) -> None:
    beside = file.parent.with_name("shard-2")
    beside.mkdir()
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), MIB, flags=mmap.MAP_PRIVATE) as mine:
        mine[0] = 1

        assert release_mapped(file.parent) == 0
        assert release_mapped(beside) == 0
        assert mine[0] == 1
