"""What others do to the structure of tables, told to the log like a change of ours, after the fact.

The structure that the log knows is kept; where a table differs from it and no event says why, somebody else
changed it. So it is told once, and what the difference can't show (a column that came and went) is not told.
Indexes that are no constraints don't count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql
from psycopg.types.json import Jsonb

from domain.access.command import Command
from domain.events import (
    CollectionCreated,
    CollectionDeleted,
    CollectionRenamed,
    CollectionUpdated,
    FieldCreated,
    FieldDeleted,
    FieldRenamed,
    FieldUpdated,
)
from domain.model import Collection
from domain.model.schema import CollectionKind
from projections.database import Connection, Database
from projections.schema.baseline import fill_log, tell_changes, tell_rows
from projections.schema.cascades import COLLECTIONS, FIELDS
from projections.schema.definitions import Definition, column_definition
from projections.schema.work import Work
from projections.sql import load
from projections.tables.store import ModelStore

SQL: Final = load("time/structures")
ADOPTING: Final = load("tables/adopt")
LOCK: Final = 0x61637461_0008
ENDED: Final = ("collection.deleted", "collection.renamed")
TABLES: Final = (CollectionKind.TABLE, CollectionKind.PARTITIONED)

# The name of the user behind one of these transactions, where it is known.
UserOf = Callable[[Sequence[int]], str | None]


@dataclass(frozen=True, slots=True)
class _Table:
    """A table as it is: its transactions are those that made it so."""

    place: str
    oid: int
    mark: str
    made: Sequence[int]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """A table as the log knows it."""

    place: str
    oid: int
    collection: str
    mark: str
    columns: Mapping[str, str]
    definition: Definition
    seq: int


async def observe_structures(
    database: Database, store: ModelStore, home: str, user_of: UserOf = lambda made: None
) -> int:
    """Tell what others did to the structure of tables since the last look; the number of tables.

    The first look at a database only learns. Tables that are not adopted are not told of, but those that come
    later are, with their rows.
    """
    async with database.transaction() as connection:
        await connection.execute(SQL["alone"], {"key": LOCK})
        await connection.execute("set local lock_timeout = '2s'")
        work = Work(connection, Command.internal(), store, await store.preview(connection), home)
        return await _Look(work, user_of).run()


class _Look:
    def __init__(self, work: Work, user_of: UserOf) -> None:
        self._work = work
        self._user_of = user_of
        self._told: dict[str, tuple[int, str]] = {}

    async def run(self) -> int:
        connection, work = self._work.connection, self._work
        entries = {
            _place(entry): entry
            for entry in work.model.collections.values()
            if entry.kind in TABLES and not entry.system
        }
        tables = {table.place: table for table in await _tables(connection, list(entries.values()))}
        known = {
            one.place: one
            for one in (_Known(*row) for row in await (await connection.execute(SQL["known"])).fetchall())
        }
        if all(
            place in known and (known[place].oid, known[place].mark) == (table.oid, table.mark)
            for place, table in tables.items()
        ) and not (known.keys() - tables.keys()):
            return 0
        rows = await (await connection.execute(SQL["told"])).fetchall()
        self._told = {collection: (seq, topic) for collection, seq, topic in rows}
        first, changed = not known, 0
        renamed = {
            table.oid: known[place]
            for place in known.keys() - tables.keys()
            for table in tables.values()
            if table.place not in known and table.oid == known[place].oid
        }
        for place, table in tables.items():
            entry = entries[place]
            before = known.get(place) or renamed.get(table.oid)
            if before is not None and before.place == place and before.mark == table.mark:
                continue
            changed += await self._table(entry, table, before, first=first)
        for place in known.keys() - tables.keys():
            changed += await self._gone(known[place], renamed=known[place] in renamed.values())
        if changed:
            await work.store.announce(connection)
        return changed

    async def _table(self, entry: Collection, table: _Table, before: _Known | None, *, first: bool) -> bool:
        work = self._work
        self._by(table.made)
        definition = await work.definition(entry.schema, entry.table)
        assert definition is not None
        told = False
        if before is None:
            told = not first and not self._made(entry.name)
            if told:
                await self._came(entry, definition)
        elif before.collection != entry.name:
            told = await self._others(before) and not self._made(entry.name)
            if told:
                await work.record(CollectionRenamed, before.collection, name=entry.name)
                await self._came(entry, definition, {"renamed": before.collection})
        elif await self._others(before):
            told = await self._changes(entry, before, table, definition)
        await work.connection.execute(
            SQL["keep"],
            {
                "place": table.place,
                "oid": table.oid,
                "collection": entry.name,
                "mark": table.mark,
                "columns": Jsonb(dict(table.columns)),
                "definition": Jsonb(definition),
            },
        )
        return told

    async def _came(
        self, entry: Collection, definition: Definition, notes: Mapping[str, Any] | None = None
    ) -> None:
        document = {"collection": entry.name, "meta": None, "ddl": definition}
        await self._work.record(CollectionCreated, entry.name, new=document, notes=notes)
        await tell_rows(self._work, entry)

    async def _gone(self, before: _Known, *, renamed: bool) -> bool:
        work = self._work
        await work.connection.execute(SQL["forget"], {"place": before.place})
        if renamed or not await self._others(before):
            return False
        self._by(())
        rows = await work.rows(COLLECTIONS, {"collection": before.collection})
        old = {
            "collection": before.collection,
            "meta": rows[0] if rows else None,
            "ddl": before.definition,
        }
        await work.record(CollectionDeleted, before.collection, old=old)
        return True

    async def _changes(
        self, entry: Collection, before: _Known, table: _Table, definition: Definition
    ) -> bool:
        """Columns that went, came, were renamed or are others, then the table itself."""
        work, name, told = self._work, entry.name, False
        gone = {column: number for number, column in before.columns.items()}
        came = {column: number for number, column in table.columns.items()}
        stayed = [column for column in came if column in gone]
        pairs = _renamed(before, table, gone.keys() - came.keys(), came.keys() - gone.keys())
        for old, new in pairs.items():
            await work.record(FieldRenamed, name, field=old, name=new)
            await tell_changes(work, entry, new)
            told = True
        for column in sorted(gone.keys() - came.keys() - pairs.keys()):
            old_field = {
                "field": column,
                "meta": await self._meta(name, column),
                "ddl": column_definition(before.definition, column),
            }
            await work.record(FieldDeleted, name, field=column, old=old_field)
            told = True
        for column in sorted(came.keys() - gone.keys() - set(pairs.values()), key=lambda one: int(came[one])):
            ddl = column_definition(definition, column)
            assert ddl is not None
            filled = await fill_log(work, entry, column, ddl["column"]["default"])
            new_field = {"field": column, "meta": await self._meta(name, column), "ddl": ddl}
            await work.record(FieldCreated, name, field=column, new=new_field, filled=filled)
            told = True
        for old, new in pairs.items():
            other = _column(definition, new, set())
            one = {**other, "column": {**_column(before.definition, old, set())["column"], "name": new}}
            told |= await self._column(entry, new, one, other)
        seen: set[str] = set()
        for column in stayed:
            one, other = (_column(of, column, seen) for of in (before.definition, definition))
            if await self._column(entry, column, one, other):
                seen |= {part["name"] for part in (*one["constraints"], *other["constraints"])}
                told = True
        if _rest(before.definition) != _rest(definition):
            await work.record(
                CollectionUpdated, name, old={"ddl": before.definition}, new={"ddl": definition}
            )
            told = True
        return told

    async def _column(self, entry: Collection, column: str, one: Definition, other: Definition) -> bool:
        if _plain(one) == _plain(other):
            return False
        meta = await self._meta(entry.name, column)
        await self._work.record(
            FieldUpdated,
            entry.name,
            field=column,
            old={"field": column, "meta": meta, "ddl": one},
            new={"field": column, "meta": meta, "ddl": other},
        )
        if one["column"]["type"] != other["column"]["type"]:
            await tell_changes(self._work, entry, column)
        return True

    async def _meta(self, collection: str, field: str) -> dict[str, Any] | None:
        rows = await self._work.rows(FIELDS, {"collection": collection, "field": field})
        return rows[0] if rows else None

    async def _others(self, before: _Known) -> bool:
        """Whether a change is to be told: the log tells the table's rows, and no event of ours says why."""
        if self._told.get(before.collection, (0, ""))[0] > before.seq:
            return False
        values = {"collections": [before.collection]}
        return await (await self._work.connection.execute(ADOPTING["unfinished"], values)).fetchone() is None

    def _made(self, collection: str) -> bool:
        """Whether an event of our own says why a table is there."""
        return self._told.get(collection, (0, ENDED[0]))[1] not in ENDED

    def _by(self, made: Sequence[int]) -> None:
        user = self._user_of(made)
        known = {} if user is None else {"user": user}
        self._work.command = Command.internal().noting(by="database", found="catalog", **known)


def _renamed(before: _Known, table: _Table, gone: set[str], came: set[str]) -> dict[str, str]:
    """Of columns that went and came, those with the same number: the old names and the new."""
    numbers = {number: column for number, column in table.columns.items() if column in came}
    if before.oid != table.oid:
        return {}
    return {
        column: numbers[number]
        for number, column in before.columns.items()
        if column in gone and number in numbers
    }


def _column(table: Definition, column: str, told: set[str]) -> Definition:
    """A column's definition without indexes, and without the constraints that another column told of."""
    found = column_definition(table, column)
    assert found is not None
    constraints = [one for one in found["constraints"] if one["name"] not in told]
    return {**found, "constraints": constraints, "indexes": []}


def _plain(column: Definition) -> Definition:
    """What of a column's definition is its structure: not how far its sequence has come, nor where it is."""
    about = dict(column["column"])
    if about["sequence"] is not None:
        about["sequence"] = {**about["sequence"], "position": None}
    return {"column": about, "constraints": column["constraints"]}


def _rest(table: Definition) -> Definition:
    """What of a table's definition belongs to no column."""
    parts = ("comment", "options", "partitioning", "children", "triggers", "kind", "unlogged")
    constraints = [one for one in table["constraints"] if not one["columns"]]
    return {**{part: table[part] for part in parts}, "constraints": constraints}


async def _tables(connection: Connection, entries: Sequence[Collection]) -> list[_Table]:
    values = {
        "places": [_place(entry) for entry in entries],
        "schemas": [entry.schema for entry in entries],
        "tables": [entry.table for entry in entries],
    }
    rows = await (await connection.execute(SQL["present"], values)).fetchall()
    return [_Table(*row) for row in rows]


def _place(entry: Collection) -> str:
    return sql.Identifier(entry.schema, entry.table).as_string(None)
