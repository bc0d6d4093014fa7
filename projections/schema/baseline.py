"""Keeping the log complete while tables change under it, and bringing values back out of it.

Before rows or a column go, whatever the log does not hold is appended: rows that were never adopted, values
that were changed behind our back. So a drop needs no copy of the data, and an undo finds all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from domain.model.schema import Collection, CollectionKind
from projections.schema.work import Work
from projections.sql import load
from projections.tables.writing.naming import literal, name

_STATEMENTS = load("schema/baseline")
_TABLES = (CollectionKind.TABLE, CollectionKind.PARTITIONED)
_VOLATILE = ("nextval(", "gen_random_uuid(")
CAUSE = "schema"

Quote = Callable[[str], sql.Identifier]


async def lock(work: Work, collection: Collection) -> None:
    """Wait, for as long as the service allows, until nobody else uses the table."""
    if collection.kind in _TABLES:
        await work.connection.execute(
            _STATEMENTS["lock"].format(table=sql.Identifier(collection.schema, collection.table))
        )


async def complete_log(work: Work, collection: Collection, field: str | None = None) -> None:
    """Before rows or a column go: append what the table holds and the log does not.

    Rows of a table without a primary key have no place in the log; they can't be brought back.
    """
    if not collection.writable:
        return
    await lock(work, collection)
    await _tell(work, collection, field, "item.observed")


async def fill_log(work: Work, collection: Collection, field: str, default: str | None) -> Any:
    """After a column was added: the one value that all rows have by its default, None for no such value.

    Where each row has a value of its own, all of them are appended instead; so they are where a field of the
    name was there before, so that a mere fold of the log never takes its values for those of the new one.
    """
    if not collection.writable:
        return None
    values = {"collection": collection.name, "field": field}
    row = await (await work.connection.execute(_STATEMENTS["had_field"], values)).fetchone()
    before = row is not None and row[0]
    if before or any(function in (default or "") for function in _VOLATILE):
        statement = _STATEMENTS["tell_field"].format(
            table=_table(collection), column=name(field), key=_key(collection)
        )
        await work.connection.execute(statement, values | work.origin({"silent": True, "cause": CAUSE}))
        return None
    if default is None:
        return None
    plain = sql.Identifier(collection.schema, collection.table)
    statement = _STATEMENTS["any_value"].format(table=plain, column=sql.Identifier(field))
    row = await (await work.connection.execute(statement)).fetchone()
    return row[0] if row else None


async def tell_changes(work: Work, collection: Collection, field: str | None = None) -> None:
    """Append what a step of ours made of the rows."""
    if collection.writable:
        await _tell(work, collection, field, "item.updated")


async def tell_rows(work: Work, collection: Collection) -> None:
    """Append the state of every row, as the beginning of its history under this name."""
    if collection.writable:
        statement = _STATEMENTS["tell_all"].format(table=_table(collection), key=_key(collection))
        values = {"collection": collection.name} | work.origin({"silent": True, "cause": CAUSE})
        await work.connection.execute(statement, values)


async def refill_table(work: Work, collection: Collection, columns: Sequence[str], upto: int) -> int:
    """Put the rows back that a collection had right after an event; their number."""
    statement = _STATEMENTS["refill_table"].format(
        table=_table(collection),
        columns=sql.SQL(", ").join(name(column) for column in columns),
        values=sql.SQL(", ").join(sql.SQL("r.{}").format(name(column)) for column in columns),
    )
    cursor = await work.connection.execute(statement, {"collection": collection.name, "upto": upto})
    return cursor.rowcount


async def refill_column(work: Work, collection: Collection, field: str, upto: int) -> int:
    """Put the values back that a field had right after an event; the number of items."""
    statement = _STATEMENTS["refill_column"].format(
        table=_table(collection), column=name(field), key=_key(collection)
    )
    values = {"collection": collection.name, "upto": upto, "field": field}
    cursor = await work.connection.execute(statement, values)
    return cursor.rowcount


async def remember_converted(work: Work, collection: Collection, field: str, before: int, after: int) -> None:
    """Keep the values from before a conversion at hand, for `refill_converted` after the way back."""
    statement = _STATEMENTS["remember_converted"].format(
        field=sql.Literal(field),
        column=sql.Identifier(field),
        collection=sql.Literal(collection.name),
        before=sql.Literal(before),
        after=sql.Literal(after),
        table=sql.Identifier(collection.schema, collection.table),
        key=key_text(collection),
    )
    await work.connection.execute(statement)


async def refill_converted(work: Work, collection: Collection, field: str) -> int:
    """Put the remembered values back; the number of items."""
    statement = _STATEMENTS["refill_converted"].format(
        table=_table(collection), column=name(field), key=_key(collection)
    )
    cursor = await work.connection.execute(statement, {"field": field})
    await work.connection.execute(_STATEMENTS["forget_converted"])
    return cursor.rowcount


async def _tell(work: Work, collection: Collection, field: str | None, topic: str) -> None:
    if field is None:
        part: sql.Composable = sql.SQL('to_jsonb("acta row".*)')
        columns: list[str] = list(collection.columns)
    else:
        part = sql.SQL('jsonb_build_object({}::text, "acta row".{})').format(literal(field), name(field))
        columns = [field]
    statement = _STATEMENTS["tell"].format(table=_table(collection), key=_key(collection), part=part)
    values = {"collection": collection.name, "topic": topic, "empty": Jsonb(dict.fromkeys(columns))}
    await work.connection.execute(statement, values | work.origin({"silent": True, "cause": CAUSE}))


def _table(collection: Collection) -> sql.Identifier:
    return name(collection.schema, collection.table)


def key_text(collection: Collection) -> sql.Composable:
    """The text of the key of ``"acta row"`` as the log has it, for statements without parameters."""
    return _key(collection, quoted=sql.Identifier, sign="%")


def _key(collection: Collection, quoted: Quote = name, sign: str = "%%") -> sql.Composable:
    # The rules are those of `domain.model.keys`.
    columns = [sql.SQL('"acta row".{}::text').format(quoted(column)) for column in collection.primary_key]
    if len(columns) == 1:
        return columns[0]
    texts = (literal(sign), literal(f"{sign}25"), literal(f"{sign}2C"))
    parts = [sql.SQL("replace(replace({}, {}, {}), ',', {})").format(column, *texts) for column in columns]
    return sql.SQL("concat_ws(',', {})").format(sql.SQL(", ").join(parts))
