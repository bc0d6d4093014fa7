"""What waits to be sent to one socket: bounded, so that a client that never reads costs no memory."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from aiohttp import WSMsgType, web

LARGEST: Final = 4 * 1024 * 1024
SEND_SECONDS: Final = 30.0


class Outbox:
    """Frames in order. Whoever puts one never waits; a client that is too slow is cut off."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._there = asyncio.Event()
        self.full = False

    def put(self, frame: bytes) -> None:
        """Send a text frame some time."""
        if self.full:
            return
        self._size += len(frame)
        # One frame may be larger than the limit; a heap of them may not.
        if self._frames and self._size > LARGEST:
            self.full = True
            self._frames.clear()
        else:
            self._frames.append(frame)
        self._there.set()

    async def drain(self) -> None:
        """Send frames as they come, until the client is gone or too slow."""
        while not self.full:
            await self._there.wait()
            self._there.clear()
            while self._frames and not self.full:
                frame = self._frames.popleft()
                self._size -= len(frame)
                try:
                    async with asyncio.timeout(SEND_SECONDS):
                        await self._socket.send_frame(frame, WSMsgType.TEXT)
                except (ConnectionError, TimeoutError):
                    self.full = True

    async def flush(self) -> None:
        """Send at once what waits."""
        while self._frames and not self.full:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.send_frame(self._frames.popleft(), WSMsgType.TEXT)
            except (ConnectionError, TimeoutError):
                return
