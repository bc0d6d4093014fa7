"""Who is at the other end of a socket: signed in by message or at the upgrade, and looked at again later.

A token that ends or fails leaves nobody with more rights than anonymous callers have: in public mode the
visitor is anonymous again, else nothing but signing in is answered.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID, uuid4

from api.auth.authenticate import Authenticator, Identity
from api.auth.credentials import Origin
from api.auth.limiter import Limiter
from api.auth.login import Login, stalled
from api.keys import Context
from api.realtime.events import SocketEvents
from api.realtime.protocol import Message
from domain.errors import ActaError, ErrorGroup, Forbidden, ServiceUnavailable
from domain.settings import AuthSettings
from projections.tables.store import ModelStore

Mode = Literal["public", "handshake", "strict"]
# How old a look at sessions and users may be; changes of rights are heard at once.
LOOK_SECONDS = 5.0


class AuthFailed(Exception):
    """Nobody could be made of what was sent."""


class Visitor:
    """One socket's identity. ``until`` is when its token ends, seconds of the epoch.

    Signing in costs what it costs over HTTP: it counts for the rate limiter, and takes as long.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        login: Login,
        limiter: Limiter,
        models: ModelStore,
        mode: Mode,
        origin: Origin,
        settings: AuthSettings,
        events: SocketEvents,
    ) -> None:
        self.events = events
        self._authenticator = authenticator
        self._login = login
        self._limiter = limiter
        self._settings = settings
        self._models = models
        self._mode = mode
        self._origin = origin
        self._token: str | None = None
        self._claim: Mapping[str, Any] | None = None
        self._identity: Identity | None = None
        self._seen: tuple[float, int, int] = (0.0, -1, -1)

    @property
    def known(self) -> bool:
        """Whether somebody is signed in."""
        return self._identity is not None

    @property
    def until(self) -> float | None:
        """When the token ends; None for tokens that don't, and without one."""
        return None if self._identity is None else self._identity.until

    async def enter(self, token: str | None, message: Message | None = None) -> bool:
        """Sign in by an access token, JWT or static, unless filters who see the message say who it is.

        Gives whether there was anything to sign in by.

        Raises:
            AuthFailed: also for tokens without a user.
        """
        message = message or {"type": "auth", "access_token": token}
        with self._telling(message):
            claimed = await self._claimed(message)
            if not claimed and token is not None:
                await self._by_token(token, message)
        return claimed or token is not None

    async def _by_token(self, token: str, message: Message) -> None:
        identity = await self._authenticator.of_token(token, self._origin)
        if identity.caller.user is None:
            raise AuthFailed
        self._token, self._claim = token, None
        self._found(identity, message)

    async def _claimed(self, message: Message) -> bool:
        claim = await self.events.claim(message)
        if claim is not None:
            identity = await self._authenticator.of_claim(claim, self._origin)
            self._token, self._claim = None, claim
            self._found(identity, message)
        return claim is not None

    def _found(self, identity: Identity, message: Message) -> None:
        self._identity, self.events.caller = identity, identity.caller
        self._seen = self._now()
        self.events.tell("auth.success", message={"type": message["type"]})

    @contextmanager
    def _telling(self, message: Message) -> Iterator[None]:
        """Whatever keeps somebody out, he is told the same, and listeners are told of it."""
        try:
            yield
        except (ActaError, ErrorGroup, AuthFailed) as error:
            self.events.tell("auth.failure", message={"type": message["type"]})
            raise AuthFailed from error

    async def sign_in(self, message: Message) -> dict[str, Any]:
        """Sign in by an ``auth`` message; what its answer has to hold besides.

        Raises:
            AuthFailed
        """
        self.leave()
        with self._telling(message):
            await self._limiter.request(self._origin.ip)
            return {} if await self._claimed(message) else await self._by_message(message)

    async def _by_message(self, message: Message) -> dict[str, Any]:
        token, refresh = message.get("access_token"), message.get("refresh_token")
        email, password = message.get("email"), message.get("password")
        if isinstance(token, str):
            await self._by_token(token, message)
            return {}
        if isinstance(email, str) and isinstance(password, str) and not self._settings.disable_default:
            otp = message.get("otp")
            code = otp if isinstance(otp, str) else None
            login = self._login.login(email, password, code, "json", self._origin, uuid4())
            signed = await stalled(login, self._settings.login_stall)
        elif isinstance(refresh, str):
            signed = await self._login.refresh(refresh, "json", self._origin, uuid4())
        else:
            raise AuthFailed
        await self._by_token(signed.access, message)
        return {"refresh_token": signed.refresh}

    def leave(self) -> None:
        """Be nobody again."""
        self._token = self._claim = self._identity = self.events.caller = None

    async def context(self, request: UUID | None = None) -> Context:
        """The context for a message or an event, with the rights of this moment.

        Raises:
            Forbidden: when nobody is signed in and nobody may stay anonymous.
        """
        if self._identity is not None and (self._stale() or not self._identity.lasting):
            await self._look_again()
        identity = self._identity
        if identity is None:
            if self._mode != "public":
                raise Forbidden()
            identity = await self._authenticator.of_token(None, self._origin)
        return Context(
            str(request or uuid4()), identity.caller, identity.rights, self._models.current, identity.session
        )

    def _now(self) -> tuple[float, int, int]:
        return time.monotonic(), self._authenticator.rights.version, self._models.current.version

    def _stale(self) -> bool:
        (then, *versions), (now, *current) = self._seen, self._now()
        return versions != current or now - then > LOOK_SECONDS

    async def _look_again(self) -> None:
        try:
            if self._claim is not None:
                self._identity = await self._authenticator.of_claim(self._claim, self._origin)
            else:
                self._identity = await self._authenticator.of_token(self._token, self._origin)
        except ServiceUnavailable:
            raise
        except ActaError:
            # An expired token: the socket's clock says so and asks for another.
            self.leave()
        self._seen = self._now()
