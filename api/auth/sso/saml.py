"""SAML 2: requests to and answers from identity providers, in threads, since signatures take a while."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from api.auth.sso.users import Profile, mapped_role, text
from domain.errors import InvalidCredentials, InvalidProviderConfig
from domain.settings_providers import SamlProvider

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


@dataclass(frozen=True, slots=True)
class Assertion:
    """A profile out of an answer that was checked; ``id`` may be used once within ``seconds``."""

    profile: Profile
    id: str
    seconds: float


class SamlClient:
    """One identity provider. ``base`` is the address of our routes for it."""

    def __init__(self, name: str, settings: SamlProvider, base: str) -> None:
        self.name = name
        self.settings = settings
        self.base = base

    async def login_url(self, relay: str) -> str:
        """Where to send the user."""
        return await asyncio.to_thread(lambda: str(self._auth({}).login(return_to=relay)))

    async def logout_url(self, relay: str) -> str | None:
        """Where to send a user who signs out, if the provider wants to know."""

        def make() -> str | None:
            auth = self._auth({})
            return str(auth.logout(return_to=relay)) if auth.get_slo_url() else None

        return await asyncio.to_thread(make)

    async def metadata(self) -> bytes:
        """What the provider has to know of us."""

        def make() -> bytes:
            found = OneLogin_Saml2_Settings(self._configuration(), sp_validation_only=True).get_sp_metadata()
            return found if isinstance(found, bytes) else str(found).encode()

        return await asyncio.to_thread(make)

    async def accept(self, form: dict[str, str]) -> Assertion:
        """The profile in an answer.

        Raises:
            InvalidCredentials: not signed by the provider, not for us, or not now.
        """
        return await asyncio.to_thread(self._accept, form)

    def _accept(self, form: dict[str, str]) -> Assertion:
        auth = self._auth(form)
        try:
            auth.process_response()
        except (OneLogin_Saml2_Error, ValueError, SyntaxError):
            raise InvalidCredentials() from None
        if auth.get_errors() or not auth.is_authenticated():
            raise InvalidCredentials()
        given, attributes = self.settings, auth.get_attributes()
        email = text(attributes.get(given.email_key))
        named = attributes.get(given.identifier_key) if given.identifier_key else auth.get_nameid()
        identifier = (text(named) or email or "").lower()
        if not identifier:
            raise InvalidCredentials()
        role, role_given = mapped_role(given.roles, attributes.get(given.groups_claim), given.default_role)
        profile = Profile(
            self.name,
            identifier,
            email,
            text(attributes.get(given.first_name_key)),
            text(attributes.get(given.last_name_key)),
            role,
            role_given,
        )
        ends = auth.get_last_assertion_not_on_or_after()
        seconds = max(60.0, float(ends) - time.time() + 600) if ends else 86_400.0
        return Assertion(profile, str(auth.get_last_assertion_id()), seconds)

    def _auth(self, form: dict[str, str]) -> OneLogin_Saml2_Auth:
        place = urlsplit(self.base)
        request = {
            "https": "on" if place.scheme == "https" else "off",
            "http_host": place.netloc,
            "script_name": f"{place.path}/acs",
            "get_data": {},
            "post_data": form,
        }
        try:
            return OneLogin_Saml2_Auth(request, self._configuration())
        except OneLogin_Saml2_Error:
            raise InvalidProviderConfig(self.name) from None

    def _configuration(self) -> dict[str, Any]:
        try:
            found = OneLogin_Saml2_IdPMetadataParser.parse(self.settings.idp_metadata)
        except (OneLogin_Saml2_Error, ValueError, SyntaxError):
            raise InvalidProviderConfig(self.name) from None
        configuration: dict[str, Any] = {
            "strict": True,
            "sp": {
                "entityId": self._entity(),
                "assertionConsumerService": {"url": f"{self.base}/acs", "binding": POST},
            },
            "idp": found.get("idp", {}),
            "security": {"requestedAuthnContext": False, "wantNameId": self.settings.identifier_key is None},
        }
        return configuration

    def _entity(self) -> str:
        if self.settings.sp_metadata is None:
            return f"{self.base}/metadata"
        try:
            return str(OneLogin_Saml2_XML.to_etree(self.settings.sp_metadata).attrib["entityID"])
        except (SyntaxError, ValueError, KeyError):
            raise InvalidProviderConfig(self.name) from None
