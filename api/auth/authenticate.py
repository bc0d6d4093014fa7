"""From a request to its caller and rights. Kept per token until something about rights changes."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from aiohttp import web

from api.auth.credentials import Origin, origin_of, token_of
from api.auth.sessions import Sessions
from api.auth.tokens import Signer, claims_to_be_ours
from domain.access.caller import Caller
from domain.access.rights import Rights
from domain.access.secrets import digest
from domain.errors import InvalidCredentials, InvalidToken
from domain.model.schema import Model
from domain.settings import AuthSettings
from projections.database import Database
from projections.system.accounts import Accounts, Share
from projections.system.rights import STATEMENTS, RightsStore
from projections.system.share_rights import ShareRights
from projections.tables.store import ModelStore

log = logging.getLogger("acta.api")
MAXIMUM_ENTRIES = 10_000
# How long a token is believed without another look at the login behind it.
BELIEVED_SECONDS = 5.0
REQUIRED_CLAIMS = ("role", "app_access", "admin_access")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request; ``until`` is when the token behind it ends (seconds of the epoch).

    One that is not ``lasting`` holds for this request alone.
    """

    caller: Caller
    rights: Rights
    session: str | None = None
    until: float | None = None
    lasting: bool = True


class Authenticator:
    """Finds the identity behind a request."""

    def __init__(
        self,
        database: Database,
        models: ModelStore,
        rights: RightsStore,
        sessions: Sessions,
        accounts: Accounts,
        shares: ShareRights,
        signer: Signer,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._models = models
        self.rights = rights
        self._sessions = sessions
        self._accounts = accounts
        self._shares = shares
        self._signer = signer
        self._settings = settings
        self._known: dict[tuple[bytes, str | None, str | None, str | None], Identity] = {}
        self._version = (-1, -1)

    def forget(self) -> None:
        """Look at every token again: a login has ended."""
        self._known = {}

    async def identify(self, request: web.Request) -> Identity:
        """The identity of a request.

        Raises:
            InvalidPayload, InvalidCredentials, InvalidToken, TokenExpired
        """
        token, _ = token_of(request, self._settings.session_cookie_name)
        return await self.of_token(token, origin_of(request, self._settings))

    async def of_token(self, token: str | None, origin: Origin) -> Identity:
        """The identity behind a token, or of anonymous callers. Raises as :meth:`identify`."""
        model = self._models.current
        version = (self.rights.version, model.version)
        if version != self._version:
            self._known, self._version = {}, version
        # Only the digest of a token stays in memory.
        hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest() if token else b""
        place = (hashed, origin.ip, origin.user_agent, origin.origin)
        known = self._known.get(place)
        if known is not None and (known.until is None or known.until > time.time()):
            return known
        identity, lasting = await self._identify(model, token, origin)
        if lasting and identity.lasting and version == self._version == (self.rights.version, model.version):
            if len(self._known) >= MAXIMUM_ENTRIES:
                self._known.clear()
            self._known[place] = identity
        return identity

    async def of_claim(self, claim: Mapping[str, Any], origin: Origin) -> Identity:
        """Whoever a filter says is calling: an active user or a role, with the rights of now; what else it
        claims is not believed.

        Raises:
            InvalidCredentials: for a user who is not there or not active, and for keys that are none.
        """
        anonymous = Caller(ip=origin.ip, user_agent=origin.user_agent, origin=origin.origin)
        named = {"id": claim.get("user"), "role": claim.get("role")}
        try:
            caller = await self._claimed(anonymous, named)
        except InvalidToken:
            log.warning("a filter claims a user or role that is no key: %r", named)
            raise InvalidCredentials from None
        return await self._with_rights(self._models.current, caller)

    async def _identify(self, model: Model, token: str | None, origin: Origin) -> tuple[Identity, bool]:
        anonymous = Caller(ip=origin.ip, user_agent=origin.user_agent, origin=origin.origin)
        if token is None:
            return await self._with_rights(model, anonymous), True
        if not claims_to_be_ours(token):
            return await self._with_rights(model, await self._static(anonymous, token)), True
        claims = self._signer.read(token)
        if any(name not in claims for name in REQUIRED_CLAIMS):
            raise InvalidToken()
        share = await self._claimed_share(claims)
        session, login = claims.get("session"), claims.get("login")
        if session is not None and not await self._sessions.alive(str(session)):
            raise InvalidCredentials()
        if login is not None and not await self._sessions.goes_on(str(login)):
            raise InvalidCredentials()
        if share is not None:
            visitor = replace(anonymous, share=share.id)
            identity = Identity(visitor, await self._shares.of(model, share, visitor))
        else:
            identity = await self._with_rights(model, await self._claimed(anonymous, claims))
        # A session can end any moment, so it is looked up for every request; other tokens soon again.
        until = min(float(claims["exp"]), time.time() + BELIEVED_SECONDS)
        return replace(identity, session=session, until=until), session is None

    async def _claimed(self, anonymous: Caller, claims: dict[str, Any]) -> Caller:
        user = _uuid(claims.get("id"))
        if user is None:
            return replace(anonymous, role=_uuid(claims.get("role")))
        account = await self._accounts.by_id(user)
        if account is None or account.status != "active":
            raise InvalidCredentials()
        # Not the claim: who lost a role has lost it.
        return replace(anonymous, user=user, role=account.role)

    async def _static(self, anonymous: Caller, token: str) -> Caller:
        async with self._database.connection() as connection:
            cursor = await connection.execute(STATEMENTS["user_by_token"], {"digest": digest(token)})
            row = await cursor.fetchone()
        if row is None:
            raise InvalidCredentials()
        return replace(anonymous, user=row[0], role=row[1])

    async def _claimed_share(self, claims: dict[str, Any]) -> Share | None:
        key = _uuid(claims.get("share"))
        share = await self._accounts.share(key) if key is not None else None
        if key is not None and share is None:
            raise InvalidToken()
        return share

    async def _with_rights(self, model: Model, caller: Caller) -> Identity:
        standing = await self.rights.standing(model, caller)
        return Identity(standing.of(caller), standing.rights, lasting=standing.lasting)


def _uuid(value: Any) -> UUID | None:
    if value is None:
        return None
    try:
        return UUID(str(value))
    except ValueError:
        raise InvalidToken() from None
