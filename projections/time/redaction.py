"""Erasing values from the past for good, everywhere it is kept: the log, its snapshots, the histories."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import psycopg
from psycopg import sql

from domain.access.command import Command
from domain.errors import Forbidden, InvalidPayload
from domain.model import Collection, Model, join_key, split_key
from projections.database import Connection, Database
from projections.errors import translate
from projections.log.redact import redact
from projections.reading.past_rows import history_table
from projections.sql import load
from projections.time.moments import settle
from projections.time.rows import name, same_row

SQL: Final = load("time/redaction")
REDACTED: Final = "redacted"
_TEXT: Final = re.compile(r"(?:text|citext|character varying|varchar)(?:\((\d+)\))?")


async def redact_items(
    database: Database,
    model: Model,
    command: Command,
    collection: str,
    keys: Sequence[str],
    fields: Sequence[str] | None = None,
) -> int:
    """Erase some fields of items, or all but the key, from everything that was; the number of events.

    Raises:
        Forbidden: to others than administrators, and for unknown collections.
        InvalidPayload: when a live row has one of the values still: change or delete it first.
    """
    entry = model.collections.get(collection)
    if not command.rights.admin or entry is None or not entry.writable:
        raise Forbidden()
    items = [join_key(split_key(key, len(entry.primary_key))) for key in keys]
    await settle(database)
    chosen = {}
    try:
        async with database.connection() as connection:
            for item in items:
                chosen[item] = await _fields(connection, entry, item, fields)
                await _require_gone(connection, entry, item, chosen[item])
    except psycopg.Error as error:
        # The table may have gone meanwhile.
        raise translate(error) from error
    erased = 0
    for item, names in chosen.items():
        if names:
            shown = _shown(entry, item, names)
            erased += await redact(database, collection, item, names, shown=shown, actor=command.caller.user)
            await _empty_history(database, entry, item, names, shown)
    return erased


def _shown(entry: Collection, item: str, fields: Sequence[str]) -> dict[str, str]:
    """The texts that stand for erased ones; values of other types leave nothing."""
    found = {}
    for field in fields:
        column = entry.columns.get(field)
        form = None if column is None else _TEXT.fullmatch(column.sql_type)
        if column is None or form is None:
            continue
        text = f"{REDACTED} {item}" if column.unique else REDACTED
        found[field] = text[: int(form[1])] if form[1] else text
    return found


async def _fields(
    connection: Connection, entry: Collection, item: str, fields: Sequence[str] | None
) -> list[str]:
    if fields is None:
        values = {"collection": entry.name, "item": item}
        row = await (await connection.execute(SQL["fields"], values)).fetchone()
        fields = row[0] if row else []
    if fields is not None and set(fields) & set(entry.primary_key) and len(fields) == 1:
        raise InvalidPayload("The key of an item can't be erased")
    return [field for field in fields or () if field not in entry.primary_key]


async def _require_gone(connection: Connection, entry: Collection, item: str, fields: Sequence[str]) -> None:
    statement = SQL["still_there"].format(
        table=name(entry.schema, entry.table), same=same_row(entry, sql.SQL("%(item)s::text"))
    )
    row = await (await connection.execute(statement, {"item": item, "fields": list(fields)})).fetchone()
    if row is not None and row[0]:
        raise InvalidPayload(
            f'Item "{item}" of "{entry.name}" has values in {", ".join(row[0])}: empty or delete it first'
        )


async def _empty_history(
    database: Database, entry: Collection, item: str, fields: Sequence[str], shown: Mapping[str, str]
) -> None:
    async with database.transaction() as connection:
        row = await (await connection.execute(SQL["history"], {"collection": entry.name})).fetchone()
        columns = [field for field in fields if field in entry.columns]
        if row is None or not columns:
            return
        statement = SQL["empty"].format(
            history=history_table(row[0]),
            changes=sql.SQL(", ").join(
                sql.SQL("{0} = case when {0} is not null then {1} end").format(
                    name(column), sql.Literal(shown.get(column, "").replace("%", "%%") or None)
                )
                for column in columns
            ),
            same=same_row(entry, sql.SQL("%(item)s::text")),
        )
        await connection.execute(statement, {"item": item})
