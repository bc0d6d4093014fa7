"""What sets flows off: events before and after, users at items, the clock; and what a crash does to a run."""

import asyncio
from typing import Any

import psycopg
import pytest

from tests.flows.conftest import SCHEMA, SETTINGS, Steps, make_flow
from tests.support.http import Client, client
from tests.support.server import Server, start

KILLS = 4


async def said(api: Client, text: str, count: int, seconds: float = 15) -> list[Any]:
    """Wait until something was said so often."""
    found: list[Any] = []
    for _ in range(int(seconds * 20)):
        found = (await api.get("/items/said", filter={"text": text}, sort="id", limit=-1)).data
        if len(found) >= count:
            break
        await asyncio.sleep(0.05)
    assert len(found) == count
    return found


def filtering(action: str, **options: Any) -> dict[str, Any]:
    return {
        "trigger": "event",
        "options": {"type": "filter", "scope": [f"items.{action}"], "collections": ["notes"], **options},
    }


async def test_a_filter_changes_or_refuses(api: Client) -> None:
    change = await make_flow(
        api,
        [("payload", "transform", {"json": {"title": "<{{ $trigger.payload.title }}>", "num": 5}})],
        **filtering("create", **{"return": "payload"}),
    )
    made = await api.post("/items/notes", {"title": "a"})
    assert (made.data["title"], made.data["num"]) == ("<a>", 5)
    await api.patch(f"/flows/{change}", {"status": "inactive"})
    assert (await api.post("/items/notes", {"title": "b"})).data["title"] == "b"
    refuse = await make_flow(
        api,
        [("check", "condition", {"filter": {"$trigger": {"payload": {"num": {"_lt": 9}}}}})],
        **filtering("update"),
    )
    key = made.data["id"]
    assert (await api.patch(f"/items/notes/{key}", {"num": 1})).status == 200
    refused = await api.patch(f"/items/notes/{key}", {"num": 10})
    assert (refused.status, refused.error["code"]) == (400, "FAILED_VALIDATION")
    assert (await api.get(f"/items/notes/{key}")).data["num"] == 1
    await api.delete(f"/flows/{refuse}")
    guard = await make_flow(
        api,
        [("no", "throw-error", {"code": "KEEP", "status": 409, "message": "kept"})],
        **filtering("delete"),
    )
    refused = await api.delete(f"/items/notes/{key}")
    assert (refused.status, refused.error["code"]) == (409, "KEEP")
    assert (await api.get(f"/items/notes/{key}")).status == 200
    await api.delete(f"/flows/{guard}")


async def test_an_event_sets_a_flow_off_once(api: Client) -> None:
    say = {"collection": "said", "payload": {"text": "event", "data": "{{ $trigger }}"}}
    options = {
        "type": "action",
        "scope": ["items.create", "items.update", "items.delete"],
        "collections": ["notes"],
    }
    key = await make_flow(api, [("say", "item-create", say)], trigger="event", options=options)
    made = (await api.post("/items/notes", {"title": "a"})).data["id"]
    await api.patch(f"/items/notes/{made}", {"num": 3})
    await api.delete(f"/items/notes/{made}")
    found = [entry["data"] for entry in await said(api, "event", 3)]
    found.sort(key=lambda data: data["event"])
    assert found == [
        {"event": "notes.items.create", "payload": {"title": "a"}, "key": made, "collection": "notes"},
        {"event": "notes.items.delete", "payload": [str(made)], "keys": [str(made)], "collection": "notes"},
        {"event": "notes.items.update", "payload": {"num": 3}, "keys": [str(made)], "collection": "notes"},
    ]
    await asyncio.sleep(0.5)
    runs = await api.get("/activity", filter={"item": key, "action": "run"}, fields="user.email")
    assert [run["user"]["email"] for run in runs.data] == ["admin@example.com"] * 3
    await api.delete(f"/flows/{key}")


async def test_users_start_flows_at_items_they_can_read(api: Client, server: Server) -> None:
    options = {"collections": ["notes"]}
    key = await make_flow(
        api, [("x", "transform", {"json": "{{ $trigger.body.keys }}"})], trigger="manual", options=options
    )
    made = (await api.post("/items/notes", {"title": "a"})).data["id"]
    body = {"collection": "notes", "keys": [made]}
    assert (await api.post(f"/flows/trigger/{key}", body)).body == [made]
    assert (await api.get(f"/flows/trigger/{key}")).status == 403
    for wrong in (
        {},
        {"collection": "said", "keys": [1]},
        {"collection": "notes"},
        {"collection": "notes", "keys": []},
    ):
        assert (await api.post(f"/flows/trigger/{key}", wrong)).status == 403
    async with client(server, None) as anonymous:
        assert (await anonymous.post(f"/flows/trigger/{key}", body)).status == 403
    rule = {
        "collection": "notes",
        "action": "read",
        "fields": ["*"],
        "permissions": {"title": {"_eq": "mine"}},
    }
    policy = await api.post(
        "/policies", {"name": "p", "permissions": {"create": [rule], "update": [], "delete": []}}
    )
    await api.post(
        "/users",
        {"email": "m@example.com", "token": "manual-token", "policies": [{"policy": policy.data["id"]}]},
    )
    async with client(server, "manual-token") as own:
        assert (await own.post(f"/flows/trigger/{key}", body)).status == 403
        await api.patch(f"/items/notes/{made}", {"title": "mine"})
        assert (await own.post(f"/flows/trigger/{key}", body)).body == [made]


async def test_the_clock(api: Client) -> None:
    say = {"collection": "said", "payload": {"text": "tick", "data": {"who": "{{ $accountability }}"}}}
    key = await make_flow(
        api, [("say", "item-create", say)], trigger="schedule", options={"cron": "* * * * * *"}
    )
    senseless = await make_flow(
        api, [("say", "item-create", say)], trigger="schedule", options={"cron": "soon"}
    )
    await asyncio.sleep(4.2)
    for flow in (key, senseless):
        await api.delete(f"/flows/{flow}")
    await asyncio.sleep(0.5)
    found = (await api.get("/items/said", filter={"text": "tick"})).data
    assert 2 <= len(found) <= 5
    assert found[0]["data"] == {"who": None}


async def test_a_bad_trigger(api: Client) -> None:
    assert (await api.post("/flows/trigger/no-uuid", {})).status == 404
    assert (await api.post("/flows/trigger/00000000-0000-4000-8000-000000000000", {})).status == 403


def saying(text: str) -> dict[str, Any]:
    return {"collection": "said", "payload": {"text": text, "data": "{{ $trigger.key }}"}}


@pytest.mark.slow
async def test_runs_survive_kills(database_url: str) -> None:
    """All of Acta is killed while flows sleep between two effects: each effect happens, none twice."""
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    server = start(database_url, extra=SETTINGS)
    try:
        async with client(server) as api:
            steps: Steps = [
                ("first", "item-create", saying("first")),
                ("wait", "sleep", {"milliseconds": 1500}),
                ("second", "item-create", saying("second")),
            ]
            options = {"type": "action", "scope": ["items.create"], "collections": ["notes"]}
            await make_flow(api, steps, trigger="event", options=options)
            made = [(await api.post("/items/notes", {"title": f"{n}"})).data["id"] for n in range(3)]
            await said(api, "first", len(made))
        for _ in range(KILLS):
            server.kill()
            server = start(database_url, extra=SETTINGS)
            await asyncio.sleep(0.3)
        async with client(server) as api:
            second = [entry["data"] for entry in await said(api, "second", len(made))]
            first = [entry["data"] for entry in await said(api, "first", len(made))]
            assert sorted(first) == sorted(second) == made
    finally:
        server.kill()
