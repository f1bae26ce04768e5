"""The data folder: where `up` keeps everything on this machine, and the meaning of each name in it.

lock             held by the running `up`, which writes its pid into it
parts.lock       held by every part while it lives, see process_guard.py
version          of the folder's form, see local/data_version.py
library.json     which library the index belongs to, see local/library_identity.py
generations.json which model is searched since a switch, see generation_file.py
running.json     addresses of the running system, secrets included, see discovery.py
broker.password  made once
verdicts.jsonl   verdicts on duplicates; nothing but this and the store has it
broker/ store/   files of Valkey and of the embedded engine
flower/ logs/    Flower's task history; one log per part
thumbnails/      what the gallery has drawn, within LOOKALIKE_MAX_THUMBNAIL_BYTES
run/             configuration of this run
models/          models that were fetched
libraries/       data folders of the user's other libraries, see local/library_folders.py
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

from lookalike.errors import Misconfigured
from lookalike.settings import Settings

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
REMEDY = "Name another folder with --data or LOOKALIKE_DATA."


@dataclass(frozen=True)
class DataFolder:
    """Names in one data folder; `root` is absolute."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by `up`."""
        return self.root / "lock"

    @property
    def parts_lock(self) -> Path:
        """Held by the parts."""
        return self.root / "parts.lock"

    @property
    def preparing(self) -> Path:
        """Held by `up` while it checks or makes the index: what was started meanwhile waits for that."""
        return self.run / "preparing"

    @property
    def identity(self) -> Path:
        """Which library the index belongs to."""
        return self.root / "library.json"

    @property
    def version(self) -> Path:
        """The version of the folder's form."""
        return self.root / "version"

    @property
    def running(self) -> Path:
        """Addresses of the running system."""
        return self.root / "running.json"

    @property
    def password(self) -> Path:
        """The embedded broker's password."""
        return self.root / "broker.password"

    @property
    def verdicts(self) -> Path:
        """Verdicts on duplicates."""
        return self.root / "verdicts.jsonl"

    @property
    def broker(self) -> Path:
        """What Valkey keeps."""
        return self.root / "broker"

    @property
    def store(self) -> Path:
        """What the embedded engine keeps."""
        return self.root / "store"

    @property
    def flower(self) -> Path:
        """Flower's task history."""
        return self.root / "flower"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.root / "logs"

    @property
    def thumbnails(self) -> Path:
        """Thumbnails that the gallery keeps."""
        return self.root / "thumbnails"

    @property
    def models(self) -> Path:
        """Models that were fetched."""
        return self.root / "models"

    @property
    def libraries(self) -> Path:
        """In the user's own data folder: those of all libraries but the first."""
        return self.root / "libraries"

    @property
    def run(self) -> Path:
        """Configuration of this run."""
        return self.root / "run"


def data_folder(settings: Settings) -> DataFolder:
    """The folder that is set, else the user's own (`~/.local/share/lookalike` on Linux)."""
    root = platformdirs.user_data_path("lookalike") if settings.data is None else settings.data.expanduser()
    return DataFolder(Path(os.path.abspath(root)))  # noqa: PTH100 (resolve() would follow links that the user made)


def known_folders(home: DataFolder) -> Iterator[DataFolder]:
    """The data folders of a user that are there, `home` first."""
    below = sorted(home.libraries.iterdir()) if home.libraries.is_dir() else []
    for folder in (home, *map(DataFolder, below)):
        if folder.identity.exists() or folder.lock.exists():
            yield folder


def make_data_folder(folder: DataFolder) -> None:
    """Makes the folder and what is in it, readable by its owner alone. Raises Misconfigured."""
    try:
        folder.root.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        refuse_foreign(folder)
        folder.root.chmod(PRIVATE_FOLDER)
        folder.lock.touch(PRIVATE_FILE)
        for inside in (folder.broker, folder.store, folder.flower, folder.logs, folder.run, folder.thumbnails):
            inside.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"The data folder {folder.root} cannot be written ({error.strerror}). {REMEDY}") from error


def write_private(path: Path, content: str | bytes) -> None:
    """Replaces a file atomically; only its owner can read it at any moment."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def open_private(path: Path) -> IO[bytes]:
    """Opens a new log, readable by its owner alone, in place of the one before."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb")


def refuse_foreign(folder: DataFolder) -> None:
    """Raises Misconfigured for a folder with other files: `up` must never delete them."""
    ours = folder.lock.exists() or folder.identity.exists()
    if not ours and any(not entry.name.startswith(".") and entry != folder.models for entry in folder.root.iterdir()):
        raise Misconfigured(f"The data folder {folder.root} holds other files. {REMEDY}")
