"""OAuth 2 and OpenID Connect: the code flow with PKCE, through Authlib."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.auth.sso.users import Profile, flat, mapped_role, text
from api.auth.tokens import random_token
from domain.errors import InvalidCredentials, InvalidToken, ServiceUnavailable
from domain.settings_providers import OAuth2Provider, OpenIdProvider

TIMEOUT_SECONDS = 10.0
KEYS_SECONDS = 600.0
LEEWAY_SECONDS = 60
WELL_KNOWN = "/.well-known/openid-configuration"
# Signatures that only the issuer can make: one made with our own client secret proves nothing.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class NotGranted(Exception):
    """The provider refused a code or token."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to send the user, and what has to come back with him."""

    url: str
    verifier: str


class OAuthClient:
    """One provider."""

    def __init__(self, name: str, settings: OAuth2Provider | OpenIdProvider) -> None:
        self.name = name
        self.settings = settings

    async def start(self, callback: str, *, prompt: bool) -> Start:
        """Begin: the address to send the user to."""
        verifier = random_token()
        more = dict(self.settings.params)
        if prompt:
            more["prompt"] = "consent"
        async with self._client(callback) as client:
            url, _ = client.create_authorization_url(
                await self._authorize_url(),
                state=self.challenge(verifier),
                code_challenge=self.challenge(verifier),
                code_challenge_method="plain" if self.settings.plain_challenge else "S256",
                access_type="offline",
                **self._nonce(verifier),
                **more,
            )
        return Start(url, verifier)

    async def finish(self, callback: str, verifier: str, query: Mapping[str, str]) -> Profile:
        """The profile that a returning user's code leads to.

        Raises:
            InvalidCredentials, NotGranted, ServiceUnavailable
        """
        if "error" in query:
            raise NotGranted(query["error"])
        if not query.get("code") or query.get("state") != self.challenge(verifier):
            raise InvalidCredentials()
        async with self._client(callback) as client:
            token = await self._asked(
                client.fetch_token(
                    await self._token_url(),
                    grant_type="authorization_code",
                    code=query["code"],
                    code_verifier=verifier,
                )
            )
            profile = await self._profile(client, token, verifier)
        return self._read(profile, token)

    async def refresh(self, refresh: str) -> str | None:
        """Let the provider confirm that the user is still welcome; its next refresh token.

        Raises:
            InvalidToken: he isn't.
            ServiceUnavailable
        """
        try:
            async with self._client("") as client:
                token = await self._asked(
                    client.refresh_token(await self._token_url(), refresh_token=refresh)
                )
        except NotGranted:
            raise InvalidToken() from None
        return text(token.get("refresh_token"))

    def challenge(self, verifier: str) -> str:
        """What the provider learns of the verifier at first."""
        return verifier if self.settings.plain_challenge else str(create_s256_code_challenge(verifier))

    def _client(self, callback: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret.get_secret_value(),
            token_endpoint_auth_method=self.settings.client_auth,
            scope=self.settings.scope,
            redirect_uri=callback or None,
            timeout=TIMEOUT_SECONDS,
            # The token is used at once, however short it lives.
            leeway=0,
        )

    async def _asked(self, work: Any) -> dict[str, Any]:
        try:
            return dict(await work)
        except OAuthError as error:
            raise NotGranted(str(error.error)) from error
        except (httpx2.HTTPError, AuthlibBaseError, ValueError) as error:
            raise ServiceUnavailable(self.name, "the provider does not answer as it should") from error

    async def _json(self, client: Any, url: str, **options: Any) -> dict[str, Any]:
        try:
            answer = await client.get(url, **options)
            answer.raise_for_status()
            found = answer.json()
        except (httpx2.HTTPError, AuthlibBaseError, ValueError) as error:
            raise ServiceUnavailable(self.name, "the provider does not answer as it should") from error
        if not isinstance(found, dict):
            raise ServiceUnavailable(self.name, "the provider does not answer as it should")
        return found

    def _nonce(self, verifier: str) -> dict[str, str]:
        return {}

    async def _authorize_url(self) -> str:
        assert isinstance(self.settings, OAuth2Provider)
        return self.settings.authorize_url

    async def _token_url(self) -> str:
        assert isinstance(self.settings, OAuth2Provider)
        return self.settings.access_url

    async def _profile(self, client: Any, token: Mapping[str, Any], verifier: str) -> dict[str, Any]:
        assert isinstance(self.settings, OAuth2Provider)
        return await self._json(client, self.settings.profile_url)

    def _read(self, profile: Mapping[str, Any], token: Mapping[str, Any]) -> Profile:
        assert isinstance(self.settings, OAuth2Provider)
        given, known = self.settings, flat(profile)
        email = text(known.get(given.email_key))
        identifier = text(known.get(given.identifier_key)) if given.identifier_key else None
        first = text(known.get(given.first_name_key)) if given.first_name_key else None
        last = text(known.get(given.last_name_key)) if given.last_name_key else None
        return self._made(identifier, email, first, last, known, token)

    def _made(
        self,
        identifier: str | None,
        email: str | None,
        first: str | None,
        last: str | None,
        known: Mapping[str, Any],
        token: Mapping[str, Any],
    ) -> Profile:
        if not (identifier or email):
            raise InvalidCredentials()
        groups = known.get(self.settings.groups_claim)
        role, given = mapped_role(self.settings.roles, groups, self.settings.default_role)
        refresh = text(token.get("refresh_token"))
        return Profile(self.name, identifier or email or "", email, first, last, role, given, refresh)


class OpenIdClient(OAuthClient):
    """A provider that describes itself and signs who the user is."""

    settings: OpenIdProvider

    def __init__(self, name: str, settings: OpenIdProvider) -> None:
        super().__init__(name, settings)
        self._found: dict[str, Any] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def discover(self) -> dict[str, Any]:
        """The issuer's description of itself, read once.

        Raises:
            ServiceUnavailable
        """
        if self._found is None:
            url = self.settings.issuer
            if not url.endswith(WELL_KNOWN):
                url = url.rstrip("/") + WELL_KNOWN
            async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                self._found = await self._json(client, url)
        return self._found

    def _nonce(self, verifier: str) -> dict[str, str]:
        # Never the challenge in clear, where that is the verifier itself.
        return {"nonce": str(create_s256_code_challenge(f"nonce {verifier}"))}

    async def _authorize_url(self) -> str:
        return await self._place("authorization_endpoint")

    async def _token_url(self) -> str:
        return await self._place("token_endpoint")

    async def _place(self, name: str) -> str:
        found = (await self.discover()).get(name)
        if not isinstance(found, str):
            raise ServiceUnavailable(self.name, f"the issuer has no {name}")
        return found

    async def _profile(self, client: Any, token: Mapping[str, Any], verifier: str) -> dict[str, Any]:
        claims = await self._verified(str(token.get("id_token") or ""), token, verifier)
        place = (await self.discover()).get("userinfo_endpoint")
        more = await self._json(client, place) if isinstance(place, str) else {}
        if more and more.get("sub") != claims["sub"]:
            raise InvalidCredentials()
        return {**claims, **more}

    async def _verified(self, id_token: str, token: Mapping[str, Any], verifier: str) -> dict[str, Any]:
        issuer = (await self.discover()).get("issuer")
        try:
            found = jwt.decode(id_token, await self._key_set(fresh=False), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # The issuer may have changed its keys.
            try:
                found = jwt.decode(id_token, await self._key_set(fresh=True), algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                raise InvalidCredentials() from None
        options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        expected = {
            **self._nonce(verifier),
            "client_id": self.settings.client_id,
            "access_token": token.get("access_token"),
        }
        claims = CodeIDToken(found.claims, found.header, options, expected)
        try:
            claims.validate(leeway=LEEWAY_SECONDS)
        except JoseError:
            raise InvalidCredentials() from None
        return dict(found.claims)

    async def _key_set(self, *, fresh: bool) -> KeySet:
        if self._keys is None or fresh or time.monotonic() - self._keys[0] > KEYS_SECONDS:
            async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                found = await self._json(client, await self._place("jwks_uri"))
            try:
                keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
            except (JoseError, KeyError, TypeError, ValueError) as error:
                raise ServiceUnavailable(self.name, "the issuer's keys can't be read") from error
            self._keys = (time.monotonic(), keys)
        return self._keys[1]

    def _read(self, profile: Mapping[str, Any], token: Mapping[str, Any]) -> Profile:
        known = flat(profile)
        email = text(known.get("email"))
        key = self.settings.identifier_key
        found = self._made(
            text(known.get(key)) if key else None,
            email,
            text(known.get("given_name")),
            text(known.get("family_name")),
            known,
            token,
        )
        if not self.settings.verified_email or known.get("email_verified") is True:
            return found
        if found.identifier == email:
            # Whoever can choose his address could be anybody.
            raise InvalidCredentials()
        return replace(found, verified=False)
