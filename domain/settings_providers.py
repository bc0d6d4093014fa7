"""Settings of providers that users sign in with, one group of `AUTH_<NAME>_...` for each name."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError

from domain.settings_types import Duration, Group, Names, SettingsError

PREFIX = "AUTH_"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"


def _json(value: object) -> object:
    if isinstance(value, str):
        try:
            return json.loads(value.removeprefix("json:"))
        except ValueError:
            raise ValueError("not valid JSON") from None
    return value


Roles = Annotated[Mapping[str, UUID], BeforeValidator(_json)]
Parameters = Annotated[Mapping[str, str], BeforeValidator(_json)]


class Provider(Group):
    """What all providers have."""

    label: str | None = Field(None, alias="LABEL")
    icon: str | None = Field(None, alias="ICON")


class LocalProvider(Provider):
    """A second name for addresses and passwords kept here."""

    driver: Literal["local"] = Field(alias="DRIVER")


class _Remote(Provider):
    mode: Literal["session", "cookie"] = Field("session", alias="MODE")
    redirects: Names = Field((), alias="REDIRECT_ALLOW_LIST")
    register_users: bool = Field(False, alias="ALLOW_PUBLIC_REGISTRATION")
    default_role: UUID | None = Field(None, alias="DEFAULT_ROLE_ID")
    sync: bool = Field(False, alias="SYNC_USER_INFO")
    roles: Roles = Field(default_factory=dict, alias="ROLE_MAPPING")
    groups_claim: str = Field("groups", alias="GROUP_CLAIM_NAME")


class _Client(_Remote):
    client_id: str = Field(alias="CLIENT_ID")
    client_secret: SecretStr = Field(alias="CLIENT_SECRET")
    client_auth: str = Field("client_secret_basic", alias="CLIENT_TOKEN_ENDPOINT_AUTH_METHOD")
    params: Parameters = Field(default_factory=dict, alias="PARAMS")
    cookie_secure: bool = Field(False, alias="COOKIE_SECURE")
    plain_challenge: bool = Field(False, alias="PLAIN_CODE_CHALLENGE")


class OAuth2Provider(_Client):
    """OAuth 2 with a profile read from an address of the provider's."""

    driver: Literal["oauth2"] = Field(alias="DRIVER")
    scope: str = Field("email", alias="SCOPE")
    authorize_url: str = Field(alias="AUTHORIZE_URL")
    access_url: str = Field(alias="ACCESS_URL")
    profile_url: str = Field(alias="PROFILE_URL")
    identifier_key: str | None = Field(None, alias="IDENTIFIER_KEY")
    email_key: str = Field("email", alias="EMAIL_KEY")
    first_name_key: str | None = Field(None, alias="FIRST_NAME_KEY")
    last_name_key: str | None = Field(None, alias="LAST_NAME_KEY")
    timeout: Duration = Field(300, alias="LOGIN_TIMEOUT")


class OpenIdProvider(_Client):
    """OpenID Connect, configured by the issuer's discovery document."""

    driver: Literal["openid"] = Field(alias="DRIVER")
    scope: str = Field("openid profile email", alias="SCOPE")
    issuer: str = Field(alias="ISSUER_URL")
    must_discover: bool = Field(True, alias="ISSUER_DISCOVERY_MUST_SUCCEED")
    identifier_key: str | None = Field("sub", alias="IDENTIFIER_KEY")
    verified_email: bool = Field(False, alias="REQUIRE_VERIFIED_EMAIL")
    timeout: Duration = Field(300, alias="LOGIN_TIMEOUT")


class LdapProvider(Provider):
    """A directory that checks passwords."""

    driver: Literal["ldap"] = Field(alias="DRIVER")
    url: str = Field(alias="CLIENT_URL")
    bind_dn: str = Field("", alias="BIND_DN")
    bind_password: SecretStr | None = Field(None, alias="BIND_PASSWORD")
    user_dn: str = Field(alias="USER_DN")
    user_attribute: str = Field("cn", alias="USER_ATTRIBUTE")
    user_scope: Literal["base", "one", "sub"] = Field("one", alias="USER_SCOPE")
    mail_attribute: str = Field("mail", alias="MAIL_ATTRIBUTE")
    first_name_attribute: str = Field("givenName", alias="FIRST_NAME_ATTRIBUTE")
    last_name_attribute: str = Field("sn", alias="LAST_NAME_ATTRIBUTE")
    group_dn: str | None = Field(None, alias="GROUP_DN")
    group_attribute: str = Field("member", alias="GROUP_ATTRIBUTE")
    group_scope: Literal["base", "one", "sub"] = Field("one", alias="GROUP_SCOPE")
    default_role: UUID | None = Field(None, alias="DEFAULT_ROLE_ID")
    sync: bool = Field(False, alias="SYNC_USER_INFO")


class SamlProvider(_Remote):
    """SAML 2; both sides described by their metadata."""

    driver: Literal["saml"] = Field(alias="DRIVER")
    idp_metadata: str = Field(alias="IDP_METADATA")
    sp_metadata: str | None = Field(None, alias="SP_METADATA")
    identifier_key: str | None = Field(None, alias="IDENTIFIER_KEY")
    email_key: str = Field(f"{CLAIMS}emailaddress", alias="EMAIL_KEY")
    first_name_key: str = Field(f"{CLAIMS}givenname", alias="GIVEN_NAME_KEY")
    last_name_key: str = Field(f"{CLAIMS}surname", alias="FAMILY_NAME_KEY")
    timeout: Duration = Field(300, alias="LOGIN_TIMEOUT")


AnyProvider = Annotated[
    LocalProvider | OAuth2Provider | OpenIdProvider | LdapProvider | SamlProvider,
    Field(discriminator="driver"),
]
KINDS: tuple[type[Provider], ...] = (
    LocalProvider,
    OAuth2Provider,
    OpenIdProvider,
    LdapProvider,
    SamlProvider,
)


class ProviderSettings(Group):
    """The providers besides addresses and passwords, in the order they are offered."""

    names: Names = Field((), alias="AUTH_PROVIDERS")
    providers: Mapping[str, AnyProvider] = Field(default_factory=dict)


def provider_names(name: str) -> tuple[str, ...]:
    """The environment names that a provider may have."""
    aliases = dict.fromkeys(
        info.alias for kind in KINDS for info in kind.model_fields.values() if info.alias is not None
    )
    return tuple(f"{PREFIX}{name.upper()}_{alias}" for alias in aliases)


def parse_providers(given: Mapping[str, str]) -> ProviderSettings:
    """The providers that texts by environment name describe. Raises SettingsError."""
    # The reference writes some of these names in small letters.
    texts = {name.upper(): text for name, text in given.items() if name.upper().startswith(PREFIX)}
    names = TypeAdapter(Names).validate_python(texts.get("AUTH_PROVIDERS", ""))
    adapter: TypeAdapter[Any] = TypeAdapter(AnyProvider)
    found = {}
    for name in names:
        if name == "default":
            raise SettingsError("invalid setting AUTH_PROVIDERS: the name default is taken")
        prefix = f"{PREFIX}{name.upper()}_"
        if f"{prefix}DRIVER" not in texts:
            raise SettingsError(f"invalid setting {prefix}DRIVER: it is required")
        known = _names_of(texts[f"{prefix}DRIVER"])
        options = {alias: texts[prefix + alias] for alias in known if prefix + alias in texts}
        try:
            found[name] = adapter.validate_python(options)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = [part for part in first["loc"] if isinstance(part, str) and part.isupper()]
            reason = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"invalid setting {prefix}{(place or ['DRIVER'])[0]}: {reason}") from None
    return ProviderSettings(AUTH_PROVIDERS=names, providers=found)


def _names_of(driver: str) -> list[str]:
    kinds = [kind for kind in KINDS if driver in kind.model_fields["driver"].annotation.__args__]  # type: ignore[union-attr]
    return [
        info.alias for kind in kinds or KINDS for info in kind.model_fields.values() if info.alias is not None
    ]
