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
from projections.tables.store import ModelStore
from projections.time import decoding
from projections.time.decoding import Decoder, Touched
from projections.time.reconcile import observable, observe, reconcile
from projections.time.sessions import Sessions
from projections.time.structures import observe_structures
from workers.leadership import Leadership
from workers.stopping import sleep

logger = logging.getLogger(__name__)

NAME = "external"
LOOK_SECONDS = 0.5
# Sessions are looked at so often meanwhile: most transactions of people take longer.
SESSIONS_SECONDS = 0.05
STRUCTURES_SECONDS = 1.0
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
        self._looked = self._structures = 0.0
        self._sessions = Sessions()

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
        self._looked = self._structures = 0.0
        store = await ModelStore.open(self._database, schemas=self._schemas, exclude=self._exclude)
        while not stop.is_set():
            await self._sessions.look(connection)
            await self._look_at_structures(store)
            await self._tables(connection, store)
            if await decoding.ensure_slot(connection, self.slot, self._limit):
                logger.info("slot %s is new: all tables are compared", self.slot)
                decoder = Decoder()
                for entry in self._entries:
                    await reconcile(self._database, entry)
            touched = await decoding.peek(connection, self.slot, decoder)
            # Whoever did this may have come since the last look.
            await self._sessions.look(connection)
            await self._tell(touched)
            if touched.upto is None:
                await self._wait(connection, stop)
            else:
                await decoding.advance(connection, self.slot, touched.upto)

    async def _wait(self, connection: Connection, stop: asyncio.Event) -> None:
        until = asyncio.get_running_loop().time() + LOOK_SECONDS
        while not stop.is_set() and asyncio.get_running_loop().time() < until:
            await sleep(stop, SESSIONS_SECONDS)
            await self._sessions.look(connection)

    async def _look_at_structures(self, store: ModelStore) -> None:
        now = asyncio.get_running_loop().time()
        if self._structures and now - self._structures < STRUCTURES_SECONDS:
            return
        try:
            changed = await observe_structures(self._database, store, self._schemas[0], self._sessions.user)
        except psycopg.errors.LockNotAvailable:
            # Somebody changes the structure right now: the next look finds it.
            return
        self._structures = now
        if changed:
            logger.info("the structure of %s tables was changed by others", changed)
            self._looked = 0.0

    async def _tables(self, connection: Connection, store: ModelStore) -> None:
        now = asyncio.get_running_loop().time()
        if self._looked and now - self._looked < TABLES_SECONDS:
            return
        self._entries = await observable(connection, await store.refresh())
        await decoding.publish(connection, self._entries)
        self._looked = now

    async def _tell(self, touched: Touched) -> None:
        for entry in self._entries:
            if (entry.schema, entry.table) in touched.emptied:
                made = touched.emptied[entry.schema, entry.table]
                told = await reconcile(self._database, entry, self._sessions.user([made]))
            elif items := touched.items(entry):
                users = {made: self._sessions.user([made]) for made in set(items.values())}
                told = await observe(
                    self._database, entry, {item: users[made] for item, made in items.items()}
                )
            else:
                continue
            if told:
                logger.info("%s items of %s were changed by others", told, entry.name)
