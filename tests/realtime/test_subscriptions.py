"""What subscribers hear: the contract's frames, with their own rights."""

from typing import Any

import pytest

from tests.realtime.conftest import Socket, signed_in
from tests.support.http import Client
from tests.support.server import Server


async def subscribed(socket: Socket, **wants: Any) -> Any:
    return await socket.ask(type="subscribe", **wants)


async def test_frames_of_a_collection(admin: Socket, api: Client) -> None:
    await subscribed(admin, collection="notes", event="create", uid=0)
    await api.post("/items/notes", {"title": "before"})
    # Once it was told, it is sealed and will not be told again.
    await admin.frame()
    await admin.ask(type="unsubscribe", uid=0)
    init = await subscribed(admin, collection="notes", query={"fields": "title"}, uid=1)
    assert init["event"] == "init"
    assert {"title": "before"} in init["data"]
    assert init["uid"] == "1"

    made = await api.post("/items/notes", [{"title": "a"}, {"title": "b"}])
    keys = [item["id"] for item in made.data]
    frames = [await admin.frame(), await admin.frame()]
    assert frames == [
        {"type": "subscription", "event": "create", "data": [{"title": title}], "uid": "1"} for title in "ab"
    ]
    await api.patch("/items/notes", {"keys": keys, "data": {"title": "c"}})
    assert await admin.frame() == {
        "type": "subscription", "event": "update", "data": [{"title": "c"}, {"title": "c"}], "uid": "1"
    }  # fmt: skip
    await api.delete("/items/notes", keys)
    assert await admin.frame() == {"type": "subscription", "event": "delete", "data": keys, "uid": "1"}
    assert await admin.ask(type="unsubscribe", uid=1) == {
        "type": "subscription", "event": "unsubscribe", "uid": "1"
    }  # fmt: skip
    await api.post("/items/notes", {"title": "unheard"})
    assert await admin.silent()


async def test_one_event_of_one_item(admin: Socket, api: Client) -> None:
    made = await api.post("/items/notes", [{"title": "a"}, {"title": "b"}])
    first, second = (item["id"] for item in made.data)
    wants = {"collection": "notes", "event": "update", "item": first, "query": {"fields": ["title"]}}
    assert await subscribed(admin, **wants) == {"type": "subscription", "event": "init"}
    await api.patch(f"/items/notes/{second}", {"title": "x"})
    await api.patch("/items/notes", {"keys": [second, first], "data": {"title": "y"}})
    assert await admin.frame() == {"type": "subscription", "event": "update", "data": {"title": "y"}}
    await api.delete(f"/items/notes/{first}")
    assert await admin.silent()


async def test_a_filter_is_asked_each_time(admin: Socket, api: Client) -> None:
    query = {"filter": '{"title":{"_eq":"seen"}}', "fields": "title"}
    await subscribed(admin, collection="notes", event="update", query=query)
    made = await api.post("/items/notes", {"title": "a"})
    await api.patch(f"/items/notes/{made.data['id']}", {"title": "seen"})
    assert (await admin.frame())["data"] == [{"title": "seen"}]
    await api.patch(f"/items/notes/{made.data['id']}", {"title": "gone"})
    assert await admin.silent()


async def test_a_second_subscription_of_a_name_replaces_the_first(admin: Socket, api: Client) -> None:
    await subscribed(admin, collection="notes", event="create", uid="u")
    await subscribed(admin, collection="tags", event="create", uid="u")
    await api.post("/items/notes", {"title": "a"})
    await api.post("/items/tags", {"id": "t", "label": "l"})
    assert (await admin.frame())["data"] == [{"id": "t", "label": "l"}]
    assert await admin.silent()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, "INVALID_PAYLOAD"),
        ({"collection": 5}, "INVALID_PAYLOAD"),
        ({"collection": "nope"}, "INVALID_COLLECTION"),
        ({"collection": "notes", "event": "explode"}, "INVALID_PAYLOAD"),
        ({"collection": "notes", "query": "x"}, "INVALID_PAYLOAD"),
        ({"collection": "notes", "query": {"filter": {"title": {"_nope": 1}}}}, "INVALID_QUERY"),
        ({"collection": "notes", "query": {"fields": ["nope"]}}, "FORBIDDEN"),
        ({"collection": "notes", "item": {"a": 1}}, "INVALID_PAYLOAD"),
        ({"collection": "notes", "since": -1}, "INVALID_PAYLOAD"),
        ({"collection": "directus_sessions"}, "FORBIDDEN"),
    ],
)
async def test_what_can_not_be_subscribed(admin: Socket, message: dict[str, Any], code: str) -> None:
    answer = await subscribed(admin, **message)
    assert (answer["type"], answer["status"], answer["error"]["code"]) == ("subscribe", "error", code)
    assert await admin.ask(type="ping") == {"type": "pong"}


async def test_bad_messages(admin: Socket) -> None:
    for text in ("{", "5", "{}", '{"type":5}', '"\ud800"'.encode("utf-8", "surrogatepass").decode("latin-1")):
        await admin.socket.send_str(text)
        answer = await admin.frame()
        assert (answer["type"], answer["error"]["code"]) == ("server", "INVALID_PAYLOAD")
    await admin.send(type="whatever")
    assert await admin.ask(type="ping") == {"type": "pong"}


@pytest.fixture
async def limited(server: Server, api: Client) -> str:
    """The token of a user who reads own notes, and titles only."""
    rule = {
        "collection": "notes",
        "action": "read",
        "fields": ["id", "title"],
        "permissions": {"owner": {"_eq": "$CURRENT_USER.first_name"}},
    }
    policy = {"name": "own", "permissions": {"create": [rule], "update": [], "delete": []}}
    made = await api.post("/policies", policy)
    token = f"token-of-{made.data['id']}"
    user = {"email": f"{token}@example.com", "first_name": "me", "token": token}
    await api.post("/users", {**user, "policies": [{"policy": made.data["id"]}]})
    return token


async def test_events_are_seen_with_the_receivers_rights(server: Server, api: Client, limited: str) -> None:
    async with signed_in(server, limited) as socket:
        assert (await subscribed(socket, collection="tags", event="create"))["error"]["code"] == "FORBIDDEN"
        init = await subscribed(socket, collection="notes", query={"filter": {"title": {"_neq": "no"}}})
        assert init["data"] == []
        made = await api.post(
            "/items/notes",
            [
                {"title": "mine", "owner": "me"},
                {"title": "theirs", "owner": "you"},
                {"title": "no", "owner": "me"},
            ],
        )
        mine, theirs, no = (item["id"] for item in made.data)
        frame = await socket.frame()
        assert frame["data"] == [{"id": mine, "title": "mine"}]
        await api.patch("/items/notes", {"keys": [mine, theirs], "data": {"title": "new"}})
        assert (await socket.frame())["data"] == [{"id": mine, "title": "new"}]
        await api.delete("/items/notes", [mine, theirs, no])
        assert (await socket.frame())["data"] == [mine]
        assert await socket.silent()


async def test_who_has_the_same_rights_is_still_somebody_else(server: Server, api: Client) -> None:
    """Queries speak of the receiver: one reading is not for all administrators."""
    policy = (await api.get("/policies", filter={"admin_access": {"_eq": True}})).data[0]["id"]
    query = {"fields": ["owner"], "filter": {"owner": {"_eq": "$CURRENT_USER"}}}
    users = []
    for token in ("same-1", "same-2"):
        user = {"email": f"{token}@example.com", "token": token, "policies": [{"policy": policy}]}
        users.append((await api.post("/users", user)).data["id"])
    async with signed_in(server, "same-1") as one, signed_in(server, "same-2") as other:
        for socket in (one, other):
            assert (await subscribed(socket, collection="notes", query=query))["data"] == []
        made = await api.post("/items/notes", [{"owner": user} for user in users])
        keys = [item["id"] for item in made.data]
        for socket, user in zip((one, other), users, strict=True):
            assert (await socket.frame())["data"] == [{"owner": user}]
        await api.patch("/items/notes", {"keys": keys, "data": {"title": "new"}})
        for socket, user in zip((one, other), users, strict=True):
            assert (await socket.frame())["data"] == [{"owner": user}]
        await api.delete("/items/notes", keys)
        for socket, key in zip((one, other), keys, strict=True):
            assert (await socket.frame())["data"] == [key]
            assert await socket.silent()


async def test_rights_taken_away_count_for_the_next_event(server: Server, api: Client, limited: str) -> None:
    async with signed_in(server, limited) as socket:
        await subscribed(socket, collection="notes", event="create")
        policies = await api.get("/policies", filter={"name": "own"}, fields="id")
        for policy in policies.data:
            await api.delete(f"/policies/{policy['id']}")
        await api.post("/items/notes", {"title": "late", "owner": "me"})
        assert (await socket.frame())["error"]["code"] == "FORBIDDEN"


async def test_what_came_after_a_position(server: Server, api: Client) -> None:
    async with signed_in(server) as socket:
        await subscribed(socket, collection="notes", event="create", since=0, query={"fields": "id"})
        key = (await api.post("/items/notes", {"title": "a"})).data["id"]
        last = await socket.frame()
        while last["data"] != [{"id": key}]:
            last = await socket.frame()
    made = [(await api.post("/items/notes", {"title": title})).data["id"] for title in "xyz"]
    async with signed_in(server) as socket:
        wants = {"collection": "notes", "event": "create", "query": {"fields": "id"}}
        await subscribed(socket, **wants, since=last["position"])
        frames = [await socket.frame() for _ in made]
        assert [frame["data"][0]["id"] for frame in frames] == made
        assert [frame["position"] for frame in frames] == sorted(frame["position"] for frame in frames)
        assert await socket.silent()


async def test_the_model_is_a_collection_too(admin: Socket, api: Client) -> None:
    assert (await subscribed(admin, collection="directus_fields"))["data"]
    await api.post("/fields/notes", {"field": "extra", "type": "string", "schema": {}})
    frame = await admin.frame()
    assert (frame["event"], frame["data"][0]["field"]) == ("create", "extra")
    await api.delete("/fields/notes/extra")
    assert await admin.frame() == {"type": "subscription", "event": "delete", "data": ["extra"]}
