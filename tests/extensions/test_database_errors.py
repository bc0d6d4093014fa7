"""Filters of ``database.error``: what PostgreSQL refuses may be put in other words, whoever asked."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.support.http import Client
from tests.support.server import ADMIN_TOKEN, Server

TOO_LARGE = {"num": {"_eq": 10**11}}
TAKEN = {"message": "Taken, sorry", "extensions": {"code": "TAKEN", "hint": [1]}}


@pytest.fixture(autouse=True)
async def no_echoes(api: Client) -> AsyncIterator[None]:
    yield
    assert (await api.delete("/items/echoes", {"query": {"limit": -1}})).status == 204


async def hints(api: Client, event: str) -> list[dict[str, Any]]:
    found = (await api.get("/items/hints", limit=-1)).data
    return [entry["data"] for entry in found if entry["data"]["event"] == event]


async def test_errors_are_put_in_other_words(api: Client, server: Server) -> None:
    assert (await api.post("/items/echoes", {"text": "taken"})).status == 200
    for answer in (
        await api.post("/items/echoes", {"text": "taken"}),
        await api.post("/items/echoes", [{"text": "new"}, {"text": "taken"}]),
    ):
        assert (answer.status, answer.body["errors"]) == (400, [TAKEN])
    told = (await hints(api, "database.error"))[0]
    assert (told["client"], told["who"]["admin"]) == ("postgres", True)
    assert told["payload"]["extensions"] == {
        "collection": "echoes", "field": "text", "value": "taken", "code": "RECORD_NOT_UNIQUE",
    }  # fmt: skip
    document = 'mutation { a: create_echoes_item(data: {text: "taken"}) { id } }'
    [error] = (await api.post("/graphql", {"query": document})).body["errors"]
    assert (error["message"], error["extensions"], error["path"]) == (
        TAKEN["message"],
        TAKEN["extensions"],
        ["a"],
    )
    address = f"{server.url}/websocket?access_token={ADMIN_TOKEN}"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        message = {"type": "items", "collection": "echoes", "action": "create", "data": {"text": "taken"}}
        await socket.send_json(message)
        answer = await socket.receive_json(timeout=30)
        while answer["type"] != "items":
            answer = await socket.receive_json(timeout=30)
    assert answer["error"] == {"code": "TAKEN", "message": "Taken, sorry"}


async def test_errors_of_reads(api: Client) -> None:
    refused = await api.get("/items/bad", filter=TOO_LARGE)
    assert (refused.status, refused.body["errors"]) == (
        400, [{"message": "Ask another way", "extensions": {"code": "INVALID_QUERY"}}],
    )  # fmt: skip
    before = len(await hints(api, "a bad query"))
    document = "query ($f: bad_filter) { a: bad(filter: $f) { id } b: bad(filter: $f) { id } bad { id } }"
    answer = (await api.post("/graphql", {"query": document, "variables": {"f": TOO_LARGE}})).body
    assert [error["message"] for error in answer["errors"]] == ["Ask another way"] * 2
    assert len(await hints(api, "a bad query")) == before + 1
    # What PostgreSQL has not said is none of theirs.
    nobody = await api.get("/items/bad", filter={"nosuch": {"_eq": 1}})
    assert (nobody.status, nobody.body["errors"][0]["message"] == "Ask another way") == (403, False)
    assert len(await hints(api, "a bad query")) == before + 1


async def test_errors_of_operations_by_graphql(api: Client) -> None:
    data = '{collection: "grouped", schema: {}, meta: {group: "words"}}'
    document = f"mutation {{ a: create_collections_item(data: {data}) {{ collection }} }}"
    [error] = (await api.post("/graphql/system", {"query": document})).body["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("Taken, sorry", "INVALID_FOREIGN_KEY")


@pytest.mark.parametrize("text", ["raise", "refuse", "hang", "number", "text", "rubbish", "nothing"])
async def test_a_filter_that_fails_leaves_the_error(api: Client, text: str) -> None:
    assert (await api.post("/items/echoes", {"text": text})).status == 200
    refused = await api.post("/items/echoes", {"text": text})
    assert (refused.status, refused.error["code"], refused.error["value"]) == (400, "RECORD_NOT_UNIQUE", text)
    assert "has to be unique" in refused.body["errors"][0]["message"]


async def test_words_alone_may_change(api: Client) -> None:
    assert (await api.post("/items/echoes", {"text": "words"})).status == 200
    refused = await api.post("/items/echoes", {"text": "words"})
    assert (refused.body["errors"][0]["message"], refused.error["value"]) == ("Taken, sorry", "words")
