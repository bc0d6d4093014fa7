"""The server's own log of changes, decoded by ``pgoutput``: which rows were touched by transactions not ours.

The messages are those of the protocol of logical replication, version 1, as far as they tell of rows. A
transaction that inserted into ``acta.events`` is ours, and has told itself what it did.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from domain.errors import ServiceUnavailable
from domain.model import Collection, join_key
from projections.database import Connection, Database
from projections.sql import load

SQL: Final = load("time/external")
OURS: Final = ("acta", "events")
PUBLICATION: Final = "acta_external"
MESSAGES_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the messages know it."""

    schema: str
    table: str
    columns: tuple[str, ...]


@dataclass(slots=True)
class Touched:
    """What transactions of others did: keys by table, and tables that were emptied; each with the last
    transaction that did so."""

    keys: dict[tuple[str, str], dict[tuple[tuple[str, str], ...], int]] = field(default_factory=dict)
    emptied: dict[tuple[str, str], int] = field(default_factory=dict)
    upto: str | None = None

    def items(self, entry: Collection) -> dict[str, int]:
        """The keys of a collection's touched items, as texts, with the last transaction that touched each."""
        found = {}
        for row, transaction in self.keys.get((entry.schema, entry.table), {}).items():
            values = dict(row)
            if all(column in values for column in entry.primary_key):
                found[join_key([values[column] for column in entry.primary_key])] = transaction
        return found


class Decoder:
    """Reads messages; what it learns of tables is kept from one portion to the next."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}

    def read(self, messages: Iterable[tuple[str, bytes]]) -> Touched:
        """What whole transactions among the messages touched; ``upto`` is where the last one ends."""
        touched = Touched()
        rows: list[tuple[tuple[str, str], tuple[tuple[str, str], ...]]] = []
        emptied: list[tuple[str, str]] = []
        ours, transaction = False, 0
        for lsn, data in messages:
            kind = data[:1]
            if kind == b"B":
                rows, emptied, ours = [], [], False
                transaction = int.from_bytes(data[17:21], "big")
            elif kind == b"R":
                self._relation(data)
            elif kind == b"T":
                emptied += self._truncated(data)
            elif kind in (b"I", b"U", b"D"):
                relation = self._relations[int.from_bytes(data[1:5], "big")]
                place = (relation.schema, relation.table)
                ours = ours or place == OURS
                rows += [(place, row) for row in _rows(relation, data[5:])]
            elif kind == b"C":
                if not ours:
                    for place, row in rows:
                        touched.keys.setdefault(place, {})[row] = transaction
                    touched.emptied.update(dict.fromkeys(emptied, transaction))
                touched.upto = lsn
        return touched

    def _relation(self, data: bytes) -> None:
        number = int.from_bytes(data[1:5], "big")
        schema, at = _text(data, 5)
        table, at = _text(data, at)
        count = int.from_bytes(data[at + 1 : at + 3], "big")
        at += 3
        columns = []
        for _ in range(count):
            column, at = _text(data, at + 1)
            columns.append(column)
            at += 8
        self._relations[number] = Relation(schema or "pg_catalog", table, tuple(columns))

    def _truncated(self, data: bytes) -> list[tuple[str, str]]:
        count = int.from_bytes(data[1:5], "big")
        numbers = [int.from_bytes(data[6 + 4 * n : 10 + 4 * n], "big") for n in range(count)]
        known = [self._relations[number] for number in numbers if number in self._relations]
        return [(one.schema, one.table) for one in known]


def _rows(relation: Relation, data: bytes) -> list[tuple[tuple[str, str], ...]]:
    """The tuples of a change: the new one, and the old key where that was another one."""
    found, at = [], 0
    while at < len(data):
        count = int.from_bytes(data[at + 1 : at + 3], "big")
        at += 3
        values = []
        for column in relation.columns[:count]:
            kind = data[at : at + 1]
            at += 1
            if kind in (b"t", b"b"):
                size = int.from_bytes(data[at : at + 4], "big")
                values.append((column, data[at + 4 : at + 4 + size].decode()))
                at += 4 + size
        found.append(tuple(values))
    return found


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


async def able(connection: Connection) -> bool:
    """Whether changes can be decoded here."""
    row = await (await connection.execute(SQL["able"])).fetchone()
    return row is not None and bool(row[0])


async def publish(connection: Connection, entries: Sequence[Collection]) -> None:
    """Publish the tables of these collections, as far as that can't stop their writers, and our log."""
    places = [sql.Identifier(entry.schema, entry.table).as_string(connection) for entry in entries]
    rows = await (await connection.execute(SQL["publishable"], {"tables": places})).fetchall()
    wanted = sorted({OURS, *((schema, table) for schema, table in rows)})
    there = {"publication": PUBLICATION}
    exists = await (await connection.execute(SQL["has_publication"], there)).fetchone()
    if exists and exists[0]:
        now = await (await connection.execute(SQL["published"], there)).fetchall()
        if sorted(map(tuple, now)) == wanted:
            return
        head = sql.SQL("alter publication {} set table ")
    else:
        head = sql.SQL("create publication {} for table ")
    # Of our own log only that something was inserted is of interest.
    tables = [
        sql.SQL("{} (seq)").format(sql.Identifier(*place)) if place == OURS else sql.Identifier(*place)
        for place in wanted
    ]
    statement = head.format(sql.Identifier(PUBLICATION)) + sql.SQL(", ").join(tables)
    if not (exists and exists[0]):
        statement += sql.SQL(" with (publish_via_partition_root = true)")
    await connection.execute(statement)


async def ensure_slot(connection: Connection, slot: str, most: int) -> bool:
    """Have a slot that can be read; gives whether it is new, so that everything before it is unknown.

    One that was lost, or keeps more than ``most`` bytes of the server's log, is given up for a new one.
    """
    row = await (await connection.execute(SQL["slot"], {"slot": slot})).fetchone()
    if row is not None and row[0] and (row[1] or 0) <= most:
        return False
    if row is not None:
        await connection.execute(SQL["drop_slot"], {"slot": slot})
    await connection.execute(SQL["make_slot"], {"slot": slot})
    return True


def slot_of(database: Database) -> str:
    """The name of a database's slot: slots are the server's."""
    name = conninfo_to_dict(database.conninfo).get("dbname", "")
    return f"acta_{zlib.crc32(str(name).encode()):08x}"


async def kept(connection: Connection, slot: str) -> int | None:
    """How many bytes of the server's log a slot keeps; None when there is none, or it was lost."""
    row = await (await connection.execute(SQL["slot"], {"slot": slot})).fetchone()
    return row[1] if row is not None and row[0] else None


async def peek(connection: Connection, slot: str, decoder: Decoder) -> Touched:
    """What was touched since the slot was moved; the portion ends where the server's log ends now."""
    row = await (await connection.execute(SQL["now"])).fetchone()
    if row is None:
        raise ServiceUnavailable("database", "it tells no position of its log")
    values = {"slot": slot, "upto": row[0], "limit": MESSAGES_AT_ONCE, "publication": PUBLICATION}
    return decoder.read(await (await connection.execute(SQL["peek"], values)).fetchall())


async def advance(connection: Connection, slot: str, upto: str) -> None:
    """Note that everything up to a position is done."""
    await connection.execute(SQL["advance"], {"slot": slot, "upto": upto})
