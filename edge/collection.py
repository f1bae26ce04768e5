"""One open collection: its catalogue entry, the host process that has its shard open, and a gate for writes.

Reads always pass. Writes wait at the gate while the shard's folder is copied and while an indexed copy replaces it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from edge.catalogue import Entry
from edge.shard_process import ShardProcess


class Collection:
    """`shard` is the folder of the collection's shard, by which the host process addresses it.

    Writes set `written`.
    """

    def __init__(self, entry: Entry, host: ShardProcess, shard: str, written: asyncio.Event) -> None:
        self.entry = entry
        self.host = host
        self.shard = shard
        self.is_indexing = False
        # Why the last attempt to build the HNSW index failed; None after a success.
        self.indexing_fault: str | None = None
        # Changes of payload indexes since the copy was made, in their order, to be replayed on the copy.
        self.index_changes: list[tuple[str, bytes]] = []
        self._written = written
        self._writes_allowed = asyncio.Event()
        self._writes_allowed.set()

    async def read(self, operation: str, body: bytes = b"") -> bytes:
        """JSON of the result. Raises Refused, HostFault."""
        return await self.host.call(self.shard, operation, body)

    async def write(self, operation: str, body: bytes) -> bytes:
        """JSON of the number of operations; on return they are in the write-ahead log. Raises Refused, HostFault."""
        while not self._writes_allowed.is_set():
            await self._writes_allowed.wait()
        if self.is_indexing and operation in {"create_index", "delete_index"}:
            self.index_changes.append((operation, body))
        self._written.set()
        return await self.host.call(self.shard, operation, body)

    @contextmanager
    def holding_writes(self) -> Iterator[None]:
        """Writes sent earlier are done before anything sent inside the block: a host answers in order."""
        self._writes_allowed.clear()
        try:
            yield
        finally:
            self._writes_allowed.set()
