"""Read the log by position: what followers and everybody who counts on order does.

Positions run from 1 without gaps and never move; see docs/log.md for what they promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from psycopg import sql

from domain.errors import ServiceUnavailable
from domain.log.record import Record
from projections.database import Connection
from projections.log.archived import last_archived
from projections.sql import load

SQL: Final = load("log/positions")
# Of payloads as they are stored, which is often compressed.
BATCH_BYTES: Final = 8 * 1024**2


def at_positions(statement: sql.SQL, **fragments: sql.Composable) -> sql.Composed:
    """A statement on the events at the positions after ``after``, at most ``limit``.

    ``{ranges}`` in it are the pieces of the log that they lie in, ``{events}`` the events themselves.
    """
    return statement.format(ranges=SQL["ranges"], events=SQL["events"], **fragments)


RECORDS: Final = at_positions(SQL["records"])
TELL_OF: Final = at_positions(SQL["tell_of"])


async def require_log(connection: Connection) -> None:
    """Raises ServiceUnavailable when the database has no log, for readers that don't prepare one."""
    row = await (await connection.execute(SQL["exists"])).fetchone()
    if row is None or not row[0]:
        raise ServiceUnavailable("log", "the database has no log yet")


async def read(connection: Connection, after: int, limit: int = 1000) -> list[Record]:
    """The sealed events after a position, in order, at most ``limit``, fewer when they are large; empty at
    the end of the log. Raises InvalidPayload where they are archived."""
    cursor = await connection.execute(RECORDS, {"after": after, "limit": limit, "bytes": BATCH_BYTES})
    records = [Record(*row) for row in await cursor.fetchall()]
    if _has_gap(records, after) or (not records and await last_position(connection) > after):
        last = await last_archived(connection)
        if last is not None:
            raise last.refusal()
    return records


def _has_gap(records: Sequence[Record], after: int) -> bool:
    """Whether positions are missing, or stand for others, as only an archive leaves it."""
    return bool(records) and (
        records[-1].position - after != len(records)
        or any(record.meta is not None and "archived" in record.meta for record in records)
    )


async def tell_of(connection: Connection, collection: str, after: int, upto: int) -> bool:
    """Whether any sealed event after a position, up to another one, tells of a collection's items."""
    values = {"after": after, "limit": upto - after, "collection": collection}
    row = await (await connection.execute(TELL_OF, values)).fetchone()
    return row is not None and bool(row[0])


async def last_position(connection: Connection) -> int:
    """The highest position so far; 0 in an empty log."""
    row = await (await connection.execute(SQL["last_position"])).fetchone()
    assert row is not None
    position: int = row[0]
    return position


async def position_of(connection: Connection, seq: int) -> int | None:
    """The position of the event with this ``seq``; None while it is not sealed (or never was)."""
    row = await (await connection.execute(SQL["position_of"], {"seq": seq})).fetchone()
    return None if row is None else row[0]


async def position_at(connection: Connection, moment: datetime) -> int:
    """The last position at a moment, 0 before the first.

    What had been sealed by then, and of the batch that was sealed next all up to the first transaction that
    had not begun.
    """
    row = await (await connection.execute(SQL["sealed_at"], {"moment": moment})).fetchone()
    assert row is not None
    after, last = row
    # Most moments lie before all of that batch, which may be large: its first event tells.
    if last > after and await _begun_at(connection, moment, after, 1) > after:
        return await _begun_at(connection, moment, after, last - after)
    return int(after)


async def _begun_at(connection: Connection, moment: datetime, after: int, limit: int) -> int:
    values = {"after": after, "limit": limit, "moment": moment}
    row = await (await connection.execute(at_positions(SQL["begun_at"]), values)).fetchone()
    assert row is not None
    return int(row[0])
