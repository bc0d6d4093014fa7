"""The version of an item: the ``seq`` of its last event. ``If-Match`` holds a write to it."""

from __future__ import annotations

from domain.errors import PreconditionFailed
from domain.model import join_key
from projections.database import Connection
from projections.errors import Attempt
from projections.tables.writing.batches import keyed_rows
from projections.tables.writing.naming import rendered, templates
from projections.tables.writing.session import execute
from projections.tables.writing.tables import Table

_SQL = templates("writing/versions")
_CURRENT = rendered(_SQL["current"])
_CHANGED_SINCE = rendered(_SQL["changed_since"])


async def current_version(connection: Connection, table: Table, key: tuple[str, ...]) -> int | None:
    """The item's version; None for one the log knows nothing of."""
    attempt = Attempt(table.shape.model, table.shape.name)
    [[version]] = await execute(connection, _CURRENT, [table.shape.name, join_key(key)], attempt)
    return None if version is None else int(version)


async def require_version(connection: Connection, table: Table, key: tuple[str, ...], expected: int) -> None:
    """Lock the row, and go on only if nothing has been written to it since a version.

    Raises:
        PreconditionFailed: naming the fields written since.
    """
    name = table.shape.name
    attempt = Attempt(table.shape.model, name)
    lock = table.statements.keyed(_SQL["lock"], "version")
    await execute(connection, lock, [keyed_rows([key])], attempt)
    current = await current_version(connection, table, key)
    if current == expected:
        return
    item = join_key(key)
    rows = await execute(connection, _CHANGED_SINCE, [name, item, str(expected)], attempt)
    raise PreconditionFailed(name, item, [str(field) for (field,) in rows], current)
