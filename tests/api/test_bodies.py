import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from api import bodies
from api.batch import delete_batch, read_batch, update_batch
from api.bodies import parse_json, read_json
from domain.errors import Forbidden, InvalidPayload, OutOfTime
from domain.model.keys import key_text


@pytest.mark.parametrize(
    "raw",
    [
        b"5",
        b'"text"',
        b"null",
        b"true",
        b"{",
        b"[1,]",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b" ",
        b'{"a":"x\x00"}',
    ],
)
def test_what_is_no_json_body(raw: bytes) -> None:
    with pytest.raises(InvalidPayload):
        parse_json(raw)


def test_nul_characters_are_refused_wherever_they_stand() -> None:
    for raw in (b'{"a": "x\\u0000"}', b'{"\\u0000": 1}', b'[{"a": [{"b": "\\u0000"}]}]'):
        with pytest.raises(InvalidPayload):
            parse_json(raw)


def test_an_escaped_backslash_before_u0000_is_plain_text() -> None:
    assert parse_json(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    with pytest.raises(InvalidPayload):
        parse_json(b"[" * 100_000)


async def test_a_body_has_to_come_within_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SECONDS", 0.1)

    async def handle(request: web.Request) -> web.Response:
        with pytest.raises(OutOfTime):
            await read_json(request)
        return web.Response(text="told")

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app) as server:
        # A deflated body that ends before its end never does for the package.
        for headers, sent in (
            ("Content-Length: 50", b"{"),
            ("Content-Length: 1\r\nContent-Encoding: deflate", b"{"),
        ):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n\r\n"
            writer.write(head.encode())
            await asyncio.sleep(0.05)
            writer.write(sent)
            assert b"told" in await asyncio.wait_for(reader.readuntil(b"told"), 30)
            writer.close()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": {}},
        {"keys": [1], "query": {}, "data": {}},
        {"keys": [1]},
        {"keys": [1], "data": {}, "more": 1},
        {"keys": 1, "data": {}},
        {"keys": [{}], "data": {}},
        {"keys": [True], "data": {}},
        {"keys": [None], "data": {}},
        {"query": [], "data": {}},
        {"keys": [1], "data": [1]},
        [],
    ],
)
def test_bodies_that_select_nothing_definite_are_refused(body: object) -> None:
    with pytest.raises(InvalidPayload):
        update_batch(body)


def test_one_change_for_many() -> None:
    assert update_batch({"keys": [1, "a", 2.0], "data": {"x": 1}}).keys == ["1", "a", "2"]
    assert update_batch({"query": {"limit": -1}, "data": {}}).query == {"limit": -1}


def test_deletions_by_array_keys_or_query() -> None:
    assert delete_batch([1, "b"]).keys == ["1", "b"]
    assert delete_batch({"keys": []}).keys == []
    assert delete_batch({"query": {}}).query == {}
    bodies: tuple[Any, ...] = ({}, {"keys": [], "query": {}}, {"data": {}, "keys": []}, "x")
    for body in bodies:
        with pytest.raises(InvalidPayload):
            delete_batch(body)


def test_search_takes_query_keys_both_or_neither() -> None:
    assert read_batch({}).keys is None
    assert read_batch({"query": {"limit": 1}, "keys": [3]}).keys == ["3"]
    with pytest.raises(InvalidPayload):
        read_batch([])


@pytest.mark.parametrize("key", [None, True, {}, [1]])
def test_what_can_not_be_a_key(key: object) -> None:
    with pytest.raises(Forbidden):
        key_text(key)
