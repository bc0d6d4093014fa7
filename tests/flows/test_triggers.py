"""What sets flows off: events before and after, users at items, the clock; and what a crash does to a run."""

import asyncio
import time
from typing import Any

from tests.flows.conftest import make_flow, said
from tests.support.http import Client, client
from tests.support.server import Server
from tests.support.waiting import until


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
    runs: list[Any] = []

    async def ran() -> bool:
        nonlocal runs
        runs = (await api.get("/activity", filter={"item": key, "action": "run"}, fields="user.email")).data
        return len(runs) >= 3

    await until(ran)
    # A fourth run would come right behind.
    await asyncio.sleep(0.5)
    await ran()
    assert [run["user"]["email"] for run in runs] == ["admin@example.com"] * 3
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
    began = time.monotonic()

    async def twice() -> bool:
        return len((await api.get("/items/said", filter={"text": "tick"})).data) >= 2

    await until(twice)
    for flow in (key, senseless):
        await api.delete(f"/flows/{flow}")
    # A run that had begun may still come to its end.
    await asyncio.sleep(0.5)
    took = time.monotonic() - began
    found = (await api.get("/items/said", filter={"text": "tick"}, limit=-1)).data
    assert len(found) <= took + 2, took
    assert found[0]["data"] == {"who": None}


async def test_a_bad_trigger(api: Client) -> None:
    assert (await api.post("/flows/trigger/no-uuid", {})).status == 404
    assert (await api.post("/flows/trigger/00000000-0000-4000-8000-000000000000", {})).status == 403
