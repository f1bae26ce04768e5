"""The data folder: the catalogue file, one folder per shard, and the shards that are open.

DIR/lock              held while a process has the folder open
DIR/catalogue.json    what exists; the only truth
DIR/shards/NAME-HEX/  one shard; one that the catalogue does not name is litter of an unfinished change

A collection is created by making its shard and then naming it in the catalogue, and deleted in the opposite order. So
whenever the process dies, the catalogue names whole shards only, and the next start sweeps up the others.
"""

import logging
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.catalogue import Catalogue, Entry, VectorSetting
from edge.collection import OpenCollection
from edge.disk import FolderLock, replace_file, sync_folder
from edge.errors import CannotStart

log = logging.getLogger(__name__)

CATALOGUE_NAME = "catalogue.json"
SHARDS_NAME = "shards"


class Store:
    """Everything that is open. Raises CannotStart if the folder is in use, not writable or broken."""

    def __init__(self, folder: Path) -> None:
        self._lock = FolderLock(folder)
        self._catalogue_file = folder / CATALOGUE_NAME
        self._shards = folder / SHARDS_NAME
        self.catalogue = _read(self._catalogue_file, self._shards)
        self._sweep()
        self._open = {name: self._load(entry) for name, entry in self.catalogue.collections.items()}

    def collection(self, name: str) -> OpenCollection:
        """By its name or an alias. Raises NotFound."""
        return self._open[self.catalogue.resolve(name)]

    def create(self, name: str, vectors: dict[str, VectorSetting], metadata: dict[str, Any]) -> None:
        """Raises BadInput or Conflict for the name."""
        # The suffix keeps apart what was deleted and is made again, and names that differ in case only.
        entry = Entry(folder=f"{name}-{secrets.token_hex(4)}", vectors=vectors, metadata=metadata)
        changed = self.catalogue.with_collection(name, entry)
        created = OpenCollection.create(self._shards / entry.folder, entry)
        created.flush()
        sync_folder(self._shards)
        self._commit(changed)
        self._open[name] = created

    def delete(self, name: str) -> bool:
        """Deletes by the collection's own name, as Qdrant does; False if there is none."""
        if name not in self.catalogue.collections:
            return False
        self._commit(self.catalogue.without_collection(name))
        gone = self._open.pop(name)
        gone.close()
        _remove(self._shards / gone.entry.folder)
        return True

    def change_metadata(self, name: str, changes: dict[str, Any]) -> None:
        """Merges into the metadata of a collection or of what an alias points to."""
        found = self.catalogue.resolve(name)
        self._commit(self.catalogue.with_metadata(found, changes))
        self._open[found].entry = self.catalogue.collections[found]

    def change_aliases(self, change: Callable[[Catalogue], Catalogue]) -> None:
        """All of the change or, if it raises, nothing."""
        self._commit(change(self.catalogue))

    def flush_due(self, now_s: float) -> None:
        """Flushes the collections whose turn it is."""
        for collection in self._open.values():
            if collection.flush_is_due(now_s):
                collection.flush()

    def close(self) -> None:
        """Flushes and closes everything."""
        for collection in self._open.values():
            collection.close()
        self._lock.release()

    def _commit(self, changed: Catalogue) -> None:
        replace_file(self._catalogue_file, changed.to_json())
        self.catalogue = changed

    def _load(self, entry: Entry) -> OpenCollection:
        folder = self._shards / entry.folder
        try:
            return OpenCollection.load(folder, entry)
        except Exception as error:
            raise CannotStart(
                f"the collection in {folder} cannot be opened: {error}. Restore that folder from a backup, or move the "
                f"whole data folder away and let it be built again."
            ) from error

    def _sweep(self) -> None:
        named = {entry.folder for entry in self.catalogue.collections.values()}
        for folder in self._shards.iterdir():
            if folder.name not in named:
                log.info("sweeping folder=%s", folder)
                _remove(folder)


def _read(file: Path, shards: Path) -> Catalogue:
    """The catalogue on disk; on a new folder an empty one, written at once."""
    remedy = "Restore it from a backup, or move the whole data folder away and let it be built again."
    try:
        if file.exists():
            return Catalogue.from_json(file.read_bytes())
        is_new = not shards.exists() or not any(shards.iterdir())
        if is_new:
            shards.mkdir(exist_ok=True)
            replace_file(file, Catalogue().to_json())
    except (OSError, ValueError) as error:
        raise CannotStart(f"cannot use the catalogue {file}: {error}. {remedy}") from error
    if not is_new:
        # Taken for an empty one, it would have all the shards swept away.
        raise CannotStart(f"the catalogue {file} is missing, although there are shards. {remedy}")
    return Catalogue()


def _remove(folder: Path) -> None:
    """The catalogue does not name it any more, so what cannot be removed now can wait for the next start."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        log.warning("left over folder=%s", folder)
