"""Finding what was done to tables behind Acta's back, and telling it: ``item.observed``.

What is told is always the difference between log and row at that moment, under a lock, so nothing is told
twice and nothing is lost, whoever asks and however often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from domain.model import Collection, Model
from projections.database import Connection, Database
from projections.log.rebuild import comparable
from projections.sql import load
from projections.time.in_place import FOLD, TOUCHED_ITEMS
from projections.time.in_place import SQL as IN_PLACE
from projections.time.rows import key_of, name, same_row

SQL: Final = load("time/external")
ADOPTING: Final = load("tables/adopt")
EVERYTHING: Final = {"upto": 2**63 - 2, "later": "{}"}


async def observable(connection: Connection, model: Model) -> list[Collection]:
    """The user's collections whose rows the log tells: those made by Acta, or adopted to the end."""
    entries = [entry for entry in comparable(model) if not entry.system]
    values = {"collections": [entry.name for entry in entries]}
    rows = await (await connection.execute(ADOPTING["unfinished"], values)).fetchall()
    unfinished = {row[0] for row in rows}
    return [entry for entry in entries if entry.name not in unfinished]


async def reconcile(database: Database, entry: Collection, user: str | None = None) -> int:
    """Compare a whole collection with the log; gives the number of items that were told.

    ``user`` is who is known to have changed it, by the name of the database.
    """
    async with database.transaction() as connection:
        fold = FOLD.format(scope=sql.SQL(""))
        statement = SQL["candidates"].format(
            fold=fold, key=key_of(entry), table=name(entry.schema, entry.table)
        )
        await connection.execute(statement, {"collection": entry.name, **EVERYTHING})
        return await _told(connection, entry, "reconcile", {}, user)


async def observe(database: Database, entry: Collection, items: Mapping[str, str | None]) -> int:
    """The same for some items, each with the user who is known to have changed it."""
    async with database.transaction() as connection:
        statement = SQL["named"].format(collection=sql.Literal(entry.name), items=sql.Literal(list(items)))
        await connection.execute(statement)
        return await _told(connection, entry, "decoding", items, None)


async def _told(
    connection: Connection,
    entry: Collection,
    found: str,
    users: Mapping[str, str | None],
    user: str | None,
) -> int:
    row = await (await connection.execute(SQL["any_touched"])).fetchone()
    if row is None or not row[0]:
        return 0
    await connection.execute(SQL["patience"])
    await connection.execute(SQL["hold"].format(table=sql.Identifier(entry.schema, entry.table)))
    differing = IN_PLACE["differing"].format(
        fold=FOLD.format(scope=TOUCHED_ITEMS),
        table=name(entry.schema, entry.table),
        same=same_row(entry, sql.SQL("touched.item")),
    )
    values: dict[str, Any] = {"collection": entry.name, "young": [], **EVERYTHING}
    await connection.execute(differing, values)
    told = {
        "collection": entry.name,
        "request": uuid4(),
        "found": found,
        "users": Jsonb({item: one for item, one in users.items() if one is not None}),
        "user": user,
    }
    return (await connection.execute(SQL["tell"], told)).rowcount
