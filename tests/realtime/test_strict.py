"""Sockets that take nobody without a token, and so many messages of each."""

import asyncio

import aiohttp
import pytest

from tests.realtime.conftest import Socket, opened, refused
from tests.realtime.test_graphql import ALL, result, subscribe
from tests.realtime.test_graphql import opened as opened_graphql
from tests.support.http import Client
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Server

POINTS, SECONDS = 60, 10
EXTRA = {
    "WEBSOCKETS_REST_AUTH": "strict",
    "WEBSOCKETS_GRAPHQL_AUTH": "strict",
    "RATE_LIMITER_ENABLED": "true",
    "RATE_LIMITER_POINTS": str(POINTS),
    "RATE_LIMITER_DURATION": str(SECONDS),
}
QUERY = f"?access_token={ADMIN_TOKEN}"


async def test_without_a_token_there_is_no_socket(server: Server) -> None:
    header = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    for path in ("/websocket", "/graphql", "/websocket/logs"):
        for query in ("", "?access_token=", "?access_token=wrong"):
            assert await refused(server, path + query) == 401
        # Browsers can't set it, so nobody's is looked at.
        assert await refused(server, path, **header) == 401
    assert await refused(server, "/websocket/nothing") == 404


async def test_a_token_or_a_session_is_enough(server: Server, api: Client) -> None:
    async with opened(server, f"/websocket{QUERY}") as socket:
        answer = await socket.ask(type="items", action="read", collection="notes")
        assert answer == {"type": "items", "data": []}
        answer = await socket.ask(type="auth", access_token="wrong")
        assert (answer["status"], await socket.frame()) == ("error", None)
    body = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD, "mode": "session"}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.post(server.url + "/auth/login", json=body) as signed:
            assert signed.status == 200
        async with session.ws_connect(server.url + "/websocket") as own:
            assert (await Socket(own).ask(type="ping", uid=None)) == {"type": "pong", "uid": None}
        # A page elsewhere can make the browser send the cookie along.
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(server.url + "/websocket", origin="https://evil.example")


async def test_subscriptions_need_no_second_token(server: Server, api: Client) -> None:
    async with opened_graphql(server, path=f"/graphql{QUERY}") as socket:
        assert await socket.ask(type="connection_init") == {"type": "connection_ack"}
        await subscribe(socket, ALL)
        key = (await api.post("/items/notes", {"title": "a"})).data["id"]
        assert result(await socket.frame())["notes_mutated"]["key"] == str(key)


async def test_what_is_too_much_is_refused_and_forgiven(server: Server) -> None:
    async with opened(server, f"/websocket{QUERY}") as one, opened(server, f"/websocket{QUERY}") as other:
        for _ in range(POINTS + 5):
            await one.send(type="ping")
        answers = [await one.frame() for _ in range(POINTS + 5)]
        assert answers[:POINTS] == [{"type": "pong"}] * POINTS
        for answer in answers[POINTS:]:
            assert (answer["type"], answer["error"]["code"]) == ("server", "REQUESTS_EXCEEDED")
        assert await other.ask(type="ping") == {"type": "pong"}
        await asyncio.sleep(SECONDS)
        assert await one.ask(type="ping") == {"type": "pong"}
    async with opened_graphql(server, path=f"/graphql{QUERY}") as graphql:
        await graphql.ask(type="connection_init")
        codes = []
        for number in range(POINTS + 2):
            await graphql.send(type="subscribe", id=str(number), payload={"query": "subscription { nope }"})
            codes.append((await graphql.frame())["payload"][0].get("extensions", {}).get("code"))
        assert codes == [None] * POINTS + ["REQUESTS_EXCEEDED"] * 2
