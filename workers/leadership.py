"""Which process runs which follower: advisory locks, all on one connection of the process.

A lock is held until the process ends or loses that connection; another process then takes the follower over.
Between the loss and its discovery two processes may work on one follower. Its row in ``acta.cursors``, locked
or compared in every step, keeps their effects apart.
"""

from __future__ import annotations

import asyncio
import logging

import psycopg

from domain.errors import ServiceUnavailable
from projections.database import Connection, Database
from projections.log import cursors
from workers.stopping import sleep

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0


class Leadership:
    """The locks this process has. `watch` must run for losses to be noticed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._led: set[str] = set()
        self._turn = asyncio.Lock()

    def leads(self, name: str) -> bool:
        """Whether this process runs the follower, as far as it knows."""
        return name in self._led

    async def seek(self, name: str) -> bool:
        """Try to get a follower; True also when this process has it already.

        Raises ServiceUnavailable when the server can't be reached.
        """
        async with self._turn:
            if name in self._led:
                return True
            try:
                if self._connection is None:
                    self._connection = await self._database.dedicated()
                if not await cursors.lead(self._connection, name):
                    return False
            except psycopg.OperationalError as error:
                await self._lose()
                raise ServiceUnavailable("database", "the connection was lost") from error
        logger.info("running follower %s", name)
        self._led.add(name)
        return True

    async def watch(self, stop: asyncio.Event) -> None:
        """Look after the connection until told to stop, then give everything up."""
        try:
            while not stop.is_set():
                await sleep(stop, CHECK_SECONDS)
                await self._check()
        finally:
            async with self._turn:
                await self._lose()

    async def _check(self) -> None:
        async with self._turn:
            if self._connection is None:
                return
            try:
                await cursors.ping(self._connection)
            except psycopg.OperationalError:
                logger.warning("lost the connection that holds the locks of %s", ", ".join(sorted(self._led)))
                await self._lose()

    async def _lose(self) -> None:
        self._led.clear()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
