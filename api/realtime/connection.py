"""One JSON socket: who is there, its heartbeat, and its messages one after the other."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

from api.auth.limiter import Budget
from api.items import Items
from api.realtime import items as item_messages
from api.realtime import protocol
from api.realtime.hub import Hub
from api.realtime.outbox import Outbox
from api.realtime.protocol import MISSING, Message
from api.realtime.room import require_room, size_of
from api.realtime.subscriptions import Subscription, Wanted, wanted
from api.realtime.views import Views
from api.realtime.visitor import AuthFailed, Mode, Visitor
from api.restating import restate
from domain.errors import ActaError, ErrorGroup, Forbidden, InternalError, InvalidPayload
from projections.emitter import Emitter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What every connection works with. Times in seconds; ``heartbeat`` None for none."""

    hub: Hub
    views: Views
    items: Items
    emitter: Emitter
    mode: Mode
    auth_timeout: float
    heartbeat: float | None


class End(Exception):
    """The connection is to be closed."""


@dataclass(slots=True)
class Connection:
    """A socket from its upgrade to its end."""

    services: Services
    socket: web.WebSocketResponse
    visitor: Visitor
    budget: Budget
    outbox: Outbox = field(init=False)
    _subscriptions: list[Subscription] = field(default_factory=list)
    _expired: bool = False

    def __post_init__(self) -> None:
        """Make the outbox."""
        self.outbox = Outbox(self.socket)

    async def run(self) -> None:
        """Serve the client until it or we end it."""
        writer = asyncio.create_task(self.outbox.drain())
        reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            for subscription in self._subscriptions:
                self.services.hub.leave(subscription)
            await self.outbox.flush()
            await self._close()

    async def _close(self) -> None:
        # Without a code: clients of the reference know it so.
        if not self.socket.closed:
            try:
                await self.socket.send_frame(b"", WSMsgType.CLOSE)
            except (ConnectionError, aiohttp.ClientError):
                return

    async def _read(self) -> None:
        try:
            if not self.visitor.known and self.services.mode == "handshake":
                await self._handshake()
            while True:
                text = await self._next()
                if text is None:
                    return
                await self._handle_text(text)
        except End:
            return

    # -- time ----------------------------------------------------------------------------------------------

    async def _next(self) -> str | None:
        """The next message; None when the client has gone or is silent for too long."""
        period = self.services.heartbeat
        asked = False
        while True:
            timeout, expiring = self._patience(period)
            try:
                async with asyncio.timeout(timeout):
                    received = await self.socket.receive()
            except TimeoutError:
                if expiring:
                    self._expire()
                elif asked:
                    return None
                else:
                    asked = True
                    self.outbox.put(protocol.frame("ping"))
                continue
            if received.type is WSMsgType.TEXT:
                return str(received.data)
            if received.type is WSMsgType.BINARY:
                self.outbox.put(protocol.failure("server", InvalidPayload("Messages have to be text")))
                asked = False
                continue
            if received.type is WSMsgType.ERROR:
                self.visitor.events.tell("error", event={"type": "error", "message": str(received.data)})
            return None

    def _patience(self, period: float | None) -> tuple[float | None, bool]:
        until = self.visitor.until
        if self._expired:
            # The client was told that its token has ended, and has so long to bring another.
            return self.services.auth_timeout, True
        if until is None:
            return period, False
        left = max(0.0, until - time.time())
        return (left, True) if period is None or left < period else (period, False)

    def _expire(self) -> None:
        public = self.services.mode == "public"
        if self._expired:
            self.outbox.put(protocol.refusal("auth", "AUTH_TIMEOUT", "Authentication timed out"))
            raise End
        self.visitor.leave()
        self._expired = not public
        self.outbox.put(protocol.refusal("auth", "TOKEN_EXPIRED", "Token expired"))

    # -- signing in ----------------------------------------------------------------------------------------

    async def _handshake(self) -> None:
        try:
            async with asyncio.timeout(self.services.auth_timeout):
                received = await self.socket.receive()
            if received.type is not WSMsgType.TEXT:
                raise End
            message = protocol.message_of(received.data)
            if message["type"] != "auth":
                raise AuthFailed
            more = await self.visitor.sign_in(message)
        except (TimeoutError, ActaError, AuthFailed):
            self.outbox.put(protocol.refusal("auth", "AUTH_FAILED", "Authentication failed"))
            raise End from None
        self._signed_in(message, more)

    async def _auth(self, message: Message) -> None:
        try:
            more = await self.visitor.sign_in(message)
        except AuthFailed:
            uid = protocol.uid_of(message)
            self.outbox.put(protocol.refusal("auth", "AUTH_FAILED", "Authentication failed", uid))
            if self.services.mode != "public":
                raise End from None
            return
        self._expired = False
        self._signed_in(message, more)

    def _signed_in(self, message: Message, more: dict[str, Any]) -> None:
        self.outbox.put(protocol.frame("auth", protocol.uid_of(message), status="ok", **more))

    # -- messages ------------------------------------------------------------------------------------------

    async def _handle_text(self, text: str) -> None:
        try:
            self.budget.spend()
            message = protocol.message_of(text)
        except ActaError as error:
            self.outbox.put(protocol.failure("server", error))
            return
        kind = message["type"].lower()
        if kind == "auth":
            await self._auth(message)
            return
        if self._expired and kind != "ping":
            self.outbox.put(protocol.failure("auth", Forbidden(), protocol.uid_of(message)))
            return
        try:
            message = await self.visitor.events.message(message)
        except (ActaError, ErrorGroup) as error:
            self.outbox.put(protocol.failure(kind, error, protocol.uid_of(message)))
            return
        await self._handle(message, text)

    async def _handle(self, message: Message, text: str) -> None:
        kind = message["type"].lower()
        if kind == "ping":
            self.outbox.put(protocol.frame("pong", protocol.uid_of(message)))
        elif kind == "subscribe":
            await self._subscribe(message, size_of(text))
        elif kind == "unsubscribe":
            self._unsubscribe(message)
        elif kind == "items":
            await self._items(message)

    async def _subscribe(self, message: Message, size: int) -> None:
        try:
            wants = wanted(message, size)
            stay = [one.wants.size for one in self._subscriptions if not self._replaces(wants, one)]
            require_room(stay, wants.size)
            context = await self.visitor.context()
            if wants.collection not in context.model.collections:
                raise item_messages.InvalidCollection(f'The collection "{wants.collection}" does not exist')
            self.services.views.check(context, wants.collection)
            subscription = Subscription(wants, self.visitor, self.services.views, self.outbox.put)
            # Read before the view: what is sealed while it is made is told, perhaps twice, but never missed.
            before = await self.services.hub.last_position() if wants.since is None else wants.since
            if wants.event is None:
                view = self.services.views.present(context, wants.collection, wants.query, wants.item)
                init = protocol.framed("subscription", await view, wants.answer_uid, event="init")
            else:
                init = protocol.frame("subscription", wants.answer_uid, event="init")
            self._replace(wants)
            self.outbox.put(init)
            await self._join(subscription, before)
        except item_messages.InvalidCollection as error:
            self.outbox.put(protocol.failure("subscribe", error, protocol.uid_of(message)))
        except (ActaError, ErrorGroup) as error:
            self.outbox.put(protocol.failure("subscribe", error))
        except Exception:
            log.exception("realtime: a subscription failed")
            self.outbox.put(protocol.failure("subscribe", InternalError()))

    async def _join(self, subscription: Subscription, since: int) -> None:
        self._subscriptions.append(subscription)
        try:
            await self.services.hub.join(subscription, since)
        except BaseException:
            self._end([subscription])
            raise

    def _replace(self, wants: Wanted) -> None:
        self._end([one for one in self._subscriptions if self._replaces(wants, one)])

    @staticmethod
    def _replaces(wants: Wanted, one: Subscription) -> bool:
        return wants.uid is not None and wants.uid == one.wants.uid

    def _unsubscribe(self, message: Message) -> None:
        uid = message.get("uid")
        ending = [one for one in self._subscriptions if uid is None or one.wants.uid == str(uid)]
        self._end(ending)
        answer_uid = MISSING if uid is None else str(uid)
        self.outbox.put(protocol.frame("subscription", answer_uid, event="unsubscribe"))

    def _end(self, ending: list[Subscription]) -> None:
        for subscription in ending:
            self._subscriptions.remove(subscription)
            self.services.hub.leave(subscription)

    async def _items(self, message: Message) -> None:
        uid, caller = protocol.uid_of(message), None
        try:
            context = await self.visitor.context()
            caller = context.caller
            envelope = await item_messages.answer(self.services.items, context, message)
            self.outbox.put(protocol.framed("items", envelope, uid))
        except (ActaError, ErrorGroup) as error:
            await restate(self.services.emitter, caller, error)
            self.outbox.put(protocol.failure("items", error, uid))
        except Exception:
            log.exception("realtime: a message failed")
            self.outbox.put(protocol.failure("items", InternalError(), uid))
