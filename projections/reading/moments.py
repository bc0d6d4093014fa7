"""What reading as of moments needs to know of the log, kept: a cut never changes, histories seldom do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.errors import InvalidPayload, InvalidQuery, ServiceUnavailable
from domain.log.moments import When
from domain.lru import Lru
from projections.database import Connection, Database
from projections.log.archived import require_present
from projections.sql import load
from projections.time.moments import Cut, cut_at, position_at_moment, settle

SQL: Final = load("time/history")
KEPT: Final = 1000
FRESH_SECONDS: Final = 1.0
JUST_NOW: Final = timedelta(seconds=1)
WAIT_SECONDS: Final = 0.1
WAITS: Final = 50


class Moments:
    """Cuts and histories, asked of the database where they aren't known."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cuts: Lru[When, Cut] = Lru(KEPT)
        self._histories: Mapping[str, int] = {}
        self._reached = 0
        self._until = 0.0

    def forget(self) -> None:
        """Ask again: a history is no longer there, or the log of a moment."""
        self._until = 0.0
        self._cuts = Lru(KEPT)

    async def cut(self, when: When) -> Cut:
        """The cut at a moment.

        Raises:
            InvalidQuery: for one that the log does not have.
        """
        # What happened just now may not have its position yet.
        lasting = not isinstance(when, datetime)
        if isinstance(when, datetime) and when > datetime.now(UTC) - JUST_NOW:
            await settle(self._database)
        if lasting and (known := self._cuts.get(when)) is not None:
            return known
        cut = await self._found(when)
        if lasting:
            self._cuts.put(when, cut)
        return cut

    async def _found(self, when: When) -> Cut:
        try:
            return await self._resolved(when)
        except InvalidPayload:
            # A moment ago is not sealed yet; whoever names his own request may mean that one.
            await settle(self._database)
        try:
            return await self._resolved(when)
        except InvalidPayload as refused:
            raise InvalidQuery(str(refused.extensions["reason"])) from None

    async def _resolved(self, when: When) -> Cut:
        async with self._database.connection() as connection:
            position = await position_at_moment(connection, when)
            cut = self._cuts.get(position)
            if cut is None:
                cut = await cut_at(connection, position)
                await require_present(connection, cut.upto, cut.later)
                self._cuts.put(position, cut)
        return cut

    async def histories(self, position: int) -> Mapping[str, int]:
        """The histories by collection, once they have come to a position; waits for them for a while.

        Raises:
            ServiceUnavailable: when they don't come there.
        """
        if time.monotonic() < self._until and position <= self._reached:
            return self._histories
        async with self._database.connection() as connection:
            found = dict(await (await connection.execute(SQL["histories"])).fetchall())
            reached = await self._wait(connection, position) if found else position
        if found != self._histories:
            self._histories = found
        self._reached, self._until = reached, time.monotonic() + FRESH_SECONDS if found else 0.0
        return self._histories

    async def _wait(self, connection: Connection, position: int) -> int:
        for _ in range(WAITS):
            row = await (await connection.execute(SQL["reached"])).fetchone()
            if row is not None and row[0] >= position:
                return int(row[0])
            await asyncio.sleep(WAIT_SECONDS)
        raise ServiceUnavailable("history", "it has not come to that moment yet: no worker keeps it")
