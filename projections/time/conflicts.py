"""What stands against an undo beyond what happened to the items themselves: references and unique values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg import sql

from domain.model import Collection, Column, Model
from projections.database import Connection
from projections.sql import load
from projections.time.rows import name, same_row

SQL: Final = load("time/undo")


async def find_conflicts(connection: Connection, model: Model, entries: Sequence[Collection]) -> None:
    """Note at the items of ``"acta undoing"`` what stands against them."""
    chosen = {(entry.schema, entry.table): entry for entry in entries}
    for entry in model.collections.values():
        if not entry.writable:
            continue
        for column in entry.columns.values():
            key = column.foreign_key
            if key is None:
                continue
            related = model.collections.get(key.table) or chosen.get((key.schema, key.table))
            if related is None or (related.schema, related.table) != (key.schema, key.table):
                continue
            if (entry.schema, entry.table) in chosen:
                await _gone(connection, entry, column, related)
            if (key.schema, key.table) in chosen:
                await _referred(connection, entry, column, related)
    for entry in entries:
        await _taken(connection, entry)


async def _gone(connection: Connection, entry: Collection, column: Column, related: Collection) -> None:
    assert column.foreign_key is not None
    target = column.foreign_key.column
    statement = SQL["reference_gone"].format(
        related=name(related.schema, related.table),
        key=name(target),
        type=sql.SQL(related.columns[target].sql_type),
    )
    await connection.execute(statement, _values(entry, column, related, target))


async def _referred(connection: Connection, entry: Collection, column: Column, related: Collection) -> None:
    assert column.foreign_key is not None
    target = column.foreign_key.column
    statement = SQL["referred"].format(
        table=name(entry.schema, entry.table),
        column=name(column.name),
        type=sql.SQL(related.columns[target].sql_type),
        same=same_row(entry, sql.SQL("g.item")),
    )
    await connection.execute(statement, _values(entry, column, related, target))


def _values(entry: Collection, column: Column, related: Collection, key: str) -> dict[str, Any]:
    return {"collection": entry.name, "column": column.name, "related": related.name, "key": key}


async def _taken(connection: Connection, entry: Collection) -> None:
    table = sql.Identifier(entry.schema, entry.table)
    cursor = await connection.execute(SQL["uniques"], {"table": table.as_string(connection)})
    for (columns,) in await cursor.fetchall():
        if set(columns) - set(entry.columns):
            continue
        equal = sql.SQL(" and ").join(
            sql.SQL('"acta row".{} = (u.target ->> {})::{}').format(
                name(column),
                sql.Literal(column.replace("%", "%%")),
                sql.SQL(entry.columns[column].sql_type),
            )
            for column in columns
        )
        moved = sql.SQL(" or ").join(
            sql.SQL("g.target -> {0} is distinct from u.target -> {0}").format(
                sql.Literal(column.replace("%", "%%"))
            )
            for column in columns
        )
        statement = SQL["unique_taken"].format(
            table=name(entry.schema, entry.table),
            equal=equal,
            moved=moved,
            same=same_row(entry, sql.SQL("g.item")),
            same_self=same_row(entry, sql.SQL("u.item")),
        )
        await connection.execute(statement, {"collection": entry.name, "columns": columns})
