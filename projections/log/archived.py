"""Refusing what the log can't tell because the events of it lie in an archive (docs/log.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from psycopg import sql

from domain.errors import InvalidPayload, ServiceUnavailable
from projections.database import Connection
from projections.sql import load

SQL: Final = load("log/archived")
MISSING: Final = "AC001"
ARRIVING: Final = sql.SQL('"acta archived"')

# The rows of an archive, as COPY gives them, many a piece; and the rows of the archive of a number.
Rows = AsyncIterator[bytes]
Source = Callable[[int], Rows]


@dataclass(frozen=True, slots=True)
class Last:
    """The end of what is archived."""

    position: int
    seq: int
    at: datetime

    def refusal(self) -> InvalidPayload:
        """What is said of anything before it."""
        return InvalidPayload(
            f'The log up to position {self.position} is archived: "acta log recall" brings it back'
        )


async def last_archived(connection: Connection) -> Last | None:
    """The end of what is archived, None for a log that is all there."""
    row = await (await connection.execute(SQL["last"])).fetchone()
    return Last(*row) if row is not None and row[0] is not None else None


async def archived_hint(connection: Connection) -> str:
    """What to add to "there is no such event"."""
    last = await last_archived(connection)
    return "" if last is None else f"; up to position {last.position} it is archived"


async def require_present(connection: Connection, upto: int, later: str = "{}") -> None:
    """Refuse to tell of a moment whose events are archived. Raises InvalidPayload."""
    try:
        await connection.execute(SQL["require"], {"upto": upto, "later": later})
    except psycopg.Error as error:
        if error.sqlstate != MISSING:
            raise
        raise InvalidPayload(str(error.diag.message_primary)) from error


async def copy_in(connection: Connection, table: sql.Composable, rows: Rows) -> int:
    """Put rows of an archive into a table; their number. Raises ServiceUnavailable for what are none."""
    count = 0
    try:
        async with (
            connection.cursor() as cursor,
            cursor.copy(SQL["take"].format(table=table)) as incoming,
        ):
            async for piece in rows:
                await incoming.write(piece)
                count += piece.count(b"\n")
    except psycopg.DataError as error:
        raise ServiceUnavailable(
            "archive", f"what is in its files is no log: {error.diag.message_primary}"
        ) from error
    return count


@dataclass(frozen=True, slots=True)
class Digested:
    """Archives whose digests stand in ``"acta leaves"`` of a session.

    ``broken`` is the first position and the reason where one can't be read.
    """

    numbers: tuple[int, ...] = ()
    ranges: str = "{}"
    broken: tuple[int, str] | None = None


async def archived_numbers(connection: Connection) -> tuple[int, ...]:
    """The numbers of the archives there are."""
    return tuple(row[0] for row in await (await connection.execute(SQL["archives"])).fetchall())


async def digest(
    connection: Connection, source: Source, leaf: sql.Composable, redactions: sql.Composable
) -> Digested:
    """Read all archives, one after the other, and keep the digests of their events."""
    found = await (await connection.execute(SQL["archives"])).fetchall()
    if not found:
        return Digested()
    await connection.execute(SQL["make_leaves"])
    for number, _, _, position in found:
        await connection.execute(SQL["make_arriving"])
        try:
            await copy_in(connection, ARRIVING, source(number))
        except ServiceUnavailable as error:
            return Digested(broken=(position, str(error.extensions["reason"])))
        await connection.execute(SQL["digest"].format(leaf=leaf, redactions=redactions))
        await connection.execute('drop table "acta archived"')
    await connection.execute(SQL["index_leaves"])
    await connection.execute('analyze "acta leaves"')
    ranges = ",".join(f"[{first},{last}]" for _, first, last, _ in found)
    return Digested(tuple(row[0] for row in found), f"{{{ranges}}}")


def unreadable(number: int) -> Rows:
    """The rows of an archive, where nobody said how to read it."""
    raise ServiceUnavailable("archive", f"nobody can read archive {number} here")
