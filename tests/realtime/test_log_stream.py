"""Log lines over a socket: for administrators, from a level on, without secrets."""

import logging

from api.realtime.logs import Line, Tap
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


async def test_lines_are_for_whoever_is_an_administrator_by_now(server: Server, api: Client) -> None:
    policy = (await api.post("/policies", {"name": "all", "admin_access": True})).data["id"]
    user = {"email": "log@example.com", "token": "log-token", "policies": [{"policy": policy}]}
    await api.post("/users", user)
    async with opened(server, "/websocket/logs?access_token=log-token") as socket:
        await socket.ask(type="subscribe", log_level="info")
        await api.get("/items/notes")
        assert "/items/notes" in (await socket.frame())["data"]["msg"]
        # Its own line is the first that may not be told.
        assert (await api.patch(f"/policies/{policy}", {"admin_access": False})).status == 200
        assert await socket.frame() is None


def test_a_line_can_be_told_with_all_that_it_was_given() -> None:
    given = {"levelno": logging.ERROR, "msg": "password=%s", "args": ("x",), "path": "/a"}
    heard: list[Line] = []
    tap = Tap()
    tap.listeners.add(heard.append)
    tap.emit(logging.makeLogRecord(given))
    [line] = heard
    assert line.bodies["pretty"].keys() == {"level", "time", "msg"}
    assert line.bodies["raw"].items() >= {**line.bodies["pretty"], "path": "/a"}.items()
    assert (line.level, line.bodies["pretty"]["msg"]) == (50, "password=--redacted--")
