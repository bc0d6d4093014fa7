"""Log lines over a socket: for administrators, from a level on, without secrets."""

from tests.realtime.conftest import opened
from tests.support.http import Client
from tests.support.server import ADMIN_TOKEN, Server

EXTRA = {"LOG_LEVEL": "info", "LOG_REQUESTS": "true"}


async def test_lines(server: Server, api: Client) -> None:
    async with opened(server, f"/websocket/logs?access_token={ADMIN_TOKEN}") as socket:
        wrong = await socket.ask(type="subscribe", log_level="loud")
        assert (wrong["type"], wrong["error"]["code"]) == ("logs", "INVALID_PAYLOAD")
        answer = await socket.ask(type="subscribe", log_level="info")
        assert answer == {"type": "logs", "event": "subscribe", "log_level": "info"}
        await api.get(f"/items/notes?access_token={ADMIN_TOKEN}")
        line = await socket.frame()
        assert line["data"]["level"] == 30
        assert "/items/notes" in line["data"]["msg"]
        assert ADMIN_TOKEN not in line["data"]["msg"]
        assert line["uid"]
        assert await socket.ask(type="unsubscribe") == {"type": "logs", "event": "unsubscribe"}
        await api.get("/items/notes")
        assert await socket.silent()
