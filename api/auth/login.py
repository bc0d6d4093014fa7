"""Signing in, staying signed in, signing out: what these commands decide, without any HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

import pyotp

from api.auth.attempts import Attempts
from api.auth.credentials import Origin
from api.auth.issuing import MODES, Issuer, Mode, Signed, caller_of
from api.auth.passwords import verify
from api.auth.sessions import Sessions
from domain.access.sealed import Seal
from domain.errors import ActaError, InvalidCredentials, InvalidOtp, UserSuspended
from projections.system.accounts import Account, Accounts
from projections.system.users import UserLog

__all__ = ["MODES", "Login", "Mode", "Signed", "stalled", "totp_fits"]

T = TypeVar("T")
Welcome = Callable[[str, UUID, Origin, UUID], Awaitable[None]]
"""Asks a provider whether a user is still welcome; raises when he isn't."""
DEFAULT = "default"


class Login:
    """The three commands of ``/auth``."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        issuer: Issuer,
        users: UserLog,
        attempts: Attempts,
        seal: Seal,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._issuer = issuer
        self._users = users
        self._attempts = attempts
        self._seal = seal
        self.welcome: Welcome | None = None

    async def login(
        self,
        email: str,
        password: str,
        otp: str | None,
        mode: Mode,
        origin: Origin,
        request: UUID,
        provider: str = DEFAULT,
    ) -> Signed:
        """Check the credentials and begin a session.

        Raises:
            InvalidCredentials: the same for whatever is wrong with user or password.
            InvalidOtp: when the password was right and the second factor was not.
        """
        account = await self._accounts.by_email(email)
        user = None if account is None else account.id
        given = {"email": email, "password": password, **({} if otp is None else {"otp": otp})}
        payload = await self._issuer.asked(given, user, provider)
        try:
            await self._prove(account, payload, origin, request, provider)
        except ActaError as error:
            self._issuer.told(payload, user, provider, error)
            raise
        assert account is not None
        return await self._issuer.begin(account, mode, origin, request, payload)

    async def _prove(
        self,
        account: Account | None,
        payload: Mapping[str, Any],
        origin: Origin,
        request: UUID,
        provider: str,
    ) -> None:
        """Check password and second factor. Raises as :meth:`login`."""
        password, otp = str(payload.get("password") or ""), payload.get("otp")
        usable = account is not None and account.status == "active" and account.provider == provider
        if account is not None and usable:
            await self._attempts.on_user(account, origin, request)
        right = await verify(account.password if account is not None and usable else None, password)
        if account is None or not usable or not right:
            raise InvalidCredentials()
        self.require_otp(account, None if otp is None else str(otp))
        await self._attempts.forgive(account)

    def require_otp(self, account: Account, otp: str | None) -> None:
        """Demand the second factor of a user who has one.

        Raises:
            InvalidOtp
        """
        if account.tfa_secret and not totp_fits(self._seal.open(account.tfa_secret), otp):
            raise InvalidOtp()

    async def refresh(self, token: str, mode: Mode, origin: Origin, request: UUID) -> Signed:
        """Carry a session on.

        Raises:
            InvalidCredentials: unknown, ended or already used.
            UserSuspended
        """
        session = await self._sessions.find(token)
        if session is None or not session.open:
            raise InvalidCredentials()
        if session.user is not None and session.status != "active":
            await self._sessions.finish(token)
            raise UserSuspended() if session.status == "suspended" else InvalidCredentials()
        if session.user is not None and session.provider and self.welcome is not None:
            await self.welcome(session.provider, session.user, origin, request)
        if mode == "session":
            following = await self._sessions.succeed(token, session, origin)
        else:
            following = await self._sessions.rotate(token, origin)
        if following is None:
            raise InvalidCredentials()
        if session.user is not None:
            await self._users.seen(caller_of(session.user, session.role, origin), request)
        return await self._issuer.carry_on(session, following, mode, origin)

    async def logout(self, token: str, origin: Origin, request: UUID) -> None:
        """End a session; an unknown one is ended already."""
        user = await self._sessions.finish(token)
        if user is not None:
            await self._users.logged_out(caller_of(user, None, origin), request)


def totp_fits(secret: str | None, otp: str | None) -> bool:
    """Whether a one-time password is the current one of a secret."""
    if not secret or not otp:
        return False
    try:
        return _Totp(secret).verify(otp)
    except ValueError:
        return False


class _Totp(pyotp.TOTP):
    # Secrets that came from the reference have 80 bits.
    min_secret_length_bits = 80


async def stalled(work: Awaitable[T], seconds: float) -> T:
    """Do the work, but never quicker than ``seconds``: success and failure look the same from outside."""
    began = time.monotonic()
    try:
        return await work
    finally:
        remaining = seconds - (time.monotonic() - began)
        if remaining > 0:
            await asyncio.sleep(remaining)
