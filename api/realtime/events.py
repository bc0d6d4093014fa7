"""The events of sockets: filters of messages and of who is there, actions that are told what happens.

Messages that sign somebody in are shown to `websocket.authenticate` only; nobody else is told what proves who
somebody is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from api.auth.claims import SOCKET, Claims
from api.realtime.protocol import Message
from domain.access.caller import Caller
from domain.errors import InvalidPayload
from domain.flows.running import accountability
from domain.log_lines import REDACTED
from projections.emitter import Emitter

log = logging.getLogger(__name__)
MESSAGE: Final = "websocket.message"
SIGNING: Final = frozenset({"auth", "connection_init"})
_PROOFS: Final = frozenset({"access_token", "refresh_token", "password", "otp"})


class SocketEvents:
    """What is asked and told about one socket, which is called ``client``: its id, path and who is there."""

    def __init__(self, emitter: Emitter, claims: Claims, path: str) -> None:
        self._emitter = emitter
        self._claims = claims
        self._path = path
        self._uid = str(uuid4())
        self._open = False
        self.caller: Caller | None = None

    def begin(self) -> None:
        """The socket is open."""
        self._open = True
        self.tell("connect")

    def end(self) -> None:
        """The socket is closed, if it ever was open."""
        if self._open:
            self.tell("close")

    @property
    def client(self) -> dict[str, Any]:
        """The socket as listeners see it."""
        return {"uid": self._uid, "path": self._path, "accountability": accountability(self.caller)}

    def tell(self, what: str, **members: Any) -> None:
        """Tell of ``websocket.<what>`` whoever listens."""
        name = f"websocket.{what}"
        if self._emitter.tells_at_once(name):
            self._emitter.act((name,), {"client": self.client, **members}, self.caller)

    async def message(self, message: Message) -> Message:
        """The message to carry out.

        Raises:
            InvalidPayload: when filters leave no message.
            ActaError, ErrorGroup: with what a filter refuses it.
        """
        if message["type"].lower() in SIGNING:
            # Also where this socket knows no such message: it holds what proves who somebody is.
            return message
        if not self._emitter.quiet and await self._emitter.asks(MESSAGE):
            members = {"client": self.client}
            found = await self._emitter.filter(MESSAGE, (MESSAGE,), message, members, self.caller)
            if not isinstance(found, Mapping) or not isinstance(found.get("type"), str):
                raise InvalidPayload('The message has no "type"')
            message = dict(found)
        self.tell("message", message=_masked(message))
        return message

    async def claim(self, message: Message) -> Mapping[str, Any] | None:
        """Who filters say is there, who see the message that signs in; None when they leave it to tokens.

        Raises:
            ActaError, ErrorGroup: with what a filter refuses it.
        """
        if self._emitter.quiet:
            return None
        return await self._claims.ask(SOCKET, "message", lambda whole: message if whole else _masked(message))


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(entry) for entry in value]
    if not isinstance(value, Mapping):
        return value
    return {name: REDACTED if name in _PROOFS else _masked(inner) for name, inner in value.items()}
