"""An earlier state beside the present one: the tables as they were, in a new schema of the same database.

For looking, comparing and copying back by SQL. One transaction; tables are made by their present definitions,
so a moment before a change of the schema needs a database of its own. Metadata and rights stay the present
ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from psycopg import sql

from domain.access.command import Command
from domain.errors import InvalidPayload
from domain.model import Collection
from projections.database import Database
from projections.schema import remake
from projections.schema.definitions import Definition, table_definition
from projections.schema.work import Work
from projections.sql import load
from projections.tables.store import ModelStore
from projections.time.in_place import FOLD, schema_events
from projections.time.into import TABLES, fill_statement, move_sequences
from projections.time.moments import Cut
from projections.time.structure import foreign, make_tables

SQL: Final = load("time/into")


async def into_schema(
    database: Database,
    cut: Cut,
    schema: str,
    schemas: Sequence[str],
    progress: Callable[[int, int, str], None],
) -> int:
    """Make the schema with all tables of the user as they were at a cut; gives their number.

    Raises:
        InvalidPayload: when there is a schema of the name, or the tables were others at the cut.
    """
    store = await ModelStore.open(database, schemas=schemas)
    entries = [one for one in store.current.collections.values() if one.kind in TABLES and not one.system]
    async with database.transaction() as connection:
        row = await (await connection.execute(SQL["schema_exists"], {"schema": schema})).fetchone()
        if row is not None and row[0]:
            raise InvalidPayload(f'There is a schema "{schema}" already')
        for event in await schema_events(connection, cut):
            if event.collection in {entry.name for entry in entries} or event.topic == "collection.deleted":
                raise InvalidPayload(
                    f"The schema was another one then ({event.topic} of {event.collection} came later): "
                    "restore into a database of its own"
                )
        await connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        work = Work(connection, Command.internal(), store, store.current, schema)
        tables = [await table_definition(connection, entry.schema, entry.table) for entry in entries]
        moved = _moved([table for table in tables if table is not None], schema)
        bare = [{**table, "constraints": [], "indexes": []} for table in moved]
        await make_tables(work, bare)
        for number, entry in enumerate(entries):
            progress(number, len(entries), entry.name)
            await _fill(work, replace(entry, schema=schema), cut)
        for table in moved:
            plain = [one for one in table["constraints"] if one["kind"] != "f"]
            await remake.make_constraints(work, table, plain)
            for index in table["indexes"]:
                await work.run(remake.make_index(index))
        await foreign(work, moved)
    return len(entries)


async def _fill(work: Work, entry: Collection, cut: Cut) -> None:
    statement = fill_statement(SQL["fill_here"], entry, fold=FOLD.format(scope=sql.SQL("")))
    await work.connection.execute(statement, {"collection": entry.name, **cut.parameters()})
    await move_sequences(work.connection, work.connection, entry, cut)


def _moved(tables: Sequence[Definition], schema: str) -> list[Definition]:
    """The definitions with every table and sequence of theirs in another schema.

    Raises:
        InvalidPayload: when two of the tables have one name.
    """
    names = [table["table"] for table in tables]
    if len(set(names)) < len(names):
        raise InvalidPayload("Tables of one name in several schemas can't be restored into one")
    places = [(table["schema"], table["table"]) for table in tables]
    for table in tables:
        places += [(child["schema"], child["table"]) for child in table["children"] or ()]
        for column in table["columns"]:
            if column["sequence"]:
                places.append((column["sequence"]["schema"], column["sequence"]["name"]))
    patterns = [
        (_pattern(place), f"{_quoted(schema)}.{_quoted(place[1])}".replace("\\", r"\\")) for place in places
    ]
    return [_rewritten(table, {old for old, _ in places}, schema, patterns) for table in tables]


def _pattern(place: tuple[str, str]) -> re.Pattern[str]:
    parts = (f"(?:{re.escape(_quoted(part))}|{re.escape(part)})" for part in place)
    return re.compile(r'(?<![\w".])' + r"\.".join(parts) + r'(?![\w"])')


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _rewritten(
    value: Any, old: set[str], schema: str, patterns: Sequence[tuple[re.Pattern[str], str]]
) -> Any:
    if isinstance(value, dict):
        return {
            key: schema
            if key == "schema" and one in old
            else _rewritten(one, old, schema, patterns)
            if key not in ("type", "comment")
            else one
            for key, one in value.items()
            if key != "triggers"
        } | ({"triggers": []} if "triggers" in value else {})
    if isinstance(value, list):
        return [_rewritten(one, old, schema, patterns) for one in value]
    if isinstance(value, str):
        for pattern, place in patterns:
            value = pattern.sub(place, value)
    return value
