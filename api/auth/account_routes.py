"""`/users/invite`, `/users/register`, `/auth/password`: accounts by mail."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from aiohttp import web

from api.auth.accounts import Registration
from api.auth.addresses import address_of
from api.auth.credentials import Origin, origin_of
from api.auth.fields import refuse_others, text_of
from api.auth.links import is_web, own_url
from api.auth.login import stalled
from api.bodies import read_object
from api.keys import ACCOUNTS, CONTEXT, LIMITER, REQUEST_ID, SETTINGS
from api.responses import no_content
from domain.access.emails import is_email
from domain.errors import InvalidPayload, InvalidToken

RESET_STALL_SECONDS = 0.5
_UUID = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def request_reset(request: web.Request) -> web.Response:
    """POST /auth/password/request."""
    body = await read_object(request)
    email, url = body.get("email"), body.get("reset_url")
    if not isinstance(email, str) or not email:
        raise InvalidPayload('"email" field is required')
    if url is not None and not isinstance(url, str):
        raise InvalidPayload('"reset_url" must be a string')
    await stalled(request.app[ACCOUNTS].request_reset(email, url or None), RESET_STALL_SECONDS)
    return no_content()


async def reset(request: web.Request) -> web.Response:
    """POST /auth/password/reset."""
    body = await read_object(request)
    token, password = (_filled(body, name) for name in ("token", "password"))
    await request.app[ACCOUNTS].reset(token, password, *_from(request))
    return no_content()


async def invite(request: web.Request) -> web.Response:
    """POST /users/invite."""
    body = await read_object(request)
    refuse_others(body, ("email", "role", "invite_url"))
    if "email" not in body:
        raise InvalidPayload('"email" is required')
    emails = body["email"] if isinstance(body["email"], list) else [body["email"]]
    if not all(isinstance(email, str) for email in emails):
        raise InvalidPayload('"email" must be a string')
    role = text_of(body, "role", required=True)
    if not _UUID.fullmatch(role):
        raise InvalidPayload('"role" must be a valid GUID')
    url = text_of(body, "invite_url") or None
    if url is not None and not is_web(url):
        raise InvalidPayload('"invite_url" must be a valid uri')
    await request.app[ACCOUNTS].invite(request[CONTEXT], list(dict.fromkeys(emails)), role, url)
    return no_content()


async def accept(request: web.Request) -> web.Response:
    """POST /users/invite/accept."""
    body = await read_object(request)
    token = text_of(body, "token", required=True)
    password = text_of(body, "password", required=True)
    await request.app[ACCOUNTS].accept(token, password, *_from(request))
    return no_content()


async def register(request: web.Request) -> web.Response:
    """POST /users/register."""
    settings = request.app[SETTINGS].auth
    await request.app[LIMITER].registration(address_of(request, settings))
    body = await read_object(request)
    refuse_others(body, ("email", "password", "first_name", "last_name", "verification_url"))
    email = text_of(body, "email", required=True)
    if not is_email(email):
        raise InvalidPayload('"email" must be a valid email')
    wanted = Registration(
        email,
        text_of(body, "password", required=True),
        text_of(body, "first_name") or None,
        text_of(body, "last_name") or None,
        text_of(body, "verification_url") or None,
    )
    accounts = request.app[ACCOUNTS]
    base = accounts.require_registration_url(wanted.url)
    await stalled(accounts.register(wanted, base, *_from(request)), settings.register_stall)
    return no_content()


async def verify_email(request: web.Request) -> web.Response:
    """GET /users/register/verify-email."""
    tokens = request.query.getall("token", [])
    if len(tokens) > 1 or any(name.startswith("token[") for name in request.query):
        return _sent_to(request, "/admin/login")
    if not tokens or not tokens[0]:
        raise InvalidToken()
    user = await request.app[ACCOUNTS].verify(tokens[0], *_from(request))
    return _sent_to(request, f"/admin/users/{user}")


def routes() -> list[web.RouteDef]:
    """These have to come before the routes of `/users` with keys."""
    return [
        web.post("/auth/password/request", request_reset),
        web.post("/auth/password/reset", reset),
        web.post("/users/invite", invite),
        web.post("/users/invite/accept", accept),
        web.post("/users/register", register),
        web.get("/users/register/verify-email", verify_email),
    ]


def _from(request: web.Request) -> tuple[Origin, UUID]:
    return origin_of(request, request.app[SETTINGS].auth), UUID(request[REQUEST_ID])


def _sent_to(request: web.Request, path: str) -> web.Response:
    response = web.Response(status=302)
    response.headers["Location"] = own_url(request.app[SETTINGS], path)
    return response


def _filled(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidPayload(f'"{name}" field is required')
    return value
