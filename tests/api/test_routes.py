"""Which requests there are: methods, spellings of paths, and what is no route."""

import pytest

from tests.api.conftest import raw
from tests.support.http import Client
from tests.support.server import Server


async def test_options_names_the_methods_of_a_route(server: Server) -> None:
    async with raw(server, "/items/notes", method="OPTIONS") as response:
        assert response.status == 200
        assert response.headers["Allow"] == "DELETE,GET,HEAD,PATCH,POST,SEARCH"
        assert await response.text() == response.headers["Allow"]
    async with raw(server, "/nowhere", method="OPTIONS") as response:
        assert response.status == 404


async def test_head_has_the_headers_of_get_and_no_body(server: Server) -> None:
    async with raw(server, "/items/notes/1") as response:
        expected = response.headers["Content-Length"], response.headers["ETag"]
    async with raw(server, "/items/notes/1", method="HEAD") as response:
        assert response.status == 200
        assert (response.headers["Content-Length"], response.headers["ETag"]) == expected
        assert await response.read() == b""


@pytest.mark.parametrize("path", ["/ITEMS/notes/1", "/Items/notes/1/", "/items/notes/1/"])
async def test_spellings_of_a_path(server: Server, path: str) -> None:
    async with raw(server, path + "?fields=id") as response:
        assert await response.json() == {"data": {"id": 1}}


async def test_the_body_survives_a_second_look_at_the_path(server: Server) -> None:
    async with raw(server, "/ITEMS/notes/?fields=title", method="POST", json={"title": "x"}) as response:
        assert await response.json() == {"data": {"title": "x"}}


@pytest.mark.parametrize(
    ("key", "label"),
    [("a%2Fb", "slash"), ("c%25d", "per cent"), ("%C3%BC,{}", "odd"), ("%c3%bc%2C%7B%7D", "odd")],
)
async def test_keys_are_decoded_once(server: Server, key: str, label: str) -> None:
    async with raw(server, f"/items/tags/{key}?fields=label") as response:
        assert await response.json() == {"data": {"label": label}}


async def test_composite_keys(server: Server) -> None:
    async with raw(server, "/items/pairs/1,x%252Cy?fields=value") as response:
        assert await response.json() == {"data": {"value": "pair"}}
    async with raw(server, "/items/pairs/1") as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/items/notes/1"),
        ("POST", "/items/notes/1"),
        ("SEARCH", "/items/notes/1"),
        ("GET", "/items"),
        ("GET", "//items/notes"),
        ("POST", "/activity"),
        ("PATCH", "/revisions/1"),
        ("DELETE", "/activity"),
        ("POST", "/settings"),
        ("GET", "/settings/1"),
        ("GET", "/shares/not-a-uuid"),
        ("GET", "/sessions"),
        ("GET", "/auth/login"),
        ("GET", "/utils/cache/clear"),
        ("PATCH", "/server/ping"),
    ],
)
async def test_what_is_no_route(server: Server, method: str, path: str) -> None:
    async with raw(server, path, method=method) as response:
        assert response.status == 404
        entry = (await response.json())["errors"][0]["extensions"]
        assert entry == {"code": "ROUTE_NOT_FOUND", "path": path}


async def test_shares_are_never_counted(api: Client) -> None:
    for text in ("meta=*", "meta[]=total_count&limit=1", "limit=1&meta%5B%5D=filter_count"):
        assert (await api.get(f"/shares?{text}")).body == {"data": []}
    assert (await api.request("SEARCH", "/shares", {"query": {"meta": "*"}})).body == {"data": []}
    assert "meta" in (await api.get("/presets?meta=*")).body


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "SEARCH"])
async def test_system_collections_are_no_items(api: Client, method: str) -> None:
    answer = await api.request(method, "/items/directus_users", {})
    assert answer.status == 403
    assert answer.error == {"code": "FORBIDDEN"}


async def test_an_unknown_collection_is_named(api: Client) -> None:
    answer = await api.get("/items/nothing")
    assert answer.status == 403
    assert '"nothing"' in answer.error["reason"]


async def test_search_reads_by_keys_and_by_query(api: Client) -> None:
    found = await api.request("SEARCH", "/items/notes", {"keys": [2, 1, 999], "query": {"fields": ["id"]}})
    assert found.data == [{"id": 1}, {"id": 2}]
    found = await api.request("SEARCH", "/items/notes?fields=body", {"query": {"fields": ["id"], "limit": 1}})
    assert found.data == [{"id": 1}]
    assert (await api.request("SEARCH", "/items/notes?fields=id&limit=1")).data == [{"id": 1}]
    assert (await api.request("SEARCH", "/items/notes", {"keys": []})).data == []
    assert (await api.request("SEARCH", "/items/notes", [])).status == 400


async def test_some_system_collections_ignore_keys(api: Client) -> None:
    everybody = (await api.get("/users", fields="id")).data
    assert (await api.request("SEARCH", "/users?fields=id", {"keys": []})).data == everybody
    assert (await api.request("SEARCH", "/policies", {"keys": []})).data == []


async def test_many_keys_are_all_answered(api: Client) -> None:
    """The default limit is of lists, not of items that are named."""
    written = (await api.post("/items/notes", [{"title": f"{n}"} for n in range(120)])).data
    assert len(written) == 120
    keys = [item["id"] for item in written]
    changed = await api.patch("/items/notes", {"keys": keys, "data": {"body": "b"}})
    assert len(changed.data) == 120
    assert len((await api.request("SEARCH", "/items/notes", {"keys": keys})).data) == 120
    asked = await api.request("SEARCH", "/items/notes", {"keys": keys, "query": {"limit": 100}})
    assert len(asked.data) == 100
    await api.delete("/items/notes", keys)
