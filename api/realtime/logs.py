"""The log stream: what this process writes about itself, for administrators."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import NAMESPACE_DNS, uuid5

from aiohttp import WSMsgType, web

from api.realtime import protocol
from api.realtime.outbox import Outbox
from api.realtime.visitor import Visitor
from domain.errors import ActaError, InvalidPayload
from domain.log_lines import given, redact

LEVELS: Final = {"trace": 10, "debug": 20, "info": 30, "warn": 40, "error": 50, "fatal": 60}
_OWN: Final = (
    (logging.CRITICAL, "fatal"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warn"),
    (logging.INFO, "info"),
)
HOST: Final = socket.gethostname()
NODE: Final = str(uuid5(NAMESPACE_DNS, f"{HOST}/{os.getpid()}"))
WAITING: Final = 1000
"""Lines that wait to be sent at most; those beyond are lost to this listener."""
Style = Literal["pretty", "raw"]


@dataclass(frozen=True, slots=True)
class Line:
    """A record for the stream: its level, and what it is told as in either style."""

    level: int
    bodies: dict[Style, dict[str, Any]]


class Tap(logging.Handler):
    """Hands every record to whoever listens; costs nothing while nobody does."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: set[Callable[[Line], None]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on, in whatever thread it was made."""
        if not self.listeners:
            return
        name = next((name for bound, name in _OWN if record.levelno >= bound), "debug")
        number = LEVELS[name]
        short = {"level": number, "time": int(record.created * 1000), "msg": redact(record.getMessage())}
        whole = {**given(record), **short, "pid": os.getpid(), "hostname": HOST, "logger": record.name}
        line = Line(number, {"pretty": short, "raw": whole})
        for listener in tuple(self.listeners):
            listener(line)


class LogStream:
    """One log socket from its upgrade to its end; ``least`` is the lowest level there is."""

    def __init__(
        self, response: web.WebSocketResponse, visitor: Visitor, tap: Tap, least: str, style: Style
    ) -> None:
        self._response = response
        self._visitor = visitor
        self._tap = tap
        self._least = least
        self._style = style
        self._outbox = Outbox(response)
        self._wanted: list[int] = []
        self._lines: asyncio.Queue[Line] = asyncio.Queue(WAITING)

    async def run(self) -> None:
        """Serve the client until it or we end it."""
        loop = asyncio.get_running_loop()

        def listener(line: Line) -> None:
            if self._wants(line):
                loop.call_soon_threadsafe(self._wait, line)

        tasks = [asyncio.create_task(work) for work in (self._outbox.drain(), self._read(), self._tell())]
        self._tap.listeners.add(listener)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._tap.listeners.discard(listener)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._outbox.flush()
            await self._response.close()

    def _wants(self, line: Line) -> bool:
        return bool(self._wanted) and line.level >= self._wanted[0]

    def _wait(self, line: Line) -> None:
        with suppress(asyncio.QueueFull):
            self._lines.put_nowait(line)

    async def _read(self) -> None:
        async for received in self._response:
            if received.type is WSMsgType.TEXT:
                self._outbox.put(_answer(received.data, self._wanted, self._least))

    async def _tell(self) -> None:
        while True:
            line = await self._lines.get()
            if not await self._may_listen():
                return
            if self._wants(line):
                self._outbox.put(protocol.frame("logs", NODE, data=line.bodies[self._style]))

    async def _may_listen(self) -> bool:
        """Whether the client is still the administrator that it was."""
        until = self._visitor.until
        if until is not None and until < time.time():
            return False
        try:
            return (await self._visitor.context()).rights.admin
        except ActaError:
            return False


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
