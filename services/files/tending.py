"""The sweeper: what is left to do with objects gets done, and uploads that nobody finishes go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import ActaError
from domain.model import Model
from services.files.resumable import Resumable

log = logging.getLogger("acta.files")
LOOK_SECONDS = 2.0
EXPIRE_EVERY = 30
SWEEP_EVERY = 1800


@dataclass
class Sweeper:
    """Runs in every API process; tasks are claimed, so each is carried out by one of them."""

    resumable: Resumable
    model: Callable[[], Model]

    async def run(self) -> None:
        """Look again and again, for ever."""
        turn = 0
        while True:
            try:
                await self.resumable.library.objects.settle()
                if turn % EXPIRE_EVERY == 0:
                    await self._expire()
                if turn % SWEEP_EVERY == 0:
                    await self.resumable.library.objects.sweep()
            except ActaError as error:
                log.warning("files can't be tended: %s", error)
            turn += 1
            await asyncio.sleep(LOOK_SECONDS)

    async def _expire(self) -> None:
        library = self.resumable.library
        await library.purge()
        if library.settings.tus:
            await self.resumable.expire(self.model())
