"""From what a provider tells about somebody to a user of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from api.auth.credentials import Origin
from api.auth.issuing import caller_of
from domain.access.emails import is_email
from domain.access.sealed import Seal
from domain.errors import InvalidCredentials, InvalidProvider, RecordNotUnique
from projections.emitter import Emitter
from projections.system.accounts import Account, Accounts
from projections.system.rights import RightsStore
from projections.system.users import UserLog

# What says whose user it is, which is for no filter to change.
_BINDING: Final = frozenset({"id", "provider", "external_identifier"})


@dataclass(frozen=True, slots=True)
class Profile:
    """Who somebody is there; ``role`` counts when ``role_given``, ``refresh`` is a token of theirs.

    An address that is not ``verified`` makes no user, and changes none.
    """

    provider: str
    identifier: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    role: UUID | None = None
    role_given: bool = False
    refresh: str | None = None
    verified: bool = True


class ProviderUsers:
    """Finds, makes and refreshes users of providers."""

    def __init__(
        self, accounts: Accounts, users: UserLog, rights: RightsStore, seal: Seal, emitter: Emitter
    ) -> None:
        self._emitter = emitter
        self._accounts = accounts
        self._users = users
        self._rights = rights
        self._seal = seal

    async def of(
        self, profile: Profile, origin: Origin, request: UUID, *, create: bool, sync: bool
    ) -> Account:
        """The active user whom a profile describes.

        Raises:
            InvalidCredentials: there is none and none may be made, or he may not sign in this way.
            InvalidProvider: his address is somebody else's.
        """
        account = await self._accounts.by_identifier(profile.identifier)
        if account is None:
            if not create or not profile.verified:
                raise InvalidCredentials()
            return await self._made(profile, origin, request)
        if account.provider != profile.provider or account.status != "active":
            raise InvalidCredentials()
        asked = await self._asked("auth.update", self._changes(account, profile, sync=sync), profile)
        changes = {name: value for name, value in asked.items() if name not in _BINDING}
        changes |= self._secret(profile)
        if changes:
            await self._settled(
                self._users.change(caller_of(account.id, account.role, origin), request, account.id, changes)
            )
        found = await self._accounts.by_id(account.id)
        return found or account

    async def refresh_token(self, user: UUID) -> str | None:
        """The provider's own refresh token of a user, when it gave one."""
        stored = (await self._accounts.auth_data(user)).get("refreshToken")
        return self._seal.open(stored) if isinstance(stored, str) else None

    async def keep_refresh_token(self, user: UUID, token: str, origin: Origin, request: UUID) -> None:
        """Remember the next one."""
        data = {"auth_data": {"refreshToken": self._seal.close(token)}}
        await self._users.change(caller_of(user, None, origin), request, user, data, silent=True)

    async def _made(self, profile: Profile, origin: Origin, request: UUID) -> Account:
        bound = {"provider": profile.provider, "external_identifier": profile.identifier}
        given = {
            **bound,
            "role": str(profile.role) if profile.role else None,
            **self._personal(profile),
        }
        payload = {**await self._asked("auth.create", given, profile), **bound, **self._secret(profile)}
        try:
            user = await self._settled(self._users.create(caller_of(None, None, origin), request, payload))
        except RecordNotUnique:
            raise InvalidProvider() from None
        account = await self._accounts.by_id(user)
        assert account is not None
        return account

    def _changes(self, account: Account, profile: Profile, *, sync: bool) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if profile.role_given and profile.role != account.role:
            changes["role"] = str(profile.role) if profile.role else None
        if sync:
            changes |= {name: value for name, value in self._personal(profile).items() if value is not None}
            if str(changes.get("email", "")).lower() == (account.email or "").lower():
                # Writing an address, even the same one, would end the user's sessions.
                changes.pop("email", None)
        return changes

    async def _asked(self, event: str, payload: dict[str, Any], profile: Profile) -> dict[str, Any]:
        """What filters make of a user before it is written; they may refuse it."""
        members = {
            "identifier": profile.identifier,
            "provider": profile.provider,
            "providerPayload": {"userInfo": {"email": profile.email, **self._personal(profile)}},
        }
        found = await self._emitter.filter(event, (event,), payload, members, None)
        return dict(found) if isinstance(found, dict) else {}

    def _personal(self, profile: Profile) -> dict[str, Any]:
        found: dict[str, Any] = {
            "first_name": profile.first_name and profile.first_name[:50],
            "last_name": profile.last_name and profile.last_name[:50],
        }
        if profile.email is not None and profile.verified and is_email(profile.email):
            found["email"] = profile.email
        return found

    def _secret(self, profile: Profile) -> dict[str, Any]:
        return (
            {"auth_data": {"refreshToken": self._seal.close(profile.refresh)}}
            if profile.refresh is not None
            else {}
        )

    async def _settled(self, write: Any) -> Any:
        try:
            return await write
        finally:
            self._rights.settle()


def flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested members under names with dots."""
    found: dict[str, Any] = {}
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            found |= flat(entry, f"{before}{name}.")
        else:
            found[before + name] = entry
    return found


def text(value: Any) -> str | None:
    """A value of a profile as text; None for nothing."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    return str(value) if value not in (None, "") else None


def mapped_role(roles: Mapping[str, UUID], groups: Any, default: UUID | None) -> tuple[UUID | None, bool]:
    """The role of the first group in the map that somebody has, and whether a map was there at all."""
    if not roles:
        return default, False
    had = [str(entry) for entry in (groups if isinstance(groups, list | tuple) else [groups])]
    return next((role for group, role in roles.items() if group in had), default), True
