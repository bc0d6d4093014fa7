"""Another type for a field: a look at what would be lost, and the change, also where values can't follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import sql

from domain.errors import Forbidden, InvalidPayload
from domain.model.field_changes import column_changes
from domain.model.schema import Collection, Column
from domain.model.types import ColumnType
from projections.schema import ddl
from projections.schema.baseline import complete_log, key_text, tell_changes
from projections.schema.fields import update_field
from projections.schema.work import Work
from projections.sql import load

EXAMPLES = 100

_STATEMENTS = load("schema/retype")


async def retype(work: Work, collection: str, field: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Change the type as ``PATCH /fields`` does; what that does to the values.

    With ``"impossible": "null"`` values that the type can't hold become null instead of an error.

    Raises:
        Forbidden: for an unknown collection or field.
        InvalidPayload: for an alias, for no other type, or when the database refuses the change.
    """
    owner = work.model.collection(collection)
    column = owner.columns.get(field) if owner else None
    if owner is None or field not in owner.fields:
        raise Forbidden()
    if column is None:
        raise InvalidPayload(f'"{field}" has no column')
    if body.get("impossible") not in (None, "null"):
        raise InvalidPayload('"impossible" must be "null"')
    change = {"type": body.get("type"), "schema": body.get("schema") or {}}
    declared = column_changes(owner, owner.fields[field], change).type
    if declared is None:
        raise InvalidPayload(f'"{field}" has this type already')
    work.about = (collection, field)
    found = await _preview(work, owner, column, declared)
    if found["impossible"] and body.get("impossible") == "null":
        await complete_log(work, owner, field)
        await work.connection.execute(_statement(work, "empty_impossible", owner, column, declared))
        await tell_changes(work, owner, field)
        await update_field(work, collection, field, change)
    elif not found["impossible"]:
        await update_field(work, collection, field, change)
    elif not work.dry:
        raise InvalidPayload(f'{found["impossible"]} values of "{field}" can\'t be converted')
    return found


async def _preview(work: Work, owner: Collection, column: Column, declared: ColumnType) -> dict[str, Any]:
    cursor = await work.connection.execute(_statement(work, "preview", owner, column, declared))
    row = await cursor.fetchone()
    assert row is not None
    return dict(zip(("values", "impossible", "changed", "examples"), row, strict=True))


def _statement(
    work: Work, name: str, owner: Collection, column: Column, declared: ColumnType
) -> sql.Composed:
    return _STATEMENTS[name].format(
        table=sql.Identifier(owner.schema, owner.table),
        column=sql.Identifier(column.name),
        key=key_text(owner) if owner.primary_key else sql.SQL('"acta row".ctid::text'),
        from_type=sql.Literal(column.sql_type),
        to_type=sql.Literal(ddl.type_name(declared).as_string(work.connection)),
        examples=sql.Literal(EXAMPLES),
    )
