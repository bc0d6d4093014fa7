"""Extensions: the example does what its documentation says; one that misbehaves harms only itself."""

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.flows.conftest import make_flow
from tests.support.files import BOUNDARY, Files, Part, form
from tests.support.http import Client, client
from tests.support.server import Server, acta, free_port


async def logged(api: Client, text: str, count: int, seconds: float = 45) -> None:
    """Wait until something stands in the news log so often."""
    found: list[Any] = []
    for _ in range(int(seconds * 20)):
        found = (await api.get("/items/news_log", filter={"text": text}, limit=-1)).data
        if len(found) >= count:
            break
        await asyncio.sleep(0.05)
    assert len(found) == count, text


async def test_the_example(api: Client, server: Server) -> None:
    made = (await api.post("/items/articles", {"title": "Hello, World!", "status": "draft"})).data
    assert made["slug"] == "hello-world"
    key = made["id"]
    await logged(api, f"article {key}", 1)
    later = "2999-01-01T00:00:00Z"
    assert (await api.patch(f"/items/articles/{key}", {"embargo": later})).status == 200
    refused = await api.patch(f"/items/articles/{key}", {"status": "published"})
    assert (refused.status, refused.error["code"]) == (409, "EMBARGOED")
    assert (await api.get(f"/items/articles/{key}")).data["status"] == "draft"
    revisions = await api.get("/revisions", filter={"collection": "articles", "item": str(key)})
    assert len(revisions.data) == 2
    assert (await api.get("/newsroom/status/draft")).data == ["Hello, World!"]
    await api.patch(f"/items/articles/{key}", {"embargo": None})
    assert (await api.post("/newsroom/publish", [key])).data == [str(key)]
    assert (await api.get(f"/items/articles/{key}")).data["status"] == "published"
    async with client(server, None) as anybody:
        assert (await anybody.get("/newsroom/status/published")).status == 403
        assert (await anybody.get("/extensions")).status == 403
    flow = await make_flow(
        api, [("x", "slug", {"text": "{{ $trigger.body.t }}"})], options={"method": "POST"}
    )
    assert (await api.post(f"/flows/trigger/{flow}", {"t": "A B"})).body == "a-b"
    listed = {
        (entry["schema"]["type"], entry["schema"]["name"]) for entry in (await api.get("/extensions")).data
    }
    assert ("hook", "newsroom") in listed
    assert ("hook", "nowhere") not in listed


async def test_every_way_to_write_is_shown(api: Client) -> None:
    batch = [{"title": "Two Words"}, {"title": "Three", "slug": "mine"}]
    made = (await api.post("/items/articles", batch)).data
    assert [article["slug"] for article in made] == ["two-words", "mine"]
    each = [{"id": article["id"], "title": f"New {article['id']}"} for article in made]
    changed = (await api.patch("/items/articles", each)).data
    assert [article["slug"] for article in changed] == [f"new-{article['id']}" for article in made]
    keys = [article["id"] for article in made]
    together = (await api.patch("/items/articles", {"keys": keys, "data": {"title": "Same"}})).data
    assert {article["slug"] for article in together} == {"same"}
    relation = await api.patch("/relations/articles/parent", {"meta": {"one_field": "children"}})
    assert relation.status == 200, relation.body
    alias = {"field": "children", "type": "alias", "meta": {"special": ["o2m"]}}
    assert (await api.post("/fields/articles", alias)).status == 200
    nested = {"title": "A Parent", "parent": {"title": "A Root"}, "children": [{"title": "A Child"}]}
    fields = "id,slug,parent.slug,children.slug,children.id"
    found = (await api.request("POST", "/items/articles", nested, query={"fields": fields})).data
    assert (found["slug"], found["parent"]["slug"]) == ("a-parent", "a-root")
    [child] = found["children"]
    assert child["slug"] == "a-child"
    changes = {"children": {"update": [{"id": child["id"], "title": "B"}], "create": [], "delete": []}}
    changed = await api.request("PATCH", f"/items/articles/{found['id']}", changes, query={"fields": fields})
    assert changed.data["children"][0]["slug"] == "b"
    document = 'mutation { create_articles_item(data: {title: "By GraphQL"}) { slug } }'
    answer = await api.post("/graphql", {"query": document})
    assert answer.data == {"create_articles_item": {"slug": "by-graphql"}}
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    body = form([Part("file", b'[{"title": "By Import"}]', "rows.json", "application/json")])
    sent = await api.request("POST", "/utils/import/articles", content=body, headers=kind)
    assert sent.status == 200, sent.body
    [imported] = (await api.get("/items/articles", filter={"title": "By Import"})).data
    assert imported["slug"] == "by-import"
    once = {"Idempotency-Key": "shown-once"}
    for _ in range(2):
        kept = await api.request("POST", "/items/articles", {"title": "Once Only"}, headers=once)
        assert kept.data["slug"] == "once-only"


async def test_users_and_files(api: Client, server: Server) -> None:
    made = (await api.post("/users", {"email": "a@example.com", "password": "enough of it"})).data
    assert made["location"] == "here"
    refused = await api.post("/users", {"email": "b@example.com", "title": "spy"})
    assert (refused.status, refused.error["code"]) == (422, "NO_SPIES")
    assert (await api.get("/users", filter={"email": "b@example.com"})).data == []
    role = (await api.post("/roles", {"name": "reader"})).data["id"]
    invited = await api.post("/users/invite", {"email": "c@example.com", "role": role})
    assert invited.status == 204, invited.body
    [guest] = (await api.get("/users", filter={"email": "c@example.com"})).data
    assert guest["location"] == "here"
    refused = await api.post("/items/articles", {"title": "x", "status": "draft", "nothing": {}})
    async with client(server) as found:
        files = Files(found._session, server.url)
        part = Part("file", b"hello", "a.txt", "text/plain")
        sent = await files.send("POST", "/files", [part])
        assert sent.data["description"] == "seen"
        assert sent.data["storage"] == "local"
        assert (await api.get(f"/assets/{sent.data['id']}")).body == b"hello"
        refused = await files.send("POST", "/files", [Part("title", "evil"), part])
        assert (refused.status, refused.error["code"]) == (422, "EVIL")
        evil = await api.get("/files", filter={"title": "evil"})
        assert evil.data == []


@pytest.mark.parametrize(
    ("title", "status", "code"),
    [
        ("raise", 500, "INTERNAL_SERVER_ERROR"),
        ("exit", 500, "INTERNAL_SERVER_ERROR"),
        ("number", 500, "INTERNAL_SERVER_ERROR"),
        ("object", 500, "INTERNAL_SERVER_ERROR"),
        ("endless", 500, "INTERNAL_SERVER_ERROR"),
        ("members", 500, "INTERNAL_SERVER_ERROR"),
        ("stop", 500, "INTERNAL_SERVER_ERROR"),
        ("hang", 503, "SERVICE_UNAVAILABLE"),
        ("block", 503, "SERVICE_UNAVAILABLE"),
        ("refuse", 418, "TEAPOT"),
        ("loop", 400, "INVALID_PAYLOAD"),
        ("swallow", 400, "RECORD_NOT_UNIQUE"),
        ("half", 409, "HALF"),
    ],
)
async def test_a_filter_that_misbehaves(api: Client, title: str, status: int, code: str) -> None:
    body = {"title": title}
    answer = await api.post("/items/bad", body)
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert "secret of the operator" not in str(answer.body)
    if status == 500:
        assert answer.error["extension"] == "rude"
    nested = {"title": "fine", "num": 1}
    assert (await api.post("/items/bad", [nested, body])).status == status
    assert (await api.get("/items/bad")).data == []
    assert (await api.get("/items/news_log", filter={"text": "half"})).data == []


async def test_what_filters_may_answer(api: Client) -> None:
    for title, found in (
        ("uuid", {"title": "00000000-0000-0000-0000-000000000001", "num": None}),
        ("unknown", {"title": "unknown", "num": None}),
        ("threaded", {"title": "threaded", "num": 7}),
    ):
        made = await api.request("POST", "/items/bad", {"title": title}, query={"fields": "title,num"})
        assert made.data == found
    await api.delete("/items/bad", {"query": {"limit": -1}})
    assert (await api.get("/items/bad")).data == []


async def test_filters_are_part_of_the_transaction(api: Client) -> None:
    made = (await api.post("/items/echoes", [{"text": "a"}, {"text": "b"}, {"text": "count"}])).data
    first, second, third = (entry["id"] for entry in made)
    assert made[0]["data"] == {"event": "echoes.items.create", "collection": "echoes"}
    # Filters of a batch are all asked before its rows are written.
    assert made[2]["data"]["count"] in (0, "0")
    assert made[2]["data"]["who"]["admin"] is True
    await api.patch(f"/items/echoes/{first}", {"id": first, "text": "keep"})
    refused = await api.delete(f"/items/echoes/{first}")
    assert (refused.status, refused.error["code"]) == (409, "KEEP")
    await api.patch(f"/items/echoes/{second}", {"text": "hide"})
    assert (await api.delete("/items/echoes", [second, third])).status == 204
    assert [entry["id"] for entry in (await api.get("/items/echoes")).data] == [first, second]
    many = [asyncio.create_task(api.post("/items/echoes", {"text": f"n{n}"})) for n in range(40)]
    assert {answer.status for answer in await asyncio.gather(*many)} == {200}


async def test_actions_and_schedules(api: Client) -> None:
    key = (await api.post("/items/bad", {"title": "told"})).data["id"]
    await api.patch(f"/items/bad/{key}", {"title": "again"})
    await api.delete(f"/items/bad/{key}")
    for event in (f"create {key}", f"update ['{key}']", f"delete ['{key}']"):
        await logged(api, f"bad.items.{event}", 1)
    user = (await api.post("/users", {"email": "told@example.com"})).data["id"]
    await logged(api, f"users.create {user}", 1)
    ticks = await api.get("/items/news_log", filter={"text": "tick"}, limit=-1)
    assert ticks.data


async def test_rows_of_activity_and_revisions(api: Client) -> None:
    """Each row is told as it is answered; what was written without telling is not told by them either."""
    key = (await api.post("/items/bad", {"title": "row", "num": 3})).data["id"]
    person = {"email": "row@example.com", "password": "enough of it"}
    user = (await api.post("/users", person)).data["id"]
    await api.delete(f"/items/bad/{key}")
    rows = (await api.get("/activity", filter={"collection": "bad", "item": str(key)}, sort="id")).data
    assert [row["action"] for row in rows] == ["create", "delete"]
    for row in rows:
        told = await noted(api, "activity.create", key=row["id"])
        assert told["collection"] == "directus_activity"
        assert told["payload"] == {name: row[name] for name in told["payload"]}
        assert told["payload"].keys() >= {"id", "action", "user", "timestamp", "ip", "user_agent", "item"}
    [row] = (await api.get("/revisions", filter={"activity": rows[0]["id"]})).data
    told = await noted(api, "revisions.create", key=row["id"])
    assert (told["collection"], told["payload"]) == ("directus_revisions", row)
    [row] = (await api.get("/revisions", filter={"collection": "directus_users", "item": user})).data
    told = await noted(api, "revisions.create", key=row["id"])
    assert (told["payload"]["data"], row["data"]["password"]) == (row["data"], "*" * 10)
    [tick, *_] = (await api.get("/items/news_log", filter={"text": "tick"})).data
    [silent] = (await api.get("/activity", filter={"collection": "news_log", "item": str(tick["id"])})).data
    everything = [entry["data"] for entry in (await api.get("/items/hints", limit=-1)).data]
    assert silent["id"] not in [data["key"] for data in everything if data["event"] == "activity.create"]


async def test_actions_of_the_model(api: Client) -> None:
    """Fields are told by their names, with the collection that they are in."""
    assert (await api.post("/fields/talks", {"field": "shade", "type": "string"})).status == 200
    assert (await api.patch("/fields/talks/shade", {"schema": {"default_value": "dark"}})).status == 200
    assert (await api.delete("/fields/talks/shade")).status == 204
    await logged(api, "fields.create shade", 1)
    await logged(api, "fields.delete ['shade']", 1)


async def noted(api: Client, event: str, **members: Any) -> dict[str, Any]:
    """Wait until an action hook was told of an event with these members."""
    for _ in range(900):
        for entry in (await api.get("/items/hints", limit=-1)).data:
            data: dict[str, Any] = entry["data"]
            if data["event"] == event and all(data.get(name) == value for name, value in members.items()):
                return data
        await asyncio.sleep(0.05)
    raise AssertionError(f"{event} was not told with {members}")


async def test_logins(api: Client, server: Server) -> None:
    """Filters may change or refuse a login, and add claims; hooks and flows hear what became of it."""
    email = "door@example.com"
    user = (await api.post("/users", {"email": email, "password": "enough of it"})).data["id"]
    say = {"collection": "news_log", "payload": {"text": "{{ $trigger.status }} {{ $trigger.user }}"}}
    options = {"type": "action", "scope": ["auth.login"]}
    flow = await make_flow(api, [("x", "item-create", say)], trigger="event", options=options)
    async with client(server, None) as anybody:
        given = {"email": email, "password": "let me in"}
        token = (await anybody.post("/auth/login", given)).data["access_token"]
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        assert (claims["kind"], claims["id"]) == ("login", user)
        refused = await anybody.post("/auth/login", {**given, "password": "go away"})
        assert (refused.status, refused.error["code"]) == (403, "GO_AWAY")
        assert (await anybody.post("/auth/login", {**given, "password": "wrong"})).status == 401
    failed = await noted(api, "auth.login", status="fail", user=user, provider="default")
    assert failed["error"]["extensions"]["code"] == "INVALID_CREDENTIALS"
    await noted(api, "auth.login", status="success", user=user)
    await logged(api, f"success {user}", 1)
    await logged(api, f"fail {user}", 1)
    await api.delete(f"/flows/{flow}")


async def test_other_events(api: Client, server: Server) -> None:
    await noted(api, "server.start")
    async with client(server) as found:
        part = Part("file", b"told", "told.txt", "text/plain")
        sent = (await Files(found._session, server.url).send("POST", "/files", [part])).data
    assert (await noted(api, "files.upload", key=sent["id"]))["collection"] == "directus_files"
    version = {"key": "v", "name": "v", "collection": "articles"}
    await api.patch("/collections/articles", {"meta": {"versioning": True}})
    item = (await api.post("/items/articles", {"title": "Main"})).data["id"]
    made = (await api.post("/versions", {**version, "item": str(item)})).data
    await api.post(f"/versions/{made['id']}/save", {"title": "Better"})
    print_ = (await api.get(f"/versions/{made['id']}/compare")).data["mainHash"]
    assert (await api.post(f"/versions/{made['id']}/promote", {"mainHash": print_})).data == str(item)
    assert (await api.get(f"/items/articles/{item}")).data["title"] == "Better!"
    told = await noted(api, "articles.items.promote", item=str(item), version=made["id"])
    assert told["payload"] == {"title": "Better!"}
    await api.post("/fields/articles", {"field": "place", "type": "integer", "schema": {}})
    await api.patch("/collections/articles", {"meta": {"sort_field": "place"}})
    other = (await api.post("/items/articles", {"title": "Other"})).data["id"]
    assert (await api.post("/utils/sort/articles", {"item": item, "to": other})).status in (200, 204)
    await noted(api, "articles.items.sort", item=str(item), to=str(other))


async def test_endpoints_and_operations(api: Client, server: Server) -> None:
    assert (await api.get("/rude")).body == {"plain": True}
    for path, status, code in (
        ("raise", 500, "INTERNAL_SERVER_ERROR"),
        ("rubbish", 500, "INTERNAL_SERVER_ERROR"),
        ("refuse", 409, "NOT_NOW"),
    ):
        answer = await api.get(f"/rude/{path}")
        assert (answer.status, answer.error["code"]) == (status, code)
    assert (await api.get("/rude/nothing")).status == 204
    assert (await api.get("/rude/nowhere")).status == 404
    who = (await api.post("/rude/who/me", {"a": 1})).body
    assert (who["name"], who["body"]) == ("me", {"a": 1})
    # Ours can't be replaced.
    assert (await api.get("/items/raise")).status == 403
    for kind, failure in (
        ("rude-raise", {"name": "ValueError", "message": "broken"}),
        ("rude-rubbish", {"name": "TypeError", "message": "a object is no JSON"}),
        ("log", None),
    ):
        flow = await make_flow(api, [("x", kind, {})], options={"method": "POST"})
        assert (await api.post(f"/flows/trigger/{flow}", {})).body == failure


def test_an_extension_that_must_load_ends_the_process(extended_url: str, settings: dict[str, str]) -> None:
    wanted = {**settings, "EXTENSIONS_MUST_LOAD": "true"}
    ended = acta(extended_url, "serve", "--port", str(free_port()), extra=wanted)
    assert ended.returncode == 1
    assert "extension halfway (rude:halfway) can't be loaded: ExtensionError: the schedule" in ended.stderr
    ended = acta(extended_url, "worker", extra=wanted)
    assert ended.returncode == 1
