"""Wakes the followers of a process when events were sealed: one LISTEN for all of them."""

from __future__ import annotations

import asyncio
import logging

import psycopg

from domain.errors import ServiceUnavailable
from projections.database import Database
from projections.log.seal import CHANNEL
from projections.sql import load
from workers.stopping import sleep

logger = logging.getLogger(__name__)

LISTEN = load("log/wake")["listen"]
RETRY_SECONDS = 1.0
# How soon a stop is noticed while nothing is sealed.
LISTEN_SECONDS = 0.5


class Wake:
    """Counts the notifications of the sealer; whoever waits for the next one is woken by it."""

    def __init__(self) -> None:
        self.turn = 0
        self._next = asyncio.Event()

    def up(self) -> None:
        """Wake everybody."""
        self.turn += 1
        self._next.set()
        self._next = asyncio.Event()

    async def after(self, turn: int, seconds: float, stop: asyncio.Event) -> None:
        """Wait for the notification after a turn, at most so long; not at all when it has come already."""
        if self.turn != turn or stop.is_set():
            return
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._next, stop)]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def listen(self, database: Database, stop: asyncio.Event) -> None:
        """Listen until told to stop; survives a lost server."""
        while not stop.is_set():
            try:
                async with await database.dedicated() as connection:
                    await connection.execute(LISTEN)
                    logger.debug("listening to %s", CHANNEL)
                    while not stop.is_set():
                        async for _ in connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
                            self.up()
            except (psycopg.OperationalError, ServiceUnavailable) as error:
                logger.warning("wake-up: %s; trying again", error)
                await sleep(stop, RETRY_SECONDS)
