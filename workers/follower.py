"""Followers: whatever has to happen after each event, each with its own durable position.

A follower is given batches of sealed events in order. There are two kinds of effects, and a base class for
each:

* **Inside the database** (`RecordFollower`): what is done in the transaction that also moves the position
  happens exactly once, whatever is killed when.
* **Outside** (`OutwardFollower`): happens before the position is moved, so at least once; it must bear to be
  told the same positions again after a crash.

One process at a time runs a follower of a name, the others stand by (`workers.leadership`). A follower reads
its next batch when it is done with the last one, bounded in events and bytes: one that is slow falls behind,
which `acta followers list` and ``/server/health`` show, and holds up nobody.

A failure is tried again, later each time, from where it was. After an error that is not the environment's
(`is_environment`) batches shrink to one event, so that the culprit is known; an event that fails alone
`POISON_ATTEMPTS` times is parked and the follower goes on without it, where it says that it may.

After a rewind, events up to the highest position ever reached are not given to a follower whose effects leave
the database or must not be repeated (`repeats` is False), unless the rewind asked for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import psycopg

from domain.errors import ServiceUnavailable
from domain.log import Record
from projections.database import Connection, Database, is_lost
from projections.log import cursors, positions
from projections.log.cursors import Cursor
from workers.leadership import Leadership
from workers.share import Share
from workers.stopping import sleep
from workers.wake import Wake

logger = logging.getLogger(__name__)

# Also how long after a seal a follower looks when the notification was missed.
LOOK_SECONDS = 1.0
# How long a follower that nothing was wanted of leaves the log alone, however much is written meanwhile.
REST_SECONDS = 1.0
STANDBY_SECONDS = 1.0
FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 60.0
POISON_ATTEMPTS = 5
ERROR_CHARACTERS = 300


class EnvironmentTrouble(Exception):
    """Something that a follower needs is away: no event is to blame, and only waiting helps."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What to do next: at most ``limit`` positions after ``after``; those up to ``reached`` were done."""

    after: int
    limit: int
    reached: int
    rewinds: int


class Follower(ABC):
    """Follows the log by position. Subclass `RecordFollower` or `OutwardFollower` to be given the events.

    Attributes:
        name: Of its position in ``acta.cursors``; never changes once released.
        batch: The most positions to advance at once.
        pace: The least seconds between two batches that were not full ones.
        from_start: Whether a new follower begins with the log's first event, or with what comes next.
        parks: Whether it may go on without an event that can't be handled.
        repeats: Whether a rewind alone lets it do again what it did.
        resting: Whether the last step found that nothing is wanted of it.
    """

    name: ClassVar[str]
    batch: ClassVar[int] = 1000
    pace: ClassVar[float] = 0.0
    from_start: ClassVar[bool] = True
    parks: ClassVar[bool] = False
    repeats: ClassVar[bool] = True
    resting: bool = False

    @abstractmethod
    async def step(self, database: Database, limit: int) -> int:
        """Do a batch of at most ``limit`` and move the position; gives how far, 0 when there was nothing to
        do, it is paused, or another process has it."""

    async def beginning(self, connection: Connection) -> int:
        """The position a new one begins after."""
        return 0 if self.from_start else await positions.last_position(connection)

    async def skipped(self, connection: Connection, after: int) -> int:
        """How far after a position nothing is wanted of it, whatever happened: it goes there unread."""
        return after

    async def skip(self, connection: Connection, after: int) -> int:
        """Find out what is `skipped`, and rest when something is."""
        upto = await self.skipped(connection, after)
        self.resting = upto > after
        return upto

    async def close(self) -> None:
        """Give up what it holds outside the database; it may be asked to step again afterwards."""
        return


class InwardFollower(Follower):
    """Works in the transaction that moves its position."""

    async def step(self, database: Database, limit: int) -> int:
        """One batch in one transaction."""
        async with database.transaction() as connection:
            cursor = await cursors.hold(connection, self.name)
            if cursor is None or cursor.paused:
                return 0
            after = await self.advance(connection, _batch(cursor, limit))
            if after != cursor.position:
                await cursors.move(connection, self.name, after, cursor.rewinds)
            return after - cursor.position

    @abstractmethod
    async def advance(self, connection: Connection, batch: Batch) -> int:
        """Do the work; gives the last position that is done."""


class RecordFollower(InwardFollower):
    """Is given the events themselves, in the transaction that moves its position."""

    parks: ClassVar[bool] = True

    async def advance(self, connection: Connection, batch: Batch) -> int:
        """Read a batch and handle what is to be handled of it."""
        upto = await self.skip(connection, batch.after)
        if self.resting:
            return upto
        records = await positions.read(connection, batch.after, batch.limit)
        if not records:
            return batch.after
        if wanted := _wanted(self, records, batch):
            await self.handle(connection, wanted, batch)
        return records[-1].position

    @abstractmethod
    async def handle(self, connection: Connection, records: Sequence[Record], batch: Batch) -> None:
        """Do the work for a batch of events, in order."""


class OutwardFollower(Follower):
    """Works outside the database; its position is moved after each batch.

    While one batch of a backlog is handled the next one is read.
    """

    parks: ClassVar[bool] = True
    repeats: ClassVar[bool] = False
    _ahead: tuple[int, Sequence[Record]] = (-1, ())

    async def step(self, database: Database, limit: int) -> int:
        """Read, handle without a transaction open, move."""
        async with database.connection() as connection:
            cursor = await cursors.look(connection, self.name)
            if cursor is None or cursor.paused:
                return 0
            batch = _batch(cursor, limit)
            upto = await self.skip(connection, batch.after)
            if self.resting:
                await cursors.move(connection, self.name, upto, cursor.rewinds)
                return upto - batch.after
            (after, records), self._ahead = self._ahead, (-1, ())
            if after != batch.after or len(records) > limit:
                records = await positions.read(connection, batch.after, limit)
        if not records:
            return 0
        if wanted := _wanted(self, records, batch):
            await self._handle_and_read(database, records, wanted, batch)
        async with database.connection() as connection:
            await cursors.move(connection, self.name, records[-1].position, cursor.rewinds)
        return records[-1].position - cursor.position

    async def _handle_and_read(
        self, database: Database, records: Sequence[Record], wanted: Sequence[Record], batch: Batch
    ) -> None:
        if len(records) < batch.limit:
            await self.handle(wanted, batch)
            return
        last = records[-1].position
        found: Sequence[Record] | BaseException
        reading = asyncio.create_task(_read(database, last, batch.limit))
        try:
            await self.handle(wanted, batch)
        except BaseException:
            reading.cancel()
            raise
        finally:
            # What fails here fails again when it is read in its turn: this batch is done.
            [found] = await asyncio.gather(reading, return_exceptions=True)
        if not isinstance(found, BaseException) and found:
            self._ahead = last, found

    @abstractmethod
    async def handle(self, records: Sequence[Record], batch: Batch) -> None:
        """Do the work for a batch of events, in order; all of it is done when this returns."""


async def _read(database: Database, after: int, limit: int) -> Sequence[Record]:
    async with database.connection() as connection:
        return await positions.read(connection, after, limit)


def _batch(cursor: Cursor, limit: int) -> Batch:
    return Batch(cursor.position, limit, cursor.reached, cursor.rewinds)


def _wanted(follower: Follower, records: Sequence[Record], batch: Batch) -> Sequence[Record]:
    if follower.repeats or records[0].position > batch.reached:
        return records
    return [record for record in records if record.position > batch.reached]


def is_environment(error: BaseException) -> bool:
    """Whether waiting may help, and no event is to blame."""
    if isinstance(error, psycopg.Error):
        return is_lost(error) or isinstance(error, psycopg.OperationalError)
    return isinstance(error, ServiceUnavailable | EnvironmentTrouble | OSError | TimeoutError)


@dataclass(slots=True)
class _Trouble:
    """What a run of failures has led to so far."""

    failures: int = 0
    alone: int = 0
    retry: float = 0.0

    def pause(self) -> float:
        """How long to wait this time."""
        pause = self.retry
        self.retry = min(pause * 2, LAST_RETRY_SECONDS)
        return pause


async def follow(
    follower: Follower,
    database: Database,
    wake: Wake,
    stop: asyncio.Event,
    leadership: Leadership,
    share: Share,
) -> None:
    """Run a follower until told to stop, through failures of its own and of the server."""
    trouble, limit, registered = _Trouble(retry=FIRST_RETRY_SECONDS), follower.batch, False
    try:
        while not stop.is_set():
            await share.turn()
            turn, began = wake.turn, time.monotonic()
            try:
                if not registered:
                    await register(follower, database)
                    registered = True
                if not await leadership.seek(follower.name):
                    await follower.close()
                    await sleep(stop, STANDBY_SECONDS)
                    continue
                advanced = await follower.step(database, limit)
            except Exception as error:
                retry = trouble.retry
                logger.warning(
                    "follower %s: %s; again in %.1f s", follower.name, error, retry, exc_info=error
                )
                limit = await _failed(follower, database, error, trouble, limit)
                await sleep(stop, trouble.pause())
                continue
            trouble = _Trouble(retry=FIRST_RETRY_SECONDS)
            if advanced == 0:
                await wake.after(turn, LOOK_SECONDS, stop)
            if advanced < limit or follower.resting:
                pace = max(follower.pace, REST_SECONDS if follower.resting else 0.0)
                await sleep(stop, pace - (time.monotonic() - began))
            limit = min(limit * 2, follower.batch)
    finally:
        await follower.close()


async def _failed(
    follower: Follower, database: Database, error: Exception, trouble: _Trouble, limit: int
) -> int:
    """Tell the operators, park what fails alone again and again; gives the size of the next batch."""
    trouble.failures += 1
    with suppress(ServiceUnavailable, psycopg.Error):
        async with database.connection() as connection:
            await cursors.fail(connection, follower.name, trouble.failures, told(error))
    if is_environment(error):
        return limit
    if limit > 1:
        return 1
    trouble.alone += 1
    if follower.parks and trouble.alone >= POISON_ATTEMPTS:
        with suppress(ServiceUnavailable, psycopg.Error):
            await _park(follower, database, error)
            trouble.alone, trouble.retry = 0, FIRST_RETRY_SECONDS
    return 1


async def _park(follower: Follower, database: Database, error: Exception) -> None:
    async with database.transaction() as connection:
        cursor = await cursors.hold(connection, follower.name)
        if cursor is None or cursor.paused:
            return
        for record in await positions.read(connection, cursor.position, 1):
            logger.error("follower %s goes on without position %s", follower.name, record.position)
            await cursors.park(connection, follower.name, record.position, record.seq, told(error))
            await cursors.move(connection, follower.name, record.position, cursor.rewinds)


def told(error: BaseException) -> str:
    """An error in one line for operators; what follows the first line may hold values of items."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:ERROR_CHARACTERS]


async def register(follower: Follower, database: Database) -> None:
    """Give a new follower its position; one that is known keeps its own."""
    async with database.connection() as connection:
        await cursors.register(connection, follower.name, await follower.beginning(connection))
