"""Who may speak on a socket, and what an ended token leaves."""

from typing import Any

import pytest

from tests.realtime.conftest import Socket, opened, refused, signed_in
from tests.support.http import Client
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Server

EXTRA = {"ACCESS_TOKEN_TTL": "4s", "WEBSOCKETS_REST_AUTH_TIMEOUT": "4", "WEBSOCKETS_HEARTBEAT_PERIOD": "2"}
FAILED = {"code": "AUTH_FAILED", "message": "Authentication failed"}


@pytest.mark.parametrize(
    "text", ['{"type":"ping"}', "no json", '{"type":"auth","access_token":"wrong"}', '{"type":"auth"}', "[1]"]
)
async def test_the_first_message_has_to_sign_in(server: Server, text: str) -> None:
    async with opened(server) as socket:
        await socket.socket.send_str(text)
        assert await socket.frame() == {"type": "auth", "status": "error", "error": FAILED}
        assert await socket.frame() is None
        assert not socket.close_code


async def test_who_never_signs_in_is_closed(server: Server) -> None:
    async with opened(server) as socket:
        assert (await socket.frame())["error"]["code"] == "AUTH_FAILED"
        assert await socket.frame() is None


async def test_ways_to_sign_in(server: Server) -> None:
    async with opened(server) as socket:
        first = await socket.ask(type="auth", email=ADMIN_EMAIL, password=ADMIN_PASSWORD, uid=1)
        assert (first["status"], first["uid"]) == ("ok", 1)
    async with opened(server) as socket:
        again = await socket.ask(type="auth", refresh_token=first["refresh_token"])
        assert again["status"] == "ok"
        assert again["refresh_token"] != first["refresh_token"]
    async with opened(server, f"/websocket?access_token={ADMIN_TOKEN}") as socket:
        assert await socket.ask(type="ping", uid=7) == {"type": "pong", "uid": 7}


async def test_refused_upgrades(server: Server, api: Client) -> None:
    assert await refused(server, "/websocket?access_token=wrong") == 401
    assert await refused(server, "/websocket/logs") == 401
    assert (await api.get("/websocket")).status == 404
    assert (await api.get("/server/info")).data["websocket"]["rest"] == {
        "authentication": "handshake",
        "path": "/websocket",
    }


async def test_a_failed_sign_in_later_ends_it(admin: Socket) -> None:
    answer = await admin.ask(type="auth", access_token="wrong", uid="x")
    assert answer == {"type": "auth", "status": "error", "error": FAILED, "uid": "x"}
    assert await admin.frame() is None


async def test_an_expired_token_leaves_no_rights(server: Server, api: Client) -> None:
    login = await api.post("/auth/login", {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})
    async with signed_in(server, login.data["access_token"]) as socket:
        told = {"code": "TOKEN_EXPIRED", "message": "Token expired"}
        assert await alive(socket) == {"type": "auth", "status": "error", "error": told}
        await socket.send(type="items", action="read", collection="notes")
        assert (await alive(socket))["error"]["code"] == "FORBIDDEN"
        await socket.send(type="auth", access_token=ADMIN_TOKEN)
        assert (await alive(socket))["status"] == "ok"
        await socket.send(type="items", action="read", collection="notes")
        assert await alive(socket) == {"type": "items", "data": []}


async def alive(socket: Socket) -> Any:
    """The next frame that doesn't ask for a sign of life; who asks gets one."""
    while (frame := await socket.frame()) == {"type": "ping"}:
        await socket.send(type="pong")
    return frame


async def test_silence_is_asked_about_and_then_ended(admin: Socket) -> None:
    assert await admin.frame() == {"type": "ping"}
    await admin.send(type="pong")
    assert await admin.frame() == {"type": "ping"}
    assert await admin.frame() is None
