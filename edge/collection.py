"""One collection as the server has it: its entry in the catalogue, the host that has its shard open, and a gate.

Reads always pass. Writes wait at the gate while the shard's folder is copied and while an indexed copy takes over.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from edge.catalogue import Entry
from edge.shard_process import ShardProcess


class Collection:
    """`shard` is the folder that the host knows it by."""

    def __init__(self, entry: Entry, host: ShardProcess, shard: str) -> None:
        self.entry = entry
        self.host = host
        self.shard = shard
        self.is_indexing = False
        # Why the last attempt to build the index failed; None after one that succeeded.
        self.indexing_fault: str | None = None
        # Index operations since the copy was made, in their order, for the copy.
        self.index_changes: list[tuple[str, bytes]] = []
        self._open_gate = asyncio.Event()
        self._open_gate.set()

    async def read(self, operation: str, body: bytes = b"") -> bytes:
        """JSON of the result. Raises Refused, HostFault."""
        return await self.host.call(self.shard, operation, body)

    async def write(self, operation: str, body: bytes) -> bytes:
        """JSON of the number of operations; when it returns they are in the log. Raises Refused, HostFault."""
        while not self._open_gate.is_set():
            await self._open_gate.wait()
        if self.is_indexing and operation in {"create_index", "delete_index"}:
            self.index_changes.append((operation, body))
        return await self.host.call(self.shard, operation, body)

    @contextmanager
    def holding_writes(self) -> Iterator[None]:
        """What was sent before is done before whatever is sent now: a host answers in order."""
        self._open_gate.clear()
        try:
            yield
        finally:
            self._open_gate.set()
