"""GraphQL subscriptions over a socket: the protocol ``graphql-transport-ws``."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from api.auth.limiter import Budget
from api.graphql.kept import Asked
from api.graphql.run import Engine
from api.realtime import protocol
from api.realtime.hub import Hub
from api.realtime.mutated import Errors, Mutated, errors_of, wanted
from api.realtime.outbox import Outbox
from api.realtime.room import require_room, size_of
from api.realtime.views import Views
from api.realtime.visitor import AuthFailed, Mode, Visitor
from domain.errors import ActaError, ErrorGroup, InternalError, InvalidPayload

log = logging.getLogger(__name__)
PROTOCOL: Final = "graphql-transport-ws"


class Close(Exception):
    """The connection is to be closed with a code of the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class GraphQLConnection:
    """A socket from its upgrade to its end. Times in seconds."""

    engine: Engine
    hub: Hub
    views: Views
    socket: web.WebSocketResponse
    visitor: Visitor
    mode: Mode
    auth_timeout: float
    budget: Budget
    outbox: Outbox = field(init=False)
    _subscriptions: dict[str, Mutated] = field(default_factory=dict)
    _acknowledged: bool = False

    def __post_init__(self) -> None:
        """Make the outbox."""
        self.outbox = Outbox(self.socket)

    async def run(self) -> None:
        """Serve the client until it or we end it."""
        writer = asyncio.create_task(self.outbox.drain())
        reader = asyncio.create_task(self._read())
        closing: Close | None = None
        try:
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            results = await asyncio.gather(reader, writer, return_exceptions=True)
            closing = next((one for one in results if isinstance(one, Close)), None)
            for subscription in self._subscriptions.values():
                self.hub.leave(subscription)
            await self.outbox.flush()
            if closing is not None:
                await self.socket.close(code=closing.code, message=closing.reason.encode())

    async def _read(self) -> None:
        began = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(self._patience(began)):
                    received = await self.socket.receive()
            except TimeoutError:
                if not self._acknowledged:
                    raise Close(4408, "Connection initialisation timeout") from None
                raise Close(4403, "Forbidden") from None
            if received.type is WSMsgType.ERROR:
                self.visitor.events.tell("error", event={"type": "error", "message": str(received.data)})
            if received.type is not WSMsgType.TEXT:
                return
            await self._handle(received.data)

    def _patience(self, began: float) -> float | None:
        """How long the next message may take: until the handshake is due, or the token ends."""
        if not self._acknowledged:
            return max(0.0, began + self.auth_timeout - time.monotonic())
        until = self.visitor.until
        return None if until is None else max(0.0, until - time.time())

    async def _handle(self, text: str) -> None:
        try:
            message = protocol.message_of(text)
        except ActaError:
            raise Close(4400, "Invalid message received") from None
        if message["type"] == "connection_init":
            await self._begin(message)
            return
        if not self._acknowledged and message["type"] not in ("ping", "pong"):
            raise Close(4403 if self.mode == "handshake" else 4401, "Unauthorized")
        if self._acknowledged:
            await self._handle_known(message, text)
        elif message["type"] == "ping":
            self.outbox.put(protocol.frame("pong"))

    async def _handle_known(self, message: dict[str, Any], text: str) -> None:
        """A message of somebody who has begun as the protocol wants it."""
        try:
            message = await self.visitor.events.message(message)
        except (ActaError, ErrorGroup) as error:
            if isinstance(message.get("id"), str):
                self.outbox.put(protocol.frame("error", id=message["id"], payload=errors_of(error)))
            return
        kind = message["type"]
        if kind == "ping":
            self.outbox.put(protocol.frame("pong"))
        elif kind == "pong":
            return
        elif kind == "subscribe":
            await self._subscribe(message, size_of(text))
        elif kind == "complete":
            self._forget(str(message.get("id")))
        else:
            raise Close(4400, "Invalid message received")

    async def _begin(self, message: dict[str, Any]) -> None:
        if self._acknowledged:
            raise Close(4429, "Too many initialisation requests")
        payload = message.get("payload")
        token = payload.get("access_token") if isinstance(payload, dict) else None
        try:
            signed = await self.visitor.enter(token if isinstance(token, str) else None, message)
        except AuthFailed:
            self.outbox.put(protocol.refusal("auth", "AUTH_FAILED", "Authentication failed"))
            return
        if not signed and self.mode == "handshake":
            raise Close(4403, "Forbidden")
        self._acknowledged = True
        self.outbox.put(protocol.frame("connection_ack"))

    async def _subscribe(self, message: dict[str, Any], size: int) -> None:
        key, payload = message.get("id"), message.get("payload")
        if not isinstance(key, str) or not key or not isinstance(payload, dict):
            raise Close(4400, "Invalid message received")
        if key in self._subscriptions:
            raise Close(4409, f"Subscriber for {key} already exists")
        try:
            self.budget.spend()
            await self._begin_subscription(key, payload, size)
        except (ActaError, ErrorGroup) as error:
            self._fail(key, errors_of(error))
        except Exception:
            log.exception("realtime: a subscription failed")
            self._fail(key, errors_of(InternalError()))

    async def _begin_subscription(self, key: str, payload: dict[str, Any], size: int) -> None:
        asked, since = _asked(payload)
        require_room([one.size for one in self._subscriptions.values()], size)
        context = await self.visitor.context()
        found = await wanted(self.engine, context, asked)
        self.views.check(context, found.collection)
        subscription = Mutated(
            self.engine,
            self.views,
            self.visitor,
            asked,
            found,
            lambda one, result: self._next(key, one, result),
            lambda one, errors: self._end(key, one, errors),
            positions=since is not None,
            size=size,
        )
        self._subscriptions[key] = subscription
        await self.hub.join(subscription, await self.hub.last_position() if since is None else since)
        if self._subscriptions.get(key) is not subscription:
            # What it missed has ended it.
            self.hub.leave(subscription)

    def _end(self, key: str, subscription: Mutated, errors: Errors) -> None:
        if self._subscriptions.get(key) is subscription:
            self._fail(key, errors)

    def _next(self, key: str, subscription: Mutated, result: bytes) -> None:
        # Its client may have completed it, and have begun another of the name, while it was told.
        if self._subscriptions.get(key) is subscription:
            head = b'{"id":' + orjson.dumps(key) + b',"type":"next","payload":'
            self.outbox.put(head + result + b"}")

    def _fail(self, key: str, errors: Errors) -> None:
        self._forget(key)
        self.outbox.put(protocol.frame("error", id=key, payload=errors))

    def _forget(self, key: str) -> None:
        subscription = self._subscriptions.pop(key, None)
        if subscription is not None:
            self.hub.leave(subscription)


def _asked(payload: dict[str, Any]) -> tuple[Asked, int | None]:
    """The document of a message, and the position to begin after (``extensions.since``)."""
    text, variables, name = payload.get("query"), payload.get("variables"), payload.get("operationName")
    extensions = payload.get("extensions")
    since = extensions.get("since") if isinstance(extensions, dict) else None
    if not isinstance(text, str) or not text:
        raise InvalidPayload('"query" is required')
    if not isinstance(variables, dict | None) or not isinstance(name, str | None):
        raise InvalidPayload('"variables" has to be an object, "operationName" a text')
    if since is not None and (isinstance(since, bool) or not isinstance(since, int) or since < 0):
        raise InvalidPayload('"since" has to be a position')
    return Asked(text, variables or {}, name), since
