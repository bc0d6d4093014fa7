"""GraphQL subscriptions as clients of the protocol see them."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.realtime.conftest import Socket
from tests.support.http import Client
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Server

EXTRA = {"WEBSOCKETS_GRAPHQL_AUTH_TIMEOUT": "4", "ACCESS_TOKEN_TTL": "4s"}
ALL = "subscription { notes_mutated { key event data { id title } } }"


@asynccontextmanager
async def opened(
    server: Server, protocol: str = "graphql-transport-ws", path: str = "/graphql"
) -> AsyncIterator[Socket]:
    url = server.url + path
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=[protocol], autoclose=False) as socket,
    ):
        yield Socket(socket)


@asynccontextmanager
async def begun(server: Server, token: str = ADMIN_TOKEN) -> AsyncIterator[Socket]:
    async with opened(server) as socket:
        answer = await socket.ask(type="connection_init", payload={"access_token": token})
        assert answer == {"type": "connection_ack"}
        yield socket


async def subscribe(socket: Socket, query: str, key: str = "1", **payload: Any) -> None:
    await socket.send(type="subscribe", id=key, payload={"query": query, **payload})
    # The answer to a ping tells that the subscription before it is in place.
    assert await socket.ask(type="ping") == {"type": "pong"}


def result(frame: Any) -> Any:
    assert frame["type"] == "next", frame
    return frame["payload"]["data"]


async def test_a_frame_for_each_item(server: Server, api: Client) -> None:
    async with begun(server) as socket:
        await subscribe(socket, ALL)
        made = await api.post("/items/notes", [{"title": "a"}, {"title": "b"}])
        keys = [str(item["id"]) for item in made.data]
        for key, title in zip(keys, "ab", strict=True):
            item = {"id": key, "title": title}
            assert result(await socket.frame()) == {
                "notes_mutated": {"key": key, "event": "create", "data": item}
            }
        await api.patch("/items/notes", {"keys": keys, "data": {"title": "c"}})
        events = [result(await socket.frame())["notes_mutated"] for _ in keys]
        assert [(event["event"], event["data"]["title"]) for event in events] == [("update", "c")] * 2
        await api.delete(f"/items/notes/{keys[0]}")
        deleted = {"key": keys[0], "event": "delete", "data": None}
        assert result(await socket.frame()) == {"notes_mutated": deleted}
        await socket.send(type="complete", id="1")
        await api.delete(f"/items/notes/{keys[1]}")
        assert await socket.silent()


async def test_aliases_arguments_and_variables(server: Server, api: Client) -> None:
    query = """subscription ($event: EventEnum, $with: Boolean!) {
      mine: notes_mutated(event: $event) { __typename k: key d: data { t: title @include(if: $with) } }
    }"""
    async with begun(server) as socket:
        await subscribe(socket, query, variables={"event": "update", "with": True})
        key = (await api.post("/items/notes", {"title": "a"})).data["id"]
        await api.patch(f"/items/notes/{key}", {"title": "b"})
        assert result(await socket.frame()) == {
            "mine": {"__typename": "notes_mutated", "k": str(key), "d": {"t": "b"}}
        }


@pytest.mark.parametrize(
    "payload",
    [
        {"query": "subscription { nope_mutated { key } }"},
        {"query": "{ notes { id } }"},
        {"query": "subscription {"},
        {"query": 5},
        {"query": ALL, "variables": 5},
        {"query": "subscription ($e: EventEnum!) { notes_mutated(event: $e) { key } }"},
        {"query": ALL, "extensions": {"since": "x"}},
    ],
)
async def test_what_is_refused(server: Server, payload: dict[str, Any]) -> None:
    async with begun(server) as socket:
        answer = await socket.ask(type="subscribe", id="1", payload=payload)
        assert (answer["type"], answer["id"]) == ("error", "1")
        assert answer["payload"][0]["message"]
        assert await socket.ask(type="ping") == {"type": "pong"}


async def test_the_receivers_rights(server: Server, api: Client) -> None:
    rule = {
        "collection": "notes",
        "action": "read",
        "fields": ["id", "title"],
        "permissions": {"owner": {"_eq": "me"}},
    }
    rules = {"create": [rule], "update": [], "delete": []}
    policy = (await api.post("/policies", {"name": "p", "permissions": rules})).data["id"]
    user = {"email": "s@example.com", "token": "subscriber", "policies": [{"policy": policy}]}
    await api.post("/users", user)
    async with begun(server, "subscriber") as socket:
        hidden = "subscription { notes_mutated { data { owner } } }"
        answer = await socket.ask(type="subscribe", id="x", payload={"query": hidden})
        assert answer["type"] == "error"
        await subscribe(socket, ALL)
        made = await api.post("/items/notes", [{"title": "a", "owner": "you"}, {"title": "b", "owner": "me"}])
        theirs, mine = (str(item["id"]) for item in made.data)
        assert result(await socket.frame())["notes_mutated"]["key"] == mine
        await api.delete("/items/notes", [int(theirs), int(mine)])
        assert result(await socket.frame())["notes_mutated"]["key"] == mine
        await api.delete(f"/policies/{policy}")
        await api.post("/items/notes", {"title": "c", "owner": "me"})
        assert (await socket.frame())["type"] == "error"


async def test_who_has_the_same_rights_is_still_somebody_else(server: Server, api: Client) -> None:
    own = {"owner": {"_eq": "$CURRENT_USER"}}
    rule = {"collection": "notes", "action": "read", "fields": ["*"], "permissions": own}
    rules = {"create": [rule], "update": [], "delete": []}
    policy = (await api.post("/policies", {"name": "own", "permissions": rules})).data["id"]
    users = []
    for token in ("own-1", "own-2"):
        user = {"email": f"{token}@example.com", "token": token, "policies": [{"policy": policy}]}
        users.append((await api.post("/users", user)).data["id"])
    async with begun(server, "own-1") as one, begun(server, "own-2") as other:
        for socket in (one, other):
            await subscribe(socket, "subscription { notes_mutated { key event data { owner } } }")

        async def heard(event: str) -> None:
            for socket, user, key in zip((one, other), users, keys, strict=True):
                data = None if event == "delete" else {"owner": user}
                assert result(await socket.frame()) == {
                    "notes_mutated": {"key": str(key), "event": event, "data": data}
                }

        made = await api.post("/items/notes", [{"owner": user} for user in users])
        keys = [item["id"] for item in made.data]
        await heard("create")
        await api.patch("/items/notes", {"keys": keys, "data": {"title": "new"}})
        await heard("update")
        await api.delete("/items/notes", keys)
        await heard("delete")
        assert await one.silent()
        assert await other.silent()


async def test_what_was_missed_comes_first(server: Server, api: Client) -> None:
    query = "subscription { notes_mutated(event: create) { key } }"
    async with begun(server) as socket:
        await subscribe(socket, query, extensions={"since": 10**9})
        key = (await api.post("/items/notes", {"title": "a"})).data["id"]
        assert await socket.silent()
    async with begun(server) as socket:
        await socket.send(type="subscribe", id="1", payload={"query": query, "extensions": {"since": 0}})
        frame = await socket.frame()
        while result(frame)["notes_mutated"]["key"] != str(key):
            frame = await socket.frame()
        assert frame["payload"]["extensions"]["position"] > 0


async def test_who_comes_back_misses_nothing(server: Server, api: Client) -> None:
    query = "subscription { notes_mutated { key event data { title } } }"
    async with begun(server) as socket:
        await socket.send(type="subscribe", id="1", payload={"query": query, "extensions": {"since": 0}})
        key = str((await api.post("/items/notes", {"title": "first"})).data["id"])
        frame = await socket.frame()
        while result(frame)["notes_mutated"]["key"] != key:
            frame = await socket.frame()
        position = frame["payload"]["extensions"]["position"]
    made = await api.post("/items/notes", [{"title": "a"}, {"title": "b"}])
    stays, goes = (str(item["id"]) for item in made.data)
    await api.patch(f"/items/notes/{stays}", {"title": "c"})
    await api.delete(f"/items/notes/{goes}")
    async with begun(server) as socket:
        payload = {"query": query, "extensions": {"since": position}}
        await socket.send(type="subscribe", id="1", payload=payload)
        frames = [await socket.frame() for _ in range(3)]
        # Items are read as they are by now; one that is gone by then is only heard of as deleted.
        assert [result(frame)["notes_mutated"] for frame in frames] == [
            {"key": stays, "event": "create", "data": {"title": "c"}},
            {"key": stays, "event": "update", "data": {"title": "c"}},
            {"key": goes, "event": "delete", "data": None},
        ]
        positions = [frame["payload"]["extensions"]["position"] for frame in frames]
        assert [position, *positions] == sorted([position, *positions])
        assert await socket.silent()


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"type": "subscribe", "id": "1", "payload": {"query": ALL}}], 4403),
        ([{"type": "connection_init"}], 4403),
        ([{"type": "connection_init", "payload": {"access_token": ADMIN_TOKEN}}] * 2, 4429),
        ([{"nonsense": 1}], 4400),
        ([], 4408),
    ],
)
async def test_closing(server: Server, messages: list[dict[str, Any]], code: int) -> None:
    async with opened(server) as socket:
        for message in messages:
            await socket.send(**message)
        frame = await socket.frame()
        while frame is not None:
            frame = await socket.frame()
        assert socket.close_code == code


async def test_a_token_of_the_upgrade_does_not_count_where_a_message_has_to_bring_it(server: Server) -> None:
    async with opened(server, path=f"/graphql?access_token={ADMIN_TOKEN}") as socket:
        await socket.send(type="connection_init")
        assert await socket.frame() is None
        assert socket.close_code == 4403


async def test_a_name_is_free_again_once_its_subscription_has_ended(server: Server, api: Client) -> None:
    async with begun(server) as socket:
        for title in "ab":
            await subscribe(socket, ALL, "same")
            await api.post("/items/notes", {"title": title})
            assert result(await socket.frame())["notes_mutated"]["data"]["title"] == title
            await socket.send(type="complete", id="same")
        large = {"x": "y" * 400_000}
        codes = []
        for number in range(3):
            payload = {"query": ALL, "variables": large}
            await socket.send(type="subscribe", id=str(number), payload=payload)
            answer = await socket.ask(type="ping")
            codes.append(answer["type"])
        # What a socket keeps is bounded.
        assert codes == ["pong", "pong", "error"]


async def test_another_protocol_is_none(server: Server) -> None:
    async with opened(server, "graphql-ws") as socket:
        assert await socket.frame() is None
        assert socket.close_code == 4406


async def test_a_token_that_ends_closes_the_socket(server: Server, api: Client) -> None:
    login = await api.post("/auth/login", {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    async with begun(server, login.data["access_token"]) as socket:
        assert await socket.frame() is None
        assert socket.close_code == 4403


async def test_requests_are_answered_beside_the_sockets(api: Client) -> None:
    answer = await api.post("/graphql", {"query": "{ notes(limit: 1) { id } }"})
    assert answer.status == 200
    assert (await api.get("/graphql", query="{ notes(limit: 1) { id } }")).status == 200


async def never_reading(server: Server) -> sockets.socket:
    """A subscriber that asks, and then takes nothing more than the kernel holds for it."""
    stuck = sockets.socket()
    stuck.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    stuck.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(stuck, ("127.0.0.1", server.port))
    head = (
        f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    await loop.sock_sendall(stuck, head.encode())
    assert b"101" in await loop.sock_recv(stuck, 1000)
    for message in (
        {"type": "connection_init", "payload": {"access_token": ADMIN_TOKEN}},
        {"type": "subscribe", "id": "1", "payload": {"query": ALL}},
    ):
        # A mask of zeros leaves the text as it is.
        text = json.dumps(message).encode()
        await loop.sock_sendall(stuck, bytes([0x81, 0x80 | 126]) + len(text).to_bytes(2) + bytes(4) + text)
    assert b"connection_ack" in await loop.sock_recv(stuck, 1000)
    return stuck


async def test_who_never_reads_is_cut_off_and_slows_nobody(server: Server, api: Client) -> None:
    size, times = 400_000, 40
    async with begun(server) as reading:
        with await never_reading(server) as stuck:
            await subscribe(reading, ALL)
            key = (await api.post("/items/notes", {"title": "a"})).data["id"]
            assert result(await reading.frame())["notes_mutated"]["event"] == "create"
            for number in range(times):
                title = str(number) + "x" * size
                assert (await api.patch(f"/items/notes/{key}", {"title": title})).status == 200
                assert result(await reading.frame())["notes_mutated"]["data"]["title"] == title
            taken = 0
            async with asyncio.timeout(20):
                while part := await asyncio.get_running_loop().sock_recv(stuck, 1_000_000):
                    taken += len(part)
            # What was in the outbox was dropped with the connection.
            assert taken < size * times / 2
            assert (await api.delete(f"/items/notes/{key}")).status == 204
