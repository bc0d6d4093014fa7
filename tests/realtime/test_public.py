"""Sockets that take anybody: who fails to sign in, or whose token ends, is anonymous again."""

from typing import Any

import aiohttp

from tests.realtime.conftest import Socket, opened, refused
from tests.realtime.test_graphql import begun, subscribe
from tests.realtime.test_graphql import opened as opened_graphql
from tests.support.http import Client
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Server
from tests.support.waiting import until

EXTRA = {
    "WEBSOCKETS_REST_AUTH": "public",
    "WEBSOCKETS_REST_AUTH_TIMEOUT": "0.5",
    "WEBSOCKETS_GRAPHQL_AUTH": "public",
    "WEBSOCKETS_REST_CONN_LIMIT": "2",
    "WEBSOCKETS_HEARTBEAT_ENABLED": "false",
    "WEBSOCKETS_HEARTBEAT_PERIOD": "0.2",
    "ACCESS_TOKEN_TTL": "4s",
}
QUERY = "subscription { notes_mutated { key data { title } } }"


async def code_of_reading(socket: Socket) -> str:
    """`ok`, or the code with which reading is refused."""
    answer = await socket.ask(type="items", action="read", collection="notes", uid="r")
    assert answer["uid"] == "r"
    return str(answer["error"]["code"]) if "error" in answer else "ok"


async def test_who_fails_to_sign_in_is_nobody_and_may_stay(server: Server) -> None:
    async with opened(server) as socket:
        assert await socket.ask(type="ping", uid=[1]) == {"type": "pong", "uid": [1]}
        assert await code_of_reading(socket) == "FORBIDDEN"
        for collection, code in (("notes", "FORBIDDEN"), ("nope", "INVALID_COLLECTION")):
            answer = await socket.ask(type="subscribe", collection=collection)
            assert answer["error"]["code"] == code
        assert (await socket.ask(type="auth", access_token=ADMIN_TOKEN))["status"] == "ok"
        assert await code_of_reading(socket) == "ok"
        for wrong in ({"access_token": "wrong"}, {"email": "a", "password": 5}, {"refresh_token": "x"}, {}):
            assert (await socket.ask(type="auth", access_token=ADMIN_TOKEN))["status"] == "ok"
            answer = await socket.ask(type="auth", uid=1, **wrong)
            assert (answer["status"], answer["error"]["code"], answer["uid"]) == ("error", "AUTH_FAILED", 1)
            assert await code_of_reading(socket) == "FORBIDDEN"


async def test_an_expired_token_leaves_an_anonymous_caller(server: Server, api: Client) -> None:
    login = await api.post("/auth/login", {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    async with opened(server) as socket:
        assert (await socket.ask(type="auth", access_token=login.data["access_token"]))["status"] == "ok"
        assert await code_of_reading(socket) == "ok"
        assert (await socket.frame())["error"]["code"] == "TOKEN_EXPIRED"
        assert await code_of_reading(socket) == "FORBIDDEN"
        # Neither is another token waited for, nor a sign of life.
        assert await socket.silent(1)
        assert await socket.ask(type="ping") == {"type": "pong"}


async def test_anybody_hears_what_everybody_may_read(server: Server, api: Client) -> None:
    public = (await api.get("/policies", filter={"name": {"_eq": "$t:public_label"}})).data[0]["id"]
    rule = {"collection": "notes", "action": "read", "fields": ["id", "title"]}
    rule_id = (await api.post("/permissions", {**rule, "policy": public})).data["id"]
    async with opened(server) as socket, opened_graphql(server) as graphql:
        assert await graphql.ask(type="connection_init") == {"type": "connection_ack"}
        await subscribe(graphql, QUERY)
        await socket.ask(type="subscribe", collection="notes", event="create", uid="u")
        made = (await api.post("/items/notes", {"title": "for all", "owner": "hidden"})).data["id"]
        item: Any = {"id": made, "title": "for all"}
        assert (await socket.frame())["data"] == [item]
        assert (await graphql.frame())["payload"]["data"]["notes_mutated"]["data"] == {"title": "for all"}
        await api.delete(f"/permissions/{rule_id}")
        await api.post("/items/notes", {"title": "for nobody"})
        assert (await socket.frame())["error"]["code"] == "FORBIDDEN"
        assert (await graphql.frame())["type"] == "error"
        assert await graphql.silent()


async def test_a_wrong_token_is_not_the_same_as_none(server: Server) -> None:
    async with opened_graphql(server) as graphql:
        answer = await graphql.ask(type="connection_init", payload={"access_token": "wrong"})
        assert (answer["type"], answer["status"], answer["error"]["code"]) == ("auth", "error", "AUTH_FAILED")
        await graphql.send(type="subscribe", id="1", payload={"query": QUERY})
        assert await graphql.frame() is None
        assert graphql.close_code == 4401
    async with begun(server) as graphql:
        await subscribe(graphql, QUERY)


async def test_there_is_room_for_so_many(server: Server) -> None:
    async def two_and_no_more() -> bool:
        try:
            async with opened(server) as one, opened(server) as other:
                assert await refused(server, "/websocket") == 403
                assert await one.ask(type="ping") == await other.ask(type="ping") == {"type": "pong"}
        except aiohttp.WSServerHandshakeError:
            # The server has not seen the end of earlier ones yet.
            return False
        return True

    for _ in range(3):
        await until(two_and_no_more, 30)
