"""Filters of reads: what they make of queries and records holds for every way to read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.extensions.test_extensions import noted
from tests.flows.conftest import make_flow
from tests.support.http import Client, client
from tests.support.server import ADMIN_TOKEN, Server

ROWS = [
    {"title": "a", "secret": "s1", "shelf": "open"},
    {"title": "b", "secret": "s2", "shelf": "open"},
    {"title": "hidden", "secret": "s3", "shelf": "closed"},
    {"title": "gone", "secret": "s4", "shelf": "open"},
]
KEEPER = {"User-Agent": "keeper"}


@pytest.fixture
async def keys(api: Client) -> AsyncIterator[dict[str, int]]:
    """The keys of the rows by title; `b` belongs to `a`."""
    relation = {"collection": "looks", "field": "parent", "related_collection": "looks"}
    await api.post("/relations", {**relation, "meta": {"one_field": "children"}, "schema": None})
    await api.patch("/relations/looks/parent", {"meta": {"one_field": "children"}})
    await api.post("/fields/looks", {"field": "children", "type": "alias", "meta": {"special": ["o2m"]}})
    made = await api.request("POST", "/items/looks", ROWS, headers=KEEPER)
    assert made.status == 200, made.body
    listed = await api.request("GET", "/items/looks", headers=KEEPER, query={"limit": "-1"})
    found = {row["title"]: row["id"] for row in listed.data}
    everything = await api.request("GET", "/items/looks", headers=KEEPER, query={"fields": "id"})
    found |= {"gone": next(row["id"] for row in everything.data if row["id"] not in found.values())}
    assert (await api.patch(f"/items/looks/{found['b']}", {"parent": found["a"]})).status == 200
    yield found
    await api.request("DELETE", "/items/looks", {"query": {"limit": -1}}, headers=KEEPER)


async def graphql(api: Client, query: str, **variables: Any) -> Any:
    return (await api.post("/graphql", {"query": query, "variables": variables})).body


async def test_rest(api: Client, keys: dict[str, int]) -> None:
    listed = await api.get("/items/looks", fields="title,secret,parent.secret", sort="title")
    a, b = listed.data
    assert a == {"title": "a", "secret": "***", "parent": None}
    assert b == {"title": "b", "secret": "***", "parent": {"secret": "***"}}
    counted = await api.get("/items/looks", meta="filter_count", filter={"title": "hidden"})
    assert counted.body == {"meta": {"filter_count": 0}, "data": []}
    assert (await api.get(f"/items/looks/{keys['a']}")).data["secret"] == "***"
    for title in ("hidden", "gone"):
        assert (await api.get(f"/items/looks/{keys[title]}")).status == 403, title
    searched = await api.request("SEARCH", "/items/looks", {"query": {"fields": ["secret"], "limit": 1}})
    assert searched.data == [{"secret": "***"}]
    some = await api.request("SEARCH", "/items/looks", {"keys": [keys["a"], keys["hidden"]]})
    assert [row["title"] for row in some.data] == ["a"]
    grouped = await api.get("/items/looks", **{"aggregate[count]": "*"})
    assert int(grouped.data[0]["count"]) == 3
    keeper = await api.request("GET", "/items/looks", headers=KEEPER, query={"limit": "-1"})
    assert {row["title"] for row in keeper.data} == {"a", "b", "hidden"}


async def test_what_a_write_answers(api: Client, keys: dict[str, int]) -> None:
    changed = await api.patch(f"/items/looks/{keys['a']}", {"secret": "new"})
    assert changed.data["secret"] == "***"
    made = await api.post("/items/looks", {"title": "c", "secret": "x", "shelf": "open"})
    assert made.data["secret"] == "***"
    closed = await api.post("/items/looks", {"title": "d", "secret": "x", "shelf": "closed"})
    assert (closed.status, closed.body) == (204, None)
    document = 'mutation { update_looks_item(id: %s, data: {secret: "y"}) { x: secret } }'
    answer = await graphql(api, document % keys["a"])
    assert answer == {"data": {"update_looks_item": {"x": "***"}}}


@pytest.mark.parametrize("form", ["json", "csv", "xml", "yaml", "csv_utf8"])
@pytest.mark.parametrize("limit", ["10", "-1"])
async def test_exports(api: Client, keys: dict[str, int], form: str, limit: str) -> None:
    query = {"export": form, "fields": "title,secret", "limit": limit}
    sent = await api.request("GET", "/items/looks", query=query)
    text = sent.body if isinstance(sent.body, str) else str(sent.body)
    assert text.count("***") == 2, text
    assert not any(word in text for word in ("s1", "s2", "hidden", "gone"))


async def test_graphql(api: Client, keys: dict[str, int]) -> None:
    found = await graphql(
        api,
        """{ looks(sort: "title", filter: {title: {_neq: "x"}}) {
            name: title secret x: secret y: secret made_func { z: year }
            children(limit: 5) { x: secret } more: children(limit: 1) { secret } __typename
        } }""",
    )
    a, b = found["data"]["looks"]
    assert (a["name"], b["name"], a["__typename"]) == ("a", "b", "looks")
    assert {a[name] for name in ("secret", "x", "y")} == {"***"}
    assert a["made_func"] == {"z": 2026}
    assert a["children"] == [{"x": "***"}]
    by_id = "query q($id: ID!) { looks_by_id(id: $id) { x: secret } }"
    one = await graphql(api, by_id, id=keys["a"])
    assert one == {"data": {"looks_by_id": {"x": "***"}}}
    for title in ("hidden", "gone"):
        none = await graphql(api, "query q($id: ID!) { looks_by_id(id: $id) { title } }", id=keys[title])
        assert none["data"] == {"looks_by_id": None}, title
    several = await graphql(api, "{ a: looks(limit: 1) { secret } looks_aggregated { count { id } } }")
    assert several["data"] == {"a": [{"secret": "***"}], "looks_aggregated": [{"count": {"id": 3}}]}


async def test_sockets(api: Client, server: Server, keys: dict[str, int]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/websocket?access_token={ADMIN_TOKEN}") as socket,
    ):
        message = {"type": "items", "collection": "looks", "action": "read", "uid": "1"}
        await socket.send_json({**message, "query": {"fields": ["title", "secret"], "sort": ["title"]}})
        answer = await socket.receive_json(timeout=60)
        assert answer["data"] == [{"title": name, "secret": "***"} for name in ("a", "b")]
        await socket.send_json({"type": "subscribe", "collection": "looks", "query": {"fields": ["secret"]}})
        begun = await socket.receive_json(timeout=60)
        assert {row["secret"] for row in begun["data"]} == {"***"}
        assert len(begun["data"]) == 3
        await api.patch(f"/items/looks/{keys['a']}", {"secret": "fresh"})
        heard = await socket.receive_json(timeout=60)
        assert heard["data"] == [{"secret": "***"}]


@pytest.mark.parametrize(
    ("search", "status", "code"),
    [
        ("refuse", 418, "TEAPOT"),
        ("raise", 500, "INTERNAL_SERVER_ERROR"),
        ("number", 500, "INTERNAL_SERVER_ERROR"),
        ("garbage", 403, "FORBIDDEN"),
    ],
)
async def test_a_filter_of_queries_that_misbehaves(api: Client, search: str, status: int, code: str) -> None:
    answer = await api.get("/items/looks", search=search)
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert "secret of the operator" not in str(answer.body)
    failed = await graphql(api, "query q($s: String) { looks(search: $s) { id } }", s=search)
    assert failed["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize(
    ("title", "status", "code"),
    [
        ("refuse", 418, "TEAPOT"),
        ("raise", 500, "INTERNAL_SERVER_ERROR"),
        ("number", 500, "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_a_filter_of_records_that_misbehaves(
    api: Client, keys: dict[str, int], title: str, status: int, code: str
) -> None:
    await api.patch(f"/items/looks/{keys['a']}", {"title": title})
    query = {"filter": {"title": title}}
    answer = await api.get("/items/looks", **query)
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert (await api.get(f"/items/looks/{keys['a']}")).status == status
    # Written is written, whatever becomes of the answer.
    assert (await api.patch(f"/items/looks/{keys['a']}", {"title": "a"})).status == 200


async def test_what_they_are_told(api: Client, server: Server, keys: dict[str, int]) -> None:
    query = {"search": "query", "fields": "title,parent.title", "sort": "-title", "limit": "3"}
    async with client(server, None) as anybody:
        answer = await anybody.get("/items/looks", access_token=ADMIN_TOKEN, **query)
    expected = "{'search': 'query', 'fields': ['title', 'parent.title'], 'sort': ['-title'], 'limit': 3}"
    assert answer.error["code"] == "QUERY"
    assert answer.body["errors"][0]["message"] == expected
    document = """{ looks(search: "query", limit: 3, filter: {made_func: {year: {_gt: 2000}}}) {
        t: title parent { title } made_func { year } } }"""
    failed = (await graphql(api, document))["errors"][0]["message"]
    for part in ("'limit': 3", "year(made)", "'fields': ['title', 'parent.title', 'year(made)']"):
        assert part in failed, failed
    await api.get(f"/items/looks/{keys['a']}", fields="title")
    heard = await noted(api, "looks.items.read", payload=[{"title": "a"}])
    assert heard["query"]["fields"] == ["title"]
    assert "access_token" not in str(heard)


async def test_flows_filter_reads_too(api: Client, keys: dict[str, int]) -> None:
    code = "module.exports = (data) => data.$trigger.payload.map((row) => ({...row, text: 'flown'}))"
    options = {"type": "filter", "scope": ["talks.items.read"], "return": "$last"}
    flow = await make_flow(api, [("x", "exec", {"code": code})], trigger="event", options=options)
    await api.post("/items/talks", {"text": "plain"})
    async with asyncio.timeout(60):
        while True:
            seen = {row["text"] for row in (await api.get("/items/talks", fields="id,text")).data}
            if seen == {"flown"}:
                break
    found = await graphql(api, "{ talks(limit: 1) { x: text } }")
    assert found["data"]["talks"] == [{"x": "flown"}]
    await api.delete(f"/flows/{flow}")


async def test_nobody_is_shown_what_acta_reads_itself(api: Client) -> None:
    options = {"type": "filter", "scope": ["settings.read"]}
    flow = await make_flow(api, [("x", "throw-error", {"status": 418})], trigger="event", options=options)
    async with asyncio.timeout(60):
        while (await api.get("/settings")).status != 418:
            pass
    project = (await api.get("/server/info")).data["project"]
    assert project["project_name"]
    await api.delete(f"/flows/{flow}")


async def test_the_callers_own_user_is_a_read_too(api: Client) -> None:
    options = {"type": "filter", "scope": ["users.query"]}
    flow = await make_flow(api, [("x", "throw-error", {"status": 418})], trigger="event", options=options)
    async with asyncio.timeout(60):
        while (await api.get("/users/me")).status != 418:
            pass
    answer = await api.post("/graphql/system", {"query": "{ users_me { id } }"})
    assert answer.body["errors"][0]["path"] == ["users_me"]
    await api.delete(f"/flows/{flow}")
    answer = await api.post("/graphql/system", {"query": "{ users_me { id } }"})
    assert answer.data["users_me"]["id"]
