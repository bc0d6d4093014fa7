"""Work that goes on after its request was answered; it ends with the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from api.keys import BACKGROUND

_log = logging.getLogger("acta.background")


class Places:
    """Places for so many at once; the others wait for theirs, in order."""

    def __init__(self, number: int) -> None:
        self._free = asyncio.Semaphore(number)
        self.waiting = 0

    async def __aenter__(self) -> None:
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


def in_background(app: web.Application, work: Coroutine[Any, Any, Any]) -> None:
    """Start it; its failure goes to the log, for nobody waits for it."""
    tasks, task = app[BACKGROUND], asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(_ended)


def _ended(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("work in the background failed", exc_info=error)
