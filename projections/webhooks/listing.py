"""Deliveries and replays as administrators see them, and what they may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain.log.record import Record
from projections.database import Connection, Database
from projections.log import positions
from projections.sql import load
from projections.webhooks.outbox import Target, record_of

SQL: Final = load("webhooks/deliveries")
REPLAYS: Final = load("webhooks/replays")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which deliveries of a webhook."""

    webhook: int
    delivery: int | None = None
    status: str | None = None
    collection: str | None = None
    item: str | None = None
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery; ``log`` holds what came of each attempt, ``record`` is None when the event was archived."""

    id: int
    round: int
    status: str
    attempts: int
    next_at: datetime
    created_at: datetime
    finished_at: datetime | None
    log: list[dict[str, Any]]
    target: Target
    position: int
    collection: str
    item: str
    record: Record | None
    role: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    """A range of positions that is sent once more; those up to ``position`` have been looked at."""

    id: int
    collection: str | None
    first: int
    last: int
    position: int
    noted: int
    created_at: datetime
    finished_at: datetime | None


async def deliveries(database: Database, choice: Choice) -> list[Delivery]:
    """The newest positions first."""
    values = {name: getattr(choice, name) for name in Choice.__dataclass_fields__}
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["list"], values)
        return [_delivery(row) for row in await cursor.fetchall()]


def _delivery(row: tuple[Any, ...]) -> Delivery:
    number, round_, status, attempts, next_at, created, finished, log, position, collection, item = row[:11]
    target, record = Target(*row[11:17]), record_of(row[17:28])
    return Delivery(
        *(number, round_, status, attempts, next_at, created, finished, log),
        *(target, position, collection, item, record, row[28]),
    )


async def again(database: Database, webhook: int, delivery: int) -> bool:
    """Have a delivery tried now, whatever became of it; False when there is none."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["again"], {"webhook": webhook, "delivery": delivery})
        return await cursor.fetchone() is not None


async def exists(database: Database, webhook: int) -> bool:
    """Whether there is such a webhook."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["exists"], {"webhook": webhook})).fetchone()
    return row is not None and bool(row[0])


async def begin_replay(
    database: Database, webhook: int, first: int, last: int | None, collection: str | None
) -> Replay:
    """Ask for a range of positions to be sent once more. Raises InvalidPayload where it is archived."""
    values = {"webhook": webhook, "first": first, "last": last, "collection": collection}
    async with database.connection() as connection:
        await positions.read(connection, first - 1, 1)
        row = await (await connection.execute(REPLAYS["begin"], values)).fetchone()
    assert row is not None
    return Replay(*row)


async def replays(database: Database, webhook: int, limit: int) -> list[Replay]:
    """The newest first."""
    async with database.connection() as connection:
        cursor = await connection.execute(REPLAYS["list"], {"webhook": webhook, "limit": limit})
        return [Replay(*row) for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Counts:
    """The deliveries of a webhook; ``age`` of the oldest open one, in seconds."""

    webhook: int
    open: int
    dead: int
    age: float


async def counts(connection: Connection) -> list[Counts]:
    """Of every webhook, for monitoring."""
    return [Counts(*row) for row in await (await connection.execute(SQL["counts"])).fetchall()]
