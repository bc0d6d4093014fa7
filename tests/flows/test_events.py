"""Events that the log does not hold: reads, requests and their errors; and what a failed run answers with."""

import asyncio
from typing import Any

import psycopg

from tests.flows.conftest import Steps, make_flow, said
from tests.support.http import Client, client
from tests.support.server import Server


async def listening(api: Client, kind: str, scope: str, text: str, **options: Any) -> str:
    """A flow that says what it is told."""
    say = {"collection": "said", "payload": {"text": text, "data": "{{ $trigger }}"}}
    settings = {"type": kind, "scope": [scope], **options}
    return await make_flow(api, [("x", "item-create", say)], trigger="event", options=settings)


async def told(api: Client, text: str, count: int = 1) -> list[dict[str, Any]]:
    return [entry["data"] for entry in await said(api, text, count)]


async def test_reads_are_told_to_who_listens(api: Client, server: Server) -> None:
    key = (await api.post("/items/notes", {"title": "read me"})).data["id"]
    generic = await listening(api, "action", "items.read", "generic")
    own = await listening(api, "action", "notes.items.read", "own")
    users = await listening(api, "action", "users.read", "users")
    await api.get("/items/notes", filter={"id": key}, fields="id,title")
    await api.get(f"/items/notes/{key}", fields="title")
    await api.request("SEARCH", "/items/notes", {"keys": [key], "query": {"fields": ["num"]}})
    document = f"{{ notes_by_id(id: {key}) {{ t: title }} notes(filter: {{id: {{_eq: {key}}}}}) {{ id }} }}"
    assert "errors" not in (await api.post("/graphql", {"query": document})).body
    await api.get("/users/me", fields="email")
    assert (await api.get("/items/notes/999999")).status == 403
    expected = [
        ({"fields": ["id", "title"], "filter": {"id": key}}, [{"id": key, "title": "read me"}]),
        ({"fields": ["title"], "filter": {"id": {"_eq": str(key)}}}, [{"title": "read me"}]),
        ({"fields": ["num"], "filter": {"id": {"_eq": str(key)}}}, [{"num": None}]),
        ({}, [{"t": "read me"}]),
        ({}, [{"id": str(key)}]),
    ]
    found = await told(api, "own", len(expected))
    # Several are told at once.
    found.sort(key=str)
    assert sorted(([entry["query"], entry["payload"]] for entry in found), key=str) == sorted(
        ([*pair] for pair in expected), key=str
    )
    assert {(entry["event"], entry["collection"]) for entry in found} == {("notes.items.read", "notes")}
    # The generic one hears of looking after it, too.
    await api.delete(f"/flows/{generic}")
    everything = (await api.get("/items/said", filter={"text": "generic"}, sort="id", limit=-1)).data
    heard = [entry["data"] for entry in everything if entry["data"]["collection"] == "notes"]
    assert sorted(heard, key=str) == found
    [user] = await told(api, "users")
    assert (user["event"], user["payload"]) == ("users.read", [{"email": "admin@example.com"}])
    for flow in (own, users):
        await api.delete(f"/flows/{flow}")
    await api.get("/items/notes", filter={"id": key})
    await asyncio.sleep(0.2)
    await told(api, "own", len(expected))


async def test_flows_look_at_changes_of_the_model(api: Client) -> None:
    """What a flow has written by then goes when it refuses the change."""
    steps: Steps = [
        ("seen", "item-create", {"collection": "said", "payload": {"text": "{{ $trigger.payload.field }}"}}),
        ("secret", "condition", {"filter": {"$trigger": {"payload": {"field": {"_eq": "secret"}}}}}),
        ("no", "throw-error", {"status": 409, "code": "NO_SECRETS"}),
        ("note", "transform", {"json": {"field": "open", "type": "string", "meta": {"note": "by a flow"}}}),
    ]
    options = {"type": "filter", "scope": ["fields.create"], "return": "note"}
    flow = await make_flow(api, steps, {"secret": "note"}, trigger="event", options=options)
    refused = await api.post("/fields/notes", {"field": "secret", "type": "string"})
    assert (refused.status, refused.error["code"]) == (409, "NO_SECRETS")
    assert (await api.get("/fields/notes/secret")).status == 403
    made = await api.post("/fields/notes", {"field": "other", "type": "integer"})
    assert (made.data["field"], made.data["type"], made.data["meta"]["note"]) == (
        "open",
        "string",
        "by a flow",
    )
    assert len(await said(api, "other", 1)) == 1
    assert (await api.get("/items/said", filter={"text": "secret"})).data == []
    # What is no object asks for nothing.
    await api.patch(f"/flows/{flow}", {"options": {**options, "return": "$trigger.event"}})
    assert (await api.post("/fields/notes", {"field": "third", "type": "integer"})).status == 400
    await api.delete(f"/flows/{flow}")


async def at_rest(url: str) -> None:
    """Wait until flows have been told of all of the log, and no run is left."""
    query = """
        select (select count(*) from acta.events) = position
           and not exists (select from acta.flow_runs where finished is null)
        from acta.cursors where name = 'flows'
    """
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        async with asyncio.timeout(60):
            while (await (await connection.execute(query)).fetchone()) != (True,):
                await asyncio.sleep(0.05)


async def test_rows_of_activity_and_revisions_are_told(api: Client, served_url: str) -> None:
    """Each once, also to a flow that is told of the change, too; runs that events set off are not told."""
    kinds = ["notes.items.create", "activity.create", "revisions.create"]
    say = {
        "collection": "said",
        "payload": {"text": "history", "data": "{{ $trigger }}"},
        "emitEvents": False,
    }
    options = {"type": "action", "scope": kinds}
    flow = await make_flow(api, [("x", "item-create", say)], trigger="event", options=options)
    key = (await api.post("/items/notes", {"title": "history", "num": 1})).data["id"]
    note = {"collection": "notes", "item": str(key)}
    [activity] = (await api.get("/activity", filter=note)).data
    [revision] = (await api.get("/revisions", filter=note)).data
    await at_rest(served_url)
    found = (await api.get("/items/said", filter={"text": "history"}, limit=-1)).data
    told = {
        entry["data"]["event"]: entry["data"]
        for entry in found
        if entry["data"]["payload"].get("item") in (None, str(key))
    }
    assert told["notes.items.create"]["payload"] == {"title": "history", "num": 1}
    for kind, row in (("activity", activity), ("revisions", revision)):
        meta = told[f"{kind}.create"]
        assert (meta["key"], meta["collection"]) == (row["id"], f"directus_{kind}")
        assert meta["payload"] == {name: row[name] for name in meta["payload"]}
    runs = (await api.get("/activity", filter={"action": "run", "item": flow}, limit=-1)).data
    assert len(runs) == len(found)
    heard = [entry["data"]["payload"] for entry in found if entry["data"]["payload"].get("action") == "run"]
    assert heard == []
    webhook = await make_flow(api, [("x", "log", {"message": "hi"})], options={"method": "GET"})
    await api.get(f"/flows/trigger/{webhook}")
    await at_rest(served_url)
    found = (await api.get("/items/said", filter={"text": "history"}, limit=-1)).data
    heard = [entry["data"]["payload"] for entry in found if entry["data"]["payload"].get("action") == "run"]
    assert [row["item"] for row in heard] == [webhook]
    await api.delete(f"/flows/{flow}")


async def test_a_flow_that_makes_the_activity_it_is_told_of_ends(api: Client, served_url: str) -> None:
    steps: Steps = [
        (
            "ours",
            "condition",
            {"filter": {"$trigger": {"payload": {"collection": {"_in": ["notes", "said"]}}}}},
        ),
        ("x", "item-create", {"collection": "said", "payload": {"text": "round"}, "emitEvents": True}),
    ]
    options = {"type": "action", "scope": ["activity.create"]}
    flow = await make_flow(api, steps, trigger="event", options=options)
    await api.post("/items/notes", {"title": "round and round"})
    await at_rest(served_url)
    assert len((await api.get("/items/said", filter={"text": "round"}, limit=-1)).data) == 20
    await api.delete(f"/flows/{flow}")


async def test_errors_of_requests_may_be_put_otherwise(api: Client, server: Server) -> None:
    say = [{"message": "Ask Mary", "extensions": {"code": "{{ $trigger.payload[0].extensions.code }}"}}]
    options = {"type": "filter", "scope": ["request.error"], "return": "errors"}
    flow = await make_flow(
        api, [("errors", "transform", {"json": say})], trigger="event", accountability=None, options=options
    )
    refused = await api.get("/items/nowhere")
    assert (refused.status, refused.body) == (
        403, {"errors": [{"message": "Ask Mary", "extensions": {"code": "FORBIDDEN"}}]},
    )  # fmt: skip
    assert (await api.get("/no/such/path")).body["errors"][0]["message"] == "Ask Mary"
    async with client(server, "a wrong token") as stranger:
        assert (await stranger.get("/items/notes")).body["errors"][0]["message"] == "Ask Mary"
    # What no error can be made of changes nothing, nor does a filter that fails.
    await api.patch(f"/flows/{flow}", {"options": {**options, "return": "$trigger.event"}})
    assert (await api.get("/items/nowhere")).body["errors"][0]["message"] != "Ask Mary"
    await api.delete(f"/flows/{flow}")
    broken = await make_flow(
        api, [("no", "throw-error", {"status": 418})], trigger="event", accountability=None,
        options={"type": "filter", "scope": ["request.error"]},
    )  # fmt: skip
    assert (await api.get("/items/nowhere")).status == 403
    await api.delete(f"/flows/{broken}")


EXPLODE = """
create function explode() returns trigger language plpgsql as $$
    begin raise exception 'the state of the database' using errcode = 'XX001'; end $$;
create trigger explode before insert on notes for each row
    when (new.title = 'explode') execute function explode();
"""


async def test_errors_of_the_database_come_to_flows(api: Client, served_url: str) -> None:
    """Its status stays, and filters of the request's errors are asked afterwards."""
    with psycopg.connect(served_url) as connection:
        connection.execute(EXPLODE)
    before = await api.post("/items/notes", {"title": "explode"})
    assert (before.status, before.error["code"]) == (500, "INTERNAL_SERVER_ERROR")
    say = {
        "message": "{{ $trigger.client }}",
        "extensions": {"code": "{{ $trigger.payload.extensions.code }}_X"},
    }
    options = {"type": "filter", "scope": ["database.error"], "return": "error"}
    flow = await make_flow(
        api, [("error", "transform", {"json": say})], trigger="event", accountability=None, options=options
    )
    answer = await api.post("/items/notes", {"title": "explode"})
    expected = {"message": "postgres", "extensions": {"code": "INTERNAL_SERVER_ERROR_X"}}
    assert (answer.status, answer.body) == (500, {"errors": [expected]})
    later = await make_flow(
        api, [("errors", "transform", {"json": ["{{ $trigger.payload[0] }}", say]})], trigger="event",
        accountability=None, options={"type": "filter", "scope": ["request.error"], "return": "errors"},
    )  # fmt: skip
    answer = await api.post("/items/notes", {"title": "explode"})
    assert answer.body["errors"][0] == expected
    await api.delete(f"/flows/{later}")
    await api.patch(f"/flows/{flow}", {"options": {**options, "return": "$trigger.event"}})
    assert (await api.post("/items/notes", {"title": "explode"})).body == before.body
    await api.delete(f"/flows/{flow}")


async def test_unknown_routes_and_answers(api: Client) -> None:
    condition = {"$trigger": {"request": {"path": {"_eq": "/old/place"}}}}
    steps: Steps = [
        ("known", "condition", {"filter": condition}),
        ("yes", "exec", {"code": "module.exports = () => true"}),
        ("no", "transform", {"json": "false"}),
    ]
    options = {"type": "filter", "scope": ["request.not_found"], "return": "$last"}
    flow = await make_flow(api, steps, {"known": "no"}, trigger="event", accountability=None, options=options)
    assert (await api.get("/old/place")).status == 204
    unknown = await api.get("/other/place")
    assert (unknown.status, unknown.error["code"]) == (404, "ROUTE_NOT_FOUND")
    await api.delete(f"/flows/{flow}")
    answers = await listening(api, "action", "response", "answered")
    for _ in range(300):
        await api.get("/server/ping", access_token="admin")
        found = (await api.get("/items/said", filter={"text": "answered"}, limit=-1)).data
        pings = [entry["data"] for entry in found if entry["data"]["request"]["path"] == "/server/ping"]
        if pings:
            break
        await asyncio.sleep(0.1)
    await api.delete(f"/flows/{answers}")
    request, response = pings[0]["request"], pings[0]["response"]
    assert (request["method"], request["query"]["access_token"]) == ("GET", "--redacted--")
    assert request["headers"]["authorization"] == "--redacted--"
    assert (response["status"], response["headers"]["x-powered-by"]) == (200, "Directus")
    assert float(pings[0]["duration"]) > 0


async def test_a_rejection_that_is_no_error(api: Client, server: Server) -> None:
    """Administrators see what it was, others that something was."""
    throw = {"code": "module.exports = () => { throw 'no luck' }"}
    flow = await make_flow(api, [("x", "exec", throw)], options={"error_on_reject": True})
    failed = await api.get(f"/flows/trigger/{flow}")
    assert (failed.status, failed.error["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "no luck" in failed.body["errors"][0]["message"]
    async with client(server, None) as anybody:
        other = await anybody.get(f"/flows/trigger/{flow}")
    assert (other.status, other.error["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "luck" not in str(other.body)
