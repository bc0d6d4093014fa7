"""Tokens for those who proved who they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from api.auth.credentials import Origin
from api.auth.sessions import Session, Sessions
from api.auth.tokens import Signer
from domain.access.caller import Caller
from domain.access.secrets import digest, masked
from domain.errors import ActaError
from domain.settings import AuthSettings
from projections.emitter import Emitter
from projections.system.accounts import Account, Accounts
from projections.system.rights import RightsStore
from projections.system.users import UserLog
from projections.tables.store import ModelStore

Mode = Literal["json", "cookie", "session"]
Kind = Literal["login", "refresh"]
LOGIN_EVENT = "auth.login"
SECRET = frozenset({"password", "otp"})
MODES: tuple[Mode, ...] = ("cookie", "json", "session")


@dataclass(frozen=True, slots=True)
class Signed:
    """The tokens of a login or refresh; ``expires`` in seconds.

    ``enforce_tfa`` tells that the user has to set up a second factor.
    """

    access: str
    refresh: str
    expires: float
    enforce_tfa: bool = False


@dataclass(frozen=True, slots=True)
class Issuer:
    """Begins sessions and signs their tokens."""

    models: ModelStore
    rights: RightsStore
    sessions: Sessions
    signer: Signer
    settings: AuthSettings
    users: UserLog
    accounts: Accounts
    emitter: Emitter

    async def asked(self, payload: dict[str, Any], user: UUID | None, provider: str) -> dict[str, Any]:
        """What filters make of a login before it is looked at; they may refuse it."""
        members = {"status": "pending", "user": _text(user), "provider": provider}
        found = await self.emitter.filter(LOGIN_EVENT, (LOGIN_EVENT,), payload, members, None)
        return dict(found) if isinstance(found, dict) else {}

    def told(
        self, payload: dict[str, Any], user: UUID | None, provider: str, error: ActaError | None = None
    ) -> None:
        """Tell what became of a login, and never with what."""
        meta = {
            "payload": masked(payload, SECRET),
            "status": "success" if error is None else "fail",
            "user": _text(user),
            "provider": provider,
            "error": None if error is None else error.entry(),
        }
        self.emitter.act((LOGIN_EVENT,), meta, None)

    async def begin(
        self,
        account: Account,
        mode: Mode,
        origin: Origin,
        request: UUID,
        payload: dict[str, Any] | None = None,
    ) -> Signed:
        """A new session of a user, its event, its tokens. ``payload`` is what filters made of the login;
        they are asked here when nobody did."""
        if payload is None:
            payload = await self.asked({}, account.id, account.provider)
        self.told(payload, account.id, account.provider)
        token = await self.sessions.begin(account.id, origin)
        await self.users.logged_in(caller_of(account.id, account.role, origin), request)
        enforced = account.tfa_secret is None and await self.accounts.enforces_tfa(account.role)
        return await self.issue(account.id, account.role, token, mode, origin, enforce_tfa=enforced)

    async def begin_share(self, share: UUID, mode: Mode, origin: Origin) -> Signed:
        """A new session of a share and its tokens."""
        token = await self.sessions.begin(None, origin, share)
        return await self._sign(_share_claims(share), token, mode, "login")

    async def carry_on(self, session: Session, token: str, mode: Mode, origin: Origin) -> Signed:
        """The tokens of a session whose refresh token is now ``token``."""
        if session.user is None:
            assert session.share is not None
            return await self._sign(_share_claims(session.share), token, mode, "refresh")
        return await self.issue(session.user, session.role, token, mode, origin, kind="refresh")

    async def issue(
        self,
        user: UUID,
        role: UUID | None,
        token: str,
        mode: Mode,
        origin: Origin,
        *,
        enforce_tfa: bool = False,
        kind: Kind = "login",
    ) -> Signed:
        """The tokens of a session of a user."""
        standing = await self.rights.standing(self.models.current, caller_of(user, role, origin))
        claims: dict[str, Any] = {
            "id": str(user),
            "role": str(role) if role else None,
            "app_access": standing.app,
            "admin_access": standing.admin,
        }
        if enforce_tfa:
            claims["enforce_tfa"] = True
        return await self._sign(claims, token, mode, kind)

    async def _sign(self, claims: dict[str, Any], token: str, mode: Mode, kind: Kind) -> Signed:
        members = {"status": "pending", "user": claims.get("id"), "provider": None, "type": kind}
        found = await self.emitter.filter("auth.jwt", ("auth.jwt",), claims, members, None)
        claims = dict(found) if isinstance(found, dict) else claims
        seconds = self.settings.access_token_ttl
        if mode == "session":
            seconds = self.settings.session_cookie_ttl
            claims["session"] = token
        else:
            # So that the access token ends with the login it came of.
            claims["login"] = digest(token)
        access = self.signer.sign(claims, seconds)
        return Signed(access, token, seconds, bool(claims.get("enforce_tfa")))


def caller_of(user: UUID | None, role: UUID | None, origin: Origin) -> Caller:
    """The caller whom the log shall know."""
    return Caller(user=user, role=role, ip=origin.ip, user_agent=origin.user_agent, origin=origin.origin)


def _share_claims(share: UUID) -> dict[str, Any]:
    return {"app_access": False, "admin_access": False, "role": None, "share": str(share)}


def _text(user: UUID | None) -> str | None:
    return None if user is None else str(user)
