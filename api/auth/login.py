"""Signing in, staying signed in, signing out: what these commands decide, without any HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from uuid import UUID

import pyotp

from api.auth.credentials import Origin
from api.auth.passwords import verify
from api.auth.sessions import STATEMENTS, Sessions
from api.auth.tokens import Signer
from domain.access.caller import Caller
from domain.errors import InvalidCredentials, InvalidOtp, UserSuspended
from domain.settings import AuthSettings
from projections.database import Database
from projections.system.rights import RightsStore
from projections.system.users import UserLog
from projections.tables.store import ModelStore

T = TypeVar("T")
Mode = Literal["json", "cookie", "session"]
MODES: tuple[Mode, ...] = ("cookie", "json", "session")


@dataclass(frozen=True, slots=True)
class Signed:
    """The tokens of a login or refresh; ``expires`` in seconds."""

    access: str
    refresh: str
    expires: float


class Login:
    """The three commands of ``/auth``."""

    def __init__(
        self,
        database: Database,
        models: ModelStore,
        rights: RightsStore,
        sessions: Sessions,
        signer: Signer,
        settings: AuthSettings,
        users: UserLog,
    ) -> None:
        self._database = database
        self._models = models
        self._rights = rights
        self._sessions = sessions
        self._signer = signer
        self._settings = settings
        self._users = users

    async def login(
        self, email: str, password: str, otp: str | None, mode: Mode, origin: Origin, request: UUID
    ) -> Signed:
        """Check the credentials and begin a session.

        Raises:
            InvalidCredentials: the same for whatever is wrong with user or password.
            InvalidOtp: when the password was right and the second factor was not.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(STATEMENTS["user_for_login"], {"email": email})
            row = await cursor.fetchone()
        usable = row is not None and row[2] == "active" and row[3] == "default"
        right = await verify(row[4] if row is not None and usable else None, password)
        if row is None or not usable or not right:
            raise InvalidCredentials()
        user, role, secret = row[0], row[1], row[5]
        if secret and not (otp and pyotp.TOTP(secret).verify(otp)):
            raise InvalidOtp()
        token = await self._sessions.begin(user, origin)
        await self._users.logged_in(_caller(user, role, origin), request)
        return await self._issue(user, role, token, mode, origin)

    async def refresh(self, token: str, mode: Mode, origin: Origin, request: UUID) -> Signed:
        """Carry a session on.

        Raises:
            InvalidCredentials: unknown, ended or already used.
            UserSuspended
        """
        session = await self._sessions.find(token)
        if session is None:
            raise InvalidCredentials()
        if session.status != "active":
            await self._sessions.finish(token)
            raise UserSuspended() if session.status == "suspended" else InvalidCredentials()
        if mode == "session":
            following: str | None = await self._sessions.succeed(token, session.user, origin)
        else:
            following = await self._sessions.rotate(token, origin)
        if following is None:
            raise InvalidCredentials()
        await self._users.seen(_caller(session.user, session.role, origin), request)
        return await self._issue(session.user, session.role, following, mode, origin)

    async def logout(self, token: str, origin: Origin, request: UUID) -> None:
        """End a session; an unknown one is ended already."""
        user = await self._sessions.finish(token)
        if user is not None:
            await self._users.logged_out(_caller(user, None, origin), request)

    async def _issue(self, user: UUID, role: UUID | None, token: str, mode: Mode, origin: Origin) -> Signed:
        standing = await self._rights.standing(self._models.current, _caller(user, role, origin))
        claims: dict[str, Any] = {
            "id": str(user),
            "role": str(role) if role else None,
            "app_access": standing.app,
            "admin_access": standing.admin,
        }
        seconds = self._settings.access_token_ttl
        if mode == "session":
            seconds = self._settings.session_cookie_ttl
            claims["session"] = token
        return Signed(self._signer.sign(claims, seconds), token, seconds)


def _caller(user: UUID, role: UUID | None, origin: Origin) -> Caller:
    return Caller(user=user, role=role, ip=origin.ip, user_agent=origin.user_agent, origin=origin.origin)


async def stalled(work: Awaitable[T], seconds: float) -> T:
    """Do the work, but never quicker than ``seconds``: success and failure look the same from outside."""
    began = time.monotonic()
    try:
        return await work
    finally:
        remaining = seconds - (time.monotonic() - began)
        if remaining > 0:
            await asyncio.sleep(remaining)
