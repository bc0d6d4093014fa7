"""The current model of a process: loaded once, replaced whole, kept up to date with other processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import psycopg

from domain.errors import ServiceUnavailable
from domain.model import Model
from projections.database import Connection, Database
from projections.sql import load as load_statements
from projections.tables.introspect import Loaded, load

_log = logging.getLogger(__name__)
_STATEMENTS = load_statements("catalog/announce")
LOOK_SECONDS = 1.0
"""How often a process looks whether somebody else has changed the schema."""
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0)


class ModelStore:
    """Holds the model. Made by `open`; run `watch` as a task; call `refresh` after an own schema change."""

    def __init__(
        self, database: Database, loaded: Loaded, *, schemas: Sequence[str], exclude: Sequence[str] = ()
    ) -> None:
        self._database = database
        self._loaded = loaded
        self._schemas = tuple(schemas)
        self._exclude = tuple(exclude)
        self._one_at_a_time = asyncio.Lock()
        self._waiting: asyncio.Task[Model] | None = None
        self._listeners: list[Callable[[Model], None]] = []
        self.listening = asyncio.Event()

    @classmethod
    async def open(
        cls, database: Database, *, schemas: Sequence[str] = ("public",), exclude: Sequence[str] = ()
    ) -> ModelStore:
        """A store with the model as it is now."""
        async with database.connection() as connection:
            loaded = await load(connection, schemas=schemas, exclude=exclude)
        return cls(database, loaded, schemas=schemas, exclude=exclude)

    @property
    def current(self) -> Model:
        """The newest model. A request takes it once and keeps it."""
        return self._loaded.model

    def on_change(self, listener: Callable[[Model], None]) -> None:
        """Call ``listener`` with each new model (to drop caches, say)."""
        self._listeners.append(listener)

    async def refresh(self) -> Model:
        """The model with everything committed before this call.

        Calls that arrive while a load runs wait for one further load together, since the running one may have
        looked too early.
        """
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._load_in_turn())
        return await asyncio.shield(self._waiting)

    async def preview(self, connection: Connection) -> Model:
        """The model as an open transaction sees it, its own uncommitted changes included."""
        loaded = self._loaded
        version = loaded.model.version + 1
        changed = await load(
            connection, schemas=self._schemas, exclude=self._exclude, version=version, previous=loaded
        )
        return changed.model

    @staticmethod
    async def announce(connection: Connection) -> None:
        """Inside a transaction that changes the schema: tell every process when it commits."""
        await connection.execute(_STATEMENTS["announce"])

    async def watch(self) -> None:
        """Refresh whenever any process announces a change, or others write to the catalog; reconnect for
        ever. Ends when cancelled."""
        failures = 0
        while True:
            try:
                connection = await self._database.dedicated()
                failures = 0
                try:
                    await self._listen(connection)
                finally:
                    await connection.close()
            except (ServiceUnavailable, psycopg.Error, OSError) as error:
                _log.warning("the model is not watched: %s", error)
            finally:
                self.listening.clear()
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    async def _listen(self, connection: Connection) -> None:
        await connection.execute(_STATEMENTS["listen"])
        # A change between the last load and LISTEN, or while the connection was down, told nobody.
        seen = await self._stirred(connection)
        await self.refresh()
        self.listening.set()
        while True:
            told = [notice async for notice in connection.notifies(timeout=LOOK_SECONDS, stop_after=1)]
            # Whoever changes tables past Acta announces nothing, but leaves traces in the statistics.
            now = await self._stirred(connection)
            if told or now != seen:
                seen = now
                await self.refresh()

    @staticmethod
    async def _stirred(connection: Connection) -> str | None:
        row = await (await connection.execute(_STATEMENTS["stirred"])).fetchone()
        return None if row is None else row[0]

    async def _load_in_turn(self) -> Model:
        async with self._one_at_a_time:
            # Whoever calls from here on may mean a change that this load no longer sees.
            self._waiting = None
            return await self._load()

    async def _load(self) -> Model:
        previous = self._loaded
        async with self._database.connection() as connection:
            loaded = await load(
                connection,
                schemas=self._schemas,
                exclude=self._exclude,
                version=previous.model.version + 1,
                previous=previous,
            )
        if loaded is not previous:
            self._loaded = loaded
            for listener in self._listeners:
                listener(loaded.model)
        return loaded.model
