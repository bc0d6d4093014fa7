"""Requests that another site made a browser send: with our cookies, but not by our pages.

A token that a page puts into a request itself needs no such check; a cookie is sent by the browser whoever
asks. Cookies are SameSite, JSON bodies need a preflight; this holds where the settings weaken the first.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import hdrs, web

from domain.errors import Forbidden
from domain.settings import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "SEARCH"})


def require_same_site(request: web.Request, settings: Settings) -> None:
    """Refuse a change by cookie that a page of another site asks for.

    Raises:
        Forbidden
    """
    if request.method not in SAFE and not from_own_pages(request, settings):
        raise Forbidden()


def from_own_pages(request: web.Request, settings: Settings) -> bool:
    """Whether a request comes from a page of ours, of an origin we allow, or from no page at all."""
    origin, site = request.headers.get(hdrs.ORIGIN), request.headers.get("Sec-Fetch-Site")
    if origin is None:
        return site != "cross-site"
    if site in ("same-origin", "same-site", "none") or origin_allowed(origin, settings):
        return True
    host = urlsplit(origin).netloc.lower()
    own = {request.host.lower(), urlsplit(settings.server.public_url).netloc.lower()}
    if settings.auth.trust_proxy:
        own.add(request.headers.get("X-Forwarded-Host", "").lower())
    return site != "cross-site" and bool(host) and host in own


def origin_allowed(origin: str, settings: Settings) -> bool:
    """Whether the settings let pages of an origin use this server."""
    browser = settings.browser
    if not browser.cors or isinstance(browser.cors_origin, bool):
        return browser.cors and browser.cors_origin is True
    return origin in browser.cors_origin or "*" in browser.cors_origin
