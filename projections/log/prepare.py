"""Prepare the log's part of schema ``acta``: tables, and partitions of ``acta.events`` ahead of need.

Every start of a process calls `prepare`; when nothing is to be done it costs a few short statements. The
sealer calls `extend` as the log grows, and so must anything that appends millions of events at once.
"""

from __future__ import annotations

from typing import Final

from psycopg import sql

from projections import migrations
from projections.database import Connection, Database
from projections.log.seal import ensure_epoch
from projections.sql import load

SQL = load("log/partitions")
PARTITION_EVENTS: Final = 10_000_000
# So many events may still come when the process that makes partitions stops.
AHEAD_EVENTS: Final = 20_000_000


async def prepare(database: Database) -> None:
    """Bring the log's tables up to date; safe to call from any number of processes at once."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        await migrations.migrate(connection, "log")
        await ensure_partitions(connection)
    await ensure_epoch(database)


async def ensure_partitions(connection: Connection, ahead: int = AHEAD_EVENTS) -> int:
    """Create the partitions that the next ``ahead`` events need; gives the number created.

    Must run inside a transaction that holds the lock of `migrations.begin`, or use `extend`.
    """
    row = await (await connection.execute(SQL["partitions"])).fetchone()
    assert row is not None
    existing, last = set(row[0]), row[1]
    missing = [n for n in range(1, (last + ahead) // PARTITION_EVENTS + 2) if n not in existing]
    # Ranges before the last one drawn hold everything they ever will.
    missing = [n for n in missing if n * PARTITION_EVENTS > last]
    for number in missing:
        await _create_partition(connection, number)
    return len(missing)


async def ensure_ranges(connection: Connection, upto: int) -> None:
    """Create the partitions of all events up to a seq, for a log that comes from elsewhere."""
    await migrations.begin(connection)
    row = await (await connection.execute(SQL["partitions"])).fetchone()
    existing = set(row[0]) if row is not None else set()
    for number in range(1, upto // PARTITION_EVENTS + 2):
        if number not in existing:
            await _create_partition(connection, number)


async def extend(database: Database, ahead: int = AHEAD_EVENTS) -> int:
    """`ensure_partitions` in a transaction of its own."""
    async with database.transaction() as connection:
        await migrations.begin(connection)
        return await ensure_partitions(connection, ahead)


async def _create_partition(connection: Connection, number: int) -> None:
    name = sql.Identifier("acta", f"events_{number:06}")
    await connection.execute(SQL["create_partition"].format(partition=name))
    await connection.execute(
        SQL["attach_partition"].format(
            partition=name,
            first=sql.Literal((number - 1) * PARTITION_EVENTS),
            end=sql.Literal(number * PARTITION_EVENTS),
        )
    )
