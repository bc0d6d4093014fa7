"""Exports: the same items as a list, batch by batch, in bounded memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR
from domain.errors import InvalidQuery
from projections.reading import exporting
from tests.reading.conftest import Library


async def streamed(books: Library, raw: str) -> list[Any]:
    batches = books.reader.stream(books.model, ADMINISTRATOR, Caller(), "books", raw)
    return [json.loads(item) async for batch in batches for item in batch]


async def csv(books: Library, raw: str, collection: str = "books") -> str | None:
    found = books.reader.csv(books.model, ADMINISTRATOR, Caller(), collection, raw)
    if found is None:
        return None
    columns, lines = found
    return ",".join(columns) + "\n" + b"".join([part async for part in lines]).decode()


@pytest.mark.parametrize(
    "raw",
    [
        "fields=*,reviews.text,author.name&sort=-author.name,-id&limit=-1",
        "fields=id&filter[title][_contains]=o&meta=*",
        "fields=title.x",
        "groupBy=author&aggregate[count]=*",
    ],
)
async def test_a_stream_holds_what_the_list_holds(
    books: Library, raw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "BATCHES", (1, 2))
    assert await streamed(books, raw) == await books.data("books", raw)


async def test_what_a_stream_refuses(books: Library) -> None:
    with pytest.raises(InvalidQuery):
        await streamed(books, "filter[published]=soon")


async def test_csv_quotes_texts_only(books: Library) -> None:
    raw = "fields=id,title,price,published,added,pages&sort=id&limit=2&filter[title][_neq]=%27"
    assert await csv(books, raw) == (
        "id,title,price,published,added,pages\n"
        '1,"One","9.90","2024-01-05","2024-01-05T10:20:30.123Z",100\n'
        '2,"Two",,,,200\n'
    )
    assert await csv(books, "fields=secret,name&sort=id", "authors") == (
        'secret,name\n"**********","Ann"\n,"Bob"\n,"Cid"\n'
    )


async def test_csv_of_names_longer_than_those_of_postgresql(books: Library) -> None:
    one, two = "n" * 63 + "a", "n" * 63 + "b"
    raw = f"alias[{one}]=title&alias[{two}]=title&fields={one},{two}&limit=1"
    assert await csv(books, raw) == f'{one},{two}\n"One","One"\n'


@pytest.mark.parametrize(
    "fields", ["*", "author.name", "extra", "labels", "reviews", "year(published)", "title.x"]
)
async def test_csv_of_anything_else_is_not_for_postgresql(books: Library, fields: str) -> None:
    assert await csv(books, f"fields={fields}") is None


MANY = """
import asyncio, sys
from pathlib import Path
from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR
from domain.query.limits import QueryLimits
from projections.database import Database
from projections.reading.reader import Reader
from tests.support.worlds import World

async def main() -> None:
    model = World().collection("many", {"id": "integer", "text": "text", "n": "integer"}).model()
    async with await Database.open(sys.argv[1], maximum=1) as database:
        reader = Reader(database, QueryLimits())
        count = 0
        async for batch in reader.stream(model, ADMINISTRATOR, Caller(), "many", "limit=-1&sort=id"):
            count += len(batch)
        columns, lines = reader.csv(model, ADMINISTRATOR, Caller(), "many", "limit=-1&sort=-id")
        size = 0
        async for block in lines:
            size += len(block)
        # Not getrusage: its maximum begins with that of the process that forked this one.
        status = Path("/proc/self/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        print(count, size, int(peak.split()[1]) // 1024)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_million_rows_fit_in_little_memory(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            "CREATE TABLE many AS SELECT n AS id, 'text of row ' || n AS text, n % 100 AS n"
            " FROM generate_series(1, 1000000) n"
        )
    command = [sys.executable, "-W", "error", "-c", MANY, database_url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    count, size, megabytes = (int(part) for part in done.stdout.split())
    assert count == 1_000_000
    assert size > 25_000_000
    assert megabytes < 200
