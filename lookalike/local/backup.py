"""A backup: a folder with what cannot be made again without work, and how it becomes a data folder.

DIR/backup.json       of which version, made when, and the SHA-256 of each file
DIR/index.npz         the index and what people decided about pairs of photos, as `lookalike export` writes both
DIR/library.json      which library it is of, under which ids
DIR/folders.json      the folders of that library and their names, if it has several
DIR/generations.json  what a reindex switched to, if it did: its model by its place in DIR, if it is a file
DIR/models/           models that were fetched, and the one that a reindex switched to

Its index is the one that is searched. What a reindex fills in or keeps is not in it, nor what waits in the broker, logs
and Flower's history: the first scan finds what is left to do.
"""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lookalike import __version__
from lookalike.errors import Misconfigured, Refused
from lookalike.library.joined.folders import TABLE, Joined
from lookalike.local.folders.data_version import VERSION, refuse_newer
from lookalike.local.folders.joining import joined_root, write_joined
from lookalike.local.folders.library_identity import owned_by
from lookalike.system.data_folder import PRIVATE_FOLDER, DataFolder, write_private
from lookalike.system.generation_file import GenerationFile

ABOUT, INDEX, IDENTITY, MODELS = "backup.json", "index.npz", "library.json", "models"
# In MODELS.
SWITCHED = "switched"


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
    table = joined_root(folder) / TABLE
    if table.exists():
        shutil.copyfile(table, part / TABLE)
    if folder.models.is_dir():
        shutil.copytree(folder.models, part / MODELS)
    return part


def add_generation(part: Path, folder: DataFolder | None, collection: str) -> None:
    """Adds what a reindex switched to, if the index in the backup is of that collection. Raises Refused.

    To be called when the index is written: a switch may have come before it.
    """
    if folder is None:
        return
    served = GenerationFile(folder.root).generation_in(collection)
    if served is not None:
        GenerationFile(part).save_served(replace(served, model=_add_model(part, folder, served.model)))


def _add_model(part: Path, folder: DataFolder, model: str) -> str:
    """The place of a model file in the backup; the name of one that ships or was fetched stays as it is."""
    file = Path(model)
    if not file.is_absolute():
        return model
    if file.is_relative_to(folder.models):
        return str(file.relative_to(folder.root))
    target = part / MODELS / SWITCHED / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(file, target)
    except OSError as error:
        raise Refused(
            f"The index was switched to the model {file}, which cannot be read ({error.strerror}): put it back, or "
            "switch to another one with `lookalike reindex --model`."
        ) from error
    return str(target.relative_to(part))


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
    """Copies models, and what a reindex switched to."""
    if (backup / MODELS).is_dir():
        shutil.copytree(backup / MODELS, folder.models, dirs_exist_ok=True)
    served = GenerationFile(backup).served()
    if served is not None:
        is_file = (backup / served.model).is_file()
        model = str(folder.root / served.model) if is_file else served.model
        GenerationFile(folder.root).save_served(replace(served, model=model))


def restore_identity(backup: Path, folder: DataFolder) -> None:
    """Binds the data folder to its library, as the last step: without it the restore can be begun again."""
    if (backup / TABLE).exists():
        write_joined(joined_root(folder), Joined.from_json((backup / TABLE).read_text("ascii")))
    if (backup / IDENTITY).exists():
        write_private(folder.identity, (backup / IDENTITY).read_text("utf-8"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
