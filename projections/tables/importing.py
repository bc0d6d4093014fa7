"""Import: every row of a file is inserted or, when its key is there, changed; all in one transaction.

The rows go to the item writer in as few commands as possible. When that fails they are tried one by one, each
behind a savepoint, only to learn which rows are wrong and why; nothing of that is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from domain.access.command import Command
from domain.errors import ActaError, ErrorGroup, FailedValidation, Forbidden, InvalidPayload
from domain.items.shape import Shape
from domain.model import Collection, Model, join_key
from projections.database import Connection, Database
from projections.tables.item_writer import ItemWriter

MAXIMUM_ERRORS = 1000
_RANGE = 4
_PRESENT = sql.SQL("SELECT {key} FROM {table} WHERE ({key}) IN (SELECT {wanted})")

Row = dict[str, Any]


class Importer:
    """Writes the rows of files."""

    def __init__(self, database: Database, writer: ItemWriter, maximum_errors: int = MAXIMUM_ERRORS) -> None:
        self._database = database
        self._writer = writer
        self._maximum_errors = maximum_errors

    def check(self, command: Command, model: Model, collection: str) -> Collection:
        """The collection, if the caller may import into it.

        Raises:
            Forbidden
        """
        found = model.collection(collection)
        rights = command.rights
        if found is None:
            raise Forbidden.collection(collection)
        if found.system and not rights.admin:
            raise Forbidden()
        if not (rights.may(collection, "create") and rights.may(collection, "update")):
            raise Forbidden.collection(collection)
        return found

    async def run(self, command: Command, model: Model, collection: str, rows: Sequence[Row]) -> None:
        """Write all rows or none.

        Raises:
            ErrorGroup: one entry per kind of failure, naming the rows.
        """
        found = self.check(command, model, collection)
        if found.singleton and len(rows) != 1:
            raise InvalidPayload("A singleton takes exactly one row")
        try:
            async with self._database.transaction() as connection:
                for same in _runs(found, rows):
                    await self._write(command, model, found, same, connection)
        except (ActaError, ErrorGroup) as error:
            if not any("field" in entry.extensions for entry in _entries(error)):
                raise
            await self._explain(command, model, found, rows)
            raise

    async def _write(
        self,
        command: Command,
        model: Model,
        collection: Collection,
        rows: Sequence[Row],
        connection: Connection,
    ) -> None:
        present = await _present(connection, model, collection, rows)
        changed = [row for row in rows if _key(collection, row) in present]
        fresh = [row for row in rows if _key(collection, row) not in present]
        if fresh:
            await self._writer.create(command, model, collection.name, fresh, connection=connection)
        if changed:
            await self._writer.update_each(command, model, collection.name, changed, connection=connection)

    async def _explain(
        self, command: Command, model: Model, collection: Collection, rows: Sequence[Row]
    ) -> None:
        failures: dict[tuple[str, Any, Any], tuple[ActaError, list[int]]] = {}
        async with self._thrown_away() as connection:
            for number, row in enumerate(rows, start=1):
                try:
                    async with connection.transaction():
                        await self._write(command, model, collection, [row], connection)
                except (ActaError, ErrorGroup) as error:
                    for entry in _entries(error):
                        if "field" not in entry.extensions:
                            raise
                        kind = (entry.code, entry.extensions["field"], entry.extensions.get("type"))
                        failures.setdefault(kind, (entry, []))[1].append(number)
                if sum(len(numbers) for _, numbers in failures.values()) >= self._maximum_errors:
                    break
        if failures:
            raise ErrorGroup([_with_rows(entry, numbers) for entry, numbers in failures.values()])

    @asynccontextmanager
    async def _thrown_away(self) -> AsyncIterator[Connection]:
        async with self._database.transaction() as connection:
            yield connection
            raise psycopg.Rollback


def _entries(error: ActaError | ErrorGroup) -> Sequence[ActaError]:
    return error.errors if isinstance(error, ErrorGroup) else (error,)


def _with_rows(entry: ActaError, numbers: list[int]) -> ActaError:
    entry.extensions = {**entry.extensions, "rows": spans(numbers)}
    if isinstance(entry, FailedValidation):
        entry.extensions.pop("path", None)
    return entry


def spans(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Row numbers in wire form: four or more in a row as a range, the others listed together."""
    ranges: list[dict[str, Any]] = []
    single: list[int] = []
    run: list[int] = []
    for number in [*numbers, None]:
        if number is not None and run and number == run[-1] + 1:
            run.append(number)
            continue
        if len(run) >= _RANGE:
            ranges.append({"type": "range", "start": run[0], "end": run[-1]})
        else:
            single += run
        run = [] if number is None else [number]
    return [*ranges, {"type": "lines", "rows": single}] if single else ranges


def _key(collection: Collection, row: Row) -> str | None:
    parts = [row.get(name) for name in collection.primary_key]
    if any(part is None or part == "" or isinstance(part, (dict, list)) for part in parts):
        return None
    return join_key(parts)


def _runs(collection: Collection, rows: Sequence[Row]) -> list[list[Row]]:
    # A key that comes again has to find the row that its first coming made.
    runs: list[list[Row]] = [[]]
    seen: set[str] = set()
    for row in rows:
        key = _key(collection, row)
        if key is not None and key in seen:
            runs.append([])
            seen = set()
        if key is not None:
            seen.add(key)
        runs[-1].append(row)
    return [run for run in runs if run]


async def _present(
    connection: Connection, model: Model, collection: Collection, rows: Sequence[Row]
) -> frozenset[str]:
    shape = Shape(model, collection)
    wanted = [shape.key_texts(key) for row in rows if (key := _key(collection, row)) is not None]
    if not wanted:
        return frozenset()
    columns = [collection.columns[name] for name in collection.primary_key]
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    arrays = sql.SQL(", ").join(
        sql.SQL("unnest({}::text[])::{}").format(sql.Placeholder(), sql.SQL(column.sql_type))
        for column in columns
    )
    statement = _PRESENT.format(
        key=names, table=sql.Identifier(collection.schema, collection.table), wanted=arrays
    )
    values = [list(parts) for parts in zip(*wanted, strict=True)]
    cursor = await connection.execute(statement, values)
    return frozenset(join_key(row) for row in await cursor.fetchall())
