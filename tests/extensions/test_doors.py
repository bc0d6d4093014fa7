"""Filters of who is calling, and the events of sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.extensions.test_extensions import noted
from tests.flows.conftest import make_flow
from tests.support.http import Answer, Client, client
from tests.support.server import ADMIN_TOKEN, Server

BAD_KEYS = {
    "refuse": (418, "TEAPOT"),
    "raise": (500, "INTERNAL_SERVER_ERROR"),
    "number": (500, "INTERNAL_SERVER_ERROR"),
    "nobody": (401, "INVALID_CREDENTIALS"),
    "nonsense": (401, "INVALID_CREDENTIALS"),
    "admin": (403, "FORBIDDEN"),
}


@pytest.fixture
async def email(api: Client) -> str:
    """Somebody who may read `talks`, and has neither password nor token."""
    name = f"{uuid4().hex}@example.com"
    policy = (await api.post("/policies", {"name": "talks", "app_access": True})).data["id"]
    rule = {"policy": policy, "collection": "talks", "action": "read", "fields": ["*"], "permissions": {}}
    assert (await api.post("/permissions", rule)).status == 200
    made = await api.post("/users", {"email": name, "policies": [{"policy": policy}]})
    assert made.status == 200, made.body
    return name


async def by_key(anybody: Client, key: str, path: str = "/users/me") -> Answer:
    return await anybody.request("GET", path, headers={"X-Key": key})


async def test_whoever_a_filter_says(api: Client, server: Server, email: str) -> None:
    async with client(server, None) as anybody:
        assert (await by_key(anybody, email)).data["email"] == email
        assert (await by_key(anybody, email, "/items/talks")).status == 200
        # A claim of rights is not believed, and nothing is kept for the next one.
        assert (await by_key(anybody, email, "/items/news_log")).status == 403
        assert (await anybody.get("/items/talks")).status == 403
        [user] = (await api.get("/users", filter={"email": email})).data
        await api.patch(f"/users/{user['id']}", {"status": "suspended"})
        refused = await by_key(anybody, email)
        assert (refused.status, refused.error["code"]) == (401, "INVALID_CREDENTIALS")
    assert (await api.get("/users/me")).status == 200


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_filter_of_callers_that_misbehaves(server: Server, key: str) -> None:
    async with client(server, None) as anybody:
        refused = await by_key(anybody, key, "/items/talks")
        assert (refused.status, refused.error["code"]) == BAD_KEYS[key], refused.body
        assert "secret of the operator" not in str(refused.body)
        assert (await anybody.get("/server/ping")).status == 200


async def test_flows_are_told_no_secrets(api: Client, server: Server) -> None:
    note = {
        "collection": "hints",
        "emitEvents": False,
        "payload": {"data": {"event": "asked", "req": "{{ $trigger.req }}"}},
    }
    options = {"type": "filter", "scope": ["authenticate"]}
    flow = await make_flow(api, [("x", "item-create", note)], trigger="event", options=options)
    headers = {"Authorization": "Bearer sesame", "X-Flow": "here"}
    found: list[Any] = []
    async with client(server, None) as anybody, asyncio.timeout(60):
        while not found:
            assert (await anybody.request("GET", "/items/talks", headers=headers)).status == 401
            seen = [row["data"] for row in (await api.get("/items/hints", limit=-1)).data]
            asked = [one["req"] for one in seen if one["event"] == "asked"]
            found = [req for req in asked if req["headers"].get("x-flow") == "here"]
    await api.delete(f"/flows/{flow}")
    assert found[0]["headers"]["authorization"] == "--redacted--"
    assert found[0]["path"] == "/items/talks"
    assert "sesame" not in str(seen)


@asynccontextmanager
async def socket(
    server: Server, path: str = "/websocket", protocols: tuple[str, ...] = ()
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}{path}", protocols=protocols) as found,
    ):
        yield found


async def say(found: aiohttp.ClientWebSocketResponse, **message: Any) -> dict[str, Any]:
    await found.send_json(message)
    answer: dict[str, Any] = await found.receive_json(timeout=60)
    return answer


async def test_sockets_of_whoever_a_filter_says(api: Client, server: Server, email: str) -> None:
    read = {"type": "items", "collection": "talks", "action": "read"}
    async with socket(server) as found:
        assert (await say(found, type="auth", key=email))["status"] == "ok"
        assert "data" in await say(found, **read)
        refused = await say(found, **{**read, "collection": "news_log"})
        assert refused["error"]["code"] == "FORBIDDEN"
        # Again after the time in which an identity is believed.
        async with asyncio.timeout(60):
            [user] = (await api.get("/users", filter={"email": email})).data
            await api.patch(f"/users/{user['id']}", {"status": "suspended"})
            while "data" in (answer := await say(found, **read)):
                await asyncio.sleep(0.2)
        assert answer["error"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("key", ["refuse", "raise", "number", "nobody", "nonsense"])
async def test_sockets_of_a_filter_that_misbehaves(server: Server, key: str) -> None:
    async with socket(server) as found:
        refused = await say(found, type="auth", key=key)
        assert refused["error"] == {"code": "AUTH_FAILED", "message": "Authentication failed"}


async def test_messages(api: Client, server: Server) -> None:
    await api.post("/items/talks", [{"text": "changed"}, {"text": "other"}])
    read = {"type": "items", "collection": "talks", "action": "read"}
    async with socket(server, f"/websocket?access_token={ADMIN_TOKEN}") as found:
        assert (await say(found, **read, uid="change"))["data"] == [{"text": "changed"}]
        refused = {"refuse": "TEAPOT", "raise": "INTERNAL_SERVER_ERROR", "number": "INTERNAL_SERVER_ERROR"}
        for uid, code in {**refused, "untyped": "INVALID_PAYLOAD"}.items():
            answer = await say(found, **read, uid=uid)
            assert (answer["status"], answer["error"]["code"]) == ("error", code)
            assert "secret of the operator" not in str(answer)
        assert await say(found, type="ping", uid="fine") == {"type": "pong", "uid": "fine"}


async def test_whoever_mixes_up_protocols_gives_nothing_away(api: Client, server: Server) -> None:
    begin = {"type": "Connection_Init", "payload": {"access_token": "sesame"}}
    async with socket(server, f"/websocket?access_token={ADMIN_TOKEN}") as found:
        await found.send_json(begin)
        await say(found, type="ping", uid="mixed", access_token="sesame", more=[{"password": "sesame"}])
    async with socket(server, "/graphql", ("graphql-transport-ws",)) as found:
        await found.send_json({"type": "ping", "uid": "early", "payload": {"access_token": "sesame"}})
        assert (await found.receive_json(timeout=60))["type"] == "pong"
        await found.send_json({"type": "Auth", "access_token": "sesame"})
        assert (await found.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
    masked = {"type": "ping", "uid": "mixed", "access_token": "--redacted--"}
    await noted(api, "websocket.message", message={**masked, "more": [{"password": "--redacted--"}]})
    told = [row["data"] for row in (await api.get("/items/hints", limit=-1)).data]
    assert "sesame" not in str([one for one in told if one["event"].startswith("websocket")])
    assert "early" not in str(told)


async def test_a_refusal_keeps_the_cookie(server: Server) -> None:
    """It says nothing of the session that the cookie stands for."""
    async with client(server, None) as anybody:
        cookie = {"Cookie": "directus_session_token=whatever", "X-Key": "nobody"}
        refused = await anybody.request("GET", "/items/talks", headers=cookie)
        assert (refused.status, refused.headers.get("Set-Cookie")) == (401, None)
        wrong = await anybody.request("GET", "/items/talks", headers={"Cookie": cookie["Cookie"]})
        assert wrong.headers["Set-Cookie"].startswith("directus_session_token=")


async def test_graphql_sockets(api: Client, server: Server, email: str) -> None:
    protocols = ("graphql-transport-ws",)
    subscribe = {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": "subscription { talks_mutated { key } }"},
    }
    async with socket(server, "/graphql", protocols) as found:
        assert (await say(found, type="connection_init", payload={"key": email}))["type"] == "connection_ack"
        refused = await say(found, **subscribe, uid="refuse")
        assert (refused["type"], refused["id"]) == ("error", "1")
        assert refused["payload"][0]["extensions"]["code"] == "TEAPOT"
        await found.send_json(subscribe)
        # Messages are dealt with one after the other.
        assert (await say(found, type="ping"))["type"] == "pong"
        key = (await api.post("/items/talks", {"text": "heard"})).data["id"]
        heard = await found.receive_json(timeout=60)
        # What was written just before may be sealed just now.
        while heard["payload"]["data"]["talks_mutated"]["key"] != str(key):
            heard = await found.receive_json(timeout=60)
        assert (heard["type"], heard["id"]) == ("next", "1")


async def test_what_is_told_of_sockets(api: Client, server: Server, email: str) -> None:
    async with socket(server) as found:
        assert (await say(found, type="auth", access_token="wrong", uid="a"))["status"] == "error"
    failed = await noted(api, "websocket.auth.failure")
    assert failed["message"] == {"type": "auth"}
    assert failed["client"]["accountability"] is None
    for event in ("websocket.connect", "websocket.close"):
        await noted(api, event, client=failed["client"])
    async with socket(server) as found:
        await say(found, type="auth", access_token=ADMIN_TOKEN)
        await say(found, type="ping", uid="told")
    ping = await noted(api, "websocket.message", message={"type": "ping", "uid": "told"})
    assert ping["client"]["accountability"]["admin"] is True
    assert ping["client"]["path"] == "/websocket"
    for event in ("websocket.auth.success", "websocket.close"):
        await noted(api, event, client=ping["client"])
    told = [row["data"] for row in (await api.get("/items/hints", limit=-1)).data]
    assert ADMIN_TOKEN not in str([one for one in told if one["event"].startswith("websocket")])
