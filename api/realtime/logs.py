"""The log stream: what this process writes about itself, for administrators."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

from aiohttp import WSMsgType, web

from api.middleware.request_log import redact
from api.realtime import protocol
from api.realtime.outbox import Outbox
from domain.errors import ActaError, InvalidPayload

LEVELS: Final = {"trace": 10, "debug": 20, "info": 30, "warn": 40, "error": 50, "fatal": 60}
_OWN: Final = (
    (logging.CRITICAL, "fatal"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warn"),
    (logging.INFO, "info"),
)
NODE: Final = str(uuid5(NAMESPACE_DNS, f"{socket.gethostname()}/{os.getpid()}"))


@dataclass(frozen=True, slots=True)
class Line:
    """A record for the stream."""

    level: int
    body: dict[str, Any]


class Tap(logging.Handler):
    """Hands every record to whoever listens; costs nothing while nobody does."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: set[Callable[[Line], None]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        if not self.listeners:
            return
        name = next((name for bound, name in _OWN if record.levelno >= bound), "debug")
        number = LEVELS[name]
        message = redact(record.getMessage())
        line = Line(number, {"level": number, "time": int(record.created * 1000), "msg": message})
        for listener in tuple(self.listeners):
            listener(line)


async def stream(response: web.WebSocketResponse, outbox: Outbox, tap: Tap, least: str) -> None:
    """Answer the messages of a log socket until it closes; ``least`` is the lowest level there is."""
    wanted: list[int] = []

    def listener(line: Line) -> None:
        if wanted and line.level >= wanted[0]:
            outbox.put(protocol.frame("logs", NODE, data=line.body))

    tap.listeners.add(listener)
    try:
        async for received in response:
            if received.type is WSMsgType.TEXT:
                outbox.put(_answer(received.data, wanted, least))
    finally:
        tap.listeners.discard(listener)


def _answer(text: str, wanted: list[int], least: str) -> bytes:
    try:
        message = protocol.message_of(text)
        match message["type"]:
            case "ping":
                return protocol.frame("pong", protocol.uid_of(message))
            case "subscribe":
                level = message.get("log_level")
                if not isinstance(level, str) or LEVELS.get(level, -1) < LEVELS[least]:
                    raise InvalidPayload(f'"log_level" has to be one of {", ".join(allowed(least))}')
                wanted[:] = [LEVELS[level]]
                return protocol.frame("logs", event="subscribe", log_level=level)
            case "unsubscribe":
                wanted.clear()
                return protocol.frame("logs", event="unsubscribe")
        raise InvalidPayload('"type" has to be subscribe or unsubscribe')
    except ActaError as error:
        return protocol.failure("logs", error)


def allowed(least: str) -> dict[str, int]:
    """The levels of the stream."""
    return {name: number for name, number in LEVELS.items() if number >= LEVELS[least]}
