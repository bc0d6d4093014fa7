"""Work on bytes that come in pieces, beside the loop that receives the next ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Work: TypeAlias = Callable[[list[bytes]], Coroutine[Any, Any, object]]


class Beside:
    """Gathers pieces to ``least`` bytes, since a thread for every small one would cost more than the work,
    and works on them in order, one gathering at a time."""

    def __init__(self, work: Work, least: int) -> None:
        self._work = work
        self._least = least
        self._waiting: list[bytes] = []
        self._gathered = 0
        self._running: asyncio.Task[object] | None = None

    async def take(self, piece: bytes) -> None:
        """Another piece. Raises what the work on earlier ones raised."""
        self._waiting.append(piece)
        self._gathered += len(piece)
        if self._gathered >= self._least:
            await self._settle()
            self._running = asyncio.create_task(self._work(self._waiting))
            self._waiting, self._gathered = [], 0

    async def end(self) -> list[bytes]:
        """Wait for the work; gives the last pieces, which it has not seen."""
        await self._settle()
        return self._waiting

    async def abandon(self) -> None:
        """Wait for the work, whatever comes of it: nobody else may use what it uses until then."""
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)

    async def _settle(self) -> None:
        if self._running is not None:
            await asyncio.shield(self._running)
