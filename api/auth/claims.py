"""Filters that say who is calling, before any token is looked at: other keys, other headers, other proofs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from aiohttp import web

from api.auth.authenticate import Authenticator, Identity
from api.auth.credentials import Origin, origin_of
from api.keys import AUTHENTICATOR, EMITTER, SETTINGS
from api.refusing import described
from domain.access.caller import Caller
from domain.flows.running import accountability
from projections.emitter import Emitter

AUTHENTICATE: Final = "authenticate"
SOCKET: Final = "websocket.authenticate"


async def claim_of(request: web.Request) -> Identity | None:
    """Who filters say sends a request; None when they leave it to tokens.

    Raises:
        InvalidCredentials: for somebody who is not there.
        ActaError, ErrorGroup: with what a filter refuses the request.
    """
    emitter = request.app[EMITTER]
    if emitter.quiet:
        return None
    origin = origin_of(request, request.app[SETTINGS].auth)
    asking = Claims(emitter, request.app[AUTHENTICATOR], origin)
    found = await asking.ask(AUTHENTICATE, "req", lambda whole: described(request, whole=whole))
    return None if found is None else await asking.identity(found)


class Claims:
    """Asks who somebody from an origin is."""

    def __init__(self, emitter: Emitter, authenticator: Authenticator, origin: Origin) -> None:
        self._emitter = emitter
        self._authenticator = authenticator
        self._origin = origin

    async def ask(self, event: str, name: str, shown: Callable[[bool], Any]) -> Mapping[str, Any] | None:
        """What filters claim, who are shown something by ``name`` (whole, or without secrets to flows); None
        when they leave it. Raises what a filter refuses it with."""
        if not await self._emitter.asks(event):
            return None
        origin = self._origin
        nobody = accountability(Caller(ip=origin.ip, user_agent=origin.user_agent, origin=origin.origin))
        found = await self._emitter.filter(
            event, (event,), deepcopy(nobody), {name: shown(True)}, None, {name: shown(False)}
        )
        return None if found == nobody or not isinstance(found, Mapping) else found

    async def identity(self, claim: Mapping[str, Any]) -> Identity:
        """Whoever is claimed, with the rights of now. Raises InvalidCredentials."""
        return await self._authenticator.of_claim(claim, self._origin)
