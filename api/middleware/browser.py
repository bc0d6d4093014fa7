"""What browsers are told: which origins may call, what pages may load. On every answer, errors included."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from api.auth.origins import origin_allowed
from api.keys import SETTINGS
from api.responses import PLAIN
from domain.settings import Settings

Signal = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser that asks whether it may send a request."""
    if request.method != "OPTIONS" or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
        return await handler(request)
    browser = request.app[SETTINGS].browser
    response = web.Response(status=204, headers=PLAIN)
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = ",".join(browser.cors_methods)
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ",".join(browser.cors_allowed_headers)
    response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(browser.cors_max_age)
    return response


def header_writer(settings: Settings) -> Signal:
    """A signal that completes the headers of every answer before they are sent, of streams too."""
    fixed = _fixed(settings)
    cors = settings.browser.cors

    async def write(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in fixed.items():
            response.headers.setdefault(name, value)
        if cors and (origin := request.headers.get(hdrs.ORIGIN)) and origin_allowed(origin, settings):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            if settings.browser.cors_credentials:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
            if settings.browser.cors_exposed_headers:
                response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ",".join(
                    settings.browser.cors_exposed_headers
                )

    return write


def _fixed(settings: Settings) -> dict[str, str]:
    browser = settings.browser
    found = {"X-Content-Type-Options": "nosniff"}
    if browser.csp:
        name = "Content-Security-Policy" + ("-Report-Only" if browser.csp_report_only else "")
        found[name] = ";".join(f"{name} {value}" for name, value in settings.directives.items())
    if browser.opener_policy_enabled:
        found["Cross-Origin-Opener-Policy"] = browser.opener_policy
    if browser.hsts:
        parts = [f"max-age={browser.hsts_max_age}"]
        parts += ["includeSubDomains"] if browser.hsts_subdomains else []
        parts += ["preload"] if browser.hsts_preload else []
        found["Strict-Transport-Security"] = "; ".join(parts)
    return found
