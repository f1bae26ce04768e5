"""Files that need a short path or that every `up` of this user must see: sockets, reserved ports, running systems."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from lookalike.errors import Misconfigured
from lookalike.system.data_folder import PRIVATE_FOLDER, DataFolder

# sun_path has 108 bytes on Linux and 104 on macOS; supervisor binds "<path>.<pid>" before it renames.
MAX_SOCKET_BYTES = 90
# Where sockets lie if TMPDIR is deep as well, and what all of a user's systems share.
SHORT = Path("/tmp")  # noqa: S108 (in a folder of our own there)
POINTER = "running-"


def runtime_folder(below: Path | None = None) -> Path:
    """This user's folder for such files, made if need be, in TMPDIR unless another folder is given.

    Raises Misconfigured, also if others could write in it.
    """
    folder = _folder(below)
    try:
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be made ({error.strerror}): set TMPDIR to a folder of yours.") from error
    if not _is_ours(folder):
        raise Misconfigured(
            f"{folder} is open to other users or not yours: remove it, or set TMPDIR to a folder of yours."
        )
    return folder


def ports_folder() -> Path:
    """Where ports are reserved: for every `up` of this user, whatever TMPDIR it was given. Raises Misconfigured."""
    try:
        return runtime_folder(SHORT)
    except Misconfigured:
        return runtime_folder()


def pointers() -> list[Path]:
    """The files that say where systems run; none in a folder that is not there, or in which others could write."""
    if not hasattr(os, "getuid"):
        # Windows, where no system can run.
        return []
    folder = _folder()
    return sorted(folder.glob(f"{POINTER}*")) if folder.is_dir() and _is_ours(folder) else []


def pointer_of(folder: DataFolder) -> Path:
    """The file that says that a system runs on this data folder."""
    return runtime_folder() / f"{POINTER}{key_of(folder)}"


def socket_of(folder: DataFolder) -> Path:
    """Where the supervisor of this data folder listens."""
    inside = folder.run / "supervisor.sock"
    if _is_short(inside):
        return inside
    outside = runtime_folder() / f"{key_of(folder)}.sock"
    return outside if _is_short(outside) else runtime_folder(SHORT) / outside.name


def key_of(folder: DataFolder) -> str:
    """A short name for the data folder, the same in every process."""
    return hashlib.sha256(os.fsencode(folder.root)).hexdigest()[:12]


def _folder(below: Path | None = None) -> Path:
    return Path(below or tempfile.gettempdir()) / f"lookalike-{os.getuid()}"


def _is_short(path: Path) -> bool:
    return len(os.fsencode(path)) <= MAX_SOCKET_BYTES


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077
