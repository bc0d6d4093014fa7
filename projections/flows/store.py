"""The active flows. Triggers read them afresh; what every write asks for is kept until flows change."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import Final, NamedTuple

import psycopg

from domain.errors import ServiceUnavailable
from domain.flows.model import Flow, flows_of
from domain.flows.subscriptions import listening
from projections.database import Connection, Database
from projections.sql import load

SQL: Final = load("flows/flows")
RETRY_SECONDS: Final = 1.0

log = logging.getLogger(__name__)
_touched: ContextVar[bool] = ContextVar("flows_touched", default=False)


async def touch_flows(connection: Connection) -> None:
    """Inside a transaction that changes flows: every process reads them again when it commits."""
    _touched.set(True)
    await connection.execute(SQL["notify"])


class Listening(NamedTuple):
    """Flows by the names of the events that set them off."""

    filters: dict[str, list[Flow]]
    actions: dict[str, list[Flow]]


class FlowStore:
    """Flows as they are in the database. One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listening: Listening | None = None
        self._turn = asyncio.Lock()
        self._version = 0

    async def load(self) -> dict[str, Flow]:
        """All active flows by id, as they are now."""
        async with self._database.connection() as connection:
            return await load_flows(connection)

    async def filters(self) -> dict[str, list[Flow]]:
        """The flows that look at things before they happen, by the names of the events."""
        return (self._listening or await self._listeners()).filters

    async def actions(self) -> dict[str, list[Flow]]:
        """The flows that are told of what has happened, by the names of the events."""
        return (self._listening or await self._listeners()).actions

    @property
    def known(self) -> Listening | None:
        """All of them, where they are at hand; None for the moment after a change."""
        return self._listening

    async def _listeners(self) -> Listening:
        async with self._turn:
            return self._listening or await self._found()

    async def _found(self) -> Listening:
        version = self._version
        # Apart from the caller's transaction: what it has not committed must not be kept for others.
        async with await self._database.dedicated() as connection:
            flows = (await load_flows(connection)).values()
        found = Listening(listening(flows, "filter"), listening(flows, "action"))
        if version == self._version:
            self._listening = found
        return found

    def forget(self) -> None:
        """Flows have changed."""
        self._listening = None
        self._version += 1

    def settle(self) -> None:
        """After a command: forget at once if it changed flows, without waiting for its notification."""
        if _touched.get():
            _touched.set(False)
            self.forget()

    async def watch(self) -> None:
        """Forget whenever any process tells of a change; reconnect for ever. Ends when cancelled."""
        while True:
            try:
                connection = await self._database.dedicated()
                try:
                    await connection.execute(SQL["listen"])
                    self.forget()
                    await self._listeners()
                    async for _ in connection.notifies():
                        self.forget()
                        await self._listeners()
                finally:
                    await connection.close()
            except (ServiceUnavailable, psycopg.Error, OSError) as error:
                log.warning("changes of flows are not heard: %s", error)
            self.forget()
            await asyncio.sleep(RETRY_SECONDS)


async def load_flows(connection: Connection) -> dict[str, Flow]:
    """All active flows by id."""
    row = await (await connection.execute(SQL["active"])).fetchone()
    assert row is not None
    return flows_of(*row)
