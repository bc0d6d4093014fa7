"""The one row of a singleton."""

from __future__ import annotations

from projections.database import Connection
from projections.sql import load
from projections.tables.writing.naming import ROW, joined, key_text, name, table_of
from projections.tables.writing.tables import Table

_KEYS = load("writing/keys")


async def first_key(connection: Connection, table: Table) -> str | None:
    """The key of the first row, locked against deletion; None when there is no row yet."""
    shape = table.shape
    statement = _KEYS["first"].format(
        key=key_text(shape, ROW),
        table=table_of(shape),
        order=joined([name(entry.column.name) for entry in shape.key]),
    )
    row = await (await connection.execute(statement)).fetchone()
    return None if row is None else str(row[0])
