"""GET /permissions/explain: the story behind every yes and no."""

from typing import Any

from tests.support.http import Client, client
from tests.support.server import Server

OPEN = {"collection": "notes", "action": "read", "fields": ["id", "title"], "permissions": None}
OWN = {
    "collection": "notes",
    "action": "read",
    "fields": ["body"],
    "permissions": {"title": {"_eq": "$CURRENT_USER.first_name"}},
}
CHANGE = {"collection": "notes", "action": "update", "fields": ["body"], "permissions": {"id": {"_eq": 1}}}


async def user_with(api: Client, name: str, *rules: dict[str, Any], **policy: Any) -> str:
    """A user whose one policy has these rules; his id. His token is his name."""
    made = await api.post(
        "/policies", {"name": name, "permissions": {"create": [*rules], "update": [], "delete": []}, **policy}
    )
    person = {
        "email": f"{name}@example.com",
        "first_name": name,
        "token": f"token-of-{name}",
        "policies": [{"policy": made.data["id"]}],
    }
    return str((await api.post("/users", person)).data["id"])


async def test_what_an_item_meets(api: Client, server: Server) -> None:
    user = await user_with(api, "first", OPEN, OWN, CHANGE)
    asked = {"user": user, "collection": "notes", "fields": "title,body"}
    story = (await api.get("/permissions/explain", item="1", **asked)).data
    assert story["allowed"] is True
    assert [rule["met"] for rule in story["rules"]] == [True, True]
    assert story["rules"][1]["resolved"] == {"title": {"_eq": "first"}}
    assert story["fields"]["body"]["shown"] is True
    story = (await api.get("/permissions/explain", item="2", **asked)).data
    assert [rule["met"] for rule in story["rules"]] == [True, False]
    assert (story["fields"]["title"]["shown"], story["fields"]["body"]["shown"]) == (True, False)
    assert story["filter"] == {}
    assert "CASE" in story["sql"]
    assert story["parameters"]
    async with client(server, "token-of-first") as own:
        answer = await own.get("/items/notes/2", fields="title,body")
        assert answer.data == {"title": "second", "body": None}


async def test_what_refuses(api: Client) -> None:
    user = await user_with(api, "second", CHANGE, ip_access=["10.0.0.0/8"])
    asked = {"user": user, "collection": "notes", "action": "update", "ip": "10.0.0.1"}
    story = (await api.get("/permissions/explain", item="1", **asked)).data
    assert story["allowed"] is True
    assert story["filter"] == {"id": {"_eq": 1}}
    for more, part in (
        ({"item": "2"}, "meets no rule"),
        ({"item": "99"}, "no such item"),
        ({"item": "x"}, "no such item"),
        ({"fields": "title"}, "no rule covers the fields title"),
        ({"action": "delete"}, "no rule of any policy"),
        ({"ip": "11.0.0.1"}, "no rule of any policy"),
    ):
        story = (await api.get("/permissions/explain", **{**asked, **more})).data
        assert story["allowed"] is False
        assert part in story["reason"], more
    assert [policy["applies"] for policy in story["policies"] if policy["ip_access"]] == [False]


async def test_administrators_and_strangers(api: Client, anonymous: Client, server: Server) -> None:
    me = (await api.get("/users/me", fields="id")).data["id"]
    story = (await api.get("/permissions/explain", user=me, collection="notes", action="delete")).data
    assert (story["allowed"], story["reason"]) == (True, "a policy gives admin access")
    story = (await api.get("/permissions/explain", collection="notes")).data
    assert (story["allowed"], story["user"], story["filter"]) == (False, None, None)
    assert (await anonymous.get("/permissions/explain", collection="notes")).status == 403
    await user_with(api, "third", OPEN, app_access=True)
    async with client(server, "token-of-third") as own:
        assert (await own.get("/permissions/explain", collection="notes")).status == 403


async def test_questions_that_make_no_sense(api: Client) -> None:
    for query in (
        {},
        {"collection": "notes", "user": "x"},
        {"collection": "notes", "user": "00000000-0000-4000-8000-000000000000"},
        {"collection": "notes", "action": "fly"},
        {"collection": "notes", "colour": "red"},
    ):
        assert (await api.get("/permissions/explain", **query)).error["code"] == "INVALID_QUERY", query
    assert (await api.get("/permissions/explain", collection="nope")).status == 403
