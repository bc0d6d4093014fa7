"""Imports of items: what a file says, and how its rows are written."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import aiohttp
import orjson
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.formats import rows as reading
from api.formats.rows import LONGEST_ROW, Sized, rows_of_csv, rows_of_json, value_of
from domain.errors import InvalidPayload
from projections.tables.importing import spans
from tests.support.http import Answer, Client, client
from tests.support.server import ADMIN_TOKEN, Server, running_server

SCHEMA = """
create table goods (
    id serial primary key, code text not null unique, price numeric(10, 2), count int, options jsonb,
    changed timestamptz
);
create table parts (id serial primary key, name text, good int references goods);
create table page (id serial primary key, headline text);
"""


def told(rows: Iterator[Sized]) -> list[Any]:
    return [row for row, _ in rows]


def test_csv_cells() -> None:
    rows = told(rows_of_csv(io.BytesIO('﻿ a , b.c,d\n007,true,"[1, 2]"\n\n,x,\n'.encode())))
    assert rows == [{"a": "007", "b": {"c": True}, "d": [1, 2]}, {"b": {"c": "x"}}]


@pytest.mark.parametrize(
    ("cell", "value"), [("null", None), ("1.50", "1.50"), ("nope", "nope"), ('{"a":1}', {"a": 1})]
)
def test_what_a_cell_says(cell: str, value: object) -> None:
    assert value_of(cell) == value


def test_rows_of_json_can_be_read_again() -> None:
    file = io.BytesIO(b' [ {"a": 1.5, "b": [{"c": null}]}, {} ] ')
    assert told(rows_of_json(file)) == told(rows_of_json(file)) == [{"a": 1.5, "b": [{"c": None}]}, {}]


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[1]",
        b"[{}",
        b"",
        b"\xff",
        b'[{"a": "\xff"}]',
        b"[{}] []",
        b"[{},]",
        b"[{},",
        b"[{} {}]",
        b"[,{}]",
        b"[{]]",
        b'[{"a": "]}',
        b'[{"a": "\\"}]',
        b"[",
        b"]",
        b'"[{}]"',
        b'[{"a": 1}}]',
        b'[{"a": NaN}]',
        b'[{"a": 1e999}]',
        b'[{"a": ' + b"[" * 2000 + b"]" * 2000 + b"}]",
    ],
    ids=lambda content: str(content[:20]),
)
def test_what_is_no_array_of_objects(content: bytes) -> None:
    with pytest.raises(InvalidPayload):
        list(rows_of_json(io.BytesIO(content)))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), values, max_size=4), max_size=5), st.integers(1, 9), st.booleans())
def test_rows_of_json_are_those_of_the_array(rows: list[Any], chunk: int, wide: bool) -> None:
    text = json.dumps(rows, indent=3 if wide else None, ensure_ascii=wide).encode()
    with mock.patch.object(reading, "_CHUNK", chunk):
        found = list(rows_of_json(io.BytesIO(text)))
    assert [row for row, _ in found] == rows
    assert sum(size for _, size in found) <= len(text)


@given(st.binary(max_size=30) | st.text('[]{}",:\\ a1', max_size=30).map(str.encode))
def test_rows_of_json_are_those_that_a_parser_finds(content: bytes) -> None:
    try:
        whole = orjson.loads(content)
    except orjson.JSONDecodeError:
        whole = None
    expected = whole if isinstance(whole, list) and all(isinstance(row, dict) for row in whole) else None
    try:
        found = told(rows_of_json(io.BytesIO(content)))
    except InvalidPayload:
        found = None
    assert found == expected


class Endless(io.RawIOBase):
    """A file of 10 GB that counts what is read of it."""

    def __init__(self, start: bytes, filling: bytes) -> None:
        self._start, self._filling = start, filling
        self.count = 0

    def seek(self, *_: int) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:
        begin, self._start = self._start, b""
        self.count += size
        return (begin + self._filling * size)[:size] if self.count < 10**10 else b""


@pytest.mark.parametrize(
    ("start", "filling"),
    [
        (b'[{"a": "', b"x"),
        (b'[{"a": ', b"["),
        (b'[{"a": ', b"[],"),
        (b'[{"a": ', b'[""],'),
        (b"[{", b'"",'),
        (b'[{"a": "', b"\\"),
    ],
)
def test_a_row_has_to_end(start: bytes, filling: bytes) -> None:
    file = Endless(start, filling)
    with pytest.raises(InvalidPayload, match=r"more than|deeper than"):
        told(rows_of_json(file))  # type: ignore[arg-type]
    assert file.count <= 4 * LONGEST_ROW


def test_files_of_any_size_take_little_memory() -> None:
    row = b'{"id": 1, "name": "some name", "options": {"a": [1, 2, 3], "b": "{[\\""}},'
    with tempfile.TemporaryFile() as file:
        file.write(b"[" + row * 19_999 + row[:-1] + b"]")
        assert file.tell() > 1_400_000
        tracemalloc.start()
        assert sum(1 for _ in rows_of_json(file)) == 20_000
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 500_000


@pytest.mark.parametrize("content", [b"\xff\xfe", b'a\n"open', b"a\n1,2"])
def test_broken_csv(content: bytes) -> None:
    with pytest.raises(InvalidPayload):
        list(rows_of_csv(io.BytesIO(content)))


def test_four_rows_in_a_row_are_a_range() -> None:
    assert spans([1, 2, 4, 5, 6, 7]) == [
        {"type": "range", "start": 4, "end": 7},
        {"type": "lines", "rows": [1, 2]},
    ]
    assert spans([1, 2, 3]) == [{"type": "lines", "rows": [1, 2, 3]}]


@pytest.fixture(scope="module")
def server(served_url: str) -> Any:
    with psycopg.connect(served_url) as connection:
        connection.execute(SCHEMA)
    settings = {
        "IMPORT_MAX_FILE_SIZE": "200kb",
        "IMPORT_MAX_CONCURRENCY": "1",
        "MAX_BATCH_MUTATION": "3000",
    }
    with running_server(served_url, "--no-followers", extra=settings) as running:
        yield running


@pytest.fixture
async def shop(server: Server) -> AsyncIterator[Client]:
    async with client(server) as api:
        special = {"field": "parts", "type": "alias", "meta": {"special": ["o2m"]}}
        if (await api.get("/fields/goods/parts")).status != 200:
            assert (await api.post("/fields/goods", special)).status == 200
            changed = {"meta": {"one_field": "parts"}}
            assert (await api.patch("/relations/parts/good", changed)).status == 200
            dated = {"meta": {"special": ["date-updated"]}}
            assert (await api.patch("/fields/goods/changed", dated)).status == 200
            assert (await api.patch("/collections/page", {"meta": {"singleton": True}})).status == 200
        yield api
        for name in ("parts", "goods"):
            assert (await api.delete(f"/items/{name}", {"query": {"limit": -1}})).status == 204


async def send(
    api: Client, content: bytes | str, media: str = "text/csv", path: str = "goods", name: str | None = "f"
) -> Answer:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("note", "x")
    raw = content.encode() if isinstance(content, str) else content
    if name is not None:
        form.add_field("file", raw, filename=name, content_type=media)
    payload = form()
    body = io.BytesIO()

    class Sink:
        async def write(self, chunk: bytes) -> None:
            body.write(chunk)

    await payload.write(Sink())  # type: ignore[arg-type]
    headers = {"Content-Type": payload.headers["Content-Type"]}
    return await api.request("POST", f"/utils/import/{path}", content=body.getvalue(), headers=headers)


async def test_rows_are_inserted_or_changed_in_one_transaction(shop: Client, served_url: str) -> None:
    text = "id,code,price,options,parts,nosuch\n" + "".join(f"{n},c{n},1.50,,,x\n" for n in range(1, 2501))
    answer = await send(shop, text)
    assert (answer.status, answer.body) == (200, None)
    again = json.dumps(
        [
            {"id": 2500, "count": 5, "parts": [{"name": "p"}]},
            {"id": 2500, "count": 6},
            {"code": "new", "options": {"a": [1]}},
        ]
    )
    assert (await send(shop, again, "application/json")).status == 200
    rows = await shop.get("/items/goods", sort="id", offset="2499", fields="id,code,price,count,parts.name")
    assert rows.data == [
        {"id": 2500, "code": "c2500", "price": "1.50", "count": 6, "parts": [{"name": "p"}]},
        {"id": 2501, "code": "new", "price": None, "count": None, "parts": []},
    ]
    with psycopg.connect(served_url) as connection:
        found = connection.execute("SELECT count(DISTINCT xmin::text) FROM goods WHERE id < 2500").fetchone()
        requests = connection.execute(
            "SELECT count(*), count(DISTINCT request) FROM acta.events"
            " WHERE collection = 'goods' AND topic = 'item.created' AND item::int < 2500"
        ).fetchone()
    assert found == (1,)
    assert requests == (2499, 1)


async def test_one_import_too_many_is_refused(shop: Client, server: Server) -> None:
    head = (
        f"POST /utils/import/goods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n"
    )
    numbers = itertools.count()
    async with asyncio.timeout(60):
        # Whichever comes first has the one place, so it may take more than one attempt.
        while True:
            _, slow = await asyncio.open_connection("127.0.0.1", server.port)
            slow.write(head.encode())
            answer = await send(shop, f"code\na{next(numbers)}")
            if answer.status != 200:
                break
            slow.close()
        assert (answer.status, answer.error["code"]) == (403, "LIMIT_EXCEEDED")
        slow.close()
        while (await send(shop, f"code\na{next(numbers)}")).status != 200:
            await asyncio.sleep(0.02)


async def test_an_import_that_takes_too_long_leaves_nothing(shop: Client, served_url: str) -> None:
    with running_server(served_url, "--no-followers", extra={"IMPORT_TIMEOUT": "1s"}) as hasty:
        async with client(hasty) as api:
            with psycopg.connect(served_url) as connection:
                connection.execute("LOCK TABLE goods")
                answer = await send(api, "code\nlate")
    assert (answer.status, answer.error["code"]) == (408, "OUT_OF_TIME")
    assert (await shop.get("/items/goods")).data == []


async def test_what_is_wrong_names_its_rows_and_nothing_is_kept(shop: Client) -> None:
    lines = [f"c{n},{n}" for n in range(1, 1011)]
    for number in (1004, 1005, 1006, 1007, 1009):
        lines[number - 1] = f",{number}"
    lines[2] = "c3,99999999999"
    answer = await send(shop, "code,count\n" + "\n".join(lines))
    assert answer.status == 400
    assert [error["extensions"] for error in answer.body["errors"]] == [
        {
            "collection": "goods",
            "field": "count",
            "value": "99999999999",
            "code": "VALUE_OUT_OF_RANGE",
            "rows": [{"type": "lines", "rows": [3]}],
        },
        {
            "field": "code",
            "type": "required",
            "code": "FAILED_VALIDATION",
            "rows": [{"type": "range", "start": 1004, "end": 1007}, {"type": "lines", "rows": [1009]}],
        },
    ]
    broken = "[" + ",".join(json.dumps({"code": f"j{n}"}) for n in range(1500)) + ", 5]"
    assert (await send(shop, broken, "application/json")).error["code"] == "INVALID_PAYLOAD"
    assert (await shop.get("/items/goods", **{"aggregate[count]": "*"})).data == [{"count": "0"}]


async def test_what_an_import_refuses(shop: Client) -> None:
    async def refused(*arguments: Any, **more: Any) -> tuple[int, str]:
        answer = await send(shop, *arguments, **more)
        return answer.status, answer.error["code"]

    assert await refused("x", "text/plain") == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert await refused("", name=None) == (400, "INVALID_PAYLOAD")
    assert await refused("code\na", path="nothing") == (403, "FORBIDDEN")
    assert await refused("code\n" + "a" * 250_000) == (413, "CONTENT_TOO_LARGE")
    assert await refused("code\n" + "".join(f"n{n}\n" for n in range(3001))) == (400, "INVALID_PAYLOAD")
    for text, media in (('[{"code": "a\\u0000"}]', "application/json"), ("code\na\0", "text/csv")):
        assert await refused(text, media) == (400, "INVALID_PAYLOAD")
    assert await refused("headline\na\nb", path="page") == (400, "INVALID_PAYLOAD")
    for body in (b"", b"--x\r\n", b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\na'):
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await shop.request("POST", "/utils/import/goods", content=body, headers=headers)
        assert answer.status in (400, 415), answer.body
    answer = await shop.post("/utils/import/goods", [{"code": "a"}])
    assert (answer.status, answer.error["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_the_right_to_create_is_not_enough(shop: Client, server: Server) -> None:
    policy = {"name": "p", "permissions": [{"collection": "goods", "action": "create", "fields": ["*"]}]}
    made = await shop.post("/policies", policy)
    user = {"email": "u@example.com", "token": "u-token", "policies": [{"policy": made.data["id"]}]}
    assert (await shop.post("/users", user)).status == 200
    async with client(server, "u-token") as api:
        assert (await send(api, "code\na")).status == 403
        right = {"collection": "goods", "action": "update", "fields": ["code"], "policy": made.data["id"]}
        assert (await shop.post("/permissions", right)).status == 200
        assert (await send(api, "code\na")).status == 200
        key = (await shop.get("/items/goods", fields="id")).data[0]["id"]
        assert (await send(api, f"id,count\n{key},5")).status == 403
        assert (await send(api, "email\na@example.com", path="directus_users")).status == 403


async def test_in_the_background_the_user_is_told(shop: Client) -> None:
    async def subjects(count: int) -> list[str]:
        for _ in range(900):
            found = (await shop.get("/notifications", sort="id", fields="subject,message")).data
            if len(found) >= count:
                return [entry["subject"] for entry in found]
            await asyncio.sleep(0.05)
        raise AssertionError("no notification")

    assert (await send(shop, "code\na", path="goods?background=true")).status == 200
    assert await subjects(1) == ["Your import has been successful"]
    assert (await send(shop, "code\na", path="goods?background=true")).status == 200
    assert await subjects(2) == ["Your import has been successful", "Your import has failed"]
