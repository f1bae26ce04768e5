"""What is mounted in the library, and whether all of it lies on disks of this machine. Linux; elsewhere not known."""

import os
from pathlib import Path
from typing import NamedTuple

# proc(5), mountinfo: the fifth field is the mount point, with octal escapes; the type of the file system is the first
# one after a lone dash.
TABLE = Path("/proc/self/mountinfo")
MOUNT_POINT = 4
END_OF_OPTIONS = b"-"
# inotify(7): it reports what this machine does, not what another one does on the same disk. FUSE may be anything.
REMOTE = frozenset(
    {"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "prl_fs", "smb3", "smbfs", "vboxsf"}
    | {"virtiofs", "vmhgfs"}
)


class Mount(NamedTuple):
    """One line of the table."""

    folder: str
    number: str
    kind: str


def mounts(table: Path = TABLE) -> list[Mount]:
    """All mounts of this process, in the order in which they were made; none where there is no such table."""
    try:
        lines = table.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for fields in (line.split() for line in lines):
        if len(fields) > MOUNT_POINT and END_OF_OPTIONS in fields[MOUNT_POINT:-1]:
            kind = fields[fields.index(END_OF_OPTIONS, MOUNT_POINT) + 1]
            found.append(Mount(os.fsdecode(_unescaped(fields[MOUNT_POINT])), fields[0].decode(), os.fsdecode(kind)))
    return found


def mounted_below(root: Path, table: Path = TABLE) -> frozenset[Mount]:
    """The mounts below the root. No event reports the files that appear with a mount."""
    inside = os.fspath(root).rstrip(os.sep) + os.sep
    return frozenset(mount for mount in mounts(table) if mount.folder.startswith(inside))


def mounts_at(root: Path, table: Path = TABLE) -> frozenset[Mount]:
    """The mounts whose files are those of the folder: that in which it lies, and those below it."""
    over = [mount for mount in mounts(table) if root.is_relative_to(mount.folder)]
    # Of two mounts on one folder the later one is seen.
    own = max(enumerate(over), key=lambda found: (len(Path(found[1].folder).parts), found[0]), default=None)
    return mounted_below(root, table) | (frozenset() if own is None else {own[1]})


def is_local(root: Path, table: Path = TABLE) -> bool:
    """Whether the root and all that is mounted below it lie on disks of this machine; False where that is not known."""
    found = mounts_at(root, table)
    return bool(found) and not any(_is_remote(mount.kind) for mount in found)


def _is_remote(kind: str) -> bool:
    return kind in REMOTE or kind == "fuse" or kind.startswith(("fuse.", "fuseblk"))


def _unescaped(field: bytes) -> bytes:
    """Replaces the octal escapes of spaces, tabs, newlines and backslashes."""
    first, *rest = field.split(b"\\")
    return first + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)
