"""`/auth`: login, refresh, logout, the list of providers."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from api.auth.cookies import set_cookie
from api.auth.credentials import Origin, origin_of
from api.auth.fields import text_of
from api.auth.login import DEFAULT, MODES, Mode, Signed, stalled
from api.auth.origins import require_same_site
from api.auth.tokens import claims_to_be_ours
from api.bodies import read_object
from api.keys import AUTHENTICATOR, LOGIN, REQUEST_ID, SETTINGS, SIGNER
from api.responses import data, no_content, raw_json
from domain.access.emails import is_email
from domain.errors import ActaError, InvalidPayload, RouteNotFound
from domain.settings import AuthSettings

WITHOUT_TOKEN = "The refresh token is required in either the payload or cookie"  # noqa: S105  (a text)


async def login(request: web.Request) -> web.Response:
    """POST /auth/login."""
    if request.app[SETTINGS].auth.disable_default:
        raise RouteNotFound(request.path)
    return await local_login(request, DEFAULT)


async def local_login(request: web.Request, provider: str) -> web.Response:
    """A login with address and password, as a user of a provider whose passwords are kept here."""
    settings = request.app[SETTINGS].auth
    body = await read_object(request)
    return await stalled(_login(request, body, settings, provider), settings.login_stall)


async def refresh(request: web.Request) -> web.Response:
    """POST /auth/refresh."""
    settings = request.app[SETTINGS].auth
    token, mode = await _refresh_token(request, settings)
    began = time.monotonic()
    try:
        signed = await request.app[LOGIN].refresh(token, mode, _origin(request), UUID(request[REQUEST_ID]))
    except ActaError:
        await stalled(_nothing(), settings.login_stall - (time.monotonic() - began))
        raise
    return answer(signed, mode, settings)


async def logout(request: web.Request) -> web.Response:
    """POST /auth/logout."""
    settings = request.app[SETTINGS].auth
    token, _ = await _refresh_token(request, settings)
    await request.app[LOGIN].logout(token, _origin(request), UUID(request[REQUEST_ID]))
    request.app[AUTHENTICATOR].forget()
    response = no_content()
    if request.cookies.get(settings.refresh_cookie_name):
        set_cookie(response, "", "refresh", settings)
    if request.cookies.get(settings.session_cookie_name):
        set_cookie(response, "", "session", settings)
    return response


async def providers(request: web.Request) -> web.Response:
    """GET /auth: the providers besides the default one."""
    settings = request.app[SETTINGS]
    wanted = request.query.get("sessionOnly")
    session_only = wanted is not None and wanted.lower() not in ("false", "0")
    listed = []
    for name, given in settings.providers.providers.items():
        if session_only and getattr(given, "mode", "session") != "session":
            continue
        driver: str = given.driver
        shown = {"name": name, "label": given.label, "driver": driver, "icon": given.icon}
        listed.append({member: value for member, value in shown.items() if value is not None})
    return raw_json(orjson.dumps({"data": listed, "disableDefault": settings.auth.disable_default}))


def routes() -> list[web.RouteDef]:
    """The routes of `/auth`."""
    return [
        web.get("/auth", providers),
        web.post("/auth/login", login),
        web.post("/auth/refresh", refresh),
        web.post("/auth/logout", logout),
    ]


async def _login(
    request: web.Request, body: dict[str, Any], settings: AuthSettings, provider: str
) -> web.Response:
    email = text_of(body, "email", required=True)
    if not is_email(email):
        raise InvalidPayload('"email" must be a valid email')
    password = text_of(body, "password", required=True)
    mode = body.get("mode", "json")
    if mode not in MODES:
        raise InvalidPayload(f'"mode" must be one of [{", ".join(MODES)}]')
    otp = text_of(body, "otp") or None
    signed = await request.app[LOGIN].login(
        email, password, otp, mode, _origin(request), UUID(request[REQUEST_ID]), provider
    )
    return answer(signed, mode, settings)


async def _nothing() -> None:
    return None


def _origin(request: web.Request) -> Origin:
    return origin_of(request, request.app[SETTINGS].auth)


async def _refresh_token(request: web.Request, settings: AuthSettings) -> tuple[str, Mode]:
    body = await read_object(request)
    given = body.get("refresh_token")
    asked = body.get("mode") or ("json" if given else "cookie")
    mode: Mode | None = next((known for known in MODES if known == asked), None)
    token: Any = None
    if mode == "json":
        token = given
    elif mode == "cookie":
        require_same_site(request, request.app[SETTINGS])
        token = request.cookies.get(settings.refresh_cookie_name)
    elif mode == "session":
        cookie = request.cookies.get(settings.session_cookie_name)
        if cookie and claims_to_be_ours(cookie):
            require_same_site(request, request.app[SETTINGS])
            token = request.app[SIGNER].read(cookie).get("session")
    if mode is None or not isinstance(token, str) or not token:
        raise InvalidPayload(WITHOUT_TOKEN)
    return token, mode


def answer(signed: Signed, mode: Mode, settings: AuthSettings, *, with_access: bool = False) -> web.Response:
    """The answer to a login or refresh: what the mode puts into body and cookies."""
    members: dict[str, Any] = {"expires": round(signed.expires * 1000)}
    if mode == "json":
        members["refresh_token"] = signed.refresh
    if mode != "session" or with_access:
        members["access_token"] = signed.access
    response = data(members)
    if mode == "cookie":
        set_cookie(response, signed.refresh, "refresh", settings)
    elif mode == "session":
        set_cookie(response, signed.access, "session", settings)
    return response
