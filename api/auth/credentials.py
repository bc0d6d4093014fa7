"""Where a request carries its token, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import hdrs, web

from api.auth.addresses import address_of
from domain.errors import InvalidPayload
from domain.settings import AuthSettings

USER_AGENT_LENGTH, ORIGIN_LENGTH = 1024, 255


@dataclass(frozen=True, slots=True)
class Origin:
    """What the log keeps of a request's sender."""

    ip: str | None
    user_agent: str | None
    origin: str | None


def token_of(request: web.Request, cookie_name: str) -> tuple[str | None, bool]:
    """The token, and whether it came from the session cookie.

    Raises:
        InvalidPayload: when both URL and header carry one.
    """
    header = _bearer(request.headers.get(hdrs.AUTHORIZATION))
    query = None
    if "access_token" in request.rel_url.raw_query_string:
        query = request.query.get("access_token") or None
    if header and query:
        raise InvalidPayload("The request uses more than one method for including an access token")
    if header or query:
        return header or query, False
    if hdrs.COOKIE in request.headers:
        cookie = request.cookies.get(cookie_name)
        if cookie:
            return cookie, True
    return None, False


def _bearer(header: str | None) -> str | None:
    if header is None:
        return None
    parts = header.split(" ")
    return parts[1] if len(parts) == 2 and parts[0].lower() == "bearer" and parts[1] else None


def origin_of(request: web.Request, settings: AuthSettings) -> Origin:
    """Address, user agent and Origin header of the sender."""
    headers = request.headers
    agent, page = headers.get(hdrs.USER_AGENT), headers.get(hdrs.ORIGIN)
    return Origin(
        address_of(request, settings),
        agent[:USER_AGENT_LENGTH] if agent else None,
        page[:ORIGIN_LENGTH] if page is not None else None,
    )
