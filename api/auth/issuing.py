"""Tokens for those who proved who they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from api.auth.credentials import Origin
from api.auth.sessions import Session, Sessions
from api.auth.tokens import Signer
from domain.access.caller import Caller
from domain.access.secrets import digest
from domain.settings import AuthSettings
from projections.system.accounts import Account, Accounts
from projections.system.rights import RightsStore
from projections.system.users import UserLog
from projections.tables.store import ModelStore

Mode = Literal["json", "cookie", "session"]
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

    async def begin(self, account: Account, mode: Mode, origin: Origin, request: UUID) -> Signed:
        """A new session of a user, its event, its tokens."""
        token = await self.sessions.begin(account.id, origin)
        await self.users.logged_in(caller_of(account.id, account.role, origin), request)
        enforced = account.tfa_secret is None and await self.accounts.enforces_tfa(account.role)
        return await self.issue(account.id, account.role, token, mode, origin, enforce_tfa=enforced)

    async def begin_share(self, share: UUID, mode: Mode, origin: Origin) -> Signed:
        """A new session of a share and its tokens."""
        return self._sign(_share_claims(share), await self.sessions.begin(None, origin, share), mode)

    async def carry_on(self, session: Session, token: str, mode: Mode, origin: Origin) -> Signed:
        """The tokens of a session whose refresh token is now ``token``."""
        if session.user is None:
            assert session.share is not None
            return self._sign(_share_claims(session.share), token, mode)
        return await self.issue(session.user, session.role, token, mode, origin)

    async def issue(
        self,
        user: UUID,
        role: UUID | None,
        token: str,
        mode: Mode,
        origin: Origin,
        *,
        enforce_tfa: bool = False,
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
        return self._sign(claims, token, mode)

    def _sign(self, claims: dict[str, Any], token: str, mode: Mode) -> Signed:
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
