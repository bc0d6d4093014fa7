"""Fold the log into fresh tables and hold them against the live ones, row for row.

All collections are compared in one snapshot, so writers may go on meanwhile. Only what the log is the truth
of is compared: sessions and the list of migrations are no history.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from psycopg import sql

from domain.model import Collection, Model
from projections.database import Connection, Database
from projections.sql import load

NO_HISTORY = frozenset({"directus_sessions", "directus_migrations"})
SAMPLE = 20
_STATEMENTS = load("log/rebuild")


@dataclass(frozen=True, slots=True)
class Difference:
    """An item that log and table tell differently; ``columns`` is ``("*",)`` where one of them lacks it."""

    item: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome for one collection: live rows, how many items differ, and the first of those."""

    collection: str
    rows: int
    differing: int
    sample: tuple[Difference, ...]


def comparable(model: Model) -> list[Collection]:
    """The collections that the log can rebuild, by name."""
    found = (entry for entry in model.collections.values() if entry.writable and entry.name not in NO_HISTORY)
    return sorted(found, key=lambda entry: entry.name)


async def compare(database: Database, model: Model) -> AsyncIterator[Comparison]:
    """Compare every collection of `comparable`, one after the other, as of one moment."""
    async with database.connection() as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for collection in comparable(model):
            yield await _compare(connection, collection)


async def _compare(connection: Connection, collection: Collection) -> Comparison:
    table = sql.Identifier(collection.schema, collection.table)
    parameters = {"collection": collection.name, "sample": SAMPLE}
    await connection.execute(_STATEMENTS["fold"].format(table=table), parameters)
    statement = _STATEMENTS["compare"].format(table=table, key=_key(collection))
    row = await (await connection.execute(statement, parameters)).fetchone()
    await connection.execute('DROP TABLE "acta rebuilt"')
    rows, differing, sample = row or (0, 0, [])
    differences = tuple(Difference(item, tuple(columns)) for item, columns in sample)
    return Comparison(collection.name, rows, differing, differences)


def _key(collection: Collection) -> sql.Composable:
    """The key's text by the rules of `domain.model.keys`."""
    columns = [
        sql.SQL("{}::text").format(sql.Identifier("acta row", name)) for name in collection.primary_key
    ]
    if len(columns) == 1:
        return columns[0]
    escape = sql.SQL("replace(replace({}, '%%', '%%25'), ',', '%%2C')")
    return sql.SQL("concat_ws(',', {})").format(
        sql.SQL(", ").join(escape.format(column) for column in columns)
    )
