"""Looks for what others do to the tables, through logical decoding, and has it told.

The slot is moved after what it tells stands in the log: after a crash the same changes are looked at again,
and are no difference any more. Where the slot was lost, whole tables are compared.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import psycopg

from domain.errors import ServiceUnavailable
from domain.model import Collection
from projections.database import Connection, Database
from projections.tables.introspect import load_model
from projections.time import decoding
from projections.time.decoding import Decoder, Touched
from projections.time.reconcile import observable, observe, reconcile
from workers.leadership import Leadership
from workers.stopping import sleep

logger = logging.getLogger(__name__)

NAME = "external"
LOOK_SECONDS = 0.5
STANDBY_SECONDS = 2.0
RETRY_SECONDS = 5.0
# How often tables that came or went are noticed without a change of the schema by us.
TABLES_SECONDS = 10.0


class External:
    """The follower of the server's own log. ``limit`` is the most bytes of it that a slot may keep."""

    def __init__(
        self, database: Database, schemas: Sequence[str], exclude: Sequence[str], limit: int
    ) -> None:
        self._database = database
        self._schemas = tuple(schemas)
        self._exclude = tuple(exclude)
        self._limit = limit
        self.slot = decoding.slot_of(database)
        self._entries: list[Collection] = []
        self._looked = 0.0

    async def run(self, stop: asyncio.Event, leadership: Leadership) -> None:
        """Run until told to stop; survives a lost server and a lost slot."""
        while not stop.is_set():
            try:
                if not await leadership.seek(NAME):
                    await sleep(stop, STANDBY_SECONDS)
                    continue
                async with await self._database.dedicated() as connection:
                    if not await decoding.able(connection):
                        logger.warning(
                            "changes by others are not seen: the server's wal_level isn't logical, or the"
                            " user may not replicate; run acta reconcile now and then"
                        )
                        return
                    await self._follow(connection, stop)
            except (psycopg.Error, ServiceUnavailable) as error:
                logger.warning("external changes: %s; trying again", error)
                await sleep(stop, RETRY_SECONDS)

    async def _follow(self, connection: Connection, stop: asyncio.Event) -> None:
        decoder = Decoder()
        self._looked = 0.0
        while not stop.is_set():
            await self._tables(connection)
            if await decoding.ensure_slot(connection, self.slot, self._limit):
                logger.info("slot %s is new: all tables are compared", self.slot)
                decoder = Decoder()
                for entry in self._entries:
                    await reconcile(self._database, entry)
            touched = await decoding.peek(connection, self.slot, decoder)
            await self._tell(touched)
            if touched.upto is None:
                await sleep(stop, LOOK_SECONDS)
            else:
                await decoding.advance(connection, self.slot, touched.upto)

    async def _tables(self, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        if self._looked and now - self._looked < TABLES_SECONDS:
            return
        model = await load_model(connection, schemas=self._schemas, exclude=self._exclude)
        self._entries = await observable(connection, model)
        await decoding.publish(connection, self._entries)
        self._looked = now

    async def _tell(self, touched: Touched) -> None:
        for entry in self._entries:
            if (entry.schema, entry.table) in touched.emptied:
                told = await reconcile(self._database, entry)
            elif items := touched.items(entry):
                told = await observe(self._database, entry, items)
            else:
                continue
            if told:
                logger.info("%s items of %s were changed by others", told, entry.name)
