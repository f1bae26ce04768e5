"""Builds the HNSW index of a collection that has grown, while its points are searched and written as ever.

Exact search among 20,000 points takes 2 ms, among 100,000 it takes 8, and grows with them; with an index it takes 1.7
(dimension 512, 2 cores, 2026-11-21). The engine builds one in a call that stops its process for half a minute, so:

 1. writes wait while another process copies the shard's folder (0.3 s for 100,000 points); searches go on
 2. that process, at a low priority, builds the index of the copy; the host of the original remembers which points
    change meanwhile
 3. a new host opens the copy, and gets those points as they are by now, again and again until few are left
 4. writes wait for the last of them; then the catalogue names the copy, the collection's requests go to the new host,
    and the original is closed and removed

Until the catalogue names it, the copy is litter: whatever dies, and whenever, the original has all that was
acknowledged, and the next start sweeps the copy away.
"""

import asyncio
import contextlib
import logging
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from edge.child_process import command
from edge.collection import Collection
from edge.disk import used_bytes
from edge.errors import HostFault, IndexingFailed, Refused
from edge.shard_process import ShardProcess
from edge.store import Store, new_folder, remove

log = logging.getLogger(__name__)

HNSW_THRESHOLD = 20_000
# Of what is there, so that a large collection is not copied for every 20,000 points: 1,000,000 take 25 builds.
GROWN_SHARE = 0.1
LOOK_S = 1.0
# Half of what it takes to send is that the old host stands still: 3 ms for so many.
REPLAYED_AT_ONCE = 64
# The copy, the index's own copy of the vectors, and the segment that it was made from, which goes last.
ROOM = 3
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0


def is_due(changed: int, vectors: int, above: int) -> bool:
    """Whether so many points outside of the index, of so many vectors, are worth a new one."""
    return vectors > above and changed > max(above, GROWN_SHARE * vectors)


def wait_s(failures: int) -> float:
    """Until the next attempt after so many failures in a row: 30 s, 60, 120 ... 3600."""
    return min(FIRST_WAIT_S * 2.0 ** (failures - 1), LONGEST_WAIT_S)


class HnswBuilder:
    """One build at a time, whatever the number of collections."""

    def __init__(self, store: Store, above: int) -> None:
        self._store = store
        self._above = above
        # Collection -> failures in a row, and when it may be tried again (monotonic seconds).
        self._failed: dict[Collection, tuple[int, float]] = {}

    async def run(self) -> None:
        """Looks at the collections until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            for name, collection in self._store.collections.items():
                try:
                    if self._may_try(collection) and await self._is_due(collection):
                        await self._build(name, collection)
                        self._failed.pop(collection, None)
                except Exception as error:  # noqa: BLE001  (it is logged, and the others go on)
                    self._failed_again(name, collection, error)

    def _may_try(self, collection: Collection) -> bool:
        _, not_before_s = self._failed.get(collection, (0, 0.0))
        return time.monotonic() >= not_before_s

    async def _is_due(self, collection: Collection) -> bool:
        size = await collection.host.ask(collection.shard, "size")
        # Counting vectors takes 17 ms of 100,000 points, so only when it may matter.
        if not is_due(size["changed"], size["points"], self._above):
            return False
        return is_due(size["changed"], await collection.host.ask(collection.shard, "vectors"), self._above)

    def _failed_again(self, name: str, collection: Collection, error: Exception) -> None:
        if not self._is_there(name, collection):
            log.info("indexing given up collection=%s: it was deleted", name)
            self._failed.pop(collection, None)
            return
        failures = self._failed.get(collection, (0, 0.0))[0] + 1
        self._failed[collection] = failures, time.monotonic() + wait_s(failures)
        collection.indexing_fault = str(error)
        log.warning(
            "indexing failed collection=%s again_in_s=%.0f: %s", name, wait_s(failures), error,
            exc_info=None if isinstance(error, IndexingFailed | HostFault) else error,
        )  # fmt: skip

    async def _build(self, name: str, collection: Collection) -> None:
        host, shard = collection.host, collection.shard
        _check_room(Path(shard))
        copy = self._store.path(new_folder(name))
        began_s = time.monotonic()
        log.info("indexing begins collection=%s", name)
        collection.is_indexing = True
        try:
            async with _optimizer(collection, copy) as optimizer:
                copied_s = time.monotonic()
                await self._until_done(name, collection, optimizer)
            optimized_s = time.monotonic()
            replayed = await self._hand_over(name, collection, copy)
        except BaseException:
            with contextlib.suppress(HostFault, Refused):
                await host.ask(shard, "unwatch")
            remove(copy)
            raise
        finally:
            collection.is_indexing = False
        collection.indexing_fault = None
        log.info(
            "indexing ends collection=%s took_s=%.1f copy_s=%.2f optimize_s=%.1f replayed=%d",
            name, time.monotonic() - began_s, copied_s - began_s, optimized_s - copied_s, replayed,
        )  # fmt: skip
        await self._store.let_go(host, shard)

    async def _until_done(self, name: str, collection: Collection, optimizer: asyncio.subprocess.Process) -> None:
        ending = asyncio.create_task(optimizer.communicate())
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=LOOK_S)
                self._check_there(name, collection)
        finally:
            ending.cancel()
        if optimizer.returncode != 0:
            said = ending.result()[1].decode().strip()
            raise IndexingFailed(said or _how_it_ended(optimizer.returncode or 0))

    async def _hand_over(self, name: str, collection: Collection, copy: Path) -> int:
        """Lets a new host open the copy and take over. Returns how many points changed meanwhile."""
        host = await self._store.start_host()
        try:
            await host.ask(str(copy), "load", collection.entry.vectors)
            replayed = 0
            while (count := await _replay(collection, host, copy)) == REPLAYED_AT_ONCE:
                replayed += count
            replayed += count
            async with self._store.changing:
                self._check_there(name, collection)
                with collection.holding_writes():
                    for operation, body in collection.index_changes:
                        # What was refused here is refused there.
                        with contextlib.suppress(Refused):
                            await host.call(str(copy), operation, body)
                    while count := await _replay(collection, host, copy):
                        replayed += count
                    await host.ask(str(copy), "flush")
                    self._store.take_over(name, host, copy.name)
        except BaseException:
            # It may be in the middle of opening the copy, which is litter by now.
            host.kill()
            await self._store.stop_host(host)
            raise
        return replayed

    def _is_there(self, name: str, collection: Collection) -> bool:
        return self._store.collections.get(name) is collection

    def _check_there(self, name: str, collection: Collection) -> None:
        if not self._is_there(name, collection):
            raise IndexingFailed("it was deleted")


@asynccontextmanager
async def _optimizer(collection: Collection, copy: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process that builds the index, from when it has made its copy; it does not outlive the block."""
    vectors = orjson.dumps(collection.entry.vectors).decode()
    with collection.holding_writes():
        collection.index_changes.clear()
        await collection.host.ask(collection.shard, "watch")
        process = await asyncio.create_subprocess_exec(
            *command("edge.host.optimize", collection.shard, str(copy), vectors),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            # Nothing, if it could not copy: then it has ended, and says why.
            await process.stdout.readline()  # type: ignore[union-attr]
        except BaseException:
            await _killed(process)
            raise
    try:
        yield process
    finally:
        await _killed(process)


async def _killed(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _how_it_ended(exit_code: int) -> str:
    # The engine writes through mapped memory, and the kernel has no other way to say that there is no room for it.
    full = ": the disk is full" if exit_code == -signal.SIGBUS else ""
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with {exit_code}"
    return f"the process that builds the index {how}{full}"


async def _replay(collection: Collection, host: ShardProcess, copy: Path) -> int:
    """Brings some of the points that changed to the copy, as they are now. Returns how many they were."""
    changes = await collection.host.ask(collection.shard, "changes", REPLAYED_AT_ONCE)
    points, gone = changes["points"], changes["gone"]
    if points:
        await host.ask(str(copy), "upsert", {"points": points})
    if gone:
        await host.ask(str(copy), "delete", {"points": gone})
    return len(points) + len(gone)


def _check_room(shard: Path) -> None:
    needed, free = ROOM * used_bytes(shard), shutil.disk_usage(shard).free
    if free < needed:
        raise IndexingFailed(f"it needs {needed >> 20} MiB of free disk, and there are {free >> 20}. Make room.")
