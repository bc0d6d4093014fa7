"""Rows written without their events, which follow in the same transaction: of nested writes, of cascades, of
tables whose rewrite rules allow neither RETURNING nor a data-modifying WITH.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from psycopg import sql

from domain.errors import InvalidPayload
from domain.items.rows import Row
from projections.database import Connection
from projections.errors import Attempt
from projections.tables.writing.batches import changed_rows, keyed_rows, mixed_of, new_row, new_rows
from projections.tables.writing.conditions import Condition
from projections.tables.writing.flat import reserve
from projections.tables.writing.naming import rendered, templates
from projections.tables.writing.session import execute
from projections.tables.writing.tables import Table

_PLAIN = templates("writing/plain")
_CASCADE = templates("writing/cascade")
_WITHOUT = "without_events"


@dataclass(frozen=True, slots=True)
class Written:
    """A row that was written: its place in the batch, its key, and its event's payload (JSON)."""

    place: int
    item: str
    payload: str


async def insert(
    connection: Connection, table: Table, rows: Sequence[Row], attempt: Attempt
) -> list[Written]:
    """Create rows, in order."""
    if not table.shape.collection.returning:
        return await _plain_insert(connection, table, rows, attempt)
    mixed = mixed_of(rows)
    await reserve(connection, table, rows, mixed.partial, attempt)
    statement = table.statements.create_many(mixed, _WITHOUT)
    found = await execute(connection, statement, new_rows(rows, mixed), attempt)
    return [_written(row) for row in found]


async def change(
    connection: Connection,
    table: Table,
    keys: Sequence[Sequence[str]],
    rows: Sequence[Row],
    condition: Condition | None,
    attempt: Attempt,
) -> list[Written]:
    """Change the rows that are there. No key may occur twice."""
    values = condition.values if condition else ()
    mixed = mixed_of(rows)
    if not mixed.columns:
        statement = table.statements.touch_many(_WITHOUT, condition)
        found = await execute(connection, statement, [keyed_rows(keys), *values], attempt)
    elif table.shape.collection.returning:
        statement = table.statements.update_many(mixed, _WITHOUT, condition)
        found = await execute(connection, statement, [changed_rows(rows, keys, mixed), *values], attempt)
    else:
        return await _plain_change(connection, table, keys, rows, condition, attempt)
    return [_written(row) for row in found]


async def erase(
    connection: Connection, table: Table, keys: Sequence[Sequence[str]], attempt: Attempt
) -> None:
    """Delete rows that are locked already."""
    if not keys:
        return
    if table.shape.collection.returning:
        statement = table.statements.delete_many(_WITHOUT)
    else:
        statement = table.statements.keyed(_PLAIN["delete"], "plain delete")
    await execute(connection, statement, [keyed_rows(keys)], attempt)


def _written(row: Sequence[str | None]) -> Written:
    return Written(int(row[0] or 0) - 1, row[1] or "", row[2] or "")


# --- tables with rewrite rules


async def _plain_insert(
    connection: Connection, table: Table, rows: Sequence[Row], attempt: Attempt
) -> list[Written]:
    # One by one: what a rule makes of several rows has no order that tells which is which.
    await _draw_keys(connection, table, rows, attempt)
    return [await _plain_row(connection, table, place, row, attempt) for place, row in enumerate(rows)]


async def _plain_row(connection: Connection, table: Table, place: int, row: Row, attempt: Attempt) -> Written:
    bounds = await _bounds(connection, table, attempt)
    mixed = mixed_of([row])
    statement = table.statements.plain_insert(_PLAIN["insert"], mixed)
    await execute(connection, statement, [new_row(row, mixed)], attempt)
    key = [row.cells[entry.column.name] or "" for entry in table.shape.key]
    by_key = table.statements.keyed(_PLAIN["inserted"], "inserted")
    found = await execute(connection, by_key, [keyed_rows([key])], attempt)
    for column, bound in bounds.items():
        if not found:
            by_bound = table.statements.replaced(_PLAIN["replaced"], column)
            found = await execute(connection, by_bound, [bound], attempt)
    if not found:
        raise InvalidPayload(f'The rules of "{table.shape.name}" keep no such row')
    _, item, payload = found[0]
    return Written(place, item or "", payload or "")


async def _bounds(connection: Connection, table: Table, attempt: Attempt) -> dict[str, str | None]:
    """For each key column filled by a sequence, a value below all that the sequence will give from now on."""
    bounds: dict[str, str | None] = {}
    for entry in table.shape.key:
        default = table.statements.default_of(entry.column.name)
        if default is not None and entry.column.base_type in ("smallint", "integer", "bigint"):
            statement = _PLAIN["draw"].format(defaults=sql.SQL("({})::text").format(default))
            drawn = await execute(connection, rendered(statement), ["1"], attempt)
            bounds[entry.column.name] = drawn[0][0]
    return bounds


async def _draw_keys(connection: Connection, table: Table, rows: Sequence[Row], attempt: Attempt) -> None:
    """Give every row a key from the defaults of the key's columns, where it brings none."""
    for entry in table.shape.key:
        column = entry.column.name
        lacking = [row for row in rows if row.cells.get(column) is None]
        default = table.statements.default_of(column)
        if not lacking or default is None:
            continue
        given = {column} if len(lacking) < len(rows) else set()
        await reserve(connection, table, rows, frozenset(given), attempt)
        statement = _PLAIN["draw"].format(defaults=sql.SQL("({})::text").format(default))
        drawn = await execute(connection, rendered(statement), [str(len(lacking))], attempt)
        for row, (value,) in zip(lacking, drawn, strict=True):
            row.cells[column] = value
            row.cells = {name: row.cells[name] for name in sorted(row.cells)}


async def _plain_change(
    connection: Connection,
    table: Table,
    keys: Sequence[Sequence[str]],
    rows: Sequence[Row],
    condition: Condition | None,
    attempt: Attempt,
) -> list[Written]:
    values = condition.values if condition else ()
    statement = table.statements.locked(_CASCADE["lock"], None, condition)
    locked = await execute(connection, statement, [keyed_rows(keys), *values], attempt)
    before = {int(n or 0) - 1: state or "" for n, _, state in locked}
    there = sorted(before)
    if not there:
        return []
    of_keys, of_rows = [keys[place] for place in there], [rows[place] for place in there]
    mixed = mixed_of(of_rows)
    statement = table.statements.plain_update(_PLAIN["update"], mixed)
    await execute(connection, statement, [changed_rows(of_rows, of_keys, mixed)], attempt)
    documents = [
        {
            "n": place + 1,
            "fields": list(rows[place].cells),
            "old": orjson.Fragment(before[place]),
            **{f"k{number}": part for number, part in enumerate(keys[place])},
        }
        for place in there
    ]
    compare = table.statements.compare(_CASCADE["compare"])
    found = await execute(connection, compare, [orjson.dumps(documents).decode()], attempt)
    return [_written(row) for row in found]
