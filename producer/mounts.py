"""Which disks are mounted below a folder: nobody tells of the files that appear with one. Linux; elsewhere none."""

import os
from pathlib import Path

# proc(5): the mounts of this process; the fifth field is where, with octal escapes.
TABLE = Path("/proc/self/mountinfo")
WHERE = 4


def mounted_below(root: Path, table: Path = TABLE) -> frozenset[tuple[str, str]]:
    """Folder and number of each mount inside the root, the root itself left out."""
    try:
        lines = table.read_bytes().splitlines()
    except OSError:
        return frozenset()
    inside = os.fspath(root).rstrip(os.sep) + os.sep
    mounts = (line.split() for line in lines)
    found = ((os.fsdecode(_unescaped(fields[WHERE])), fields[0].decode()) for fields in mounts if len(fields) > WHERE)
    return frozenset((folder, number) for folder, number in found if folder.startswith(inside))


def _unescaped(field: bytes) -> bytes:
    """Spaces, tabs, newlines and backslashes are written as three octal digits."""
    first, *rest = field.split(b"\\")
    return first + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)
