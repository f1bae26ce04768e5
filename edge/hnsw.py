"""Builds the HNSW index of a collection that has grown, while searches and writes go on.

Exact search takes 2 ms among 20,000 points, 8 among 100,000, and grows linearly; with an index it takes 1.7
(dimension 512, 2 cores, 2026-11-21). The engine builds one in a call that blocks its process for half a minute, so:

 1. writes wait while another process copies the shard's folder (0.3 s for 100,000 points); searches go on
 2. that process, at a low priority, builds the index of the copy; the host of the original remembers which points
    change meanwhile
 3. a new host opens the copy and gets the current state of those points, repeatedly until few are left
 4. writes wait for the last of them; then the catalogue names the copy, the collection's requests go to the new host,
    and the original is closed and removed

Until the catalogue names the copy, the original has every acknowledged write, whichever process dies, and the next
start removes the copy.
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

from edge.child_process import child_command
from edge.collection import Collection
from edge.disk import used_bytes
from edge.errors import HostFault, IndexingFailed, Refused
from edge.shard_process import ShardProcess
from edge.store import Store, new_folder, remove_shard

log = logging.getLogger(__name__)

HNSW_THRESHOLD = 20_000
# Share of the collection, so that a large one is not copied for every 20,000 points.
GROWN_SHARE = 0.1
# The same while writes keep coming: a tenth had a million photos indexed from beginning to end, which took half of the
# processor from those that were still to be embedded.
GROWING_SHARE = 0.5
# Without a write for so long a collection grows no more.
CALM_S = 5.0
POLL_S = 1.0
# Reading these many changes blocks the old host for 3 ms, half of the time that replaying them takes.
REPLAYED_AT_ONCE = 64
# Times the shard's size: the copy, the index's own vectors, and the segment it is made from, which is removed last.
ROOM = 3
FIRST_DELAY_S, MAX_DELAY_S = 30.0, 3600.0


def is_due(changed: int, vectors: int, threshold: int, *, is_calm: bool) -> bool:
    """Whether `changed` points outside of the index, of `vectors` in all, are worth a new build."""
    share = GROWN_SHARE if is_calm else GROWING_SHARE
    return vectors > threshold and changed > max(threshold, share * vectors)


def retry_delay_s(failures: int) -> float:
    """Seconds until the next attempt after this many failures in a row: 30, 60, 120 ... 3600."""
    return min(FIRST_DELAY_S * 2.0 ** (failures - 1), MAX_DELAY_S)


class HnswBuilder:
    """Builds one index at a time, whatever the number of collections."""

    def __init__(self, store: Store, threshold: int) -> None:
        self._store = store
        self._threshold = threshold
        # Collection -> failures in a row, and the time of the next attempt (monotonic seconds).
        self._failed: dict[Collection, tuple[int, float]] = {}

    async def build_when_due(self) -> None:
        """Looks at the collections while writes come, and once when they rest, until it is cancelled."""
        written_s, is_calm = time.monotonic(), False
        while True:
            await asyncio.sleep(POLL_S)
            if not self._failed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._store.written.wait(), None if is_calm else CALM_S)
            if self._store.written.is_set():
                # A write that comes while we look is looked at next time.
                self._store.written.clear()
                written_s = time.monotonic()
            is_calm = time.monotonic() - written_s >= CALM_S
            for name, collection in self._store.collections.items():
                try:
                    if self._may_try(collection) and await self._is_due(collection, is_calm=is_calm):
                        await self._build(name, collection)
                        self._failed.pop(collection, None)
                except Exception as error:  # noqa: BLE001  (logged; the other collections go on)
                    self._record_failure(name, collection, error)

    def _may_try(self, collection: Collection) -> bool:
        _, not_before_s = self._failed.get(collection, (0, 0.0))
        return time.monotonic() >= not_before_s

    async def _is_due(self, collection: Collection, *, is_calm: bool) -> bool:
        size = await collection.host.ask(collection.shard, "size")
        # Counting vectors takes 17 ms at 100,000 points, so only when it may matter.
        if not is_due(size["changed"], size["points"], self._threshold, is_calm=is_calm):
            return False
        vectors = await collection.host.ask(collection.shard, "vectors")
        return is_due(size["changed"], vectors, self._threshold, is_calm=is_calm)

    def _record_failure(self, name: str, collection: Collection, error: Exception) -> None:
        if not self._is_there(name, collection):
            log.info("indexing given up collection=%s: it was deleted", name)
            self._failed.pop(collection, None)
            return
        failures = self._failed.get(collection, (0, 0.0))[0] + 1
        self._failed[collection] = failures, time.monotonic() + retry_delay_s(failures)
        collection.indexing_fault = str(error)
        log.warning(
            "indexing failed collection=%s again_in_s=%.0f: %s", name, retry_delay_s(failures), error,
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
                await self._await_optimizer(name, collection, optimizer)
            optimized_s = time.monotonic()
            replayed = await self._switch_to_copy(name, collection, copy)
        except BaseException:
            with contextlib.suppress(HostFault, Refused):
                await host.ask(shard, "unwatch")
            remove_shard(copy)
            raise
        finally:
            collection.is_indexing = False
        collection.indexing_fault = None
        log.info(
            "indexing ends collection=%s took_s=%.1f copy_s=%.2f optimize_s=%.1f replayed=%d",
            name, time.monotonic() - began_s, copied_s - began_s, optimized_s - copied_s, replayed,
        )  # fmt: skip
        await self._store.close_shard(host, shard)

    async def _await_optimizer(self, name: str, collection: Collection, optimizer: asyncio.subprocess.Process) -> None:
        ending = asyncio.create_task(optimizer.communicate())
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=POLL_S)
                self._check_there(name, collection)
        finally:
            ending.cancel()
        if optimizer.returncode != 0:
            reason = ending.result()[1].decode().strip()
            raise IndexingFailed(reason or _how_it_ended(optimizer.returncode or 0))

    async def _switch_to_copy(self, name: str, collection: Collection, copy: Path) -> int:
        """Opens the copy in a new host and switches to it. Returns the number of points that changed meanwhile."""
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
                        # An operation that the original refused is refused again.
                        with contextlib.suppress(Refused):
                            await host.call(str(copy), operation, body)
                    while count := await _replay(collection, host, copy):
                        replayed += count
                    await host.ask(str(copy), "flush")
                    self._store.switch_shard(name, host, copy.name)
        except BaseException:
            # The host may still be opening the copy, which is no longer needed.
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
    """The process that builds the index, once it has made its copy; it does not outlive the block."""
    vectors = orjson.dumps(collection.entry.vectors).decode()
    with collection.holding_writes():
        collection.index_changes.clear()
        await collection.host.ask(collection.shard, "watch")
        process = await asyncio.create_subprocess_exec(
            *child_command("edge.host.optimize", collection.shard, str(copy), vectors),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            # Empty if the process could not copy: then it has ended, with the reason on stderr.
            await process.stdout.readline()  # type: ignore[union-attr]
        except BaseException:
            await _kill(process)
            raise
    try:
        yield process
    finally:
        await _kill(process)


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _how_it_ended(exit_code: int) -> str:
    # The engine writes through mapped memory; SIGBUS is how the kernel reports a full disk there.
    full = ": the disk is full" if exit_code == -signal.SIGBUS else ""
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with {exit_code}"
    return f"the process that builds the index {how}{full}"


async def _replay(collection: Collection, host: ShardProcess, copy: Path) -> int:
    """Copies the current state of some changed points to the copy. Returns their number."""
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
