"""The version of an item: the number of the transaction that wrote its row last. ``If-Match`` looks at it.

PostgreSQL keeps it with every row (``xmin``), so it costs reads nothing, and it changes with every writer,
also with those who go past Acta.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.access.command import Command
from domain.errors import PreconditionFailed
from domain.model import join_key
from projections.database import Connection
from projections.errors import Attempt
from projections.tables.writing.batches import keyed_rows
from projections.tables.writing.conditions import Condition
from projections.tables.writing.naming import rendered, templates
from projections.tables.writing.session import execute
from projections.tables.writing.tables import Table

ANY_VERSION = "*"
_SQL = templates("writing/versions")
_CHANGED_SINCE = rendered(_SQL["changed_since"])
_NUMBER = re.compile(r"[0-9]{1,10}")

Expected = Sequence[str]
"""The versions of which one has to be the item's; `ANY_VERSION` is each of them."""


async def require_version(
    connection: Connection,
    command: Command,
    table: Table,
    key: tuple[str, ...],
    expected: Expected,
    condition: Condition | None,
) -> None:
    """Lock the row, and go on only if it still has an expected version.

    A row that the caller may not write (``condition``) is left to the write itself, which says so.

    Raises:
        PreconditionFailed: naming the fields written since that the caller may read in any row.
    """
    name = table.shape.name
    attempt = Attempt(table.shape.model, name)
    lock = table.statements.keyed(_SQL["lock"], "version", condition)
    values = condition.values if condition else ()
    rows = await execute(connection, lock, [keyed_rows([key]), *values], attempt)
    if not rows and not command.rights.admin:
        return
    if rows and (ANY_VERSION in expected or rows[0][0] in expected):
        return
    item = join_key(key)
    fields: list[str] = []
    if rows and len(expected) == 1 and _NUMBER.fullmatch(expected[0]):
        changed = await execute(connection, _CHANGED_SINCE, [name, item, expected[0]], attempt)
        fields = [str(field) for (field,) in changed]
    # Of a field that may be hidden in this very row, it isn't told that it was written.
    told = [field for field in fields if command.rights.shows_in_every_row(name, field)]
    raise PreconditionFailed(name, item, told)
