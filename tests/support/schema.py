"""Looking at a database from outside, to see what schema commands did to it."""

from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import sql

from domain.model import wire
from domain.model.snapshot import snapshot
from projections.tables.store import ModelStore

Rows = Callable[..., Awaitable[list[tuple[Any, ...]]]]
KEY = {"field": "id", "type": "integer", "schema": {"has_auto_increment": True}, "meta": {"hidden": True}}


def collection(name: str, *fields: dict[str, Any], **meta: Any) -> dict[str, Any]:
    """The body that makes a collection with a numbered key."""
    return {"collection": name, "schema": {}, "meta": meta, "fields": [KEY, *fields]}


async def catalog_of(rows: Rows, table: str) -> list[tuple[Any, ...]]:
    """What a table looks like, its columns by name."""
    columns = await rows(
        "select column_name, data_type, character_maximum_length, column_default, is_nullable"
        " from information_schema.columns where table_schema = 'public' and table_name = %s order by 1",
        table,
    )
    constraints = await rows(
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = to_regclass(quote_ident(%s)) and contype <> 'n' order by 1",
        table,
    )
    indexes = await rows("select indexname, indexdef from pg_indexes where tablename = %s order by 1", table)
    return columns + constraints + indexes


async def newest(rows: Rows) -> int:
    """The seq of the newest event."""
    return int((await rows("select coalesce(max(seq), 0) from acta.events"))[0][0])


async def all_rows(rows: Rows, table: str) -> list[Any]:
    """The rows of a table as objects."""
    query = sql.SQL("select to_jsonb(odd_name) from {} as odd_name order by 1").format(sql.Identifier(table))
    return [row[0] for row in await rows(query)]


async def check_log(rows: Rows, collection: str) -> None:
    """The log tells exactly the rows that are there. Rows made by SQL have to be told by a command before."""
    query = "select jsonb_strip_nulls(state) from acta.item_states_v1(%s, 9223372036854775807)"
    told = [row[0] for row in await rows(query, collection)]
    live = sql.SQL("select jsonb_strip_nulls(to_jsonb(odd_name)) from {} as odd_name").format(
        sql.Identifier(collection)
    )
    there = [row[0] for row in await rows(live)]
    assert sorted(map(str, told)) == sorted(map(str, there))


async def everything(rows: Rows, store: ModelStore) -> tuple[Any, ...]:
    """Log, model and tables, to be compared."""
    model = await store.refresh()
    tables = [(await catalog_of(rows, name)) for name in sorted(model.collections)]
    return await newest(rows), snapshot(model), wire.fields(model), tables
