"""A backup: a folder with what cannot be made again without work, and how it becomes a data folder.

DIR/backup.json     of which version, made when, and the SHA-256 of each file
DIR/index.npz       the index, as `lookalike export` writes it
DIR/library.json    which library it is of, under which ids
DIR/models/         models that were fetched
DIR/verdicts.jsonl  what people decided about pairs of photos

What waits in the broker, logs and Flower's history are not in it: the first scan finds what is left to do.
"""

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lookalike import __version__
from lookalike.errors import Misconfigured, Refused
from lookalike.local.data_version import VERSION, refuse_newer
from lookalike.local.library_identity import owned_by
from lookalike.system.data_folder import PRIVATE_FOLDER, DataFolder, write_private

ABOUT, INDEX, IDENTITY, MODELS, VERDICTS = "backup.json", "index.npz", "library.json", "models", "verdicts.jsonl"


def begin_backup(target: Path, folder: DataFolder | None) -> Path:
    """A new folder next to the target, with all but the index. Raises Refused for a target that holds something.

    Where the index is that of a system elsewhere, there is no data folder.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} holds something already: name a new folder, as {target / 'today'}.")
    if not target.parent.is_dir():
        raise Refused(f"There is no folder {target.parent} to write into: make it, or name another one.")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=PRIVATE_FOLDER)
    if folder is None:
        return part
    if folder.identity.exists():
        shutil.copyfile(folder.identity, part / IDENTITY)
    if folder.verdicts.exists():
        shutil.copyfile(folder.verdicts, part / VERDICTS)
    if folder.models.is_dir():
        shutil.copytree(folder.models, part / MODELS)
    return part


def end_backup(part: Path, target: Path) -> dict[str, Any]:
    """Describes the backup and gives it its name; until then it is none."""
    about = {
        "version": VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": __version__,
        "sha256": {str(file.relative_to(part)): _sha256(file) for file in _files(part)},
    }
    (part / ABOUT).write_text(json.dumps(about, indent=1), "utf-8")
    for file in _files(part):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    if target.exists():
        target.rmdir()
    part.rename(target)
    return about


def check_backup(backup: Path) -> dict[str, Any]:
    """What the backup says of itself. Raises Refused for one that is none or damaged, Misconfigured for a newer one."""
    try:
        about: dict[str, Any] = json.loads((backup / ABOUT).read_text("utf-8"))
        version, hashes = int(about["version"]), dict(about["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{backup} is no backup: name a folder that `lookalike backup` made.") from error
    refuse_newer(version, f"The backup {backup}")
    for name, expected in hashes.items():
        file = backup / name
        if not file.is_file() or _sha256(file) != expected:
            raise Refused(f"The backup {backup} is damaged: {name} is not as it was written; take another one.")
    return about


def need_empty(folder: DataFolder) -> None:
    """Raises Misconfigured unless a backup can become this data folder."""
    if folder.identity.exists():
        raise Misconfigured(
            f"The data folder {folder.root} is in use by the library {owned_by(folder).root}: name an empty one with "
            "--data, or remove it."
        )


def restore_files(backup: Path, folder: DataFolder) -> None:
    """Copies models and verdicts."""
    if (backup / MODELS).is_dir():
        shutil.copytree(backup / MODELS, folder.models, dirs_exist_ok=True)
    if (backup / VERDICTS).exists():
        shutil.copyfile(backup / VERDICTS, folder.verdicts)


def restore_identity(backup: Path, folder: DataFolder) -> None:
    """Binds the data folder to its library, as the last step: without it the restore can be begun again."""
    if (backup / IDENTITY).exists():
        write_private(folder.identity, (backup / IDENTITY).read_text("utf-8"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
