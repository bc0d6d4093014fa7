"""Value formats: section 6 of the contract, and the types of adopted tables beyond it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR
from domain.errors import InvalidQuery
from domain.model import Collection, CollectionKind, Column, Field, Model
from domain.query.filters import LISTS
from domain.query.limits import QueryLimits
from projections.database import Database
from projections.reading.reader import Reader

CASES: list[tuple[str, str, str, tuple[str, ...], Any]] = [
    ("text", "'a\"b\\c\n'", "text", (), 'a"b\\c\n'),
    ("varchar(5)", "'é€'", "string", (), "é€"),
    ("boolean", "true", "boolean", (), True),
    ("int4", "-5", "integer", (), -5),
    ("int8", "9007199254740993", "bigInteger", (), "9007199254740993"),
    ("float4", "1.12345678", "float", (), 1.1234568),
    ("float8", "0.1", "float", (), 0.1),
    ("numeric(10,2)", "5", "decimal", (), "5.00"),
    ("date", "'2024-02-03'", "date", (), "2024-02-03"),
    ("timestamp", "'2024-02-03 04:05:06.789'", "dateTime", (), "2024-02-03T04:05:06"),
    ("timestamptz", "'2024-02-03 04:05:06.7899+02'", "timestamp", (), "2024-02-03T02:05:06.789Z"),
    ("timestamp", "'2024-02-03 04:05:06'", "timestamp", ("cast-timestamp",), "2024-02-03T04:05:06.000Z"),
    ("time", "'04:05:06'", "time", (), "04:05:06"),
    ("time", "'04:05:06.25'", "time", (), "04:05:06.25"),
    ("json", "'{\"b\": [1, null]}'", "json", (), {"b": [1, None]}),
    ("jsonb", "'\"x\"'", "json", (), "x"),
    ("text", "'{\"a\":1}'", "json", ("cast-json",), {"a": 1}),
    ("text", "'a,b c,'", "csv", ("cast-csv",), ["a", "b c", ""]),
    ("text", "''", "csv", ("cast-csv",), []),
    ("uuid", "'0A0A0A0A-0B0B-4C0C-8D0D-0E0E0E0E0E0E'", "uuid", (), "0a0a0a0a-0b0b-4c0c-8d0d-0e0e0e0e0e0e"),
    ("text", "'$argon2'", "hash", ("hash",), "$argon2"),
    ("text", "'x'", "string", ("conceal",), "**********"),
    ("text", "''", "string", ("conceal",), None),
    ("bytea", "'\\x00ff41'", "binary", (), {"type": "Buffer", "data": [0, 255, 65]}),
    ("bytea", "''", "binary", (), {"type": "Buffer", "data": []}),
    ("int4", "1", "boolean", ("cast-boolean",), True),
    ("text", "'0'", "boolean", ("cast-boolean",), False),
    ("text", "''", "boolean", ("cast-boolean",), None),
    ("int4[]", "'{1,NULL}'", "unknown", (), [1, None]),
    ("text[]", "'{a,\"b,c\"}'", "unknown", (), ["a", "b,c"]),
    ("interval", "'1 year 2 days 03:04:05.5'", "string", (),
     {"years": 1, "days": 2, "hours": 3, "minutes": 4, "seconds": 5, "milliseconds": 500}),
    ("interval", "'0'", "string", (), {}),
    ("point", "'(1.5,2)'", "unknown", (), {"x": 1.5, "y": 2}),
    ("inet", "'10.0.0.1'", "unknown", (), "10.0.0.1"),
    ("tsvector", "'a b'", "unknown", (), "'a' 'b'"),
]  # fmt: skip


ODD = ("'", "$NOW", "[1,", "2024-02-30", "{a", "99999999999999999999")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, maximum=1) as opened:
        yield opened


async def test_every_type(database: Database) -> None:
    fields: dict[str, Field] = {}
    definitions, values = [], []
    async with database.connection() as connection:
        for number, (declared, value, kind, special, _) in enumerate(CASES):
            name = f"c{number}"
            base = (await _base(connection, declared)) if "[]" not in declared else declared
            fields[name] = Field("t", name, kind, Column(name, base, declared, base), special, {})
            definitions.append(f'"{name}" {declared}')
            values.append(value)
        await _run(connection, "CREATE TABLE t (", definitions)
        await _run(connection, "INSERT INTO t VALUES (", values)
        await connection.execute("INSERT INTO t DEFAULT VALUES")
    model = Model(1, {"t": Collection("t", CollectionKind.TABLE, "public", "t", fields, meta={})})
    reader = Reader(database, QueryLimits())
    rows = json.loads(await reader.list(model, ADMINISTRATOR, Caller(), "t", {"limit": 2, "sort": "c0"}))[
        "data"
    ]
    for number, (declared, value, kind, _, expected) in enumerate(CASES):
        assert rows[0][f"c{number}"] == expected, (declared, value, kind)
        assert type(rows[0][f"c{number}"]) is type(expected), (declared, value, kind)
    assert set(rows[1].values()) == {None}
    # What a type can't read is a bad query, whatever code its reader complains with.
    answered = 0
    for name in fields:
        for operator in ("_eq", "_gt", "_in", "_contains", "_between"):
            for value in ODD:
                filter = {name: {operator: [value, value] if operator in LISTS else value}}
                try:
                    await reader.list(model, ADMINISTRATOR, Caller(), "t", {"filter": filter, "fields": name})
                    answered += 1
                except InvalidQuery:
                    continue
    assert answered > len(fields)


async def _base(connection: Any, declared: str) -> str:
    cursor = await connection.execute(
        "SELECT format_type(%s::regtype, NULL)", [declared.split("(", maxsplit=1)[0]]
    )
    return str((await cursor.fetchone())[0])


async def _run(connection: psycopg.AsyncConnection[Any], head: str, parts: list[str]) -> None:
    await connection.execute((head + ", ".join(parts) + ")").encode())
