"""The HTTP server of the gallery: uvicorn, which does nothing between two requests."""

import asyncio
from types import FrameType

import uvicorn


class Server(uvicorn.Server):
    """Waits for the end, where uvicorn looks for it ten times a second.

    Overrides members of uvicorn that it does not document: tests/edge/test_uvicorn_members.py knows them.
    """

    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Called by uvicorn once it listens."""
        # Sets the headers of all answers.
        await self.on_tick(0)
        self._loop, self._stop_requested = asyncio.get_running_loop(), asyncio.Event()
        if not self.should_exit:
            await self._stop_requested.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by uvicorn at a signal."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop_requested.set)
