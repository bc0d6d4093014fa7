"""States of items at a point of the log, folded from their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from projections.database import Connection
from projections.sql import load

SQL: Final = load("log/states")


async def states_before(
    connection: Connection, collection: str, items: Sequence[str], seqs: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """The state of each item just before the event of the same place in ``seqs``, as JSON values by column.

    Items whose history the log does not know have an empty state.
    """
    values = {"collection": collection, "items": list(items), "seqs": list(seqs)}
    cursor = await connection.execute(SQL["before"], values)
    return dict(await cursor.fetchall())
