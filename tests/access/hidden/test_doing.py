"""What a limited caller may do by ways other than a plain change: versions, undo, shares, flows, the rest."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.access.hidden.world import HIDDEN, channels, found, looking
from tests.flows.conftest import make_flow
from tests.support.files import Files, files
from tests.support.http import client
from tests.support.people import Person
from tests.support.server import Server

POWERFUL: list[tuple[str, str, Any]] = [
    ("GET", "/utils/diff?from=1", None),
    ("GET", "/utils/diff?from=1&collection=docs", None),
    ("POST", "/utils/redact", {"collection": "docs", "items": [1]}),
    ("GET", "/permissions/explain?collection=docs", None),
    ("GET", "/schema/snapshot", None),
    ("POST", "/schema/undo", {"activity": 1}),
    ("POST", "/schema/rename", {"collection": "docs", "name": "x"}),
    ("POST", "/schema/retype", {"collection": "docs", "field": "title", "type": "text"}),
    ("POST", "/utils/cache/clear", {}),
    ("POST", "/utils/translations/generate", {"collection": "docs", "fields": ["title"]}),
    ("GET", "/webhooks", None),
    ("GET", "/webhooks/{key}", None),
    ("GET", "/webhooks/{key}/deliveries", None),
    ("POST", "/webhooks/{key}/replays", {"from": 1}),
    ("GET", "/revisions", None),
    ("GET", "/activity", None),
    ("GET", "/flows", None),
    ("GET", "/users", None),
    ("GET", "/settings", None),
    ("GET", "/folders", None),
    ("GET", "/extensions", None),
    ("POST", "/fields/docs", {"field": "more", "type": "string"}),
    ("POST", "/utils/sort/docs", {"item": 1, "to": 2}),
    ("POST", "/utils/export/directus_users", {"query": {}, "format": "json"}),
]


async def test_content_versions(admin: Files, caller: Files) -> None:
    """A version is written to be read: with rights of nobody else, else it would make itself readable."""
    for item, status in (("1", 200), ("2", 403)):
        made = await caller.post("/versions", {"key": "hers", "collection": "docs", "item": item})
        assert made.status == status
    hers = (await caller.get("/versions", filter={"key": "hers"})).data[0]["id"]
    foreign = {"key": "theirs", "collection": "docs", "item": "2"}
    theirs = (await admin.post("/versions", foreign)).data["id"]
    for path in (
        f"/versions/{theirs}/compare",
        "/items/docs/2?version=theirs",
        "/items/docs/2?version=theirs&versionRaw=",
    ):
        assert (await caller.get(path)).status == 403, path
    assert (await caller.post(f"/versions/{theirs}/save", {"title": "x"})).status == 403
    tricks: tuple[dict[str, Any], ...] = (
        {"grade": "open"},
        {"notes": [2]},
        {"notes": {"create": [], "update": [{"id": 2, "doc": 1}], "delete": []}},
        {"notes": [{"text": "x", "doc": {"id": 2, "state": "mine"}}]},
        {"secret": "x", "title": "drafted"},
    )
    for trick in tricks:
        assert (await caller.post(f"/versions/{hers}/save", trick)).status == 200
        for query in (
            {"fields": "*,notes.*"},
            {"fields": "pay"},
            {"fields": "id,notes.text,notes.doc.title"},
        ):
            for more in ({}, {"versionRaw": "true"}):
                answer = await caller.get("/items/docs/1", **query, **more, version="hers")
                assert not found(answer), (trick, query, answer.body)
        text = '{ docs_by_id(id: 1, version: "hers") { pay title notes { text } } }'
        assert not found(await caller.post("/graphql", {"query": text}))
        compared = await caller.get(f"/versions/{hers}/compare")
        assert not found(compared)
        print_ = compared.data["mainHash"]
        assert (await caller.post(f"/versions/{hers}/promote", {"mainHash": print_})).status == 403
    # Who may not promote the changes sees them as they were sent.
    answer = await caller.get("/items/docs/1", version="hers", fields="title")
    assert answer.data == {"title": "drafted"}
    for secret in ({"pin": "5678"}, {"code": "a code"}, {"notes": [{"doc": {"id": 1, "code": "a code"}}]}):
        assert (await admin.post(f"/versions/{theirs}/save", secret)).status == 400, secret


async def test_undoing(admin: Files, caller: Files, server: Server, her: Person) -> None:
    await admin.patch("/items/docs/1", {"title": "by the administrator"})
    [last] = (await admin.get("/activity", sort="-id", limit=1)).data
    revision = (await admin.get("/revisions", sort="-id", limit=1)).data[0]["id"]
    bodies: list[dict[str, Any]] = [
        {"activity": last["id"]},
        {"activity": 2**40},
        {"request": str(uuid4())},
        {"user": last["user"], "from": "1h"},
    ]
    async with files(server, None) as nobody:
        for who in (caller, nobody):
            for body in bodies:
                assert (await who.post("/utils/undo", body)).status == 403, body
            assert (await who.post(f"/utils/revert/{revision}", {})).status == 403
    # Her own she may, as long as her rules let her write it.
    assert (await caller.patch("/items/docs/1", {"title": "hers"})).status == 200
    own = (await admin.get("/activity", sort="-id", limit=1)).data[0]["id"]
    undone = (await caller.post("/utils/undo", {"activity": own})).data["undone"]
    assert undone == [{"collection": "docs", "item": "1", "action": "update", "fields": ["title"]}]
    assert (await caller.patch("/items/docs/1", {"title": "hers"})).status == 200
    own = (await admin.get("/activity", sort="-id", limit=1)).data[0]["id"]
    await admin.patch("/items/docs/1", {"state": "theirs"})
    refused = await caller.post("/utils/undo", {"activity": own})
    assert refused.status == 403
    assert (await admin.patch("/items/docs/1", {"state": "mine", "title": "seen"})).status == 200
    # A validation that holds for what she writes holds for what she brings back.
    update = (
        await admin.get(
            "/permissions", filter={"policy": her.policy, "collection": "docs", "action": "update"}
        )
    ).data
    validated = {"validation": {"title": {"_neq": "seen"}}}
    assert (await caller.patch("/items/docs/1", {"title": "away"})).status == 200
    own = (await admin.get("/activity", sort="-id", limit=1)).data[0]["id"]
    await admin.patch(f"/permissions/{update[0]['id']}", validated)
    assert (await caller.post("/utils/undo", {"activity": own})).status == 403
    await admin.patch(f"/permissions/{update[0]['id']}", {"validation": None})


async def test_what_only_administrators_may(admin: Files, caller: Files, server: Server) -> None:
    hook = {
        "url": "http://127.0.0.1:1/",
        "actions": ["create"],
        "collections": ["docs"],
        "name": HIDDEN["admin"],
    }
    made = await admin.post("/webhooks", hook)
    assert made.status == 200
    key = made.data["id"]
    async with files(server, None) as nobody:
        for method, pattern, body in POWERFUL:
            path = pattern.format(key=key)
            for who in (caller, nobody):
                answer = await who.request(method, path, body)
                quiet = path.startswith("/utils/export") or (path == "/settings" and answer.status == 200)
                assert answer.status in ((200, 204, 403) if quiet else (401, 403)), (path, answer.body)
                assert not found(answer), (path, answer.body)
        form = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n'
            b'Content-Type: application/json\r\n\r\n[{"id": 2, "secret": "x"}]\r\n--x--\r\n'
        )
        for who in (caller, nobody):
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            answer = await who.request("POST", "/utils/import/docs", content=form, headers=headers)
            assert answer.status == 403
    assert (await admin.delete(f"/webhooks/{key}")).status == 204


async def test_shares_comments_and_flows(admin: Files, caller: Files, server: Server) -> None:
    refused = await caller.post("/shares", {"collection": "docs", "item": "2"})
    assert refused.status == 403
    assert (await caller.post("/comments", {"comment": "x", "collection": "docs", "item": "2"})).status == 403
    powerful = (await admin.get("/users/me", fields="role")).data["role"]
    made = await caller.post("/shares", {"collection": "docs", "item": "1", "role": powerful})
    assert made.status == 204
    share = (await admin.get("/shares", limit=1)).data[0]["id"]
    async with client(server, None) as nobody:
        tokens = (await nobody.post("/shares/auth", {"share": share})).data
    async with files(server, tokens["access_token"]) as visitor:
        for name, ask in channels(visitor, 1).items():
            for query in looking():
                answer = await ask(query)
                assert not found(answer), (name, query, answer.body)
        for path in ("/utils/blame/docs/2", "/items/docs/2", "/users", "/versions"):
            assert not found(await visitor.get(path)), path
    options = {"collections": ["docs"], "requireSelection": True}
    read = {
        "collection": "docs",
        "permissions": "$trigger",
        "query": {"fields": ["*", "notes.*"], "limit": -1},
    }
    flow = await make_flow(
        admin, [("read", "item-read", read)], trigger="manual", options={**options, "return": "$last"}
    )
    answer = await caller.post(f"/flows/trigger/{flow}", {"collection": "docs", "keys": ["1"]})
    assert answer.status == 200, answer.body
    assert [row["id"] for row in answer.body] == [1]
    assert not found(answer)
    for keys in (["2"], ["1", "2"], []):
        body = {"collection": "docs", "keys": keys}
        assert (await caller.post(f"/flows/trigger/{flow}", body)).status == 403, keys
