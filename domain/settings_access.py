"""Settings of who may come in and how: tokens, cookies, limits, browsers, mail."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr

from domain.settings_types import Duration, Group, Limit, Names, SameSite

PROXY_NAMES = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "linklocal": ("169.254.0.0/16", "fe80::/10"),
    "uniquelocal": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
}
CSP_PREFIX = "CONTENT_SECURITY_POLICY_DIRECTIVES__"
ASSET_CSP_PREFIX = f"ASSETS_{CSP_PREFIX}"
# Scripts in SVG and HTML that somebody has uploaded do nothing.
ASSET_DIRECTIVES = {"default-src": "'none'"}
DIRECTIVES = {
    "default-src": "'self'",
    "base-uri": "'self'",
    "font-src": "'self' https: data:",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
    "img-src": "'self' data: blob:",
    "object-src": "'none'",
    "script-src": "'self' 'unsafe-eval'",
    "script-src-attr": "'none'",
    "style-src": "'self' https: 'unsafe-inline'",
    "worker-src": "'self' blob:",
    "child-src": "'self' blob:",
    "media-src": "'self'",
    "connect-src": "'self' https://* wss://*",
}


def _trusted(value: object) -> object:
    """True, False, a number of proxies, or the list of their addresses."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if text in ("true", "false"):
        return text == "true"
    if text.isdigit():
        return int(text)
    listed = tuple(part.strip() for part in value.split(",") if part.strip())
    for entry in listed:
        if entry.lower() not in PROXY_NAMES:
            ipaddress.ip_network(entry, strict=False)
    return listed


def _switch_or_text(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return value


def _origins(value: object) -> object:
    known = _switch_or_text(value)
    if isinstance(known, str):
        return tuple(part.strip() for part in known.removeprefix("array:").split(",") if part.strip())
    return known


def _header_name(value: object) -> object:
    known = _switch_or_text(value)
    return None if known is False else known


def _unbounded(value: object) -> object:
    return -1 if isinstance(value, str) and value.lower() == "infinity" else value


Proxies = Annotated[bool | int | tuple[str, ...], BeforeValidator(_trusted)]
Origins = Annotated[bool | tuple[str, ...], BeforeValidator(_origins)]
HeaderName = Annotated[str | None, BeforeValidator(_header_name)]
Seats = Annotated[Limit, BeforeValidator(_unbounded)]


class AuthSettings(Group):
    """Tokens, cookies, users and the first administrator; durations in seconds."""

    secret: SecretStr | None = Field(None, alias="SECRET")
    access_token_ttl: Duration = Field(900, alias="ACCESS_TOKEN_TTL")
    refresh_token_ttl: Duration = Field(604_800, alias="REFRESH_TOKEN_TTL")
    refresh_cookie_name: str = Field("directus_refresh_token", alias="REFRESH_TOKEN_COOKIE_NAME")
    refresh_cookie_domain: str | None = Field(None, alias="REFRESH_TOKEN_COOKIE_DOMAIN")
    refresh_cookie_secure: bool = Field(False, alias="REFRESH_TOKEN_COOKIE_SECURE")
    refresh_cookie_same_site: SameSite = Field("lax", alias="REFRESH_TOKEN_COOKIE_SAME_SITE")
    session_cookie_ttl: Duration = Field(86_400, alias="SESSION_COOKIE_TTL")
    session_cookie_name: str = Field("directus_session_token", alias="SESSION_COOKIE_NAME")
    session_cookie_domain: str | None = Field(None, alias="SESSION_COOKIE_DOMAIN")
    session_cookie_secure: bool = Field(False, alias="SESSION_COOKIE_SECURE")
    session_cookie_same_site: SameSite = Field("lax", alias="SESSION_COOKIE_SAME_SITE")
    session_grace: Duration = Field(10, alias="SESSION_REFRESH_GRACE_PERIOD")
    login_stall: Duration = Field(0.5, alias="LOGIN_STALL_TIME")
    register_stall: Duration = Field(0.75, alias="REGISTER_STALL_TIME")
    invite_ttl: Duration = Field(604_800, alias="USER_INVITE_TOKEN_TTL")
    verification_ttl: Duration = Field(604_800, alias="EMAIL_VERIFICATION_TOKEN_TTL")
    reset_urls: Names = Field((), alias="PASSWORD_RESET_URL_ALLOW_LIST")
    invite_urls: Names = Field((), alias="USER_INVITE_URL_ALLOW_LIST")
    register_urls: Names = Field((), alias="USER_REGISTER_URL_ALLOW_LIST")
    disable_default: bool = Field(False, alias="AUTH_DISABLE_DEFAULT")
    allowed_public_urls: Names = Field((), alias="AUTH_ALLOWED_PUBLIC_URLS")
    trust_proxy: Proxies = Field(True, alias="IP_TRUST_PROXY")
    ip_header: HeaderName = Field(None, alias="IP_CUSTOM_HEADER")
    admin_email: str | None = Field(None, alias="ADMIN_EMAIL")
    admin_password: SecretStr | None = Field(None, alias="ADMIN_PASSWORD")
    admin_token: SecretStr | None = Field(None, alias="ADMIN_TOKEN")
    admin_seats: Seats = Field(None, alias="USERS_ADMIN_ACCESS_LIMIT")
    app_seats: Seats = Field(None, alias="USERS_APP_ACCESS_LIMIT")
    api_seats: Seats = Field(None, alias="USERS_API_ACCESS_LIMIT")


class LimiterSettings(Group):
    """How many requests are taken; durations in seconds, also without a unit."""

    enabled: bool = Field(False, alias="RATE_LIMITER_ENABLED")
    points: int = Field(50, alias="RATE_LIMITER_POINTS", ge=1)
    duration: int = Field(1, alias="RATE_LIMITER_DURATION", ge=1)
    store: Literal["memory", "postgres"] = Field("memory", alias="RATE_LIMITER_STORE")
    global_enabled: bool = Field(False, alias="RATE_LIMITER_GLOBAL_ENABLED")
    global_points: int = Field(1000, alias="RATE_LIMITER_GLOBAL_POINTS", ge=1)
    global_duration: int = Field(1, alias="RATE_LIMITER_GLOBAL_DURATION", ge=1)
    registration_enabled: bool = Field(True, alias="RATE_LIMITER_REGISTRATION_ENABLED")
    registration_points: int = Field(5, alias="RATE_LIMITER_REGISTRATION_POINTS", ge=1)
    registration_duration: int = Field(60, alias="RATE_LIMITER_REGISTRATION_DURATION", ge=1)
    mail_enabled: bool = Field(False, alias="RATE_LIMITER_EMAIL_ENABLED")
    mail_points: int = Field(60, alias="RATE_LIMITER_EMAIL_POINTS", ge=1)
    mail_duration: int = Field(60, alias="RATE_LIMITER_EMAIL_DURATION", ge=1)
    mail_queue: int = Field(1_000_000, alias="RATE_LIMITER_EMAIL_QUEUE_SIZE", ge=1)
    mail_message: str | None = Field(None, alias="RATE_LIMITER_EMAIL_ERROR_MESSAGE")
    flow_mail_enabled: bool = Field(False, alias="RATE_LIMITER_EMAIL_FLOWS_ENABLED")
    flow_mail_points: int = Field(1, alias="RATE_LIMITER_EMAIL_FLOWS_POINTS", ge=1)
    flow_mail_duration: int = Field(60, alias="RATE_LIMITER_EMAIL_FLOWS_DURATION", ge=1)
    flow_mail_message: str | None = Field(None, alias="RATE_LIMITER_EMAIL_FLOWS_ERROR_MESSAGE")

    def model_post_init(self, context: Any) -> None:
        """The limit for everybody has to let more through than the one for each.

        Raises:
            ValueError
        """
        if not self.global_enabled:
            return
        if not self.enabled:
            raise ValueError("RATE_LIMITER_GLOBAL_ENABLED needs RATE_LIMITER_ENABLED")
        if self.global_points / self.global_duration <= self.points / self.duration:
            raise ValueError("RATE_LIMITER_GLOBAL_POINTS allows no more than RATE_LIMITER_POINTS")


class BrowserSettings(Group):
    """What browsers are told about other origins; durations in seconds, also without a unit."""

    cors: bool = Field(False, alias="CORS_ENABLED")
    cors_origin: Origins = Field(False, alias="CORS_ORIGIN")
    cors_methods: Names = Field(("GET", "POST", "PATCH", "DELETE"), alias="CORS_METHODS")
    cors_allowed_headers: Names = Field(("Content-Type", "Authorization"), alias="CORS_ALLOWED_HEADERS")
    cors_exposed_headers: Names = Field(("Content-Range",), alias="CORS_EXPOSED_HEADERS")
    cors_credentials: bool = Field(True, alias="CORS_CREDENTIALS")
    cors_max_age: int = Field(18_000, alias="CORS_MAX_AGE", ge=0)
    csp: bool = Field(True, alias="CONTENT_SECURITY_POLICY_ENABLED")
    csp_report_only: bool = Field(False, alias="CONTENT_SECURITY_POLICY_REPORT_ONLY")
    hsts: bool = Field(False, alias="HSTS_ENABLED")
    hsts_max_age: int = Field(15_552_000, alias="HSTS_MAX_AGE", ge=0)
    hsts_subdomains: bool = Field(True, alias="HSTS_INCLUDE_SUB_DOMAINS")
    hsts_preload: bool = Field(False, alias="HSTS_PRELOAD")
    opener_policy_enabled: bool = Field(True, alias="CROSS_ORIGIN_OPENER_POLICY_ENABLED")
    opener_policy: str = Field("same-origin-allow-popups", alias="CROSS_ORIGIN_OPENER_POLICY")


class MailSettings(Group):
    """How mail is sent, and what it looks like."""

    sender: str = Field("no-reply@example.com", alias="EMAIL_FROM")
    transport: Literal["sendmail", "smtp"] = Field("sendmail", alias="EMAIL_TRANSPORT")
    verify: bool = Field(True, alias="EMAIL_VERIFY_SETUP")
    templates: str = Field("./templates", alias="EMAIL_TEMPLATES_PATH")
    sendmail: str = Field("/usr/sbin/sendmail", alias="EMAIL_SENDMAIL_PATH")
    host: str = Field("localhost", alias="EMAIL_SMTP_HOST")
    port: int = Field(587, alias="EMAIL_SMTP_PORT", ge=1, le=65535)
    user: str | None = Field(None, alias="EMAIL_SMTP_USER")
    password: SecretStr | None = Field(None, alias="EMAIL_SMTP_PASSWORD")
    secure: bool = Field(False, alias="EMAIL_SMTP_SECURE")
    ignore_tls: bool = Field(False, alias="EMAIL_SMTP_IGNORE_TLS")
    name: str | None = Field(None, alias="EMAIL_SMTP_NAME")


def policy_directives(
    given: dict[str, str], prefix: str = CSP_PREFIX, default: Mapping[str, str] = DIRECTIVES
) -> dict[str, str]:
    """The directives of a content security policy; a value of ``false`` takes one out."""
    found = dict(default)
    for name, text in given.items():
        if name.startswith(prefix):
            directive = name.removeprefix(prefix).lower().replace("_", "-")
            found[directive] = " ".join(text.removeprefix("array:").split(","))
    return {name: value for name, value in found.items() if value.lower() != "false"}
