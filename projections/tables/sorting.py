"""Manual sort: put one item in the place of another; those between them move by one.

Rows without a position come to stand behind the last one first; positions that repeat make all be numbered
anew from 1, in the order they have. Only rows whose position changes are written, silently: a new order is
no activity. The event of the item that was moved says so, for those who listen to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from domain.access.command import Command
from domain.errors import Forbidden, InvalidPayload
from domain.model import Collection, Model, join_key, split_key
from projections.database import Connection, Database
from projections.tables.item_writer import ItemWriter

_ROWS = sql.SQL("SELECT {columns} FROM {table} ORDER BY {position} NULLS LAST, {key} FOR NO KEY UPDATE")

_POSITIONS = ("integer", "bigInteger")

Placed = tuple[str, int | None]


class Sorter:
    """Moves items within the order of their collection."""

    def __init__(self, database: Database, writer: ItemWriter) -> None:
        self._database = database
        self._writer = writer

    async def move(self, command: Command, model: Model, collection: str, item: str, to: str) -> None:
        """Put ``item`` where ``to`` stands.

        Raises:
            Forbidden: for collections, fields and items that are not there or not the caller's to sort.
            InvalidPayload: for a collection without a field to sort by: one that holds whole numbers and is
                no key.
        """
        found = model.collection(collection)
        if found is None or not found.writable or not command.rights.may(collection, "update"):
            raise Forbidden.collection(collection)
        field = found.sort_field
        if field is None or field in found.primary_key or found.fields[field].type not in _POSITIONS:
            raise InvalidPayload(f'Collection "{collection}" has no sort field')
        rules = command.rights.of(collection, "update")
        if not command.rights.admin and not any(rule.covers(field) for rule in rules):
            raise Forbidden.fields(collection, [field])
        async with self._database.transaction() as connection:
            placed = await _placed(connection, found, field)
            changed = moved(placed, item, to)
            own = {item: changed.pop(item)} if item in changed else {}
            # The right to sort was checked above, and does not depend on the rows.
            silent = command.unlimited().noting(silent=True)
            await self._write(silent, model, found, field, changed, connection)
            await self._write(silent.noting(moved=True), model, found, field, own, connection)

    async def _write(
        self,
        command: Command,
        model: Model,
        collection: Collection,
        field: str,
        changed: dict[str, int],
        connection: Connection,
    ) -> None:
        if not changed:
            return
        names = collection.primary_key
        payloads = [
            {**dict(zip(names, split_key(key, len(names)), strict=True)), field: position}
            for key, position in changed.items()
        ]
        await self._writer.update_each(command, model, collection.name, payloads, connection=connection)


def moved(placed: Sequence[Placed], item: str, to: str) -> dict[str, int]:
    """The positions that change when ``item`` takes the place of ``to``, given all rows in their order.

    Raises:
        Forbidden: when one of the two is not among them.
    """
    before = dict(placed)
    if item not in before or to not in before:
        raise Forbidden()
    positions = _complete(placed)
    start, end = positions[item], positions[to]
    for key, position in positions.items():
        if start < position <= end:
            positions[key] = position - 1
        elif end <= position < start:
            positions[key] = position + 1
    positions[item] = end
    return {key: position for key, position in positions.items() if before[key] != position}


def _complete(placed: Sequence[Placed]) -> dict[str, int]:
    given = [position for _, position in placed if position is not None]
    if len(set(given)) < len(given):
        return {key: number for number, (key, _) in enumerate(placed, start=1)}
    following = max(given, default=0)
    positions = {}
    for key, position in placed:
        if position is None:
            following += 1
        positions[key] = following if position is None else position
    return positions


async def _placed(connection: Connection, collection: Collection, field: str) -> list[Placed]:
    key = [sql.Identifier(name) for name in collection.primary_key]
    statement = _ROWS.format(
        columns=sql.SQL(", ").join(
            [*(sql.SQL("{}::text").format(name) for name in key), sql.Identifier(field)]
        ),
        table=sql.Identifier(collection.schema, collection.table),
        position=sql.Identifier(field),
        key=sql.SQL(", ").join(key),
    )
    cursor = await connection.execute(statement)
    rows: list[tuple[Any, ...]] = await cursor.fetchall()
    return [(join_key(row[:-1]), row[-1]) for row in rows]
