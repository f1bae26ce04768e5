"""The server's side of a host process: starts it, sends it requests, and notices its death."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson

from edge.child_process import child_command
from edge.errors import HostFault, Refused
from edge.ipc import BUFFER_BYTES, DONE, REPLY, Request, pair, request_frame

# A host ends at end of file; one that hangs is killed after this time.
STOP_S = 5.0


class ShardProcess:
    """One host process. Requests are answered in the order in which they were sent."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, keep_open: int) -> "ShardProcess":
        """Starts the process, which inherits the descriptor `keep_open`: that of the folder's lock."""
        ours, theirs = pair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *child_command("edge.host", str(theirs.fileno())), pass_fds=(theirs.fileno(), keep_open)
            )
        return cls(process, *await asyncio.open_connection(sock=ours, limit=BUFFER_BYTES))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def on_death(self, callback: Callable[[], None]) -> None:
        """Registers a callback for the end of the process, whatever its cause."""
        self._listening.add_done_callback(lambda _: callback())

    async def call(self, shard: str, operation: str, body: bytes = b"") -> bytes:
        """The JSON of the result. Raises Refused as the host does, and HostFault if the host failed or died."""
        if self._listening.done():
            raise HostFault("the process that has the collection open has ended")
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(reply)
        self._writer.write(request_frame(Request(shard, operation, body)))
        return await reply

    async def ask(self, shard: str, operation: str, body: Any = None) -> Any:
        """As `call`, with values in place of JSON."""
        return orjson.loads(await self.call(shard, operation, orjson.dumps(body)))

    async def stop(self) -> None:
        """Ends the process; its shards are closed already or no longer needed."""
        self._writer.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def kill(self) -> None:
        """Ends the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _listen(self) -> None:
        try:
            while True:
                status, size_bytes = REPLY.unpack(await self._reader.readexactly(REPLY.size))
                content = await self._reader.readexactly(size_bytes)
                reply = self._waiting.popleft()
                # The request may have been cancelled meanwhile.
                if not reply.done():
                    _settle(reply, status, content)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            while self._waiting:
                reply = self._waiting.popleft()
                if not reply.done():
                    reply.set_exception(HostFault("the process that has the collection open has ended"))


def _settle(reply: "asyncio.Future[bytes]", status: int, content: bytes) -> None:
    if status == DONE:
        reply.set_result(content)
    elif status >= HostFault.status:
        reply.set_exception(HostFault(content.decode()))
    else:
        refusal = Refused(content.decode())
        refusal.status = status
        reply.set_exception(refusal)
