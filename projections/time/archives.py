"""Archived partitions of the log, as the database knows them; their files are `services.archive`'s.

What the present rests on stays in the partition's place: the events of the model, the last events of items
that are gone, and the state that each other item had at its end. So nothing that tells of moments behind an
archive has to know of it; what tells of moments before its end is refused until it is recalled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql

from domain.errors import InvalidPayload, ServiceUnavailable
from projections.database import Connection, Database
from projections.log.archived import ARRIVING, Rows, copy_in
from projections.log.archived import SQL as ARCHIVED
from projections.sql import load
from projections.time.in_place import FOLD, TOUCHED_ITEMS

SQL: Final = load("time/archive")
LOCK: Final = 0x61637461_0007
# A drop that was undone since is none: the values have to be in the states that are kept.
_FOLD: Final = sql.SQL(FOLD.as_string(None).replace("u.seq <= %(upto)s", f"u.seq <= {2**63 - 1}"))


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of the log: ``first`` <= seq < ``end``; ``bytes`` with its indexes."""

    number: int
    first: int
    end: int
    bytes: int

    @property
    def table(self) -> sql.Identifier:
        """Its name."""
        return sql.Identifier("acta", f"events_{self.number:06}")

    @property
    def successor(self) -> sql.Identifier:
        """The name of the table that takes its place, until it does."""
        return sql.Identifier("acta", f"events_{self.number:06}_next")


@dataclass(frozen=True, slots=True)
class Archive:
    """An archived partition; ``bytes`` are those of its files, ``table_bytes`` what its table took."""

    number: int
    first: int
    end: int
    last: int
    position: int
    last_at: datetime
    location: str
    events: int
    table_bytes: int
    bytes: int

    @property
    def partition(self) -> Partition:
        """What stands in its place."""
        return Partition(self.number, self.first, self.end, 0)


@dataclass(frozen=True, slots=True)
class File:
    """A file of an archive; ``sha256`` is of its bytes as they are stored."""

    location: str
    path: str
    sha256: str
    events: int


async def archives(connection: Connection) -> list[Archive]:
    """All archives, the oldest first."""
    rows = await (await connection.execute(SQL["archives"])).fetchall()
    return [Archive(*row) for row in rows]


async def closed(connection: Connection) -> list[Partition]:
    """The partitions behind the newest number and not archived, the oldest first."""
    row = await (await connection.execute(SQL["drawn"])).fetchone()
    drawn = row[0] if row is not None else 0
    rows = await (await connection.execute(SQL["partitions"])).fetchall()
    return [found for found in (Partition(*row) for row in rows) if found.end <= drawn]


async def begin(connection: Connection, partition: Partition, location: str, prefix: str) -> int:
    """Note that an archive begins; gives the number of its events, 0 for a partition without any.

    Raises:
        InvalidPayload: when events have no positions yet, or a follower has not come past the partition.
        ServiceUnavailable: when somebody writes all the time.
    """
    async with connection.transaction():
        await connection.execute(SQL["patience"])
        try:
            await connection.execute(SQL["writers"])
        except psycopg.errors.LockNotAvailable as error:
            raise ServiceUnavailable("log", "a transaction goes on writing: try again") from error
    values: dict[str, Any] = {"first": partition.first, "end": partition.end}
    about = SQL["about"].format(partition=partition.table)
    row = await (await connection.execute(about, values)).fetchone()
    assert row is not None
    events, last, last_at, position = row
    if not events:
        return 0
    row = await (await connection.execute(SQL["sealed"], values)).fetchone()
    if row is None or row[0] != events:
        raise InvalidPayload("Events of the partition aren't sealed yet: no worker runs")
    behind = await (await connection.execute(SQL["behind"])).fetchone()
    if behind is not None and behind[1] < position:
        raise InvalidPayload(
            f"Follower {behind[0]} is at position {behind[1]}: it would miss what happened up to {position}"
        )
    values |= {
        "number": partition.number, "last": last, "position": position, "last_at": last_at,
        "location": location, "prefix": prefix, "events": events, "bytes": partition.bytes,
    }  # fmt: skip
    await connection.execute(SQL["begin"], values)
    return int(events)


async def take(connection: Connection, rows: Rows) -> None:
    """Have the rows of files, and no others, in ``"acta archived"``. Raises ServiceUnavailable."""
    await connection.execute(ARCHIVED["make_arriving"])
    await connection.execute(SQL["forget"])
    await copy_in(connection, ARRIVING, rows)


async def same(connection: Connection, partition: Partition) -> int:
    """How many of the events taken are the partition's."""
    row = await (await connection.execute(SQL["same"].format(partition=partition.table))).fetchone()
    return 0 if row is None else int(row[0])


async def redactions(connection: Connection) -> int:
    """A number that changes when something is erased from the log."""
    row = await (await connection.execute(SQL["redacted"])).fetchone()
    return 0 if row is None else int(row[0])


async def put_away(database: Database, partition: Partition, erased: int) -> None:
    """Let what is kept take the place of a partition whose files are written, in one transaction.

    Raises:
        ServiceUnavailable: when values were erased from the log meanwhile, or others keep the log.
    """
    async with database.transaction() as connection:
        table = partition.successor
        await connection.execute(SQL["table_for"].format(table=table))
        places: dict[str, sql.Composable] = {"table": table, "partition": partition.table}
        await connection.execute(SQL["touched"].format(**places))
        await connection.execute(sql.SQL('analyze "acta touched"'))
        for step in ("keep", "ends"):
            await connection.execute(SQL[step].format(**places))
        states = SQL["states"].format(fold=_FOLD.format(scope=TOUCHED_ITEMS), **places)
        for (collection,) in await (await connection.execute(SQL["collections"])).fetchall():
            values = {"collection": collection, "upto": partition.end - 1, "later": "{}"}
            await connection.execute(states, values)
        bounds = {"first": partition.first, "end": partition.end}
        await connection.execute(SQL["forget_snapshots"], bounds)
        await _replace(connection, partition)
        if await redactions(connection) != erased:
            raise ServiceUnavailable("archive", "values were erased from the log meanwhile: start again")
        await connection.execute(SQL["state"], {"number": partition.number, "state": "archived"})


async def bring_back(database: Database, archive: Archive, rows: Rows) -> None:
    """Let a partition be what it was, from the rows of its files, in one transaction.

    Raises:
        ServiceUnavailable: when rows are missing, or others keep the log.
    """
    async with database.transaction() as connection:
        row = await (await connection.execute(SQL["hold"], {"number": archive.number})).fetchone()
        if row is None:
            return
        await connection.execute(SQL["table_for"].format(table=archive.partition.successor))
        told = await copy_in(connection, archive.partition.successor, rows)
        if told != archive.events:
            raise ServiceUnavailable("archive", f"its files hold {told} events of {archive.events}")
        await connection.execute(SQL["state"], {"number": archive.number, "state": "recalled"})
        await _replace(connection, archive.partition)


async def _replace(connection: Connection, partition: Partition) -> None:
    place = {
        "table": partition.successor,
        "partition": partition.table,
        "first": sql.Literal(partition.first),
        "end": sql.Literal(partition.end),
    }
    await connection.execute(SQL["bounded"].format(**place))
    for definition, primary in await (await connection.execute(SQL["index"])).fetchall():
        await connection.execute(_index(definition, partition.successor, primary=primary))
    await connection.execute(sql.SQL("analyze {}").format(partition.successor))
    await connection.execute(SQL["patience"])
    try:
        await connection.execute(SQL["detach"].format(**place))
    except psycopg.errors.LockNotAvailable as error:
        raise ServiceUnavailable("log", "others use it all the time: try again") from error
    await connection.execute(sql.SQL("drop table {}").format(partition.table))
    await connection.execute(SQL["attach"].format(**place))
    await connection.execute(sql.SQL("alter table {} drop constraint bounds").format(partition.successor))
    name = sql.Identifier(f"events_{partition.number:06}")
    await connection.execute(sql.SQL("alter table {} rename to {}").format(partition.successor, name))


def _index(definition: str, table: sql.Identifier, *, primary: bool) -> sql.Composed:
    """The statement that gives a table the index of a parent's definition."""
    if primary:
        return sql.SQL("alter table {} add primary key (seq)").format(table)
    head, _, tail = definition.partition(" USING ")
    unique = "unique " if head.startswith("CREATE UNIQUE ") else ""
    return sql.SQL("create {}index on {} using {}").format(
        sql.SQL(unique),
        table,
        sql.SQL(tail),
    )


async def files(connection: Connection, number: int, key: str | None = None) -> list[File]:
    """The files of an archive, or those that can hold the item of a key in `key_of`'s form."""
    rows = await (await connection.execute(SQL["files"], {"number": number, "key": key})).fetchall()
    return [File(*row) for row in rows]


_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
)


def key_of(collection: str, item: str) -> str:
    """Where an item stands in the order that files are told apart by: as COPY writes its first columns."""
    return f"{collection.translate(_ESCAPES)}\t{item.translate(_ESCAPES)}"


async def away(connection: Connection, collection: str, item: str) -> list[Partition]:
    """The archived partitions whose events of an item were not brought back."""
    values = {"collection": collection, "item": item}
    rows = await (await connection.execute(SQL["away"], values)).fetchall()
    return [Partition(number, first, end, 0) for number, first, end in rows]


async def bring_item_back(
    database: Database,
    collection: str,
    item: str,
    rows_of: Callable[[Sequence[File]], Rows],
) -> None:
    """Put the archived events of an item in the place of what stands for them.

    Raises:
        ServiceUnavailable: while an archive is recalled, or when a file is missing or was changed.
    """
    values = {"collection": collection, "item": item, "key": LOCK}
    async with database.transaction() as connection:
        await connection.execute(SQL["item_alone"], values)
        try:
            await connection.execute(SQL["share"])
        except psycopg.errors.LockNotAvailable as error:
            raise ServiceUnavailable("archive", "it is being recalled") from error
        for partition in await away(connection, collection, item):
            found = await files(connection, partition.number, key_of(collection, item))
            await take(connection, rows_of(found))
            for step in ("replace_item", "fill_item"):
                await connection.execute(SQL[step].format(partition=partition.table), values)
            await connection.execute(SQL["note_item"], {**values, "number": partition.number})
        await connection.execute('drop table if exists "acta archived"')


async def ended(connection: Connection) -> list[tuple[int, str, str]]:
    """Archives whose files have no use, recalled or never finished: number, location, prefix."""
    rows: list[Any] = await (await connection.execute(SQL["ended"])).fetchall()
    return [tuple(row) for row in rows]
