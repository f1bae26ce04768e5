"""The data folder: the catalogue file, one folder per shard, and the collections that are open.

DIR/lock              held while a process has the folder open
DIR/catalogue.json    what exists; the only source of truth
DIR/shards/NAME-HEX/  one shard; one that the catalogue does not name is left over from an unfinished change

A collection is created by making its shard and then naming it in the catalogue, and deleted in the opposite order; an
indexed copy is finished and then named in place of the original. So after a crash at any moment the catalogue names
complete shards only, and the next start removes the others.
"""

import asyncio
import contextlib
import logging
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.catalogue import Catalogue, Entry, VectorSetting
from edge.collection import Collection
from edge.disk import FolderLock, replace_file, sync_folder
from edge.errors import CannotStart, HostFault
from edge.shard_process import ShardProcess

log = logging.getLogger(__name__)

CATALOGUE_NAME = "catalogue.json"
SHARDS_NAME = "shards"
REMEDY = "Restore it from a backup."


class Store:
    """An open data folder. Raises CannotStart if the folder is in use, not writable or broken."""

    def __init__(self, folder: Path) -> None:
        self._lock = FolderLock(folder)
        self._catalogue_file = folder / CATALOGUE_NAME
        self._shards = folder / SHARDS_NAME
        self.catalogue = _read(self._catalogue_file, self._shards)
        _sweep(self._shards, self.catalogue)
        self._open: dict[str, Collection] = {}
        self._hosts: set[ShardProcess] = set()
        # Held while a change of the catalogue waits for a host process, so that no other change comes in between.
        self.changing = asyncio.Lock()
        self.is_broken = asyncio.Event()
        # Set by each write, and at first: what was there before is looked at once.
        self.written = asyncio.Event()
        self.written.set()

    async def open(self) -> None:
        """Opens the collections. Raises CannotStart if one is broken."""
        # The host started last, which gets the collections created from now on.
        self._newest_host = await self.start_host()
        for name, entry in self.catalogue.collections.items():
            shard = self.path(entry.folder)
            try:
                await self._newest_host.ask(str(shard), "load", entry.vectors)
            except HostFault as error:
                raise CannotStart(f"the collection in {shard} cannot be opened: {error}. {REMEDY}") from error
            self._open[name] = Collection(entry, self._newest_host, str(shard), self.written)

    @property
    def collections(self) -> dict[str, Collection]:
        """The open collections by name."""
        return dict(self._open)

    def collection(self, name: str) -> Collection:
        """The collection of this name or alias. Raises NotFound."""
        return self._open[self.catalogue.resolve(name)]

    def path(self, folder: str) -> Path:
        """Path of the shard in this folder."""
        return self._shards / folder

    async def create(self, name: str, vectors: dict[str, VectorSetting], metadata: dict[str, Any]) -> None:
        """Raises BadInput or Conflict for the name."""
        entry = Entry(folder=new_folder(name), vectors=vectors, metadata=metadata)
        async with self.changing:
            changed = self.catalogue.with_collection(name, entry)
            shard = self.path(entry.folder)
            await self._newest_host.ask(str(shard), "create", vectors)
            sync_folder(self._shards)
            self._commit(changed)
            self._open[name] = Collection(entry, self._newest_host, str(shard), self.written)

    async def delete(self, name: str) -> bool:
        """Deletes by the collection's own name, as Qdrant does; False if there is none."""
        async with self.changing:
            if name not in self.catalogue.collections:
                return False
            self._commit(self.catalogue.without_collection(name))
            gone = self._open.pop(name)
        await self.close_shard(gone.host, gone.shard)
        return True

    def switch_shard(self, name: str, host: ShardProcess, folder: str) -> None:
        """Serves a collection from a copy of its shard that another host has open. Call with `changing` held."""
        sync_folder(self._shards)
        self._commit(self.catalogue.with_folder(name, folder))
        collection = self._open[name]
        collection.entry = self.catalogue.collections[name]
        collection.host, collection.shard = host, str(self.path(folder))
        self._newest_host = host

    async def close_shard(self, host: ShardProcess, shard: str) -> None:
        """Closes and removes a shard that the catalogue no longer names."""
        await host.ask(shard, "close")
        if host is not self._newest_host and all(host is not one.host for one in self._open.values()):
            await self.stop_host(host)
        # In a thread: removing large files takes a while and would block the event loop.
        await asyncio.to_thread(remove_shard, Path(shard))

    async def change_metadata(self, name: str, changes: dict[str, Any]) -> None:
        """Merges into the metadata of a collection or of what an alias points to."""
        async with self.changing:
            found = self.catalogue.resolve(name)
            self._commit(self.catalogue.with_metadata(found, changes))
            self._open[found].entry = self.catalogue.collections[found]

    async def change_aliases(self, change: Callable[[Catalogue], Catalogue]) -> None:
        """All of the change or, if it raises, nothing."""
        async with self.changing:
            self._commit(change(self.catalogue))

    async def start_host(self) -> ShardProcess:
        """Starts a host process. If one that has collections open dies, the store is broken."""
        host = await ShardProcess.start(self._lock.fileno())
        self._hosts.add(host)
        host.on_death(lambda: self._host_died(host))
        return host

    async def stop_host(self, host: ShardProcess) -> None:
        """Ends a host process that has no collection of the catalogue open."""
        self._hosts.discard(host)
        await host.stop()

    async def close(self) -> None:
        """Flushes and closes everything."""
        for collection in self._open.values():
            with contextlib.suppress(HostFault):
                await collection.host.ask(collection.shard, "close")
        for host in list(self._hosts):
            await self.stop_host(host)
        self._lock.release()

    def _commit(self, changed: Catalogue) -> None:
        replace_file(self._catalogue_file, changed.to_json())
        self.catalogue = changed

    def _host_died(self, host: ShardProcess) -> None:
        if host in self._hosts and (host is self._newest_host or any(host is one.host for one in self._open.values())):
            log.critical("a host died pid=%s: the server ends, to be started again", host.pid)
            self.is_broken.set()


def new_folder(name: str) -> str:
    """An unused folder name: it separates copies, recreated collections, and names that differ in case only."""
    return f"{name}-{secrets.token_hex(4)}"


def remove_shard(folder: Path) -> None:
    """Removes a shard that the catalogue does not name; a failure is left to the next start."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        log.warning("left over folder=%s", folder)


def _read(file: Path, shards: Path) -> Catalogue:
    """The catalogue on disk; for a new folder an empty one, which is written."""
    try:
        if file.exists():
            return Catalogue.from_json(file.read_bytes())
        is_new = not shards.exists() or not any(shards.iterdir())
        if is_new:
            shards.mkdir(exist_ok=True)
            replace_file(file, Catalogue().to_json())
    except OSError as error:
        raise CannotStart(f"cannot read or write the catalogue {file}: {error.strerror}.") from error
    except ValueError as error:
        raise CannotStart(f"cannot use the catalogue {file}: {error}. {REMEDY}") from error
    if not is_new:
        # Taken for an empty catalogue, it would make _sweep delete all shards.
        raise CannotStart(f"the catalogue {file} is missing, although there are shards. {REMEDY}")
    return Catalogue()


def _sweep(shards: Path, catalogue: Catalogue) -> None:
    named = {entry.folder for entry in catalogue.collections.values()}
    for folder in shards.iterdir():
        if folder.name not in named:
            log.info("sweeping folder=%s", folder)
            remove_shard(folder)
