"""Adoption: a baseline event for every row that was there before Acta, so that its history has a beginning.

Each batch is one statement and one transaction with its own progress: a kill loses at most one batch, and
the next run goes on behind it. Between batches writers go on, during one (a fraction of a second) they wait.
Nothing in the user's schemas is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from domain.model import Collection, CollectionKind, Column, Model
from projections.database import Connection, Database
from projections.log.prepare import extend
from projections.sql import load

BATCH_ROWS = 5_000
# The log's partitions are made ahead of need; so often is that looked after.
EXTEND_EVERY = 1_000_000
COUNT_LIMIT = 1_000_000
PAUSE_SECONDS = 0.2

Progress = Callable[[str, int], None]

_STATEMENTS = load("tables/adopt")
_COMMA = sql.SQL(", ")
_TABLES = (CollectionKind.TABLE, CollectionKind.PARTITIONED)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of one collection: ``rows`` read now, ``events`` written for those without a history."""

    collection: str
    rows: int
    events: int


def adoptable(model: Model) -> list[Collection]:
    """The user's tables with a primary key, by name."""
    return [each for each in model.collections.values() if not each.system and each.writable]


def unadoptable(model: Model) -> list[str]:
    """The user's tables that can't be adopted, for want of a primary key to tell their rows apart."""
    tables = (each for each in model.collections.values() if not each.system and each.kind in _TABLES)
    return [each.name for each in tables if not each.primary_key]


async def pending(connection: Connection, model: Model) -> dict[str, int]:
    """The collections still to be adopted, with an estimate of the rows left; empty ones are left out."""
    collections = {each.name: each for each in adoptable(model)}
    cursor = await connection.execute(_STATEMENTS["unfinished"], {"collections": list(collections)})
    left: dict[str, int] = {}
    for collection, done in await cursor.fetchall():
        rows = await _estimate(connection, collections[collection]) - done
        if rows > 0:
            left[collection] = rows
    return left


async def adopt(
    database: Database,
    model: Model,
    *,
    progress: Progress | None = None,
    batch_rows: int = BATCH_ROWS,
) -> list[Adopted]:
    """Adopt everything that is not adopted yet; ``progress`` hears of the rows of each batch."""
    collections = {each.name: each for each in adoptable(model)}
    request = uuid4()
    async with database.connection() as connection:
        cursor = await connection.execute(_STATEMENTS["unfinished"], {"collections": list(collections)})
        names = [collection for collection, _ in await cursor.fetchall()]
    done: list[Adopted] = []
    written = EXTEND_EVERY
    for collection in names:
        one = _Adoption(collections[collection], request, batch_rows)
        while not one.finished:
            if written >= EXTEND_EVERY:
                await extend(database)
                written = 0
            rows, events = await one.step(database)
            written += events
            if progress is not None:
                progress(collection, rows)
        done.append(Adopted(collection, one.rows, one.events))
    return done


class _Adoption:
    """The adoption of one collection, batch by batch."""

    def __init__(self, collection: Collection, request: UUID, batch_rows: int) -> None:
        self._collection = collection
        self._request = request
        self._limit = batch_rows
        self._hold = _STATEMENTS["hold"].format(table=sql.Identifier(collection.schema, collection.table))
        self._first = _batch(collection, after=False)
        self._later = _batch(collection, after=True)
        self.rows = 0
        self.events = 0
        self.finished = False

    async def step(self, database: Database) -> tuple[int, int]:
        """The next batch: rows read and events written. Waits as long as writers keep the table busy."""
        while True:
            try:
                async with database.transaction() as connection:
                    rows, events = await self._step(connection)
                break
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                # Whoever queued behind this attempt goes first.
                await asyncio.sleep(PAUSE_SECONDS)
        self.rows += rows
        self.events += events
        return rows, events

    async def _step(self, connection: Connection) -> tuple[int, int]:
        name_of = {"collection": self._collection.name}
        row = await (await connection.execute(_STATEMENTS["claim"], name_of)).fetchone()
        assert row is not None
        last_key, finished = row
        if finished:
            self.finished = True
            return 0, 0
        values: dict[str, Any] = {"limit": self._limit, "request": self._request}
        values |= {f"last_{place}": part for place, part in enumerate(last_key or ())}
        await connection.execute(_STATEMENTS["patience"])
        await connection.execute(self._hold)
        statement = self._first if last_key is None else self._later
        batch = await (await connection.execute(statement, values)).fetchone()
        assert batch is not None
        rows, events, last = batch
        self.finished = rows < self._limit
        progress = {"last_key": last, "rows": rows, "finished": self.finished}
        await connection.execute(_STATEMENTS["record"], {**name_of, **progress})
        return rows, events


def _batch(collection: Collection, *, after: bool) -> sql.Composed:
    key = [collection.columns[column] for column in collection.primary_key]
    columns = [sql.SQL("t.{}").format(_name(column.name)) for column in key]
    texts = [sql.SQL("{}::text").format(column) for column in columns]
    return _STATEMENTS["batch"].format(
        table=_name(collection.schema, collection.table),
        collection=sql.Literal(_escaped(collection.name)),
        key=_joined_key(texts),
        parts=sql.SQL("array[{}]").format(_COMMA.join(texts)),
        order=_COMMA.join(columns),
        after=_behind(columns, key) if after else sql.SQL(""),
    )


def _behind(columns: Sequence[sql.Composed], key: Sequence[Column]) -> sql.Composed:
    last = [
        sql.SQL("{}::{}").format(sql.Placeholder(f"last_{place}"), sql.SQL(_escaped(column.sql_type)))
        for place, column in enumerate(key)
    ]
    return sql.SQL("where ({}) > ({})").format(_COMMA.join(columns), _COMMA.join(last))


def _joined_key(texts: Sequence[sql.Composed]) -> sql.Composable:
    """The key's text; the rules are those of ``domain.model.keys``."""
    if len(texts) == 1:
        return texts[0]
    escaped = [sql.SQL("replace(replace({}, '%%', '%%25'), ',', '%%2C')").format(text) for text in texts]
    return sql.SQL("concat_ws(',', {})").format(_COMMA.join(escaped))


def _name(*parts: str) -> sql.Identifier:
    return sql.Identifier(*(_escaped(part) for part in parts))


def _escaped(text: str) -> str:
    """Psycopg reads a per cent sign in a statement with parameters, even inside quotes."""
    return text.replace("%", "%%")


async def _estimate(connection: Connection, collection: Collection) -> int:
    table = _name(collection.schema, collection.table)
    plain = sql.Identifier(collection.schema, collection.table).as_string(connection)
    row = await (await connection.execute(_STATEMENTS["estimate"], {"table": plain})).fetchone()
    if row is not None and row[0]:
        return int(row[0])
    # Never analysed, or analysed while empty: count, but not for ever.
    counting = _STATEMENTS["count"].format(table=table)
    row = await (await connection.execute(counting, {"limit": COUNT_LIMIT})).fetchone()
    assert row is not None
    return int(row[0])


def summary(left: Mapping[str, int]) -> str:
    """What is to be adopted, for a person: ``3 tables with about 1,234 rows``."""
    tables = "1 table" if len(left) == 1 else f"{len(left)} tables"
    return f"{tables} with about {sum(left.values()):,} rows"
