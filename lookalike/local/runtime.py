"""What must have a short path or be seen by every `up` of this user: sockets, taken ports, running systems."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from lookalike.errors import Misconfigured
from lookalike.local.folder import PRIVATE_FOLDER, DataFolder

# sun_path has 108 bytes on Linux and 104 on macOS; supervisor binds "<path>.<pid>" before it renames.
MAX_SOCKET_BYTES = 90


def runtime_folder() -> Path:
    """This user's folder for such files, made if need be. Raises Misconfigured if it is somebody else's."""
    folder = Path(tempfile.gettempdir()) / f"lookalike-{os.getuid()}"
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise Misconfigured(
            f"{folder} is open to other users or not yours: remove it, or set TMPDIR to a folder of yours."
        )
    return folder


def socket_of(folder: DataFolder) -> Path:
    """Where the supervisor of this data folder listens."""
    inside = folder.run / "supervisor.sock"
    if len(os.fsencode(inside)) <= MAX_SOCKET_BYTES:
        return inside
    return runtime_folder() / f"{key_of(folder)}.sock"


def key_of(folder: DataFolder) -> str:
    """A short name for the data folder, the same in every process."""
    return hashlib.sha256(os.fsencode(folder.root)).hexdigest()[:12]
