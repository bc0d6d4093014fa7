"""Items by message: the same rules as over HTTP."""

from typing import Any

import pytest

from tests.realtime.conftest import Socket
from tests.support.http import Client


async def items(socket: Socket, action: str, **members: Any) -> Any:
    return await socket.ask(type="items", action=action, collection="notes", uid=3, **members)


async def test_create_read_update_delete(admin: Socket, api: Client) -> None:
    made = await items(admin, "create", data={"title": "a"}, query={"fields": ["title"]})
    assert made == {"type": "items", "data": {"title": "a"}, "uid": 3}
    many = await items(admin, "create", data=[{"title": "b"}, {"title": "c"}], query={"fields": ["id"]})
    b, c = (item["id"] for item in many["data"])
    read = await items(admin, "read", id=b, query={"fields": "title"})
    assert read["data"] == {"title": "b"}
    assert [item["title"] for item in (await items(admin, "read", ids=[c, b]))["data"]] == ["b", "c"]
    query = {"filter": {"id": {"_gte": b}}, "fields": ["title"], "meta": "filter_count"}
    listed = await items(admin, "read", query=query)
    assert (listed["data"], listed["meta"]) == ([{"title": "b"}, {"title": "c"}], {"filter_count": 2})
    changed = await items(admin, "update", id=b, data={"title": "d"}, query={"fields": ["id"]})
    assert changed["data"]["title"] == "d"
    by_query = {"filter": {"title": {"_in": ["c", "d"]}}}
    both = await items(admin, "update", query=by_query, data={"owner": "me"})
    assert [item["owner"] for item in both["data"]] == ["me", "me"]
    each = await items(admin, "update", data=[{"id": b, "title": "e"}, {"id": c, "title": "f"}])
    assert [item["title"] for item in each["data"]] == ["e", "f"]
    assert await items(admin, "delete", id=b) == {"type": "items", "data": b, "uid": 3}
    assert (await items(admin, "delete", ids=[c]))["data"] == [c]
    activity = await api.get("/activity", filter={"collection": "notes", "item": str(b)}, sort="id")
    assert [entry["action"] for entry in activity.data] == ["create", "update", "update", "update", "delete"]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"action": "read", "collection": "directus_users"}, "INVALID_COLLECTION"),
        ({"action": "read", "collection": "nope"}, "INVALID_COLLECTION"),
        ({"action": "read"}, "INVALID_PAYLOAD"),
        ({"action": "explode", "collection": "notes"}, "INVALID_PAYLOAD"),
        ({"action": "read", "collection": "notes", "id": 99999}, "FORBIDDEN"),
        ({"action": "read", "collection": "notes", "ids": 5}, "INVALID_PAYLOAD"),
        ({"action": "create", "collection": "notes"}, "INVALID_PAYLOAD"),
        ({"action": "create", "collection": "notes", "data": [5]}, "INVALID_PAYLOAD"),
        ({"action": "create", "collection": "tags", "data": {"label": "no key"}}, "FAILED_VALIDATION"),
        ({"action": "update", "collection": "notes", "data": {"title": "all?"}}, "INVALID_PAYLOAD"),
        ({"action": "update", "collection": "notes", "id": 0, "data": {"title": "zero"}}, "FORBIDDEN"),
        ({"action": "delete", "collection": "notes"}, "INVALID_PAYLOAD"),
        ({"action": "read", "collection": "notes", "query": {"filter": {"x": 1}}}, "FORBIDDEN"),
    ],
)
async def test_refusals(admin: Socket, members: dict[str, Any], code: str) -> None:
    answer = await admin.ask(type="items", uid="u", **members)
    assert (answer["type"], answer["status"], answer["uid"]) == ("items", "error", "u")
    assert answer["error"]["code"] == code
