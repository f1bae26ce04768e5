"""What is mounted in the library, and whether it lies on disks of this machine."""

from pathlib import Path

import pytest

from producer.watching.mounts import Mount, is_local, mounted_below, mounts_at

TABLE = r"""21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 21 0:30 / /photos rw - tmpfs x rw
31 30 0:31 / /photos/stick\040one rw shared:3 - vfat /dev/sdb1 rw
32 21 0:32 / /photos2/other rw - tmpfs x rw
33 21 0:33 / /share rw - nfs4 nas:/photos rw
34 21 0:34 / /home rw - btrfs /dev/sdc rw
35 34 0:35 / /home/me/cloud rw - fuse.rclone remote rw
36 21 0:36 / /twice rw - ext4 /dev/sdd rw
37 36 0:37 / /twice rw - cifs //nas/x rw
38 21 0:38 / /ntfs rw - fuseblk /dev/sde rw
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    return table


def test_disks_inside_are_found_by_their_names_and_others_are_not(table: Path) -> None:
    assert mounted_below(Path("/photos"), table) == {Mount("/photos/stick one", "31", "vfat")}
    assert {mount.folder for mount in mounted_below(Path("/"), table)} >= {"/photos", "/photos2/other"}


def test_where_nothing_is_known_there_is_no_mount(tmp_path: Path) -> None:
    assert mounted_below(tmp_path, tmp_path / "nothing") == frozenset()
    assert mounted_below(tmp_path) == frozenset()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/photos", True),
        ("/photos/stick one/2024", True),
        ("/srv", True),
        ("/share", False),
        ("/share/2024", False),
        ("/sharer", True),
        ("/home/you", True),
        # What is mounted inside counts, too.
        ("/home/me", False),
        # The later of two mounts on one folder is the one that is seen.
        ("/twice/a", False),
        ("/ntfs", False),
    ],
)
def test_a_library_is_local_if_no_part_of_it_is_on_another_machine(table: Path, folder: str, expected: object) -> None:
    assert is_local(Path(folder), table) is expected


def test_the_mounts_of_a_library_are_its_own_and_those_in_it(table: Path) -> None:
    assert {mount.number for mount in mounts_at(Path("/photos/2024"), table)} == {"30"}
    assert {mount.number for mount in mounts_at(Path("/home"), table)} == {"34", "35"}
    assert {mount.number for mount in mounts_at(Path("/twice"), table)} == {"37"}
    assert {mount.number for mount in mounts_at(Path("/srv"), table)} == {"21"}


def test_where_nothing_is_known_it_is_not_taken_for_local(tmp_path: Path) -> None:
    assert not is_local(tmp_path, tmp_path / "nothing")
