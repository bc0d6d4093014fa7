"""Every channel that reads, against all that can be hidden: rows, fields, fields of some rows, masked values.

A limited caller asks, the answers are looked through; an administrator who asks the same sees what was
hidden, so there was something to find.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.access.hidden.world import HIDDEN, channels, found, looking, prying, socket
from tests.support.files import Files
from tests.support.people import Person
from tests.support.server import ADMIN_TOKEN
from tests.support.waiting import until

CHANGING, SELECTING = "PATCH by query", {"filter", "sort"}


async def test_queries_over_http(admin: Files, caller: Files, position: int) -> None:
    seen: set[str] = set()
    powerful = channels(admin, position)
    for name, ask in channels(caller, position).items():
        for query in looking():
            answer = await ask(query)
            assert not found(answer), (name, query, answer.body)
            assert answer.status == 200 or "pay" not in str(query), (name, query, answer.body)
            if name != CHANGING:
                seen |= set(found(await powerful[name](query)))
        for field, value in (("secret", HIDDEN["field"]), ("pin", "$argon2id$")):
            for query in prying(field, value):
                if name == CHANGING and not SELECTING & query.keys():
                    continue
                answer = await ask(query)
                assert answer.status in (400, 403), (name, query, answer.body)
                assert not found(answer), (name, query)
        concealed = HIDDEN["concealed"]
        for query in (
            {"fields": "id", "filter": {"code": {"_eq": concealed}}},
            {"fields": "id", "filter": {"code": {"_starts_with": "text"}}},
            {"fields": "id", "filter": {"notes": {"doc": {"code": {"_contains": "text"}}}}},
            {"fields": "id", "sort": "code"},
            {"aggregate": {"max": "code"}},
            {"groupBy": "code", "aggregate": {"count": "*"}},
        ):
            if name != CHANGING or SELECTING & query.keys():
                assert (await ask(query)).status in (400, 403), (name, query)
    assert seen == {"row", "field", "conditional", "hashed", "related"}


async def test_single_items(admin: Files, caller: Files, position: int) -> None:
    for path in (
        "/items/docs/2",
        "/items/remarks/2",
        f"/items/docs/2?as_of={position}",
        "/utils/blame/docs/2",
    ):
        answer = await caller.request("GET", path)
        assert answer.status == 403, (path, answer.body)
    for path, body in (
        ("/items/docs/2", {"title": "x"}),
        ("/items/docs", {"keys": [1, 2], "data": {"title": "x"}}),
    ):
        assert (await caller.patch(path, body)).status == 403, path
    may = (await caller.get("/permissions/me/docs/2")).data
    assert not any(entry["access"] for entry in may.values())
    # What is written is answered as far as it can be read.
    answer = await caller.request("PATCH", "/items/docs/1", {"title": "seen"}, query={"fields": "*,notes.*"})
    assert answer.data["title"] == "seen"
    assert not found(answer)
    changes: list[dict[str, Any]] = [{name: "x"} for name in ("secret", "state", "grade", "pay")]
    for change in (*changes, {"notes": [2]}):
        assert (await caller.patch("/items/docs/1", change)).status == 403, change
    for way in ("secret", "pay", "pin"):
        answer = await caller.request("PATCH", "/items/docs/1", {"title": "seen"}, query={"fields": way})
        assert not found(answer), (way, answer.body)


async def test_who_wrote_what_is_told_of_fields_that_are_seen(admin: Files, caller: Files) -> None:
    everything = {entry["field"] for entry in (await admin.get("/utils/blame/docs/1")).data}
    assert {"secret", "pay", "grade"} <= everything
    told = {entry["field"] for entry in (await caller.get("/utils/blame/docs/1")).data}
    assert told == {"id", "title", "state", "code"}
    tag = {name.lower(): value for name, value in (await caller.get("/items/docs/1")).headers.items()}["etag"]
    for change in (
        {"secret": HIDDEN["field"] + "!"},
        {"pay": HIDDEN["conditional"] + "!"},
        {"state": "mine", "title": "seen!"},
    ):
        assert (await admin.patch("/items/docs/1", change)).status == 200
    headers = {"If-Match": tag}
    refused = await caller.request("PATCH", "/items/docs/1", {"title": "x"}, headers=headers)
    assert (refused.status, refused.error["fields"]) == (412, [])


async def test_graphql(admin: Files, caller: Files, position: int) -> None:
    refused = (
        "docs { secret }",
        "docs { pin }",
        'docs(filter: {secret: {_starts_with: "t"}}) { id }',
        'docs(sort: "secret") { id }',
        "docs_aggregated { max { secret } }",
        'docs_aggregated(groupBy: ["secret"]) { group }',
        "remarks { doc { secret } }",
        "docs(filter: {notes: {doc: {secret: {_nnull: true}}}}) { id }",
        f'docs(asOf: "{position}") {{ secret }}',
        'docs(filter: {code: {_eq: "x"}}) { id }',
        "users { id }",
    )
    for text in refused:
        answer = await caller.post("/graphql", {"query": f"{{ {text} }}"})
        assert answer.body.get("errors"), (text, answer.body)
        assert not found(answer), (text, answer.body)
    members = "id title pay code notes { text doc { pay title } }"
    for text in (
        f"docs {{ {members} }}",
        f"docs_by_id(id: 2) {{ {members} }}",
        f'docs(asOf: "{position}") {{ {members} }}',
        f'docs(search: "{HIDDEN["row"]}") {{ {members} }}',
        "docs_aggregated { count { pay } max { position } }",
        f'docs(filter: {{pay: {{_eq: "{HIDDEN["conditional"]}"}}}}) {{ id pay }}',
    ):
        answer = await caller.post("/graphql", {"query": f"{{ {text} }}"})
        assert not found(answer), (text, answer.body)
    told = await admin.post("/graphql", {"query": f"{{ docs {{ {members} secret }} }}"})
    assert {"row", "field", "conditional", "related"} <= set(found(told))
    sdl = await caller.get("/server/specs/graphql/items")
    assert b"docs" in sdl.body
    assert b"secret" not in sdl.body
    events = str((await caller.get("/server/specs/events")).body)
    assert "docs" in events
    assert "'secret'" not in events
    described = await caller.get("/server/specs/oas")
    assert "docs" in str(described.body)
    assert "secret" not in str(described.body["components"]["schemas"])


async def test_sockets(admin: Files, caller: Files, her: Person) -> None:
    async with socket(caller, her.token) as own, socket(admin, ADMIN_TOKEN) as everybody:
        for query in prying("secret", HIDDEN["field"]):
            for kind in ({"type": "items", "action": "read"}, {"type": "subscribe", "uid": "x"}):
                answer = await own.ask(**kind, collection="docs", query=query)
                assert answer.status == 400, (kind, query, answer.body)
                assert not found(answer)
        for query in looking():
            answer = await own.ask(type="items", action="read", collection="docs", query=query)
            assert not found(answer), (query, answer.body)
        for collection in ("directus_users", "directus_fields", "directus_sessions"):
            assert (await own.ask(type="subscribe", collection=collection)).status == 400, collection
        for key in ({"id": 2}, {"ids": [2]}):
            answer = await own.ask(
                type="items", action="update", collection="docs", data={"title": "x"}, **key
            )
            assert answer.status == 400
            answer = await own.ask(type="items", action="delete", collection="docs", **key)
            assert answer.status == 400
        query = {"fields": "*.*"}
        for collection in ("docs", "remarks"):
            answer = await own.ask(type="subscribe", collection=collection, query=query, uid=collection)
            assert answer.body.get("event") == "init", answer.body
            assert not found(answer)
        # What happens to hidden items is heard by who sees them, and by nobody else.
        assert (await everybody.ask(type="subscribe", collection="docs", uid="a")).status == 200
        made = await admin.post("/items/docs", {"title": HIDDEN["row"], "state": "theirs"})
        assert (await everybody.hear()).body["event"] == "create"
        await admin.patch(f"/items/docs/{made.data['id']}", {"title": HIDDEN["row"] + "!"})
        assert (await everybody.hear()).body["event"] == "update"
        await admin.delete(f"/items/docs/{made.data['id']}")
        assert (await everybody.hear()).body["event"] == "delete"
        await admin.patch("/items/docs/1", {"title": "seen by all", "secret": HIDDEN["field"]})
        heard = await own.hear()
        assert (heard.body["event"], heard.body["data"][0]["title"]) == ("update", "seen by all")
        assert not found(heard)


async def test_exports_into_files(admin: Files, caller: Files, her: Person) -> None:
    async def exported(who: Files, query: dict[str, Any]) -> str | None:
        title = f"export {uuid4()}"
        newest = (await admin.get("/notifications", sort="-id", limit=1)).data
        last = newest[0]["id"] if newest else 0
        body = {"query": query, "format": "json", "file": {"title": title}}
        assert (await who.post("/utils/export/docs", body)).status == 204
        got: list[Any] = []

        async def over() -> bool:
            told = await admin.get("/notifications", sort="-id", limit=1, filter={"id": {"_gt": last}})
            got[:] = (await admin.get("/files", filter={"title": title})).data
            return bool(told.data)

        await until(over)
        return (await admin.fetch(f"/assets/{got[0]['id']}"))[2].decode() if got else None

    text = await exported(caller, {"fields": ["*", "notes.*"]})
    assert text is not None
    assert not [name for name, value in HIDDEN.items() if value in text]
    for query in ({"fields": ["secret"]}, {"fields": ["id"], "filter": {"secret": {"_nnull": True}}}):
        assert await exported(caller, query) is None
    everything = await exported(admin, {"fields": ["*", "notes.*"]})
    assert everything is not None
    assert HIDDEN["row"] in everything
