"""The version of the data folder's form: an older one is brought forward by a step for each version, a newer refused.

0  has no file that says so; library.json may lack the ids that were given before
1  says so; library.json has all ids
"""

import json
from collections.abc import Callable, Mapping

from lookalike.errors import Misconfigured
from lookalike.system.data_folder import REMEDY, DataFolder, write_private

VERSION = 1


def version_of(folder: DataFolder) -> int:
    """The version of the folder as it is; a new one has that of this program. Raises Misconfigured."""
    if not folder.version.exists():
        return 0 if folder.identity.exists() else VERSION
    text = folder.version.read_text("ascii", errors="replace").strip()
    if not text.isdigit():
        raise Misconfigured(f"{folder.version} has {text!r} and no version: restore the data folder from a backup.")
    return int(text)


def bring_forward(folder: DataFolder) -> None:
    """Makes the folder one of this version; call it under its lock. Raises Misconfigured for a newer one.

    Each step may be done twice: the version is written when it is done.
    """
    version = version_of(folder)
    refuse_newer(version, f"The data folder {folder.root}")
    while version < VERSION:
        STEPS[version](folder)
        version += 1
        _write(folder, version)
    if not folder.version.exists():
        _write(folder, version)


def refuse_newer(version: int, what: str) -> None:
    """Raises Misconfigured for a version that this program does not know."""
    if version > VERSION:
        raise Misconfigured(
            f"{what} was made by a newer lookalike (version {version}, this one knows {VERSION}): install that one "
            f"again. {REMEDY}"
        )


def _write(folder: DataFolder, version: int) -> None:
    write_private(folder.version, f"{version}\n")


def _with_all_ids(folder: DataFolder) -> None:
    """The one library that the folder knows becomes one of all that it ever knew."""
    known = json.loads(folder.identity.read_text("utf-8"))
    write_private(folder.identity, json.dumps({"ids": {known["id"]: known["root"]}, **known}))


# From each version to the next.
STEPS: Mapping[int, Callable[[DataFolder], None]] = {0: _with_all_ids}
