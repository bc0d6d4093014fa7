"""Followers: whatever has to happen after each event, each with its own durable position.

A follower is given batches of sealed events in order, inside a transaction that also moves its position.
What it does in that transaction happens exactly once; what it does elsewhere happens at least once, so it
must bear to be told the same positions again. One process at a time runs a follower of a name; the others
stand by.

A follower that fails is tried again, later each time, from where it was: it blocks itself and nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from domain.log import Record
from projections.database import Connection, Database
from projections.log import cursors, positions
from workers.stopping import sleep
from workers.wake import Wake

logger = logging.getLogger(__name__)

# Also how long after a seal a follower looks when the notification was missed.
LOOK_SECONDS = 1.0
FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 60.0


class Follower(ABC):
    """Follows the log by position. Subclass `RecordFollower` to be given the events.

    Attributes:
        name: Of its position in ``acta.cursors``; never changes once released.
        batch: The most positions to advance at once.
        pace: The least seconds between two batches that were not full ones.
        from_start: Whether a new follower begins with the log's first event, or with what comes next.
    """

    name: ClassVar[str]
    batch: ClassVar[int] = 1000
    pace: ClassVar[float] = 0.0
    from_start: ClassVar[bool] = True

    @abstractmethod
    async def advance(self, connection: Connection, after: int) -> int:
        """Do the work for at most ``batch`` positions after one; gives the last of them."""


class RecordFollower(Follower):
    """A follower that is given the events themselves."""

    async def advance(self, connection: Connection, after: int) -> int:
        """Read a batch and handle it."""
        records = await positions.read(connection, after, self.batch)
        if not records:
            return after
        await self.handle(connection, records)
        return records[-1].position

    @abstractmethod
    async def handle(self, connection: Connection, records: Sequence[Record]) -> None:
        """Do the work for a batch of events, in order."""


async def follow(follower: Follower, database: Database, wake: Wake, stop: asyncio.Event) -> None:
    """Run a follower until told to stop, through failures of its own and of the server."""
    retry = FIRST_RETRY_SECONDS
    registered = False
    while not stop.is_set():
        turn, began = wake.turn, time.monotonic()
        try:
            if not registered:
                await _register(follower, database)
                registered = True
            advanced = await step(follower, database)
        except Exception as error:
            logger.warning("follower %s: %s; again in %.1f s", follower.name, error, retry, exc_info=error)
            await sleep(stop, retry)
            retry = min(retry * 2, LAST_RETRY_SECONDS)
            continue
        retry = FIRST_RETRY_SECONDS
        if advanced < follower.batch:
            await wake.after(turn, LOOK_SECONDS, stop)
            await sleep(stop, follower.pace - (time.monotonic() - began))


async def step(follower: Follower, database: Database) -> int:
    """One batch; gives how many positions it advanced, 0 also while another process runs the follower."""
    async with database.transaction() as connection:
        before = await cursors.hold(connection, follower.name)
        if before is None:
            return 0
        after = await follower.advance(connection, before)
        if after != before:
            await cursors.move(connection, follower.name, after)
        return after - before


async def _register(follower: Follower, database: Database) -> None:
    async with database.connection() as connection:
        begin = 0 if follower.from_start else await positions.last_position(connection)
        await cursors.register(connection, follower.name, begin)
