"""Histories: the rows of chosen collections, each with the positions it was valid at.

They make the cost of reading as of a moment depend on the rows asked for, not on the length of the log. A
history has the columns that its collection has now; it is made anew from the log when those change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from domain.model import Collection, Model
from projections.database import Connection
from projections.log.positions import at_positions
from projections.log.rebuild import comparable
from projections.reading.past_rows import FROM, TO, history_table
from projections.sql import load
from projections.time.rows import name, same_row

SQL: Final = load("time/history")
EVERYTHING: Final = "*"
LONGEST: Final = 2**62


@dataclass(frozen=True, slots=True)
class History:
    """The history of a collection; ``made`` tells that it was made just now, whole."""

    entry: Collection
    number: int
    made: bool = False


def wanted(model: Model, names: Sequence[str]) -> list[Collection]:
    """The collections of a list of names; ``*`` stands for all that the log tells, but the system's."""
    return [
        entry
        for entry in comparable(model)
        if entry.name in names or (EVERYTHING in names and not entry.system)
    ]


async def schema_changed(connection: Connection, after: int, limit: int) -> bool:
    """Whether tables may have changed at the positions after one."""
    statement = at_positions(SQL["schema_changed"])
    row = await (await connection.execute(statement, {"after": after, "limit": limit})).fetchone()
    return row is not None and bool(row[0])


async def keep(connection: Connection, entries: Sequence[Collection], upto: int) -> list[History]:
    """Have exactly the histories of these collections, up to a position; those that are there stay."""
    known = {
        collection: (number, print_)
        for collection, number, print_ in await (await connection.execute(SQL["known"])).fetchall()
    }
    kept = []
    for entry in entries:
        number, print_ = known.pop(entry.name, (None, None))
        fresh = await _fingerprint(connection, entry)
        if number is not None and print_ != fresh:
            await _drop(connection, entry.name, number)
            number = None
        made = number is None
        if number is None:
            number = await _make(connection, entry, fresh, upto)
        await _index(connection, entry, number, made=made)
        kept.append(History(entry, number, made))
    for collection, (number, _) in known.items():
        await _drop(connection, collection, number)
    return kept


async def apply(connection: Connection, history: History, after: int, limit: int, begin: int = 0) -> None:
    """Bring a history up to date with the positions after one."""
    entry = history.entry
    columns = list(entry.columns)
    statement = at_positions(
        SQL["apply"],
        history=history_table(history.number),
        table=name(entry.schema, entry.table),
        same=same_row(entry, sql.SQL("asked.item")),
        same_first=same_row(entry, sql.SQL("first.item")),
        columns=sql.SQL(", ").join(map(name, columns)),
        values=sql.SQL(", ").join(sql.SQL("r.{}").format(name(column)) for column in columns),
    )
    values = {"after": after, "limit": limit, "collection": entry.name, "begin": begin}
    await connection.execute(statement, values)


async def _fingerprint(connection: Connection, entry: Collection) -> str:
    begin = await _begin(connection, entry)
    columns = ",".join(f"{column} {about.sql_type}" for column, about in entry.columns.items())
    return f"{begin}:{entry.schema}.{entry.table}({columns})"


async def _begin(connection: Connection, entry: Collection) -> int:
    row = await (await connection.execute(SQL["begin_of_life"], {"collection": entry.name})).fetchone()
    return 0 if row is None else int(row[0])


async def _make(connection: Connection, entry: Collection, print_: str, upto: int) -> int:
    values: dict[str, Any] = {"collection": entry.name, "fingerprint": print_}
    row = await (await connection.execute(SQL["note"], values)).fetchone()
    assert row is not None
    number = int(row[0])
    table = history_table(number)
    make = SQL["make"].format(history=table, table=sql.Identifier(entry.schema, entry.table))
    await connection.execute(make)
    if upto > 0:
        # Before there are indexes: rows of a whole log come faster without.
        await apply(connection, History(entry, number), 0, upto, await _begin(connection, entry))
    return number


async def _index(connection: Connection, entry: Collection, number: int, *, made: bool) -> None:
    """Have rows found by key, and by what the live table has indexes for.

    The positions stand in each index, so that no row of another moment is read; the end first, since most
    reads are of moments that few rows have ended after.
    """
    table, places = history_table(number), list(entry.columns)
    found = {entry.primary_key} | {
        (column,)
        for column, about in entry.columns.items()
        if about.foreign_key is not None or about.indexed or about.unique
    }
    for columns in sorted(found):
        index = "_".join([f"history_{number}_by", *(str(places.index(column)) for column in columns)])
        statement = SQL["index"].format(
            index=sql.Identifier(index),
            history=table,
            columns=sql.SQL(", ").join(map(sql.Identifier, (*columns, TO, FROM))),
        )
        await connection.execute(statement)
    if made:
        await connection.execute(sql.SQL("analyze {}").format(table))


async def _drop(connection: Connection, collection: str, number: int) -> None:
    await connection.execute(SQL["drop"].format(history=history_table(number)))
    await connection.execute(SQL["forget"], {"collection": collection})
