"""The providers of the settings, and what signing in with one of them decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from api.auth.credentials import Origin
from api.auth.issuing import Issuer, Mode, Signed
from api.auth.links import own_url
from api.auth.login import Login
from api.auth.sso.ldap import Directory
from api.auth.sso.oauth import OAuthClient, OpenIdClient
from api.auth.sso.saml import SamlClient
from api.auth.sso.users import Profile, ProviderUsers
from domain.errors import InvalidCredentials
from domain.settings import Settings
from domain.settings_providers import (
    LdapProvider,
    LocalProvider,
    OAuth2Provider,
    OpenIdProvider,
    Provider,
    SamlProvider,
)
from projections.access.counters import Counters
from projections.system.accounts import Accounts

Client: TypeAlias = OAuthClient | SamlClient | Directory


@dataclass(frozen=True)
class Providers:
    """Signs users of providers in."""

    clients: Mapping[str, Client]
    users: ProviderUsers
    accounts: Accounts
    issuer: Issuer
    login: Login
    counters: Counters

    async def prepare(self) -> None:
        """Read what issuers tell about themselves, where the settings demand it.

        Raises:
            ServiceUnavailable
        """
        for client in self.clients.values():
            if isinstance(client, OpenIdClient) and client.settings.must_discover:
                await client.discover()

    async def enter(
        self, profile: Profile, mode: Mode, otp: str | None, origin: Origin, request: UUID
    ) -> Signed:
        """Begin a session of the user whom a profile of a redirecting provider describes.

        Raises:
            InvalidCredentials, InvalidProvider, InvalidOtp
        """
        client = self.clients[profile.provider]
        assert not isinstance(client, Directory)
        given = client.settings
        account = await self.users.of(profile, origin, request, create=given.register_users, sync=given.sync)
        self.login.require_otp(account, otp)
        return await self.issuer.begin(account, mode, origin, request)

    async def enter_directory(
        self,
        client: Directory,
        identifier: str,
        password: str,
        mode: Mode,
        otp: str | None,
        origin: Origin,
        request: UUID,
    ) -> Signed:
        """Begin a session of a person of a directory.

        Raises:
            InvalidCredentials, InvalidProvider, InvalidOtp, ServiceUnavailable
        """
        entry = await client.authenticate(identifier, password)
        given = client.settings
        role = await self.accounts.role_named(list(entry.groups)) if entry.groups else None
        profile = Profile(
            client.name,
            entry.dn,
            entry.email,
            entry.first_name,
            entry.last_name,
            role or given.default_role,
            role_given=given.group_dn is not None,
        )
        account = await self.users.of(profile, origin, request, create=True, sync=given.sync)
        self.login.require_otp(account, otp)
        return await self.issuer.begin(account, mode, origin, request)

    async def require_welcome(self, name: str, user: UUID, origin: Origin, request: UUID) -> None:
        """Before a session is carried on: whether its user is still welcome at the provider.

        Raises:
            InvalidCredentials, InvalidToken, ServiceUnavailable
        """
        client = self.clients.get(name)
        if isinstance(client, OAuthClient):
            token = await self.users.refresh_token(user)
            if token is not None and (following := await client.refresh(token)):
                await self.users.keep_refresh_token(user, following, origin, request)
        elif isinstance(client, Directory):
            identifier = await self.accounts.identifier(user)
            if identifier is not None:
                await client.require_usable(identifier)

    async def require_unused(self, assertion: str, seconds: float) -> None:
        """Accept an assertion of SAML only once.

        Raises:
            InvalidCredentials
        """
        if (await self.counters.count(f"saml:{assertion}", seconds)).points > 1:
            raise InvalidCredentials()


def clients_of(settings: Settings) -> dict[str, Client]:
    """A client for each provider that isn't ours alone."""
    found: dict[str, Client] = {}
    for name, given in settings.providers.providers.items():
        client = _client(settings, name, given)
        if client is not None:
            found[name] = client
    return found


def _client(settings: Settings, name: str, given: Provider) -> Client | None:
    match given:
        case LocalProvider():
            return None
        case OpenIdProvider():
            return OpenIdClient(name, given)
        case OAuth2Provider():
            return OAuthClient(name, given)
        case LdapProvider():
            return Directory(name, given)
        case SamlProvider():
            return SamlClient(name, given, own_url(settings, f"/auth/login/{name}"))
    raise TypeError(given)
