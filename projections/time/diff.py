"""What changed between two moments, and who gave each field of an item its present value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import sql

from projections.database import Connection, Database
from projections.sql import load
from projections.time.in_place import FOLD, TOUCHED_ITEMS
from projections.time.moments import Cut

SQL: Final = load("time/diff")
_FROM: Final = sql.SQL(
    FOLD.as_string(None).replace("%(upto)s", "%(from_upto)s").replace("%(later)s", "%(from_later)s")
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items of a collection were added, changed and removed."""

    collection: str
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One item: ``added``, ``changed`` or ``removed``, and each differing field's ``from`` and ``to``."""

    item: str
    kind: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blame:
    """Who gave a field its present value, when, and in which request and event."""

    field: str
    seq: int
    at: datetime
    actor: UUID | None
    request: UUID | None
    topic: str


async def diff_counts(database: Database, earlier: Cut, later: Cut) -> list[Counts]:
    """The numbers for every collection that anything happened in."""
    found = []
    async with database.transaction() as connection:
        await _touched(connection, earlier, later, None)
        for (name,) in await (await connection.execute(SQL["collections"])).fetchall():
            counts = await _compare(connection, earlier, later, name)
            if counts.added or counts.changed or counts.removed:
                found.append(counts)
            await connection.execute(SQL["done"])
    return found


async def diff_items(
    database: Database, earlier: Cut, later: Cut, collection: str, *, limit: int, offset: int = 0
) -> tuple[Counts, list[Difference]]:
    """The numbers for a collection, and some of its items in the order of their keys' texts."""
    async with database.transaction() as connection:
        await _touched(connection, earlier, later, collection)
        counts = await _compare(connection, earlier, later, collection)
        values = {"collection": collection, "limit": limit, "offset": offset}
        rows = await (await connection.execute(SQL["items"], values)).fetchall()
    return counts, [Difference(item, kind, fields or {}) for item, kind, fields in rows]


async def blame(database: Database, collection: str, item: str) -> list[Blame]:
    """By field, in the order of their names; empty for an item the log knows nothing of."""
    async with database.connection() as connection:
        values = {"collection": collection, "item": item}
        return [Blame(*row) for row in await (await connection.execute(SQL["blame"], values)).fetchall()]


async def _touched(connection: Connection, earlier: Cut, later: Cut, collection: str | None) -> None:
    statement = SQL["between"].format(
        from_upto=sql.Literal(earlier.upto),
        from_later=sql.Literal(earlier.later),
        upto=sql.Literal(later.upto),
        later=sql.Literal(later.later),
        collection=sql.Literal(collection),
    )
    await connection.execute(statement)
    await connection.execute('analyze "acta touched"')


async def _compare(connection: Connection, earlier: Cut, later: Cut, collection: str) -> Counts:
    statement = SQL["compare"].format(
        earlier=_FROM.format(scope=TOUCHED_ITEMS), later=FOLD.format(scope=TOUCHED_ITEMS)
    )
    values = {
        "collection": collection,
        "from_upto": earlier.upto,
        "from_later": earlier.later,
        **later.parameters(),
    }
    await connection.execute(statement, values)
    row = await (await connection.execute(SQL["counts"])).fetchone()
    assert row is not None
    return Counts(collection, *row)
