"""What the kernel's table of mounts says of a library."""

from pathlib import Path

from producer.mounts import mounted_below

TABLE = r"""21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 21 0:30 / /photos rw - tmpfs x rw
31 30 0:31 / /photos/stick\040one rw - vfat /dev/sdb1 rw
32 21 0:32 / /photos2/other rw - tmpfs x rw
"""


def test_disks_inside_are_found_by_their_names_and_others_are_not(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)

    assert mounted_below(Path("/photos"), table) == {("/photos/stick one", "31")}
    assert mounted_below(Path("/"), table) >= {("/photos", "30"), ("/photos2/other", "32")}


def test_where_nothing_can_be_said_there_is_none(tmp_path: Path) -> None:
    assert mounted_below(tmp_path, tmp_path / "nothing") == frozenset()
    assert mounted_below(tmp_path) == frozenset()
