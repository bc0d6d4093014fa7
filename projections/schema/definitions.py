"""The full definition of a table or column, as schema events keep it: what is needed to make it again."""

from __future__ import annotations

from typing import Any

from projections.database import Connection
from projections.sql import load

Definition = dict[str, Any]

_STATEMENTS = load("schema/definition")


async def table_definition(connection: Connection, schema: str, table: str) -> Definition | None:
    """Columns, sequences and their positions, constraints, indexes, triggers and comments; None for no table.

    Every name in it is qualified, so it means the same whatever the search path will be.
    """
    row = await (await connection.execute(_STATEMENTS["current_path"])).fetchone()
    path = row[0] if row else ""
    await connection.execute(_STATEMENTS["qualify"])
    cursor = await connection.execute(_STATEMENTS["table"], {"schema": schema, "table": table})
    found = await cursor.fetchone()
    await connection.execute(_STATEMENTS["restore_path"], {"path": path})
    return found[0] if found else None


def column_definition(table: Definition | None, column: str) -> Definition | None:
    """The part of a table's definition that goes with one column; None for no such column."""
    if table is None:
        return None
    for entry in table["columns"]:
        if entry["name"] == column:
            return {
                "schema": table["schema"],
                "table": table["table"],
                "column": entry,
                "constraints": [one for one in table["constraints"] if column in (one["columns"] or ())],
                "indexes": [one for one in table["indexes"] if column in (one["columns"] or ())],
            }
    return None
