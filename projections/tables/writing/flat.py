"""Writes without nested items: one statement for the rows and their events, however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from domain.access.command import Command
from domain.items.rows import Row
from projections.database import Connection
from projections.errors import Attempt
from projections.sql import load
from projections.tables.writing.batches import changed_rows, keyed_rows, metas, mixed_of, new_rows
from projections.tables.writing.conditions import Condition, bound_values
from projections.tables.writing.echo import Echo
from projections.tables.writing.session import execute, origin
from projections.tables.writing.tables import Table

_KEYS = load("writing/keys")
_NO_FIELDS = Row({}, [], {})

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class One:
    """An item that was written; the answer's JSON and the item's version where the statement gave them."""

    key: str
    answer: str | None = None
    version: str | None = None


async def create_one(
    connection: Connection,
    command: Command,
    table: Table,
    row: Row,
    payload: Payload,
    echo: Echo | None = None,
) -> One:
    """Create one item."""
    columns = row.columns
    attempt = Attempt(table.shape.model, table.shape.name, (payload,), columns)
    parameters = [*row.cells.values(), *origin(command), row.meta(command.notes).decode()]
    if echo is not None:
        parameters += bound_values(echo.operands, command)
    [(key, _, answer, version)] = await execute(
        connection, table.statements.create_one(columns, echo), parameters, attempt
    )
    return One(str(key), answer, version)


async def create_many(
    connection: Connection, command: Command, table: Table, rows: Sequence[Row], payloads: Sequence[Payload]
) -> list[str]:
    """Create items with one statement; their keys in order. A batch that mixes given and generated keys
    needs two."""
    mixed = mixed_of(rows)
    attempt = Attempt(table.shape.model, table.shape.name, payloads)
    await reserve(connection, table, rows, mixed.partial, attempt)
    ending, meta = metas(rows, command.notes)
    statement = table.statements.create_many(mixed, ending)
    [(items, _)] = await execute(
        connection, statement, [*new_rows(rows, mixed), *origin(command), meta], attempt
    )
    keys: list[str] = orjson.loads(items) if items else []
    return keys


def needs_reservation(table: Table, rows: Sequence[Row]) -> bool:
    """Whether some of the rows bring their key and others get one from the sequence."""
    if table.shape.sequence is None:
        return False
    key = table.shape.key[0].column.name
    given = sum(key in row.cells for row in rows)
    return 0 < given < len(rows)


async def reserve(
    connection: Connection, table: Table, rows: Sequence[Row], partial: frozenset[str], attempt: Attempt
) -> None:
    """Keep generated keys of a batch clear of the given ones."""
    sequence = table.shape.sequence
    if sequence is None or table.shape.key[0].column.name not in partial:
        return
    key = table.shape.key[0].column.name
    highest = max(int(text) for row in rows if (text := row.cells.get(key)) is not None)
    await connection.execute(_KEYS["reserve"], {"sequence": sequence, "highest": highest})


async def update_one(
    connection: Connection,
    command: Command,
    table: Table,
    key: Sequence[str],
    row: Row,
    payload: Payload,
    condition: Condition | None = None,
    echo: Echo | None = None,
) -> list[One]:
    """Change one item; nothing when it is not there or not permitted."""
    attempt = Attempt(table.shape.model, table.shape.name, (payload,), row.columns)
    meta = row.meta(command.notes).decode()
    values = condition.values if condition else ()
    if not row.cells:
        statement = table.statements.touch_one(condition, echo)
    elif table.statements.exact:
        statement = table.statements.update_one(row.columns, condition, echo)
    else:
        keys = await update_many(connection, command, table, [key], [row], [payload], condition)
        return [One(found) for found in keys]
    parameters = [*row.cells.values(), *key, *values, *origin(command), meta]
    if echo is not None:
        parameters += bound_values(echo.operands, command)
    rows = await execute(connection, statement, parameters, attempt)
    return [One(str(item), answer, version) for item, _, answer, version in rows]


async def update_many(
    connection: Connection,
    command: Command,
    table: Table,
    keys: Sequence[Sequence[str]],
    rows: Sequence[Row],
    payloads: Sequence[Payload],
    condition: Condition | None = None,
) -> list[str]:
    """Change items, each with its own row; the keys of those that are there, in order. No key may occur
    twice."""
    attempt = Attempt(table.shape.model, table.shape.name, payloads)
    ending, meta = metas(rows, command.notes)
    mixed = mixed_of(rows)
    if mixed.columns:
        statement, document = (
            table.statements.update_many(mixed, ending, condition),
            changed_rows(rows, keys, mixed),
        )
    else:
        statement, document = table.statements.touch_many(ending, condition), keyed_rows(keys)
    values = condition.values if condition else ()
    found = await execute(connection, statement, [document, *values, *origin(command), meta], attempt)
    return [str(item) for _, item, _ in found]


async def delete_many(
    connection: Connection,
    command: Command,
    table: Table,
    keys: Sequence[Sequence[str]],
    condition: Condition | None = None,
) -> list[str]:
    """Delete items; the keys of those that were there, in order. No key may occur twice."""
    names = table.shape.collection.primary_key
    attempt = Attempt(
        table.shape.model, table.shape.name, [dict(zip(names, key, strict=True)) for key in keys]
    )
    values = condition.values if condition else ()
    meta = _NO_FIELDS.meta(command.notes).decode()
    if len(keys) == 1:
        parameters: list[str | None] = [*keys[0], *values, *origin(command), meta]
        found = await execute(connection, table.statements.delete_one(condition), parameters, attempt)
        return [str(item) for item, *_ in found]
    parameters = [keyed_rows(keys), *values, *origin(command), meta]
    found = await execute(
        connection, table.statements.delete_many("with_one_meta", condition), parameters, attempt
    )
    return [str(item) for _, item, _ in found]
