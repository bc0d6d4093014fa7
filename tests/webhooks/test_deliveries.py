"""What webhooks are sent, and what becomes of it."""

import asyncio
from typing import Any

import psycopg
from standardwebhooks import Webhook

from tests.support.http import Client, client
from tests.support.server import ADMIN_TOKEN, Server
from tests.webhooks.conftest import SECRET, Got, Receiver, deliveries, make, settled


async def test_bodies_and_headers(api: Client, receiver: Receiver) -> None:
    webhook = await make(
        api,
        f"{receiver.url}/a?b=c",
        secret=SECRET,
        headers=[{"header": "X-Key", "value": "of the receiver"}, {"header": "User-Agent", "value": "us"}],
    )
    me = (await api.get("/users/me", fields="id,role")).data
    key = (await api.post("/items/notes", {"title": "one", "num": 1})).data["id"]
    await api.patch(f"/items/notes/{key}", {"num": 2})
    await api.delete(f"/items/notes/{key}")
    got = await receiver.has("/a", 3)
    who = {"user": me["id"], "role": me["role"]}
    common = {"accountability": who, "collection": "notes"}
    assert [entry.json for entry in got] == [
        {"event": "items.create", "payload": {"title": "one", "num": 1}, "key": key, **common},
        {"event": "items.update", "payload": {"num": 2}, "keys": [key], **common},
        {"event": "items.delete", "payload": [key], "keys": [key], **common},
    ]
    for entry in got:
        assert Webhook(SECRET).verify(entry.body, entry.headers)["collection"] == "notes"
    assert got[0].headers["x-key"] == "of the receiver"
    assert (got[0].headers["user-agent"], got[0].headers["content-type"]) == ("us", "application/json")
    assert len({entry.headers["webhook-id"] for entry in got}) == 3
    positions = [int(entry.headers["acta-position"]) for entry in got]
    assert positions == sorted(positions)
    told = await settled(api, webhook, 3, "delivered")
    assert [entry["position"] for entry in told] == positions[::-1]
    assert told[-1]["request"]["body"] == got[0].json
    assert "of the receiver" not in str(told)
    assert told[-1]["response"] == {"status": 200, "body": "so it is"}
    assert (len(told[-1]["attempts"]), told[-1]["attempts"][0]["number"]) == (1, 1)
    assert told[-1]["duration"] < 1000
    assert (await api.get(f"/webhooks/{webhook}/deliveries/{told[0]['id']}")).data == told[0]


async def test_a_webhook_hears_only_what_it_asks_for(api: Client, receiver: Receiver) -> None:
    await make(api, f"{receiver.url}/some", actions=["create"], method="PUT", data=False)
    rule = {"_and": [{"num": {"_gt": 5}}, {"title": {"_neq": "x"}}]}
    await make(api, f"{receiver.url}/rule", filter=rule)
    silent = await make(api, f"{receiver.url}/silent", status="inactive")
    key = (await api.post("/items/notes", {"title": "a", "num": 6})).data["id"]
    await api.patch(f"/items/notes/{key}", {"title": "b"})
    await api.patch(f"/items/notes/{key}", {"num": 5})
    await api.patch(f"/items/notes/{key}", {"title": "c"})
    await api.patch(f"/items/notes/{key}", {"num": 7})
    await api.post("/items/tags", {"id": "t"})
    await api.patch(f"/webhooks/{silent}", {"status": "active"})
    await api.delete(f"/items/notes/{key}")
    (put,) = await receiver.has("/some", 1)
    assert (put.method, put.body) == ("PUT", b"")
    heard = await receiver.has("/rule", 4)
    assert [entry.json["payload"] for entry in heard] == [
        {"title": "a", "num": 6},
        {"title": "b"},
        {"num": 7},
        [key],
    ]
    # It was not active before.
    assert [entry.json["event"] for entry in await receiver.has("/silent", 1)] == ["items.delete"]


async def test_what_the_database_does_by_itself_is_told(api: Client, receiver: Receiver) -> None:
    await make(api, f"{receiver.url}/parts", collections=["parts"], actions="delete")
    note = (await api.post("/items/notes", {"title": "whole"})).data["id"]
    part = (await api.post("/items/parts", {"note": note, "name": "part"})).data["id"]
    await api.delete(f"/items/notes/{note}")
    (told,) = await receiver.has("/parts", 1)
    assert told.json["keys"] == [part]


async def test_failures_are_tried_again_in_order(api: Client, receiver: Receiver) -> None:
    receiver.answers["/f"] = [500, 404, 200]
    webhook = await make(api, f"{receiver.url}/f")
    key = (await api.post("/items/notes", {"num": 0})).data["id"]
    for number in range(1, 4):
        await api.patch(f"/items/notes/{key}", {"num": number})
    await settled(api, webhook, 4, "delivered")
    got = receiver.to("/f")
    assert [entry.json["payload"]["num"] for entry in got] == [0, 0, 0, 1, 2, 3]
    assert len({entry.headers["webhook-id"] for entry in got[:3]}) == 1
    first = (await deliveries(api, webhook))[-1]
    assert [entry["status"] for entry in first["attempts"]] == [500, 404, 200]


async def test_what_never_arrives_is_kept_and_can_be_sent_again(api: Client, receiver: Receiver) -> None:
    receiver.answers["/d"] = [500]
    webhook = await make(api, f"{receiver.url}/d")
    key = (await api.post("/items/notes", {"num": 0})).data["id"]
    (dead,) = await settled(api, webhook, 1, "dead")
    assert (len(dead["attempts"]), dead["response"]["status"]) == (4, 500)
    assert dead["next_at"] is None
    text = (await api.get("/metrics")).body.decode()
    assert f'acta_webhook_dead{{webhook="{webhook}"}} 1.0' in text
    assert f'acta_webhook_open{{webhook="{webhook}"}} 0.0' in text
    receiver.answers["/d"] = [200]
    # Nobody waits for what is given up.
    await api.patch(f"/items/notes/{key}", {"num": 1})
    await settled(api, webhook, 1, "delivered")
    again = await api.post(f"/webhooks/{webhook}/deliveries/{dead['id']}/redeliver", {})
    assert again.status == 204
    await settled(api, webhook, 2, "delivered")
    got = receiver.to("/d")
    assert [entry.json["payload"]["num"] for entry in got] == [0, 0, 0, 0, 1, 0]
    assert got[-1].headers["webhook-id"] == got[0].headers["webhook-id"]


async def test_a_range_is_sent_once_more(api: Client, receiver: Receiver) -> None:
    webhook = await make(api, f"{receiver.url}/r", collections=["notes", "tags"])
    for number in range(5):
        await api.post("/items/notes", {"num": number})
    await api.post("/items/tags", {"id": f"r{webhook}"})
    got = await receiver.has("/r", 6)
    positions = [int(entry.headers["acta-position"]) for entry in got]
    await settled(api, webhook, 6, "delivered")
    body = {"from": sorted(positions)[1], "collection": "notes"}
    made = (await api.post(f"/webhooks/{webhook}/replays", body)).data
    assert (made["from"], made["collection"], made["finished_at"]) == (body["from"], "notes", None)
    await receiver.has("/r", 10)
    await settled(api, webhook, 10, "delivered")
    again = [entry for entry in await deliveries(api, webhook) if entry["replay"] == made["id"]]
    assert [entry["request"]["body"]["payload"]["num"] for entry in again] == [4, 3, 2, 1]
    (told,) = (await api.get(f"/webhooks/{webhook}/replays")).data
    assert told["deliveries"] == 4
    assert told["finished_at"] is not None
    assert len(receiver.to("/r")) == 10


async def test_deliveries_go_with_their_webhook(api: Client, receiver: Receiver) -> None:
    receiver.answers["/g"] = [500]
    webhook = await make(api, f"{receiver.url}/g")
    await api.post("/items/notes", {"num": 0})
    await receiver.has("/g", 1)
    assert (await api.delete(f"/webhooks/{webhook}")).status == 204
    for path in ("", "/deliveries", "/replays"):
        assert (await api.get(f"/webhooks/{webhook}{path}")).status == 403
    await asyncio.sleep(1.5)
    assert len(receiver.to("/g")) <= 2


async def test_secrets_are_never_shown(api: Client, receiver: Receiver, server: Server) -> None:
    webhook = await make(api, f"{receiver.url}/s", secret=SECRET)
    assert (await api.get(f"/webhooks/{webhook}")).data["secret"] == "**********"
    # Whoever sends back what he read changes nothing.
    changed = await api.patch(f"/webhooks/{webhook}", {"secret": "**********", "name": "renamed"})
    assert changed.data["name"] == "renamed"
    await api.post("/items/notes", {"num": 0})
    (got,) = await receiver.has("/s", 1)
    assert verified(got)
    revisions = await api.get("/revisions", filter={"collection": "directus_webhooks"}, limit=-1)
    assert SECRET not in str(revisions.data)
    async with client(server, None) as anonymous:
        for path in ("/webhooks", f"/webhooks/{webhook}/deliveries"):
            assert (await anonymous.get(path)).status == 403
    assert ADMIN_TOKEN not in str(await deliveries(api, webhook))


def verified(got: Got) -> Any:
    return Webhook(SECRET).verify(got.body, got.headers)


async def test_a_log_from_elsewhere_is_not_sent_again(
    api: Client, receiver: Receiver, served_url: str
) -> None:
    webhook = await make(api, f"{receiver.url}/old")
    with psycopg.connect(served_url) as connection:
        connection.execute(
            """
            insert into acta.events (at, topic, collection, item, payload)
            values (now() - interval '1 day', 'item.created', 'notes', '900001', '{"id": 900001}'),
                (now(), 'item.created', 'notes', '900002', '{"id": 900002}')
            """
        )
    (told,) = await receiver.has("/old", 1)
    assert told.json["key"] == 900002
    assert len(await deliveries(api, webhook)) == 1
