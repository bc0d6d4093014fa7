"""Who is at the other end of a socket: signed in by message or at the upgrade, and looked at again later.

A token that ends or fails leaves nobody with more rights than anonymous callers have: in public mode the
visitor is anonymous again, else nothing but signing in is answered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID, uuid4

from api.auth.authenticate import Authenticator, Identity
from api.auth.credentials import Origin
from api.auth.limiter import Limiter
from api.auth.login import Login, stalled
from api.keys import Context
from domain.errors import ActaError, Forbidden, ServiceUnavailable
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
    ) -> None:
        self._authenticator = authenticator
        self._login = login
        self._limiter = limiter
        self._settings = settings
        self._models = models
        self._mode = mode
        self._origin = origin
        self._token: str | None = None
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

    async def enter(self, token: str) -> None:
        """Sign in by an access token, JWT or static.

        Raises:
            AuthFailed: also for tokens without a user.
        """
        try:
            identity = await self._authenticator.of_token(token, self._origin)
        except ActaError as error:
            raise AuthFailed from error
        if identity.caller.user is None:
            raise AuthFailed
        self._token, self._identity = token, identity
        self._seen = self._now()

    async def sign_in(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Sign in by an ``auth`` message; what its answer has to hold besides.

        Raises:
            AuthFailed
        """
        token, refresh = message.get("access_token"), message.get("refresh_token")
        email, password = message.get("email"), message.get("password")
        self.leave()
        try:
            await self._limiter.request(self._origin.ip)
            if isinstance(token, str):
                await self.enter(token)
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
        except ActaError as error:
            raise AuthFailed from error
        await self.enter(signed.access)
        return {"refresh_token": signed.refresh}

    def leave(self) -> None:
        """Be nobody again."""
        self._token = self._identity = None

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
        assert self._token is not None
        try:
            self._identity = await self._authenticator.of_token(self._token, self._origin)
        except ServiceUnavailable:
            raise
        except ActaError:
            # An expired token: the socket's clock says so and asks for another.
            self.leave()
        self._seen = self._now()
