"""Import: every row of a file is inserted or, when its key is there, changed; all in one transaction.

The rows go to the item writer in batches. When that fails, batches and then the rows of those that fail are
tried behind savepoints, only to learn which rows are wrong and why; nothing of that is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg
from psycopg import sql

from domain.access.command import Command
from domain.errors import (
    ActaError,
    ErrorGroup,
    FailedValidation,
    Forbidden,
    InvalidPayload,
    LimitExceeded,
)
from domain.items.shape import Shape
from domain.model import Collection, Model, join_key
from domain.settings_files import ImportSettings
from projections.database import Connection, Database
from projections.tables.item_writer import ItemWriter

BATCH, LARGEST = 1000, 1 << 22
"""Rows, and bytes of their text, that are read from the file and written together."""
_RANGE = 4
_PRESENT = sql.SQL("SELECT {key} FROM {table} WHERE ({key}) IN (SELECT {wanted})")

Row = dict[str, Any]
Rows = Callable[[], Iterator[tuple[Row, int]]]
"""Reads the rows of a file from its beginning, each with the bytes of its text."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Where rows go, by whose command, within which transaction."""

    command: Command
    model: Model
    collection: Collection
    connection: Connection


class Importer:
    """Writes the rows of files."""

    def __init__(self, database: Database, writer: ItemWriter, settings: ImportSettings) -> None:
        self._database = database
        self._writer = writer
        self._settings = settings
        self._running = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among the imports that may run at once.

        Raises:
            LimitExceeded: when all are taken.
        """
        if self._running >= self._settings.concurrency:
            raise LimitExceeded("Concurrent import")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

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

    async def run(self, command: Command, model: Model, collection: str, rows: Rows) -> None:
        """Write all rows or none, in one transaction, batch by batch.

        Raises:
            ErrorGroup: one entry per kind of failure, naming the rows.
        """
        found = self.check(command, model, collection)
        if found.singleton and len(await asyncio.to_thread(lambda: list(islice(rows(), 2)))) != 1:
            raise InvalidPayload("A singleton takes exactly one row")
        try:
            async with self._database.transaction() as connection:
                target, count = _Target(command, model, found, connection), 0
                async for batch in _batches(rows()):
                    count += len(batch)
                    self._writer.within_limit(count)
                    await self._write_all(target, batch)
        except (ActaError, ErrorGroup) as error:
            if not any("field" in entry.extensions for entry in _entries(error)):
                raise
            await self._explain(command, model, found, rows)
            raise

    async def _write_all(self, target: _Target, rows: Sequence[Row]) -> None:
        for same in _runs(target.collection, rows):
            await self._write(target, same)

    async def _write(self, target: _Target, rows: Sequence[Row]) -> None:
        command, model, collection = target.command, target.model, target.collection
        present = await _present(target.connection, model, collection, rows)
        changed = [row for row in rows if _key(collection, row) in present]
        fresh = [row for row in rows if _key(collection, row) not in present]
        within = target.connection
        if fresh:
            await self._writer.create(command, model, collection.name, fresh, connection=within)
        if changed:
            await self._writer.update_each(command, model, collection.name, changed, connection=within)

    async def _explain(self, command: Command, model: Model, collection: Collection, rows: Rows) -> None:
        failures, first = _Failures(self._settings.errors), 1
        async with self._thrown_away() as connection:
            target = _Target(command, model, collection, connection)
            async for batch in _batches(rows()):
                try:
                    async with connection.transaction():
                        await self._write_all(target, batch)
                except (ActaError, ErrorGroup):
                    await self._write_singly(target, batch, first, failures)
                first += len(batch)
                if failures.enough:
                    break
        if failures.found:
            raise failures.group()

    async def _write_singly(
        self, target: _Target, rows: Sequence[Row], first: int, failures: _Failures
    ) -> None:
        for number, row in enumerate(rows, first):
            with failures.of_row(number):
                async with target.connection.transaction():
                    await self._write(target, [row])
            if failures.enough:
                break

    @asynccontextmanager
    async def _thrown_away(self) -> AsyncIterator[Connection]:
        async with self._database.transaction() as connection:
            yield connection
            raise psycopg.Rollback


class _Failures:
    """What is wrong with which rows, one entry per kind of failure."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.found: dict[tuple[str, Any, Any], tuple[ActaError, list[int]]] = {}

    @property
    def enough(self) -> bool:
        """Whether so many are known that no more are told."""
        return sum(len(numbers) for _, numbers in self.found.values()) >= self._most

    @contextmanager
    def of_row(self, number: int) -> Iterator[None]:
        """Notes what a row fails with; what speaks of no field is raised."""
        try:
            yield
        except (ActaError, ErrorGroup) as error:
            for entry in _entries(error):
                if "field" not in entry.extensions:
                    raise
                kind = (entry.code, entry.extensions["field"], entry.extensions.get("type"))
                self.found.setdefault(kind, (entry, []))[1].append(number)

    def group(self) -> ErrorGroup:
        """All of them."""
        return ErrorGroup([_with_rows(entry, numbers) for entry, numbers in self.found.values()])


async def _batches(rows: Iterator[tuple[Row, int]]) -> AsyncIterator[list[Row]]:
    """Read in a thread: large rows take a while."""
    while batch := await asyncio.to_thread(_batch, rows):
        yield batch


def _batch(rows: Iterator[tuple[Row, int]]) -> list[Row]:
    batch: list[Row] = []
    total = 0
    for row, size in rows:
        batch.append(row)
        total += size
        if len(batch) == BATCH or total > LARGEST:
            break
    return batch


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
