"""What the contract says of messages and frames, the seldom used of it: singletons, the system, names."""

from __future__ import annotations

from typing import Any

from tests.realtime.conftest import Socket, signed_in
from tests.support.http import Client
from tests.support.server import ADMIN_TOKEN, Server

LARGE = 900_000


async def subscribed(socket: Socket, collection: str, **wants: Any) -> Any:
    answer = await socket.ask(type="subscribe", collection=collection, **wants)
    assert (answer["type"], answer["event"]) == ("subscription", "init"), answer
    return answer.get("data")


async def frame(socket: Socket) -> tuple[str, Any]:
    """The event and the data of the next frame."""
    found = await socket.frame()
    assert found["type"] == "subscription", found
    return found["event"], found["data"]


async def test_who_signs_in_again_is_somebody_else_from_then_on(server: Server, api: Client) -> None:
    own = {"owner": {"_eq": "me"}}
    rule = {"collection": "notes", "action": "read", "fields": ["id", "title"], "permissions": own}
    rules = {"create": [rule], "update": [], "delete": []}
    policy = (await api.post("/policies", {"name": "again", "permissions": rules})).data["id"]
    user = {"email": "again@example.com", "token": "again-token", "policies": [{"policy": policy}]}
    assert (await api.post("/users", user)).status == 200
    async with signed_in(server) as socket:
        query = {"fields": ["*"], "filter": {"title": {"_starts_with": "again"}}}
        assert await subscribed(socket, "notes", query=query) == []
        await api.post("/items/notes", {"title": "again 1", "owner": "you"})
        assert (await frame(socket))[1][0]["owner"] == "you"
        assert (await socket.ask(type="auth", access_token="again-token"))["status"] == "ok"
        await api.post("/items/notes", {"title": "again 2", "owner": "you"})
        await api.post("/items/notes", {"title": "again 3", "owner": "me"})
        event, [told] = await frame(socket)
        assert (event, told.keys(), told["title"]) == ("create", {"id", "title"}, "again 3")
        answer = await socket.ask(type="items", action="read", collection="notes", query=query)
        assert answer["data"] == [told]
        refused = await socket.ask(type="items", action="create", collection="notes", data={"title": "x"})
        assert refused["error"]["code"] == "FORBIDDEN"
        assert (await socket.ask(type="auth", access_token=ADMIN_TOKEN))["status"] == "ok"
        await api.post("/items/notes", {"title": "again 4"})
        assert (await frame(socket))[1][0]["owner"] is None


async def test_singletons(admin: Socket, api: Client) -> None:
    fields = [
        {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}},
        {"field": "tagline", "type": "string", "schema": {"default_value": "none yet"}},
    ]
    made = {"collection": "site", "meta": {"singleton": True}, "schema": {}, "fields": fields}
    assert (await api.post("/collections", made)).status == 200

    async def items(action: str, **more: Any) -> Any:
        return (await admin.ask(type="items", action=action, collection="site", **more))["data"]

    query = {"fields": ["tagline"]}
    assert await items("read", query=query) == {"tagline": "none yet"}
    assert await subscribed(admin, "site", query=query, uid="s") == [{"tagline": "none yet"}]
    assert await items("update", data={"tagline": "first"}, query=query) == {"tagline": "first"}
    assert await frame(admin) == ("create", [{"tagline": "first"}])
    await api.patch("/items/site", {"tagline": "second"})
    assert await frame(admin) == ("update", [{"tagline": "second"}])
    await admin.ask(type="unsubscribe", uid="s")
    assert await subscribed(admin, "site", query=query) == [{"tagline": "second"}]


async def test_ending_subscriptions(admin: Socket, api: Client) -> None:
    for uid in ("one", "two"):
        await subscribed(admin, "tags", event="create", uid=uid, query={"fields": ["id"]})
    await subscribed(admin, "tags", event="create")
    ended = {"type": "subscription", "event": "unsubscribe"}
    assert await admin.ask(type="unsubscribe", uid=5) == {**ended, "uid": "5"}
    assert await admin.ask(type="unsubscribe", uid="one") == {**ended, "uid": "one"}
    await api.post("/items/tags", {"id": "ends"})
    frames = [await admin.frame() for _ in range(2)]
    assert sorted(found.get("uid", "") for found in frames) == ["", "two"]
    assert await admin.ask(type="unsubscribe") == ended
    await api.post("/items/tags", {"id": "unheard"})
    assert await admin.silent()


async def test_one_item_from_its_state_to_its_end(admin: Socket, api: Client) -> None:
    key = (await api.post("/items/notes", {"title": "a"})).data["id"]
    query = {"fields": "title", "meta": "*"}
    init = await admin.ask(type="subscribe", collection="notes", item=str(key), query=query, uid="i")
    assert init["data"] == {"title": "a"}
    await api.patch("/items/notes", {"keys": [key], "data": {"title": "b"}})
    # What is in the answer may be told once more.
    while (event := await frame(admin))[0] == "create":
        pass
    assert event == ("update", {"title": "b"})
    await api.delete(f"/items/notes/{key}")
    assert await frame(admin) == ("delete", str(key))
    gone = await admin.ask(type="subscribe", collection="notes", item=key)
    assert gone["error"]["code"] == "FORBIDDEN"


async def test_counts_beside_the_items(admin: Socket, api: Client) -> None:
    query = {"fields": ["title"], "filter": {"title": {"_eq": "counted"}}, "meta": "*"}
    init = await admin.ask(type="subscribe", collection="notes", query=query)
    assert init["meta"]["filter_count"] == 0
    await api.post("/items/notes", {"title": "counted"})
    told = await admin.frame()
    assert (told["data"], told["meta"]["filter_count"]) == ([{"title": "counted"}], 1)


async def test_the_system_is_heard_of_too(admin: Socket, api: Client) -> None:
    for collection in ("settings", "users", "folders", "collections", "relations"):
        await subscribed(admin, f"directus_{collection}", query={"fields": ["*"]}, uid=collection)

    async def told(uid: str) -> tuple[str, Any]:
        found = await admin.frame()
        while found["uid"] != uid:
            found = await admin.frame()
        return found["event"], found["data"]

    await api.patch("/settings", {"project_name": "Heard"})
    event, [settings] = await told("settings")
    assert settings["project_name"] == "Heard"
    user = (await api.post("/users", {"email": "heard@example.com", "password": "secret-Word-1"})).data["id"]
    event, [data] = await told("users")
    assert (event, data["id"], data["password"]) == ("create", user, "**********")
    await api.delete(f"/users/{user}")
    assert await told("users") == ("delete", [user])
    folder = (await api.post("/folders", {"name": "f"})).data["id"]
    assert (await told("folders"))[1][0]["id"] == folder
    made = await api.post("/collections", {"collection": "heard", "schema": {}, "meta": {"note": "n"}})
    assert made.status == 200, made.body
    event, [data] = await told("collections")
    assert (event, data["collection"], data["meta"]["note"]) == ("create", "heard", "n")
    relation = {"collection": "heard", "field": "note", "related_collection": "notes"}
    await api.post("/fields/heard", {"field": "note", "type": "integer", "schema": {}})
    made = await api.post("/relations", relation)
    assert made.status == 200, made.body
    event, [data] = await told("relations")
    assert (event, data["collection"], data["related_collection"]) == ("create", "heard", "notes")
    await api.delete("/relations/heard/note")
    assert await told("relations") == ("delete", [{"collection": "heard", "fields": ["note"]}])
    await api.delete("/collections/heard")
    assert await told("collections") == ("delete", ["heard"])


async def test_what_is_put_in_order_is_an_update(admin: Socket, api: Client) -> None:
    await api.post("/fields/tags", {"field": "place", "type": "integer", "schema": {}})
    await api.patch("/collections/tags", {"meta": {"sort_field": "place"}})
    for place, key in enumerate("xyz", 1):
        await api.post("/items/tags", {"id": key, "place": place})
    await subscribed(admin, "tags", event="update", query={"fields": ["id", "place"]})
    assert (await api.post("/utils/sort/tags", {"item": "z", "to": "x"})).status == 200
    moved: dict[str, int] = {}
    while "z" not in moved:
        moved |= {item["id"]: item["place"] for item in (await frame(admin))[1]}
    assert moved["z"] == 1


async def test_large_messages(server: Server, admin: Socket) -> None:
    answer = await admin.ask(
        type="items",
        action="create",
        collection="notes",
        data={"title": "x" * LARGE},
        query={"fields": ["title"]},
    )
    assert len(answer["data"]["title"]) == LARGE
    async with signed_in(server) as other:
        await other.send(type="ping", more="x" * 2 * LARGE)
        assert await other.frame() is None
        assert other.close_code == 1009
    assert await admin.ask(type="ping") == {"type": "pong"}
